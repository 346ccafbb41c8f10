"""The store in one SQLite file (WAL, `synchronous=FULL`): one process, nothing to install.

Whatever arrives in turns of the event loop that follow on one another is committed together, with
one fsync (docs/decisions/0100). The commit runs on the loop itself: a thread would cost more than
it gives. Nobody else writes the file, so a transaction's function runs once, on top of the group
that was gathered so far (docs/decisions/0081).
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from longshore.base.logs import logger
from longshore.model.kind import Kind
from longshore.store import migrations
from longshore.store.cache import Cache
from longshore.store.commit import HISTORY, CachedStore
from longshore.store.interface import (
    Change,
    Compacted,
    Lease,
    StoreError,
    StoreUnavailable,
    Transaction,
)
from longshore.store.transaction import Draft, Group, place

R = TypeVar("R")

_log = logger(__name__)

SETTINGS = (
    # A second process on the same file would not see this one's cache: the file is ours alone.
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA wal_autocheckpoint=4000",
    "PRAGMA busy_timeout=5000",
)
GATHERED = 64
"""Transactions that write: so many are committed at once, though more may come."""
TRIM_EVERY = 1000
"""Revisions between removals of what history need not keep."""


class Run:
    """One run of a transaction's function, and who is told what came of it."""

    __slots__ = ("_error", "_function", "_result", "future", "staged")

    def __init__(self, function: Callable[[Transaction], Any], draft: Draft) -> None:
        self._function = function
        self._result: Any = None
        self._error: Exception | None = None
        self.staged = False
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._run(draft)

    def _run(self, draft: Draft) -> None:
        try:
            self._result = self._function(draft)
        except Exception as error:  # the caller's own: handed to the caller
            self._error = error
        else:
            self.staged = bool(draft.staged)

    def succeed(self) -> None:
        """All that the function may have seen is durable."""
        if self.future.done():
            return
        if self._error is None:
            self.future.set_result(self._result)
        else:
            self.future.set_exception(self._error)

    def undo(self, cache: Cache, reason: str) -> None:
        """The group that the function saw came to nothing: what only read, reads again."""
        if not self.staged:
            self._result = self._error = None
            self._run(Draft(cache))
        if self.staged:
            self._error = StoreUnavailable(reason)
        self.succeed()


class SqliteStore(CachedStore):
    """One process's store; open it with `open_sqlite`."""

    def __init__(self, connection: sqlite3.Connection, kinds: Sequence[Kind[Any]]) -> None:
        super().__init__(kinds)
        self._connection = connection
        self._group: Group | None = None
        self._waiting: list[Run] = []
        self._trimmed = 0
        self._load()

    def _load(self) -> None:
        rows = self._connection.execute(
            "SELECT kind, account, region, name, revision, value FROM records"
            " ORDER BY kind, account, region, name"
        )
        shelves = self._cache.shelves
        for kind, account, region, name, revision, value in rows:
            if kind in shelves:
                shelves[kind].set((account, region), name, revision, (revision, value))
        ((self._cache.revision,),) = self._connection.execute("SELECT revision FROM state")
        self._trimmed = self._cache.revision

    def submit(self, function: Callable[[Transaction], R], attempts: int = 10) -> asyncio.Future[R]:
        # `attempts` has no meaning here: a run on the latest state has no better one to come.
        draft = Draft(self._cache if self._group is None else self._group)
        run = Run(function, draft)
        if run.staged and self._closed:
            run.undo(self._cache, "the store is closed")
        elif run.staged:
            self._open_group().add(draft)
            self._waiting.append(run)
        elif self._group is not None:
            self._waiting.append(run)
        else:
            run.succeed()
        return run.future

    def _open_group(self) -> Group:
        """What is gathered for the next commit, which comes as soon as nothing more does."""
        if self._group is None:
            self._group = Group(self._cache)
            asyncio.get_running_loop().call_soon(self._commit_when_quiet)
        return self._group

    def _commit_when_quiet(self, seen: int = 0) -> None:
        """Commit, unless this turn of the loop brought more writes: then the next may, too."""
        gathered = len(self._group.transactions) if self._group is not None else 0
        if seen < gathered < GATHERED:
            asyncio.get_running_loop().call_soon(self._commit_when_quiet, gathered)
        else:
            self._commit()

    def _commit(self) -> None:
        group, self._group = self._group, None
        waiting, self._waiting = self._waiting, []
        if group is None:
            return
        try:
            self._write(group)
        except sqlite3.Error as error:
            _log.exception("commit failed", transactions=len(group.transactions))
            for run in waiting:
                run.undo(self._cache, str(error))
        else:
            self._settle(group, waiting)

    def _write(self, group: Group) -> None:
        with self._transaction() as connection:
            last = group.last_writes()
            connection.executemany(
                "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (*place(write.key), revision, write.encoded)
                    for revision, write in last
                    if write.record is not None
                ],
            )
            deleted = [place(write.key) for _, write in last if write.record is None]
            if deleted:
                connection.executemany(
                    "DELETE FROM records WHERE kind=? AND account=? AND region=? AND name=?",
                    deleted,
                )
            connection.executemany(
                "INSERT INTO history (revision, kind, account, region, name, before_revision,"
                " before, after) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                group.history_rows(),
            )
            connection.execute("UPDATE state SET revision=?", (group.revision,))
            if group.revision - self._trimmed >= TRIM_EVERY:
                self._trim(group.revision)

    def _trim(self, revision: int) -> None:
        kept_after = max(0, revision - HISTORY)
        self._connection.execute("DELETE FROM history WHERE revision <= ?", (kept_after,))
        self._connection.execute("UPDATE state SET kept_after=?", (kept_after,))
        self._trimmed = revision

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk may have rolled it back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    async def _history(self, after: int, until: int, kinds: Collection[str]) -> Sequence[Change]:
        ((kept_after,),) = self._connection.execute("SELECT kept_after FROM state")
        if after < kept_after:
            raise Compacted(f"changes up to revision {kept_after} are no longer kept")
        rows = self._connection.execute(
            "SELECT revision, kind, account, region, name, before_revision, before, after"
            " FROM history WHERE revision > ? AND revision <= ? ORDER BY position",
            (after, until),
        )
        return [self._cache.change(row) for row in rows if row[1] in kinds]

    async def acquire(self, name: str, holder: str, ttl: float, now: float) -> Lease | None:
        with _available(), self._transaction() as connection:
            row = connection.execute(
                "SELECT holder, expires, token FROM leases WHERE name=?", (name,)
            ).fetchone() or ("", 0.0, 0)
            if row[0] != holder and row[1] > now:
                return None
            lease = Lease(name, holder, now + ttl, row[2] + (row[0] != holder))
            connection.execute(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)",
                (name, holder, lease.expires, lease.token),
            )
            return lease

    async def release(self, lease: Lease) -> None:
        with _available(), self._transaction() as connection:
            connection.execute(
                "UPDATE leases SET holder='', expires=0 WHERE name=? AND holder=? AND token=?",
                (lease.name, lease.holder, lease.token),
            )

    async def close(self) -> None:
        if not self._closed:
            self._commit()
            self._closed = True
            self._watchers.end()
            self._connection.close()


@contextmanager
def _available() -> Iterator[None]:
    """The driver's errors as the store's."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(str(error)) from error


def open_sqlite(path: Path, kinds: Sequence[Kind[Any]]) -> SqliteStore:
    """The store in this file, made if there is none; `StoreUnavailable` if another has it open."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _make_private(path)
    with _available():
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            for setting in SETTINGS:
                connection.execute(setting)
            migrate(connection, migrations.SQLITE)
            return SqliteStore(connection, kinds)
        except BaseException:
            connection.close()
            raise


def _make_private(path: Path) -> None:
    """Let its owner alone read the file and what SQLite keeps beside it, from the first byte on.

    SQLite gives the files beside it the mode of the file itself ("robust_open", os_unix.c).
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        with suppress(FileNotFoundError):
            path.with_name(name).chmod(0o600)


def migrate(connection: sqlite3.Connection, steps: Sequence[str]) -> None:
    """Bring the file's schema up to the last of `steps`, each whole or not at all."""
    ((version,),) = connection.execute("PRAGMA user_version")
    if version > len(steps):
        raise StoreError(
            f"the store has schema {version}, this Longshore knows {len(steps)}: it is older than"
            " the one that wrote the store"
        )
    for number in range(version, len(steps)):
        connection.executescript(
            f"BEGIN EXCLUSIVE; {steps[number]}; PRAGMA user_version={number + 1}; COMMIT;"
        )
