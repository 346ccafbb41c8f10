"""Material of symmetric keys: random bytes, sealed for the key that has them."""

import hashlib
import secrets

from longshore.base.sealing import Sealer

KEY_BYTES = 32


def new_material(sealer: Sealer, arn: str) -> tuple[str, str]:
    """(id, sealed) of fresh material for the key of this ARN; the id is 64 hexadecimal digits."""
    content = secrets.token_bytes(KEY_BYTES)
    digest = hashlib.sha256(b"key material of " + arn.encode() + content).hexdigest()
    return digest, sealer.seal(content, f"{arn}/{digest}")


def open_material(sealer: Sealer, arn: str, material: str, sealed: str) -> bytes:
    """The bytes of the material of this id; raises `sealing.Unsealable`."""
    return sealer.unseal(sealed, f"{arn}/{material}")
