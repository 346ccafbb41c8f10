"""Tokens of pods' service accounts, as their cluster has signed them.

("Service account token volume projection", Kubernetes' documentation.) What a token claims is
believed only once its signature is checked.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.model.eks import ClusterStatus
from longshore.model.errors import AwsError
from longshore.oidc.keys import key_of_pem
from longshore.oidc.tokens import Malformed, is_signed, read

AUDIENCE = "pods.eks.amazonaws.com"
SUBJECT = "system:serviceaccount:"
LEEWAY_SECONDS = 60.0
CLAIMS = "kubernetes.io"


class PodToken(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a token is of. Pod's name and UID are empty for a token that is bound to none."""

    namespace: str
    service_account: str
    pod: str = ""
    pod_uid: str = ""


class _Named(msgspec.Struct, frozen=True):
    name: str
    uid: str = ""


class _Kubernetes(msgspec.Struct, frozen=True, kw_only=True):
    namespace: str
    serviceaccount: _Named
    pod: _Named | None = None


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    iss: str
    aud: str | tuple[str, ...]
    exp: float
    nbf: float = 0.0
    kubernetes: _Kubernetes = msgspec.field(name=CLAIMS)


def verified(text: str, status: ClusterStatus, now: float) -> PodToken:
    """Whom the token is of, which this cluster has signed; raises InvalidTokenException and
    ExpiredTokenException."""
    try:
        token = read(text.strip())
    except Malformed:
        raise invalid("The token is not a valid JSON Web Token.") from None
    if not status.token_key or not is_signed(token, [key_of_pem(status.token_key)]):
        raise invalid("The token was not signed by the cluster.")
    claims = _claims(token.claims)
    if claims.iss != status.issuer:
        raise invalid("The token is of another issuer.")
    audiences = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
    if AUDIENCE not in audiences:
        raise invalid(f"The token's audience is not {AUDIENCE}.")
    if now >= claims.exp:
        raise AwsError("ExpiredTokenException", "The token has expired.")
    if now + LEEWAY_SECONDS < claims.nbf:
        raise invalid("The token is not valid yet.")
    return _pod_token(claims.kubernetes)


def _claims(found: Mapping[str, Any]) -> _Claims:
    try:
        return msgspec.convert(found, _Claims)
    except msgspec.ValidationError:
        raise invalid("The token lacks claims of a service account.") from None


def _pod_token(claims: _Kubernetes) -> PodToken:
    pod = claims.pod or _Named("")
    return PodToken(
        namespace=claims.namespace,
        service_account=claims.serviceaccount.name,
        pod=pod.name,
        pod_uid=pod.uid,
    )


def invalid(message: str) -> AwsError:
    return AwsError("InvalidTokenException", message)
