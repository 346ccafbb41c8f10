"""Identity providers' tokens, as STS takes them ("AssumeRoleWithWebIdentity", STS API Reference).

What a token claims is believed only where `longshore.oidc.tokens.is_signed` says so; what is read
before that says whom to ask for keys.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from longshore.model.errors import AwsError, not_built
from longshore.oidc.tokens import Malformed, Token, read

LONGEST_SUBJECT = 255
LEEWAY_SECONDS = 300.0
"""A provider's clock may be so far ahead of ours."""
NO_JWT = (
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)
SEVERAL_AUDIENCES = (
    "Token audience contains more than one audience while authorized party is not present"
)
NOT_BUILT = ("https://aws.amazon.com/tags", "https://aws.amazon.com/source_identity")
"""Claims that would make session tags and a source identity."""


class WebToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token's claims. `audience` is the authorized party's where the token names one."""

    token: Token
    issuer: str
    subject: str
    audience: str
    audiences: tuple[str, ...]
    methods: tuple[str, ...]
    """How its subject has proved who it is (`amr`)."""
    issued_at: float
    expires: float
    not_before: float


def read_web_token(text: str) -> WebToken:
    """Raises InvalidIdentityToken for what is no such token; a file's last newline is no part."""
    try:
        token = read(text.strip())
    except Malformed:
        raise invalid(NO_JWT) from None
    claims = token.claims
    for name in NOT_BUILT:
        if name in claims:
            raise not_built(f"sts:AssumeRoleWithWebIdentity with the claim {name}")
    audiences = _texts(claims, "aud")
    if not audiences:
        raise _missing("aud")
    expires = _moment(claims, "exp")
    return WebToken(
        token=token,
        issuer=_text(claims, "iss"),
        subject=_subject(claims),
        audience=_audience(claims, audiences),
        audiences=audiences,
        methods=_texts(claims, "amr"),
        issued_at=_moment(claims, "iat"),
        expires=expires,
        not_before=_moment(claims, "nbf") if "nbf" in claims else -math.inf,
    )


def check_audience(token: WebToken, client_ids: Collection[str]) -> None:
    """Raises InvalidIdentityToken unless it is for one of the provider's clients."""
    if token.audience not in client_ids:
        raise invalid("Incorrect token audience")


def check_times(token: WebToken, now: float) -> None:
    """Raises ExpiredTokenException, or InvalidIdentityToken for a token of the future."""
    if now >= token.expires:
        raise AwsError(
            "ExpiredTokenException",
            f"Token expired: current date/time {int(now)} must be before the expiration date/time "
            f"{int(token.expires)}",
        )
    begins = max(token.not_before, token.issued_at)
    if now + LEEWAY_SECONDS < begins:
        raise invalid(
            f"Token is not valid yet: current date/time {int(now)} must be after {int(begins)}"
        )


def invalid(message: str) -> AwsError:
    return AwsError("InvalidIdentityToken", message)


def _missing(claim: str) -> AwsError:
    return invalid(f"Missing a required claim: {claim}")


def _text(claims: Mapping[str, Any], name: str) -> str:
    found = claims.get(name)
    if not isinstance(found, str) or not found:
        raise _missing(name)
    return found


def _texts(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """One text or a list of them; empty for everything else."""
    found = claims.get(name)
    values = [found] if isinstance(found, str) else found
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        return ()
    return tuple(each for each in values if each)


def _subject(claims: Mapping[str, Any]) -> str:
    subject = _text(claims, "sub")
    if len(subject) > LONGEST_SUBJECT:
        raise invalid(f"The claim sub is longer than {LONGEST_SUBJECT} characters")
    return subject


def _audience(claims: Mapping[str, Any], audiences: tuple[str, ...]) -> str:
    if "azp" in claims:
        return _text(claims, "azp")
    if len(audiences) > 1:
        raise invalid(SEVERAL_AUDIENCES)
    return audiences[0]


def _moment(claims: Mapping[str, Any], name: str) -> float:
    """Epoch seconds."""
    found = claims.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or not _is_moment(found):
        raise _missing(name)
    return float(found)


def _is_moment(number: float) -> bool:
    """Not NaN, no infinity, and no integer that is none of floating point."""
    return -(2**53) < number < 2**53
