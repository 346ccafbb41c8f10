"""Users of a cluster's OpenID Connect provider: what their ID tokens make them in the cluster.

The rules are those of an API server's own `--oidc-` options ("OpenID Connect Tokens", Kubernetes'
"Authenticating"). The token is verified here rather than there: issuers are asked at public
addresses alone, and the API server needs no restart.
"""

from collections.abc import Mapping
from typing import Any

from longshore.authenticator.reviews import UserInfo
from longshore.authenticator.tokens import Refused
from longshore.kubernetes.issuers import own_token_key
from longshore.model.eks import Cluster
from longshore.model.eks_parts import IDENTITY_PROVIDER, IdentityProvider, part_name
from longshore.oidc.https import Unreachable, Untrusted
from longshore.oidc.issuers import BadDocument, IssuerKeys
from longshore.oidc.keys import Key, key_of_pem
from longshore.oidc.tokens import Malformed, Token, is_signed, read
from longshore.store.interface import Reader, Record

EMAIL = "email"
NO_PREFIX = "-"
LEEWAY_SECONDS = 300.0
"""By so much a token may be good only later."""


def provider_of(reader: Reader, cluster: Record[Cluster], token: str) -> IdentityProvider | None:
    """The cluster's provider, where the token may be one of its: AWS's have no dots."""
    if token.count(".") != 2:
        return None
    key = cluster.key
    there = reader.scan(
        IDENTITY_PROVIDER, key.account, key.region, prefix=part_name(cluster.value.name, "")
    )
    return next((each.value for each in there if not each.value.deleted_at), None)


class ProvidersUsers:
    """Reads ID tokens; keeps the keys of their issuers."""

    def __init__(self, keys: IssuerKeys) -> None:
        self._keys = keys

    async def user(
        self, reader: Reader, provider: IdentityProvider, text: str, now: float, monotonic: float
    ) -> UserInfo:
        """Whom the token is of; `now` in epoch seconds. Raises `Refused`.

        What costs nothing is looked at first: who has no credentials has nobody asked for keys
        by what is no token of this provider's.
        """
        try:
            token = read(text)
        except Malformed as malformed:
            raise Refused(f"the token is malformed: {malformed}") from None
        check_claims(provider, token.claims, now)
        if not is_signed(token, await self._keys_of(reader, provider, token, monotonic)):
            raise Refused("the issuer has not signed the token")
        return claimed_user(provider, token.claims)

    async def _keys_of(
        self, reader: Reader, provider: IdentityProvider, token: Token, monotonic: float
    ) -> tuple[Key, ...]:
        own = own_token_key(reader, provider.issuer)
        if own:
            return (key_of_pem(own),)
        try:
            return await self._keys.of(provider.issuer, (), token.key_id, monotonic)
        except (Untrusted, BadDocument, Unreachable) as failure:
            raise Refused(f"the issuer gives no keys: {failure}") from None


def check_claims(provider: IdentityProvider, claims: Mapping[str, Any], now: float) -> None:
    """Raise `Refused` unless they are of this provider, for its client, and of now."""
    if claims.get("iss") != provider.issuer:
        raise Refused("the token is of another issuer")
    audience = claims.get("aud")
    if provider.client_id not in (audience if isinstance(audience, list) else [audience]):
        raise Refused("the token is for another client")
    if now >= _time(claims, "exp", 0.0):
        raise Refused("the token has expired")
    if now + LEEWAY_SECONDS < _time(claims, "nbf", now):
        raise Refused("the token is not good yet")
    for claim, value in provider.required_claims:
        if claims.get(claim) != value:
            raise Refused(f"the token lacks the required claim {claim}")


def _time(claims: Mapping[str, Any], claim: str, default: float) -> float:
    value = claims.get(claim, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"the claim {claim} is no time")
    return value


def claimed_user(provider: IdentityProvider, claims: Mapping[str, Any]) -> UserInfo:
    """Name and groups; raises `Refused` where the claims that give them are not what they must be.

    A name has the issuer before it unless it is an email or a prefix is given; an email that the
    issuer says it has not verified is nobody's.
    """
    name = claims.get(provider.username_claim)
    if not isinstance(name, str) or not name:
        raise Refused(f"the claim {provider.username_claim} is no name")
    if provider.username_claim == EMAIL and claims.get("email_verified", True) is not True:
        raise Refused("the email is not verified")
    groups = claims.get(provider.groups_claim, []) if provider.groups_claim else []
    named = [groups] if isinstance(groups, str) else groups
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise Refused(f"the claim {provider.groups_claim} is no list of groups")
    return UserInfo(
        username=f"{_username_prefix(provider)}{name}",
        uid="",
        groups=tuple(f"{provider.groups_prefix}{each}" for each in named),
    )


def _username_prefix(provider: IdentityProvider) -> str:
    if provider.username_prefix == NO_PREFIX:
        return ""
    usual = "" if provider.username_claim == EMAIL else f"{provider.issuer}#"
    return provider.username_prefix or usual
