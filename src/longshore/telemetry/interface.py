"""What a log store promises.

Terms
-----
A *group* and a *stream* are opaque ids: whoever creates a log group or stream makes a fresh one, so
that a group deleted and created anew never shows old events. Times are epoch milliseconds.
Events are ordered by *cursor*, a pair (timestamp, sequence); the sequence grows with each event
that the store takes in.
A *position* says where in its producer's own sequence a batch stands. The agent counts the events
of each stream; after a crash it sends again whatever it does not know to be stored, and the store
leaves out what it already has.

Lifecycle
---------
    logs = open_log_store(data_dir / "telemetry")
    await logs.append(group, stream, events, now, Position("agent-1", 40))    # durable, or raises
    page = await logs.read(group, Query(streams=(stream,), limit=100))
    await logs.close()
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

Cursor = tuple[int, int]
"""Timestamp and sequence of an event."""


class LogStoreUnavailable(Exception):
    """The disk is full or failing: nothing of what was to be appended is kept."""


class Event(NamedTuple):
    """One line: epoch milliseconds and its text."""

    timestamp: int
    message: str


class StoredEvent(NamedTuple):
    """An event as it was taken in."""

    timestamp: int
    sequence: int
    stream: str
    ingested: int
    message: str

    @property
    def cursor(self) -> Cursor:
        return self.timestamp, self.sequence


class Position(NamedTuple):
    """The number that the first event of a batch has in `producer`'s sequence, from 0."""

    producer: str
    number: int


class Query(NamedTuple):
    """Which events of a group to read; bounds of time are inclusive.

    `streams` None stands for all. `after` and `before` are cursors, exclusive. `newest` reads
    backwards from the end; the page is in order of cursors all the same.
    """

    streams: Sequence[str] | None = None
    start: int | None = None
    end: int | None = None
    after: Cursor | None = None
    before: Cursor | None = None
    limit: int = 10_000
    newest: bool = False


class StreamState(NamedTuple):
    """What a stream holds; times are None where it is empty."""

    group: str
    first_event: int | None
    last_event: int | None
    last_ingestion: int | None
    stored_bytes: int
    positions: Mapping[str, int]
    """By producer, the number that its next event should have."""


NOTHING = StreamState("", None, None, None, 0, {})


class LogStore(ABC):
    """Append-only events of log streams."""

    @abstractmethod
    async def append(
        self,
        group: str,
        stream: str,
        events: Sequence[Event],
        now: int,
        position: Position | None = None,
    ) -> int:
        """Keep the events, or with a position those not yet kept; how many were new.

        Durable (fsynced) when it returns. Raises `LogStoreUnavailable`.
        """

    @abstractmethod
    async def read(self, group: str, query: Query) -> Sequence[StoredEvent]:
        """A page of events, ordered by cursor."""

    @abstractmethod
    async def states(self, streams: Collection[str]) -> Mapping[str, StreamState]:
        """What each of these streams holds; streams without events are left out."""

    @abstractmethod
    async def stored_bytes(self, groups: Collection[str]) -> Mapping[str, int]:
        """Bytes of events (message and 26 more each, as AWS counts) by group."""

    @abstractmethod
    async def groups(self) -> Mapping[str, Collection[str]]:
        """Every group of which something is kept, with its streams."""

    @abstractmethod
    async def delete(self, group: str, streams: Collection[str] | None = None) -> None:
        """Forget all events of the group, or of these streams of it."""

    @abstractmethod
    async def expire(self, group: str, before: int) -> int:
        """Forget the group's events with timestamps below `before`; how many there were."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what was begun and free everything."""
