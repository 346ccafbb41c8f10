"""Sessions sealed into their tokens: temporary credentials that nothing has to be written for.

The token holds the session's claims, encrypted and authenticated (AES-256-GCM) under the
installation's key; the secret access key is derived from the key id, so that whoever can open the
token knows it too.
"""

import base64
import hashlib
import hmac
from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from longshore.base.ids import Ids
from longshore.model.arn import parse_arn
from longshore.model.iam import Role
from longshore.model.principal import Credential, Principal
from longshore.policy import key_ids

NONCE_BYTES = 12
VERSION = b"\x01"
LONGEST_POLICY = 2048
"""Characters of a session policy ("IAM and AWS STS quotas")."""


class Claims(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a token says."""

    principal: Principal
    expires: float


def seal(key: bytes, principal: Principal, expires: float, ids: Ids) -> Credential:
    """Temporary credentials of `principal`, valid until `expires` (epoch seconds)."""
    access_key_id = key_ids.access_key_id(key_ids.TEMPORARY, principal.account, ids)
    principal = msgspec.structs.replace(principal, access_key_id=access_key_id)
    claims = msgspec.msgpack.encode(Claims(principal=principal, expires=expires))
    nonce = bytes.fromhex(ids.hex(NONCE_BYTES * 2))
    sealed = VERSION + nonce + AESGCM(key).encrypt(nonce, claims, access_key_id.encode())
    return Credential(
        access_key_id=access_key_id,
        secret_access_key=_secret(key, access_key_id),
        session_token=base64.b64encode(sealed).decode(),
        principal=principal,
        expires=expires,
    )


def unseal(key: bytes, access_key_id: str, token: str) -> Credential | None:
    """The credentials that `token` was given with, expired or not; None where it is not ours."""
    try:
        return _opened(key, access_key_id, token)
    except (ValueError, InvalidTag, msgspec.DecodeError):
        return None


@lru_cache(maxsize=4096)
def _opened(key: bytes, access_key_id: str, token: str) -> Credential:
    """Kept for the next request; what raises is not kept, so that strangers fill no memory."""
    sealed = base64.b64decode(token, validate=True)
    if sealed[:1] != VERSION or base64.b64encode(sealed) != token.encode():
        raise ValueError("not a token of ours")
    nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    opened = AESGCM(key).decrypt(nonce, body, access_key_id.encode())
    claims = msgspec.msgpack.decode(opened, type=Claims)
    return Credential(
        access_key_id=access_key_id,
        secret_access_key=_secret(key, access_key_id),
        session_token=token,
        principal=claims.principal,
        expires=claims.expires,
    )


def _secret(key: bytes, access_key_id: str) -> str:
    """Forty characters, as AWS's secret access keys have."""
    derived = hmac.digest(key, b"secret:" + access_key_id.encode(), hashlib.sha256)
    return base64.b64encode(derived[:30]).decode()


def role_session(role: Role, session_name: str, now: float) -> Principal:
    """A session of `role`, with the role's tags and without session policies."""
    arn = parse_arn(role.arn)
    assert arn is not None
    return Principal(
        account=arn.account,
        arn=f"arn:aws:sts::{arn.account}:assumed-role/{role.name}/{session_name}",
        user_id=f"{role.id}:{session_name}",
        kind="assumed-role",
        role_arn=role.arn,
        session_name=session_name,
        session_tags=role.tags,
        issued_at=now,
    )
