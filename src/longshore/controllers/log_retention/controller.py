"""The loop: one key for each log group, and one for what no record speaks of any more."""

from collections.abc import Collection, Iterable
from typing import Any

from longshore.controllers.interface import Surroundings
from longshore.model.kind import Kind
from longshore.model.logs import LOG_GROUP, LOG_STREAM, LogGroup
from longshore.store.interface import Change, Key, Reader
from longshore.telemetry.interface import LogStore

DAY = 24 * 3600 * 1000
LOOK_AGAIN_SECONDS = 3600.0
"""AWS deletes expired events within 72 hours; here it takes an hour at most."""
ORPHANS = Key("logs.orphans", "", "", "")


def expires_before(group: LogGroup, now: int) -> int | None:
    """Epoch milliseconds before which the group's events are not kept; None for ever."""
    return now - group.retention_days * DAY if group.retention_days else None


class LogRetention:
    """Controller of `log_retention`."""

    name = "controllers/log_retention"

    def __init__(self, surroundings: Surroundings, log_store: LogStore) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._log_store = log_store

    @property
    def watched(self) -> Collection[Kind[Any]]:
        return LOG_GROUP, LOG_STREAM

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        if change.after is None:
            yield ORPHANS
        elif change.key.kind == LOG_GROUP.name:
            yield change.key

    def every_key(self, reader: Reader) -> Iterable[Key]:
        yield ORPHANS
        for record in reader.scan(LOG_GROUP):
            yield record.key

    async def reconcile(self, key: Key) -> float | None:
        if key == ORPHANS:
            await self._forget_orphans()
            return LOOK_AGAIN_SECONDS
        record = self._store.reader.get(LOG_GROUP, key.account, key.region, key.name)
        if record is None:
            return None
        before = expires_before(record.value, int(self._clock.now() * 1000))
        if before is None:
            return None
        await self._log_store.expire(record.value.id, before)
        return LOOK_AGAIN_SECONDS

    async def _forget_orphans(self) -> None:
        """Delete the events of groups and streams that are no more.

        What telemetry has is listed first: a stream whose record is missing then was deleted, for
        its record is there before its first event.
        """
        kept = await self._log_store.groups()
        groups = {record.value.id for record in self._store.reader.scan(LOG_GROUP)}
        streams = {record.value.id for record in self._store.reader.scan(LOG_STREAM)}
        for group, stored in kept.items():
            gone = [stream for stream in stored if group not in groups or stream not in streams]
            if gone:
                await self._log_store.delete(group, gone)
