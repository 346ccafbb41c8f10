"""Ciphertext blobs: what is encrypted under a key, with the key and the material that did it.

A blob is a version, the key's ARN, the material's id, a nonce and AES-256-GCM's output; all that
stands before the nonce, and the encryption context, is authenticated with it. To callers it is
opaque, as on AWS.
"""

import secrets
from collections.abc import Mapping
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01\x02\x02\x00"
NONCE_BYTES, MATERIAL_BYTES, TAG_BYTES = 12, 32, 16


class InvalidCiphertext(Exception):
    """The blob is none, was changed, or is of another encryption context."""


class Blob(NamedTuple):
    """What a blob says of itself; `head` is the part before the nonce."""

    arn: str
    material: str
    head: bytes
    nonce: bytes
    content: bytes


def seal_blob(
    arn: str, material: str, key: bytes, plaintext: bytes, context: Mapping[str, str]
) -> bytes:
    """`plaintext` under `key`, the material of this id."""
    name, nonce = arn.encode(), secrets.token_bytes(NONCE_BYTES)
    head = VERSION + len(name).to_bytes(2, "big") + name + bytes.fromhex(material)
    return head + nonce + AESGCM(key).encrypt(nonce, plaintext, head + canonical(context))


def read_blob(blob: bytes) -> Blob:
    """The blob's parts; nothing of it is verified. Raises `InvalidCiphertext`."""
    start = len(VERSION) + 2
    end = start + int.from_bytes(blob[len(VERSION) : start], "big")
    rest = end + MATERIAL_BYTES
    if not blob.startswith(VERSION) or len(blob) < rest + NONCE_BYTES + TAG_BYTES:
        raise InvalidCiphertext
    try:
        arn = blob[start:end].decode("ascii")
    except UnicodeDecodeError:
        raise InvalidCiphertext from None
    nonce = blob[rest : rest + NONCE_BYTES]
    return Blob(arn, blob[end:rest].hex(), blob[:rest], nonce, blob[rest + NONCE_BYTES :])


def open_blob(blob: Blob, key: bytes, context: Mapping[str, str]) -> bytes:
    """The plaintext; raises `InvalidCiphertext`."""
    try:
        return AESGCM(key).decrypt(blob.nonce, blob.content, blob.head + canonical(context))
    except InvalidTag:
        raise InvalidCiphertext from None


def canonical(context: Mapping[str, str]) -> bytes:
    """An encryption context as bytes: the same for every order of its pairs, and for no other."""
    parts = [part.encode() for pair in sorted(context.items()) for part in pair]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
