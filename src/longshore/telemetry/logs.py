"""Log events in one SQLite file (WAL, `synchronous=FULL`) of their own.

One thread writes: everything that arrived while it was busy is its next commit, with one fsync.
Another reads, on a connection of its own. The event loop never waits for either.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from longshore.base.logs import logger
from longshore.telemetry.interface import (
    Event,
    LogStore,
    LogStoreUnavailable,
    Position,
    Query,
    StoredEvent,
    StreamState,
)
from longshore.telemetry.schema import STEPS

_log = logger(__name__)
R = TypeVar("R")

OVERHEAD = 26
"""Bytes that AWS counts for each event beside its message ("PutLogEvents")."""
PRIMARY = 0xFF
"""The part of SQLite's error codes that tells their kind ("Result and Error Codes")."""
WITHOUT_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
DELETE_ROWS = 5_000
"""Rows of one deleting commit, so that appends need not wait long."""
SETTINGS = (
    "PRAGMA auto_vacuum=INCREMENTAL",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA wal_autocheckpoint=4000",
    "PRAGMA busy_timeout=10000",
)


def stored_size(events: Iterable[Event]) -> int:
    """Bytes of the events as AWS counts them."""
    return sum(OVERHEAD + len(event.message.encode()) for event in events)


class Append(NamedTuple):
    """One call that waits for its commit."""

    group: str
    stream: str
    events: Sequence[Event]
    now: int
    position: Position | None
    future: asyncio.Future[int]


class SqliteLogStore(LogStore):
    """Open it with `open_log_store`."""

    _writer: sqlite3.Connection
    _reader: sqlite3.Connection
    _sequence: int

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._connected = False
        self._write_thread = ThreadPoolExecutor(1, "log-writer")
        self._read_thread = ThreadPoolExecutor(1, "log-reader")
        self._waiting: list[Append] = []
        self._committing: asyncio.Task[None] | None = None
        self._closed = False

    def connect(self) -> None:
        """Open the file. Raises sqlite3.Error, also where the disk is full; may be tried again."""
        with contextlib.ExitStack() as opened:
            writer, reader = (
                opened.enter_context(contextlib.closing(_connection(self._directory)))
                for _ in range(2)
            )
            for setting in SETTINGS:
                writer.execute(setting)
            reader.execute("PRAGMA busy_timeout=10000")
            reader.execute("PRAGMA query_only=ON")
            _migrate(writer)
            ((last,),) = writer.execute("SELECT max(sequence) FROM events")
            opened.pop_all()
        self._writer, self._reader, self._sequence = writer, reader, last or 0
        self._connected = True

    async def append(
        self,
        group: str,
        stream: str,
        events: Sequence[Event],
        now: int,
        position: Position | None = None,
    ) -> int:
        if self._closed:
            raise LogStoreUnavailable("the log store is closed")
        stored_size(events)  # raises here, not in the thread, where a message is not Unicode
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._waiting.append(Append(group, stream, events, now, position, future))
        if self._committing is None:
            self._committing = loop.create_task(self._commit_all())
        return await future

    async def _commit_all(self) -> None:
        """Commit until nothing waits."""
        try:
            while self._waiting:
                appends, self._waiting = self._waiting, []
                await self._commit(appends)
        finally:
            self._committing = None

    async def _commit(self, appends: Sequence[Append]) -> None:
        try:
            counts = await self._in(self._write_thread, lambda: self._write(appends))
        except LogStoreUnavailable as error:
            _log.exception("append failed", batches=len(appends))
            for append in appends:
                if not append.future.done():
                    append.future.set_exception(LogStoreUnavailable(str(error)))
            return
        for append, count in zip(appends, counts, strict=True):
            if not append.future.done():
                append.future.set_result(count)

    async def _in(self, thread: ThreadPoolExecutor, work: Callable[[], R]) -> R:
        try:
            if not self._connected:
                self.connect()
            return await asyncio.get_running_loop().run_in_executor(thread, work)
        except sqlite3.Error as error:
            raise LogStoreUnavailable(str(error)) from error

    def _write(self, appends: Iterable[Append]) -> list[int]:
        """In the writing thread: one commit."""
        with _commit(self._writer):
            return [self._keep(append) for append in appends]

    def _keep(self, append: Append) -> int:
        events = self._new_events(append)
        if not events:
            return 0
        rows = []
        for event in events:
            self._sequence += 1
            place = append.group, event.timestamp, self._sequence, append.stream
            rows.append((*place, append.now, event.message))
        self._writer.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", rows)
        size = stored_size(events)
        times = [event.timestamp for event in events]
        self._writer.execute(
            "INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " first_event = min(first_event, excluded.first_event),"
            " last_event = max(last_event, excluded.last_event),"
            " last_ingestion = excluded.last_ingestion, bytes = bytes + excluded.bytes",
            (append.stream, append.group, min(times), max(times), append.now, size),
        )
        return len(events)

    def _new_events(self, append: Append) -> Sequence[Event]:
        """What of the batch its producer has not sent before; the position moves on."""
        if append.position is None:
            return append.events
        producer, number = append.position
        row = self._writer.execute(
            "SELECT next FROM positions WHERE stream=? AND producer=?", (append.stream, producer)
        ).fetchone()
        kept = max(0, (row[0] if row else 0) - number)
        events = append.events[kept:]
        if events:
            self._writer.execute(
                "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)",
                (append.stream, producer, number + len(append.events)),
            )
        return events

    async def read(self, group: str, query: Query) -> Sequence[StoredEvent]:
        return await self._in(self._read_thread, lambda: self._read(group, query))

    def _read(self, group: str, query: Query) -> list[StoredEvent]:
        condition, values = _condition(group, query)
        order = "DESC" if query.newest else "ASC"
        rows = self._reader.execute(
            "SELECT timestamp, sequence, stream, ingested, message FROM events"  # noqa: S608
            f" WHERE {condition} ORDER BY timestamp {order}, sequence {order} LIMIT ?",
            (*values, query.limit),
        )
        events = [StoredEvent(*row) for row in rows]
        if query.newest:
            events.reverse()
        return events

    async def states(self, streams: Collection[str]) -> Mapping[str, StreamState]:
        return await self._in(self._read_thread, lambda: self._states(streams))

    def _states(self, streams: Collection[str]) -> dict[str, StreamState]:
        found = {}
        for stream in streams:
            row = self._reader.execute(
                "SELECT log_group, first_event, last_event, last_ingestion, bytes FROM streams"
                " WHERE id=?",
                (stream,),
            ).fetchone()
            if row is not None:
                positions = self._reader.execute(
                    "SELECT producer, next FROM positions WHERE stream=?", (stream,)
                )
                group, first, last, ingested, size = row
                found[stream] = StreamState(
                    group, first, last, ingested, size, dict(positions.fetchall())
                )
        return found

    async def stored_bytes(self, groups: Collection[str]) -> Mapping[str, int]:
        def count() -> dict[str, int]:
            query = "SELECT coalesce(sum(bytes), 0) FROM streams WHERE log_group=?"
            return {group: self._reader.execute(query, (group,)).fetchone()[0] for group in groups}

        return await self._in(self._read_thread, count)

    async def groups(self) -> Mapping[str, Collection[str]]:
        def collect() -> dict[str, list[str]]:
            found: dict[str, list[str]] = {}
            for group, stream in self._reader.execute("SELECT log_group, id FROM streams"):
                found.setdefault(group, []).append(stream)
            return found

        return await self._in(self._read_thread, collect)

    async def delete(self, group: str, streams: Collection[str] | None = None) -> None:
        if streams is None:
            streams = list((await self.groups()).get(group, ()))
        for stream in streams:
            await self._delete_rows("stream=? AND log_group=?", (stream, group))
            await self._in(self._write_thread, lambda stream=stream: self._forget(stream))  # type: ignore[misc]
        await self._vacuum()

    def _forget(self, stream: str) -> None:
        with _commit(self._writer):
            self._writer.execute("DELETE FROM streams WHERE id=?", (stream,))
            self._writer.execute("DELETE FROM positions WHERE stream=?", (stream,))

    async def expire(self, group: str, before: int) -> int:
        expired = await self._delete_rows("log_group=? AND timestamp<?", (group, before))
        if expired:
            await self._in(self._write_thread, lambda: self._recount(group))
            await self._vacuum()
        return expired

    def _recount(self, group: str) -> None:
        """Bring the streams' figures in line with what is left of the group."""
        left = (
            "(SELECT min(timestamp) FROM events e WHERE e.stream=streams.id)",
            "(SELECT coalesce(sum(length(CAST(message AS BLOB)) + ?), 0)"
            " FROM events e WHERE e.stream=streams.id)",
        )
        with _commit(self._writer):
            self._writer.execute(
                f"UPDATE streams SET first_event=coalesce({left[0]}, last_event), bytes={left[1]}"  # noqa: S608
                " WHERE log_group=?",
                (OVERHEAD, group),
            )

    async def _delete_rows(self, condition: str, values: tuple[Any, ...]) -> int:
        """Delete in portions; how many rows there were."""
        total = 0
        while True:
            count = await self._in(self._write_thread, lambda: self._delete_some(condition, values))
            total += count
            if count < DELETE_ROWS:
                return total

    def _delete_some(self, condition: str, values: tuple[Any, ...]) -> int:
        with _commit(self._writer):
            keys = self._writer.execute(
                "SELECT log_group, timestamp, sequence FROM events"  # noqa: S608
                f" WHERE {condition} LIMIT {DELETE_ROWS}",
                values,
            ).fetchall()
            self._writer.executemany(
                "DELETE FROM events WHERE log_group=? AND timestamp=? AND sequence=?", keys
            )
        return len(keys)

    async def _vacuum(self) -> None:
        """Give the freed pages back to the file system."""
        await self._in(
            self._write_thread,
            lambda: self._writer.execute("PRAGMA incremental_vacuum").fetchall(),
        )

    async def close(self) -> None:
        self._closed = True
        if self._committing is not None:
            await self._committing
        for thread in (self._write_thread, self._read_thread):
            await asyncio.to_thread(thread.shutdown)
        if self._connected:
            self._reader.close()
            self._writer.close()


def _condition(group: str, query: Query) -> tuple[str, list[Any]]:
    """The WHERE clause of a query and its values."""
    terms, values = ["log_group=?"], [group]
    bounds: tuple[tuple[str, Any], ...] = (
        ("timestamp>=?", query.start),
        ("timestamp<=?", query.end),
    )
    for term, bound in bounds:
        if bound is not None:
            terms.append(term)
            values.append(bound)
    for term, cursor in (
        ("(timestamp, sequence)>(?, ?)", query.after),
        ("(timestamp, sequence)<(?, ?)", query.before),
    ):
        if cursor is not None:
            terms.append(term)
            values += cursor  # type: ignore[arg-type]
    if query.streams is not None:
        terms.append(f"stream IN ({', '.join('?' * len(query.streams))})")
        values += query.streams
    return " AND ".join(terms), values


class _commit(AbstractContextManager[None]):  # noqa: N801 - reads as a verb
    """A transaction: committed at the end, rolled back where something was raised."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            # A full disk may have rolled it back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def open_log_store(directory: Path) -> SqliteLogStore:
    """The log store in `directory`, made if there is none. Raises `LogStoreUnavailable`.

    Where the disk is full, its calls raise that until there is room: a control plane that starts
    meanwhile has other things to answer.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = SqliteLogStore(directory)
    try:
        store.connect()
    except sqlite3.Error as error:
        if error.sqlite_errorcode & PRIMARY not in WITHOUT_ROOM:
            raise LogStoreUnavailable(str(error)) from error
        _log.exception("the log store waits for room on the disk")
    return store


def _connection(directory: Path) -> sqlite3.Connection:
    return sqlite3.connect(directory / "logs.db", isolation_level=None, check_same_thread=False)


def _migrate(connection: sqlite3.Connection) -> None:
    ((version,),) = connection.execute("PRAGMA user_version")
    for number in range(version, len(STEPS)):
        connection.executescript(
            f"BEGIN IMMEDIATE; {STEPS[number]}; PRAGMA user_version={number + 1}; COMMIT;"
        )
