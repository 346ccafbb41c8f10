"""Secrets at rest: sealed with a key that lies in a file of its own, never in the store."""

import base64
import binascii
import contextlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
KEY_BYTES = 32


class Unsealable(Exception):
    """The text was not sealed with this key and for this place, or was damaged."""


class Sealer:
    """AES-256-GCM; whoever has the store's file alone can read nothing that was sealed."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def load_or_create(cls, path: Path) -> "Sealer":
        """The sealer of the key in `path` (0600), made if there is none.

        Control planes that share a store must share this file's content too.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            return cls(path.read_bytes())
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: where two start at once, the first one's key stays.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
        return cls(path.read_bytes())

    def seal(self, value: bytes, place: str) -> str:
        """The sealed value, in base64; it opens only with the same `place` (an ARN)."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, value, place.encode())
        return base64.b64encode(nonce + sealed).decode()

    def unseal(self, text: str, place: str) -> bytes:
        """What was sealed; raises `Unsealable`."""
        try:
            content = base64.b64decode(text, validate=True)
            return self._cipher.decrypt(
                content[:NONCE_BYTES], content[NONCE_BYTES:], place.encode()
            )
        except (InvalidTag, ValueError, binascii.Error):
            raise Unsealable(place) from None
