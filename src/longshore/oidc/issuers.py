"""The keys of issuers that are somewhere on the network, kept for a while."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from longshore.base.logs import logger
from longshore.oidc.documents import CONFIGURATION
from longshore.oidc.https import Reach, Unreachable, Untrusted, get, is_public
from longshore.oidc.keys import Key, keys_of

KEPT_SECONDS = 300.0
"""For so long keys are used without asking again."""
UNKNOWN_SECONDS = 30.0
"""So often a token may have us ask again because it names a key that is not known."""
FAILED_SECONDS = 10.0
"""For so long an issuer that gave no keys is not asked again: who asks us needs no credentials."""
MOST_KEYS = 200
"""A hundred of RSA's and a hundred of ECDSA's ("Create an OpenID Connect (OIDC) identity provider
in IAM")."""
MOST_ISSUERS = 1000
Thumbprints = tuple[str, ...]
T = TypeVar("T")
log = logger(__name__)


class BadDocument(Exception):
    """What the issuer publishes is not what OpenID Connect asks for."""


class _Configuration(msgspec.Struct):
    issuer: str
    jwks_uri: str


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


@dataclass(slots=True)
class _Entry:
    """What is known of one issuer; `turn` lets one fetch at a time, and the others see its end."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    keys: tuple[Key, ...] = ()
    failure: Exception | None = None
    asked_at: float | None = None

    def answers(self, key_id: str, now: float) -> bool:
        """Whether it need not be asked again for the key of this name."""
        if self.asked_at is None:
            return False
        age = now - self.asked_at
        if self.failure is not None:
            return age < FAILED_SECONDS
        known = not key_id or any(key.id == key_id for key in self.keys)
        return age < (KEPT_SECONDS if known else UNKNOWN_SECONDS)


class IssuerKeys:
    """Fetches and keeps the keys of issuers."""

    def __init__(self, reach: Reach = is_public) -> None:
        """`reach` says what addresses may be connected to."""
        self._reach = reach
        self._entries: dict[tuple[str, Thumbprints], _Entry] = {}

    async def of(
        self, issuer: str, thumbprints: Thumbprints, key_id: str, now: float
    ) -> tuple[Key, ...]:
        """The issuer's keys, among them if it may be the one of this name.

        `now` in seconds of any clock. Raises `Unreachable`, `Untrusted` or `BadDocument`.
        """
        entry = self._entry((issuer, thumbprints))
        async with entry.turn:
            if not entry.answers(key_id, now):
                await self._ask(entry, issuer, thumbprints)
                entry.asked_at = now
        if entry.failure is not None:
            raise type(entry.failure)(str(entry.failure))
        return entry.keys

    def _entry(self, key: tuple[str, Thumbprints]) -> _Entry:
        if key not in self._entries and len(self._entries) >= MOST_ISSUERS:
            self._entries.clear()
        return self._entries.setdefault(key, _Entry())

    async def _ask(self, entry: _Entry, issuer: str, thumbprints: Thumbprints) -> None:
        try:
            entry.keys = await self._fetch(issuer, thumbprints)
            entry.failure = None
        except (Unreachable, Untrusted, BadDocument) as failure:
            log.info("an issuer gave no keys", issuer=issuer, reason=str(failure))
            entry.failure = failure

    async def _fetch(self, issuer: str, thumbprints: Thumbprints) -> tuple[Key, ...]:
        where = issuer.rstrip("/") + CONFIGURATION
        found = _read(await get(where, thumbprints, self._reach), _Configuration)
        if found.issuer != issuer:
            raise BadDocument("the configuration is another issuer's")
        members = _read(await get(found.jwks_uri, thumbprints, self._reach), _KeySet).keys
        if len(members) > MOST_KEYS:
            raise BadDocument("there are too many keys")
        keys = keys_of(members)
        if not keys:
            raise BadDocument("there is no key for signatures")
        return keys


def _read(content: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=shape)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadDocument(str(error)) from error
