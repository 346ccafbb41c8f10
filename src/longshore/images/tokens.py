"""Authorization tokens: the caller's principal, sealed, good for twelve hours; signed downloads.

AES-256-GCM with a key that the installation keeps in its store: nobody without it can read or make
one, and every control plane of the installation can open one. What the principal may do is decided
anew at each request, so a token outlives no permission.
"""

import base64
import hmac
import zlib

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from longshore.base.ids import Ids
from longshore.model import ecr
from longshore.model.principal import Principal
from longshore.store.interface import Reader, Transaction

LIFETIME_SECONDS = 12 * 3600.0
USER = "AWS"
NONCE_BYTES = 12
MAX_PASSWORD = 64 * 1024
MAX_CONTENT = 1024 * 1024

DOWNLOAD_SECONDS = 3600.0


class TokenInvalid(Exception):
    """Not a token of this installation."""


class TokenExpired(Exception):
    """A token of this installation whose time is over."""


class _Content(msgspec.Struct, frozen=True, array_like=True):
    principal: Principal
    expires: float


def token_key(tx: Transaction, ids: Ids) -> bytes:
    """The installation's key for tokens, made at first use."""
    key = find_key(tx)
    if key is None:
        value = ecr.TokenKey(key=ids.hex(64))
        tx.create(ecr.TOKEN_KEY, "", "", ecr.TOKEN_KEY_NAME, value)
        key = bytes.fromhex(value.key)
    return key


def find_key(reader: Reader) -> bytes | None:
    found = reader.get(ecr.TOKEN_KEY, "", "", ecr.TOKEN_KEY_NAME)
    return bytes.fromhex(found.value.key) if found else None


def seal(key: bytes, principal: Principal, expires: float, ids: Ids) -> str:
    """The password of user `AWS` until `expires` (epoch seconds)."""
    content = zlib.compress(msgspec.msgpack.encode(_Content(principal, expires)))
    nonce = bytes.fromhex(ids.hex(NONCE_BYTES * 2))
    return base64.urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, content, b"")).decode()


def unseal(key: bytes | None, password: str, now: float) -> Principal:
    """Whom a password speaks for; raises TokenInvalid and TokenExpired."""
    if key is None or len(password) > MAX_PASSWORD:
        raise TokenInvalid
    try:
        sealed = base64.urlsafe_b64decode(password.encode())
        plain = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], b"")
        # Bounded although it is authentic: what made it was a request of somebody's.
        text = zlib.decompressobj().decompress(plain, MAX_CONTENT)
        content = msgspec.msgpack.decode(text, type=_Content)
    except (ValueError, InvalidTag, zlib.error, msgspec.DecodeError) as error:
        raise TokenInvalid from error
    if now >= content.expires:
        raise TokenExpired
    return content.principal


def sign_download(key: bytes, place: str, digest: str, expires: int) -> str:
    """The signature that lets anyone fetch one layer of a repository until `expires`."""
    text = f"layer\n{place}\n{digest}\n{expires}"
    return hmac.digest(key, text.encode(), "sha256").hex()


def check_download(
    key: bytes | None, place: str, digest: str, expires: str, signature: str, now: float
) -> None:
    """Raise TokenInvalid or TokenExpired unless the signature is good."""
    if key is None or not (expires.isascii() and expires.isdigit() and len(expires) < 16):
        raise TokenInvalid
    wanted = sign_download(key, place, digest, int(expires))
    if not hmac.compare_digest(wanted.encode(), signature.encode()):
        raise TokenInvalid
    if now >= int(expires):
        raise TokenExpired
