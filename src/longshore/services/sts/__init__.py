"""Security Token Service: temporary credentials, sealed into their tokens.

Enters: calls of the STS API. Leaves: session tokens; nothing is written. A role's trust policy is
the resource policy of `sts:AssumeRole`, `sts:TagSession` and `sts:SetSourceIdentity`.
"""

from longshore.services.interface import Service
from longshore.services.sts import assume_role, identity, tokens


def service() -> Service:
    """STS as the gateway offers it."""
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
        resources={
            "AssumeRole": assume_role.role_to_assume,
            "GetFederationToken": tokens.federated_user,
        },
        unauthorized=frozenset({"GetCallerIdentity", "GetSessionToken"}),
        resource_policy=assume_role.trust_policy,
    )
