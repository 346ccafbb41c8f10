"""An issuer of tokens, as tests need one: a key, what it signs, and what should not be believed."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from longshore.base.certificates import key_pem
from longshore.oidc.keys import Key, encoded, key_of_pem, public_pem

HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
Claims = Mapping[str, Any]


@cache
def rsa_key(number: int, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same key for the same number, in one process."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


class Signer:
    """Signs tokens with an RSA key of its own."""

    def __init__(self, number: int = 0) -> None:
        self._private = rsa_key(number)
        self.pem = public_pem(key_pem(self._private))

    @property
    def key(self) -> Key:
        return key_of_pem(self.pem)

    def token(self, claims: Claims, algorithm: str = "RS256", **header: Any) -> str:
        """Signed as it should be; what `header` has goes over `alg` and `kid`."""
        signed = unsigned(claims, {"alg": algorithm, "kid": self.key.id, **header})
        chosen = HASHES[algorithm.removeprefix("RS")]
        signature = self._private.sign(signed.encode(), padding.PKCS1v15(), chosen)
        return f"{signed}.{encoded(signature)}"

    def confused(self, claims: Claims, algorithm: str = "HS256") -> str:
        """Signed with the public key as if that were a shared secret."""
        signed = unsigned(claims, {"alg": algorithm, "kid": self.key.id})
        mac = hmac.digest(self.pem.encode(), signed.encode(), hashlib.sha256)
        return f"{signed}.{encoded(mac)}"


def unsigned(claims: Claims, header: Mapping[str, Any]) -> str:
    """The first two parts of a token."""
    parts = (json.dumps(dict(part), separators=(",", ":")).encode() for part in (header, claims))
    return ".".join(encoded(part) for part in parts)


def ec_token(private: ec.EllipticCurvePrivateKey, claims: Claims, algorithm: str) -> str:
    """Signed with ECDSA, without the name of a key."""
    signed = unsigned(claims, {"alg": algorithm})
    size = -(-private.key_size // 8)
    chosen = ec.ECDSA(HASHES[algorithm.removeprefix("ES")])
    halves = decode_dss_signature(private.sign(signed.encode(), chosen))
    return f"{signed}.{encoded(b''.join(half.to_bytes(size, 'big') for half in halves))}"
