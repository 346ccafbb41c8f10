"""AssumeRoleWithWebIdentity: a role for whom an identity provider vouches for.

The caller has no credentials: nothing is done for him but to read his token until the account that
the role is of has registered its issuer.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from longshore.kubernetes.issuers import own_token_key
from longshore.model import iam
from longshore.model.arn import Arn, parse_arn
from longshore.model.errors import AwsError, not_built
from longshore.model.principal import Principal
from longshore.oidc.https import Reach, Unreachable, Untrusted, is_public
from longshore.oidc.issuers import BadDocument, IssuerKeys
from longshore.oidc.keys import Key, key_of_pem
from longshore.oidc.tokens import is_signed, named
from longshore.policy.session import role_session
from longshore.services.interface import Context, Response
from longshore.services.roles import role_of_arn
from longshore.services.sts.assume_role import DEFAULT_SECONDS
from longshore.services.sts.sealing import credentials, packed_size, session_policies
from longshore.services.sts.web_tokens import (
    WebToken,
    check_audience,
    check_times,
    invalid,
    read_web_token,
)
from longshore.store.interface import Reader

if TYPE_CHECKING:
    from types_boto3_sts.type_defs import AssumeRoleWithWebIdentityRequestTypeDef

ACTION = "sts:AssumeRoleWithWebIdentity"
HTTPS = "https://"
NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  please reference "
    "AssumeRoleWithWebIdentity documentation for requirements"
)
NOT_SIGNED = (
    "The web identity token that was passed could not be validated by AWS. Get a new identity "
    "token from the identity provider and then retry the request."
)
UNTRUSTED = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
UNREACHABLE = (
    "The request could not be fulfilled because the identity provider (IDP) that was asked to "
    "verify the incoming identity token could not be reached."
)


class WebIdentities:
    """The operation, and the keys of issuers that it has asked for."""

    def __init__(self, keys: IssuerKeys) -> None:
        self._keys = keys

    async def assume_role(
        self, context: Context, request: "AssumeRoleWithWebIdentityRequestTypeDef"
    ) -> Response:
        if "ProviderId" in request:
            raise not_built(f"{ACTION} with ProviderId")
        arn = _role_arn(request["RoleArn"])
        token = read_web_token(request["WebIdentityToken"])
        provider = _provider(context.tx, arn.account, token)
        check_audience(token, provider.client_ids)
        check_times(token, context.now)
        await self._verify(context, provider, token)
        role = _trusting(context, provider, token, request)
        seconds = request.get("DurationSeconds", min(DEFAULT_SECONDS, role.max_session))
        if seconds > role.max_session:
            raise AwsError(
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            )
        session = _session(context, role, provider, token, request)
        response: dict[str, Any] = {
            "Credentials": credentials(context, session, seconds),
            "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": session.arn},
            "SubjectFromWebIdentityToken": token.subject,
            "Audience": token.audience,
            "Provider": provider.arn,
        }
        if request.get("Policy") or request.get("PolicyArns"):
            response["PackedPolicySize"] = packed_size(request)
        return response

    async def _verify(self, context: Context, provider: iam.OidcProvider, token: WebToken) -> None:
        """Raises InvalidIdentityToken or IDPCommunicationError unless its issuer has signed it."""
        own = own_token_key(context.tx, token.issuer)
        keys = (key_of_pem(own),) if own else await self._foreign(context, provider, token)
        if named(token.token, keys) is None:
            raise invalid(NO_KEY)
        if not is_signed(token.token, keys):
            raise invalid(NOT_SIGNED)

    async def _foreign(
        self, context: Context, provider: iam.OidcProvider, token: WebToken
    ) -> tuple[Key, ...]:
        now = context.clock.monotonic()
        try:
            return await self._keys.of(token.issuer, provider.thumbprints, token.token.key_id, now)
        except Untrusted:
            raise invalid(UNTRUSTED) from None
        except BadDocument:
            raise invalid(NO_KEY) from None
        except Unreachable:
            raise AwsError("IDPCommunicationError", UNREACHABLE) from None


def web_identities(reach: Reach | None) -> WebIdentities:
    """The operation that looks for issuers at addresses in `reach`: public ones, unless given."""
    return WebIdentities(IssuerKeys(reach or is_public))


def _role_arn(text: str) -> Arn:
    arn = parse_arn(text)
    if arn is None or arn.service != "iam" or arn.resource_type != "role":
        raise AwsError("ValidationError", "Request ARN is invalid")
    return arn


def _provider(reader: Reader, account: str, token: WebToken) -> iam.OidcProvider:
    """The token's issuer as the account has registered it, to the letter."""
    url = token.issuer.removeprefix(HTTPS)
    registered = token.issuer.startswith(HTTPS)
    record = reader.get(iam.OIDC_PROVIDER, account, "", url) if registered else None
    if record is None:
        raise invalid(f"No OpenIDConnect provider found in your account for {token.issuer}")
    return record.value


def _trusting(
    context: Context,
    provider: iam.OidcProvider,
    token: WebToken,
    request: "AssumeRoleWithWebIdentityRequestTypeDef",
) -> iam.Role:
    """The role, which trusts the provider; raises the same AccessDenied where there is none.

    `context` speaks from here on of the token's bearer.
    """
    role = role_of_arn(context.tx, request["RoleArn"])
    if role is None:
        raise _denied()
    arn = parse_arn(role.arn)
    assert arn is not None
    # No part of a token is in the principal: what it says are values of condition keys, no names.
    context.principal = Principal(
        account=arn.account, arn=provider.arn, user_id="", kind="federated"
    )
    conditions: dict[str, str | list[str]] = {
        **dict(identity_keys(provider, token)),
        f"{provider.url}:amr": list(token.methods),
        f"{provider.url}:oaud": list(token.audiences),
        "sts:RoleSessionName": request["RoleSessionName"],
    }
    for key, value in role.tags:
        conditions[f"iam:ResourceTag/{key}"] = conditions[f"aws:ResourceTag/{key}"] = value
    try:
        context.authorize(ACTION, role.arn, conditions)
    except AwsError as error:
        if error.code.startswith("AccessDenied"):
            raise _denied() from None
        raise
    return role


def _denied() -> AwsError:
    return AwsError("AccessDenied", f"Not authorized to perform {ACTION}", 403)


def identity_keys(provider: iam.OidcProvider, token: WebToken) -> tuple[tuple[str, str], ...]:
    """Condition keys that policies may ask for, of the trust and of the session ("Available keys
    for AWS OIDC federation", IAM User Guide)."""
    return (
        ("aws:FederatedProvider", provider.arn),
        (f"{provider.url}:aud", token.audience),
        (f"{provider.url}:sub", token.subject),
    )


def _session(
    context: Context,
    role: iam.Role,
    provider: iam.OidcProvider,
    token: WebToken,
    request: "AssumeRoleWithWebIdentityRequestTypeDef",
) -> Principal:
    session = role_session(role, request["RoleSessionName"], context.now)
    return msgspec.structs.replace(
        session,
        session_policies=session_policies(context, session.account, request),
        identity=identity_keys(provider, token),
    )
