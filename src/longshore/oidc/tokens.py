"""JSON Web Tokens in their compact form (RFC 7515, RFC 7519), signed with RSA or ECDSA (RFC 7518).

The algorithms are those of this table and no others: `none` and those of a shared secret are in
nobody's power here, and each takes keys of its own type alone, so that no public key is ever used
as a secret.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from longshore.oidc.keys import Key

LONGEST = 20_000
"""Characters ("AssumeRoleWithWebIdentity", AWS STS API Reference)."""
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")


class Algorithm(NamedTuple):
    """`curve` is empty for RSA (PKCS #1 v1.5)."""

    hash: hashes.HashAlgorithm
    curve: str = ""


ALGORITHMS: Mapping[str, Algorithm] = {
    "RS256": Algorithm(hashes.SHA256()),
    "RS384": Algorithm(hashes.SHA384()),
    "RS512": Algorithm(hashes.SHA512()),
    "ES256": Algorithm(hashes.SHA256(), "secp256r1"),
    "ES384": Algorithm(hashes.SHA384(), "secp384r1"),
    "ES512": Algorithm(hashes.SHA512(), "secp521r1"),
}


class Malformed(Exception):
    """The text is no signed token."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says, unverified: who reads `claims` asks `is_signed` before believing them."""

    algorithm: str
    key_id: str
    """Empty where the token names no key."""
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


def read(text: str) -> Token:
    """The parts of a token; raises `Malformed`.

    A member given twice, and a header that must be understood (`crit`), make it none.
    """
    parts = _COMPACT.fullmatch(text) if len(text) <= LONGEST else None
    if parts is None:
        raise Malformed("not three parts of base64url")
    header, claims = _object(parts[1]), _object(parts[2])
    algorithm, key_id = header.get("alg"), header.get("kid", "")
    if not isinstance(algorithm, str) or not isinstance(key_id, str) or "crit" in header:
        raise Malformed("the header is not one that is understood")
    return Token(
        algorithm=algorithm,
        key_id=key_id,
        claims=claims,
        signed=f"{parts[1]}.{parts[2]}".encode(),
        signature=_decoded(parts[3]),
    )


def is_signed(token: Token, keys: Iterable[Key]) -> bool:
    """Whether the one of these keys that the token names has signed it."""
    algorithm = ALGORITHMS.get(token.algorithm)
    key = named(token, keys)
    if algorithm is None or key is None or key.algorithm not in {"", token.algorithm}:
        return False
    try:
        _verify(key, algorithm, token)
    except InvalidSignature:
        return False
    return True


def named(token: Token, keys: Iterable[Key]) -> Key | None:
    """The key that the token means; the only one there is where it, or the key, has no name."""
    every = list(keys)
    if len(every) == 1 and not (token.key_id and every[0].id):
        return every[0]
    return next((key for key in every if key.id and key.id == token.key_id), None)


def _verify(key: Key, algorithm: Algorithm, token: Token) -> None:
    """Raise `InvalidSignature` unless `key` is of the algorithm's type and has signed."""
    public = key.public
    if isinstance(public, rsa.RSAPublicKey) and not algorithm.curve:
        public.verify(token.signature, token.signed, padding.PKCS1v15(), algorithm.hash)
        return
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != algorithm.curve:
        raise InvalidSignature
    size = -(-public.curve.key_size // 8)
    if len(token.signature) != 2 * size:
        raise InvalidSignature
    halves = (token.signature[:size], token.signature[size:])
    numbers = encode_dss_signature(*(int.from_bytes(half, "big") for half in halves))
    public.verify(numbers, token.signed, ec.ECDSA(algorithm.hash))


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise Malformed("not base64url") from None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(_decoded(text), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None
    if not isinstance(found, dict):
        raise Malformed("not a JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A member given twice would be read as one of both by us, and as the other by somebody."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)
