"""IMDSv2's session tokens: pure, but for the key that is kept on the disk.

A token is an expiration with a code over it and the instance's id; nobody keeps a list of them, so
they outlive the agent.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from pathlib import Path

from longshore.agent.records import is_full
from longshore.base.files import replace_file
from longshore.base.logs import logger

log = logger(__name__)
KEY_BYTES = 32
LONGEST_SECONDS = 21600
_EXPIRATION_BYTES = 8


class Tokens:
    """Issues tokens and knows them again; times in epoch seconds."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, instance_id: str, seconds: int, now: float) -> str:
        """A token that is good for `seconds`, for this instance alone."""
        expiration = int((now + seconds) * 1000).to_bytes(_EXPIRATION_BYTES, "big")
        code = self._code(instance_id, expiration)
        return base64.urlsafe_b64encode(expiration + code).decode("ascii")

    def remaining(self, token: str, instance_id: str, now: float) -> float:
        """For how many more seconds the token is good; 0 where it is none of the instance's."""
        try:
            content = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            return 0.0
        expiration, code = content[:_EXPIRATION_BYTES], content[_EXPIRATION_BYTES:]
        if not hmac.compare_digest(code, self._code(instance_id, expiration)):
            return 0.0
        return max(0.0, int.from_bytes(expiration, "big") / 1000 - now)

    def _code(self, instance_id: str, expiration: bytes) -> bytes:
        return hmac.digest(self._key, expiration + instance_id.encode(), hashlib.sha256)


def parse_seconds(value: str | None) -> int | None:
    """`X-aws-ec2-metadata-token-ttl-seconds`: 1 to 21600; None where it is anything else."""
    if value is None or not (value.isascii() and value.isdecimal() and len(value) <= 5):
        return None
    seconds = int(value)
    return seconds if 1 <= seconds <= LONGEST_SECONDS else None


def kept_key(path: Path) -> bytes:
    """The key in this file, which is made where it is missing; on a full disk it is this agent's
    alone."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = b""
    return key if len(key) == KEY_BYTES else _new_key(path)


def _new_key(path: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(path, key, 0o600)
    except OSError as error:
        if not is_full(error):
            raise
        log.error("the disk is full, the key of metadata tokens was not kept")
    return key
