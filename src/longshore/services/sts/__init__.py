"""Security Token Service: temporary credentials, sealed into their tokens.

Enters: calls of the STS API. Leaves: session tokens; nothing is written. A role's trust policy is
the resource policy of `sts:AssumeRole`, `sts:AssumeRoleWithWebIdentity`, `sts:TagSession` and
`sts:SetSourceIdentity`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from longshore.services.interface import Context, Response, Service, WaitingOperation
from longshore.services.sts import assume_role, identity, tokens

if TYPE_CHECKING:
    from longshore.services.sts.web_identity import WebIdentities


def service(reach: Callable[[str], bool] | None = None) -> Service:
    """STS as the gateway offers it.

    `reach` says at which addresses identity providers may be (`longshore.oidc.https.is_public`).
    """
    return Service(
        name="sts",
        iam_prefix="sts",
        operations={
            "AssumeRole": assume_role.assume_role,
            "GetAccessKeyInfo": identity.get_access_key_info,
            "GetCallerIdentity": identity.get_caller_identity,
            "GetFederationToken": tokens.get_federation_token,
            "GetSessionToken": tokens.get_session_token,
        },
        waiting={"AssumeRoleWithWebIdentity": _web_identities(reach)},
        resources={
            "AssumeRole": assume_role.role_to_assume,
            "GetFederationToken": tokens.federated_user,
        },
        anonymous=frozenset({"AssumeRoleWithWebIdentity"}),
        unauthorized=frozenset({"GetCallerIdentity", "GetSessionToken"}),
        resource_policy=assume_role.trust_policy,
    )


def _web_identities(reach: Callable[[str], bool] | None) -> WaitingOperation:
    made: list[WebIdentities] = []

    async def assume_role_with_web_identity(context: Context, request: Any) -> Response:
        if not made:
            # Imported here: STS's first answer, to somebody with keys, need not wait for it.
            from longshore.services.sts.web_identity import web_identities

            made.append(web_identities(reach))
        return await made[0].assume_role(context, request)

    return assume_role_with_web_identity
