"""Public keys, in PEM and as members of JSON Web Key Sets (RFC 7517, RFC 7518)."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
RSA_BITS = range(2048, 8193)
"""Shorter keys can be broken, longer ones keep us busy."""
LARGEST_EXPONENT = 2**32
CURVES: Mapping[str, Callable[[], ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key that verifies; `id` and `algorithm` are empty where the key set does not say."""

    id: str
    algorithm: str = ""
    public: PublicKey


def key_of_pem(pem: str) -> Key:
    """An RSA key as Kubernetes names it: by the SHA-256 of its SubjectPublicKeyInfo."""
    public = serialization.load_pem_public_key(pem.encode())
    if not isinstance(public, rsa.RSAPublicKey):
        raise TypeError("the key is not an RSA key")
    return Key(id=key_id(public), algorithm="RS256", public=public)


def public_pem(private: bytes) -> str:
    """The public part (PEM) of a private key (PEM)."""
    public = serialization.load_pem_private_key(private, None).public_key()
    encoding, shape = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(encoding, shape).decode()


def key_id(public: rsa.RSAPublicKey) -> str:
    """The `kid` that kube-apiserver puts into the headers of tokens (`pkg/serviceaccount`)."""
    encoding, shape = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return encoded(hashlib.sha256(public.public_bytes(encoding, shape)).digest())


def shown(key: Key) -> dict[str, str]:
    """An RSA key as a member of a key set."""
    if not isinstance(key.public, rsa.RSAPublicKey):
        raise TypeError("the key is not an RSA key")
    numbers = key.public.public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": key.algorithm,
        "kid": key.id,
        "n": encoded(_bytes(numbers.n)),
        "e": encoded(_bytes(numbers.e)),
    }


def keys_of(members: Iterable[Mapping[str, Any]]) -> tuple[Key, ...]:
    """The keys of a set that signatures can be verified with; others are passed over."""
    found = (_key(member) for member in members if member.get("use", "sig") == "sig")
    return tuple(key for key in found if key is not None)


def _key(member: Mapping[str, Any]) -> Key | None:
    name, algorithm = member.get("kid", ""), member.get("alg", "")
    if not isinstance(name, str) or not isinstance(algorithm, str):
        return None
    try:
        public = _public(member)
    except (ValueError, TypeError, KeyError, binascii.Error):
        return None
    return Key(id=name, algorithm=algorithm, public=public) if public is not None else None


def _public(member: Mapping[str, Any]) -> PublicKey | None:
    if member.get("kty") == "RSA":
        modulus, exponent = _number(member["n"]), _number(member["e"])
        if modulus.bit_length() not in RSA_BITS or exponent >= LARGEST_EXPONENT:
            return None
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    if member.get("kty") == "EC" and member.get("crv") in CURVES:
        curve = CURVES[member["crv"]]()
        numbers = ec.EllipticCurvePublicNumbers(_number(member["x"]), _number(member["y"]), curve)
        return numbers.public_key()
    return None


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def _bytes(number: int) -> bytes:
    return number.to_bytes(-(-number.bit_length() // 8), "big")


def encoded(content: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
