"""The store in PostgreSQL: several control planes at once.

One task writes. It takes whatever is pending, locks the one row of `longshore_state`, brings its
cache up to the revision that it finds there, evaluates the transactions on that, and writes all of
them with the next revisions in one statement. So revisions are given out one writer at a time: a
watcher that reads the history in their order misses nothing. NOTIFY wakes the others.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from longshore.base.clock import Clock
from longshore.base.logs import logger
from longshore.model.kind import Kind
from longshore.store import migrations
from longshore.store.cache import Cache
from longshore.store.commit import HISTORY, CachedStore, Pending, evaluate
from longshore.store.interface import (
    Change,
    Compacted,
    Conflict,
    Lease,
    StoreError,
    StoreUnavailable,
    Transaction,
)
from longshore.store.transaction import Group, TrackedDraft, place

R = TypeVar("R")

_log = logger(__name__)

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:  # the driver's own class takes no parameter
    Connection = asyncpg.Connection

CHANNEL = "longshore"
PATIENCE = 10.0
"""Seconds for which transactions wait while the database cannot be reached."""
RETRY_SECONDS = 0.1
LOOK_SECONDS = 5.0
"""Seconds after which to look for changes unasked, should a notification have been lost."""
TRIM_EVERY = 1000
MIGRATION_LOCK = 0x6C6F6E67
"""Key of the advisory lock under which one control plane migrates: "long"."""

BROKEN = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)
"""What is tried again on a new connection."""

_RECORDS = "SELECT kind, account, region, name, revision, value FROM longshore_records"
_HISTORY = (
    "SELECT revision, kind, account, region, name, before_revision, before, after"
    " FROM longshore_history"
)
_WRITE = """
    WITH deleted AS (
        DELETE FROM longshore_records r
        USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS d (k, a, g, n)
        WHERE r.kind = d.k AND r.account = d.a AND r.region = d.g AND r.name = d.n
    ), put AS (
        INSERT INTO longshore_records
        SELECT * FROM unnest(
            $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bytea[]
        )
        ON CONFLICT (kind, account, region, name)
        DO UPDATE SET revision = excluded.revision, value = excluded.value
    ), told AS (
        INSERT INTO longshore_history
            (revision, kind, account, region, name, before_revision, before, after, origin)
        SELECT *, $19::uuid FROM unnest(
            $11::bigint[], $12::text[], $13::text[], $14::text[], $15::text[], $16::bigint[],
            $17::bytea[], $18::bytea[]
        )
    ), moved AS (
        UPDATE longshore_state SET revision = $20::bigint
    )
    SELECT pg_notify($21::text, $20::bigint::text)
"""
_ACQUIRE = """
    INSERT INTO longshore_leases AS held VALUES ($1, $2, $3, 1)
    ON CONFLICT (name) DO UPDATE SET holder = $2, expires = $3,
        token = held.token + (held.holder <> $2)::int
    WHERE held.holder = $2 OR held.expires <= $4
    RETURNING token
"""


class PostgresStore(CachedStore):
    """One control plane's view of the shared store; open it with `open_postgres`."""

    def __init__(self, url: str, kinds: Sequence[Kind[Any]], clock: Clock) -> None:
        super().__init__(kinds)
        self._url = url
        self._kinds = kinds
        self._clock = clock
        self._waiting: list[Pending] = []
        self._connection: Connection | None = None
        self._side: Connection | None = None
        self._side_lock = asyncio.Lock()
        self._wakened = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect, load everything, and begin to write and to follow."""
        connection = await self._connected()
        await migrate(connection, migrations.POSTGRES)
        async with connection.transaction(isolation="repeatable_read"):
            await self._load(connection)
        self._task = asyncio.create_task(self._run(), name="store.postgres")

    async def _load(self, connection: Connection) -> None:
        """Take over everything at once, in one snapshot."""
        fresh = Cache(self._kinds)
        async for row in connection.cursor(
            f"{_RECORDS} ORDER BY kind, account, region, name", prefetch=5000
        ):
            kind, account, region, name, revision, value = row
            if kind in fresh.shelves:
                fresh.shelves[kind].set((account, region), name, revision, (revision, value))
        fresh.revision = await connection.fetchval("SELECT revision FROM longshore_state")
        self._cache.replace(fresh)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            connection = await connect(self._url)
            await connection.add_listener(CHANNEL, self._notified)
            connection.add_termination_listener(lambda _: self._wakened.set())
            self._connection = connection
        return self._connection

    def _notified(self, connection: Any, pid: int, channel: str, payload: object) -> None:
        if int(str(payload)) > self._cache.revision:
            self._wakened.set()

    def submit(self, function: Callable[[Transaction], R], attempts: int = 10) -> asyncio.Future[R]:
        draft = TrackedDraft(self._cache)
        pending = Pending(function, attempts - 1, draft, None)
        try:
            pending.result = function(draft)
        except Conflict as error:
            # What it met may be gone once the waiting transactions are through.
            pending.draft = None
            if attempts <= 1:
                pending.fail(error)
        except Exception as error:  # the caller's own: handed to the caller
            pending.fail(error)
        else:
            if not draft.staged:
                pending.succeed()
        if not pending.future.done():
            self._wait(pending)
        return pending.future

    def _wait(self, pending: Pending) -> None:
        """Have it committed soon."""
        if self._closed:
            pending.fail(StoreUnavailable("the store is closed"))
            return
        self._waiting.append(pending)
        self._wakened.set()

    def _take(self) -> list[Pending]:
        waiting, self._waiting = self._waiting, []
        return waiting

    async def _run(self) -> None:
        """Write what is pending and follow what others write, until closed."""
        while not (self._closed and not self._waiting):
            waiting = self._take()
            if waiting:
                await self._commit(waiting)
                continue
            await self._follow()
            if not self._waiting and not self._closed:
                await self._rest()

    async def _rest(self) -> None:
        """Until there is something to do, or it is time to look."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._wakened.wait()
        except TimeoutError:
            pass
        self._wakened.clear()

    async def _follow(self) -> None:
        """Take over what others have written."""
        try:
            connection = await self._connected()
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await self._catch_up(connection, await connection.fetchrow(_state()))
        except BROKEN as error:
            _log.warning("the database cannot be reached", error=str(error))
            await self._drop()
            await asyncio.sleep(RETRY_SECONDS)
            self._wakened.set()

    async def _catch_up(self, connection: Connection, state: Any) -> None:
        """Bring the cache from its revision to that of `state`, as this transaction sees it."""
        revision, kept_after = state
        if self._cache.revision >= revision:
            return
        if self._cache.revision < kept_after:
            await self._load(connection)
            self._watchers.lose(Compacted(f"changes up to {kept_after} are no longer kept"))
            return
        rows = await connection.fetch(
            f"{_HISTORY} WHERE revision > $1 AND revision <= $2 ORDER BY revision, position",
            self._cache.revision,
            revision,
        )
        for row in rows:
            self._take_over(tuple(row))
        self._cache.revision = revision

    def _take_over(self, row: Any) -> None:
        """One change that another control plane made."""
        if row[1] in self._cache.shelves:
            change = self._cache.change(row)
            self._cache.set(change.key, change.revision, change.after)
            self._watchers.tell(change)

    async def _commit(self, waiting: Sequence[Pending]) -> None:
        """Make a group durable; on a new connection if the old one breaks meanwhile."""
        origin = uuid.uuid4()
        accepted: list[Pending] = []
        deadline = self._clock.monotonic() + PATIENCE
        while True:
            try:
                connection = await self._connected()
                if accepted and await self._was_committed(connection, origin):
                    break
                accepted = await self._try(connection, waiting, origin, accepted)
                return
            except BROKEN as error:
                await self._drop()
                if self._clock.monotonic() >= deadline:
                    _fail(waiting, error)
                    return
                await asyncio.sleep(RETRY_SECONDS)
            except asyncpg.PostgresError as error:
                _log.exception("commit failed", transactions=len(accepted))
                _fail(waiting, error)
                return
        for pending in accepted:
            pending.succeed()

    async def _was_committed(self, connection: Connection, origin: uuid.UUID) -> bool:
        """Whether a group whose connection broke has made it.

        The lock is had only once the broken connection's transaction has come to its end.
        """
        async with connection.transaction():
            state = await connection.fetchrow(_state() + " FOR UPDATE")
            found = await connection.fetchval(
                "SELECT 1 FROM longshore_history WHERE revision > $1 AND origin = $2 LIMIT 1",
                self._cache.revision,
                origin,
            )
            await self._catch_up(connection, state)
        return found is not None

    async def _try(
        self,
        connection: Connection,
        waiting: Sequence[Pending],
        origin: uuid.UUID,
        accepted: list[Pending],
    ) -> list[Pending]:
        """One attempt; `accepted` is filled before anything is written."""
        async with connection.transaction():
            await self._catch_up(connection, await connection.fetchrow(_state() + " FOR UPDATE"))
            group = Group(self._cache)
            accepted[:] = evaluate(group, [each for each in waiting if not each.future.done()])
            if group.transactions:
                await connection.fetchval(_WRITE, *_arguments(group, origin))
                await self._trim(connection, group)
        self._settle(group, accepted)
        return accepted

    async def _trim(self, connection: Connection, group: Group) -> None:
        before = group.transactions[0][0] - 1
        kept_after = group.revision - HISTORY
        if before // TRIM_EVERY == group.revision // TRIM_EVERY or kept_after <= 0:
            return
        await connection.execute("DELETE FROM longshore_history WHERE revision <= $1", kept_after)
        await connection.execute("UPDATE longshore_state SET kept_after = $1", kept_after)

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()

    @asynccontextmanager
    async def _aside(self) -> AsyncIterator[Connection]:
        """A second connection, for what must not wait for the writing one."""
        async with self._side_lock:
            try:
                if self._side is None or self._side.is_closed():
                    self._side = await connect(self._url)
                yield self._side
            except (*BROKEN, asyncpg.PostgresError) as error:
                if self._side is not None:
                    self._side.terminate()
                raise StoreUnavailable(str(error)) from error

    async def _history(self, after: int, until: int, kinds: Collection[str]) -> Sequence[Change]:
        async with self._aside() as connection:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                kept_after = await connection.fetchval("SELECT kept_after FROM longshore_state")
                if after < kept_after:
                    raise Compacted(f"changes up to revision {kept_after} are no longer kept")
                rows = await connection.fetch(
                    f"{_HISTORY} WHERE revision > $1 AND revision <= $2 AND kind = ANY($3)"
                    " ORDER BY revision, position",
                    after,
                    until,
                    list(kinds),
                )
            return [self._cache.change(tuple(row)) for row in rows]

    async def acquire(self, name: str, holder: str, ttl: float, now: float) -> Lease | None:
        async with self._aside() as connection:
            token = await connection.fetchval(_ACQUIRE, name, holder, now + ttl, now)
        return None if token is None else Lease(name, holder, now + ttl, token)

    async def release(self, lease: Lease) -> None:
        async with self._aside() as connection:
            await connection.execute(
                "UPDATE longshore_leases SET holder = '', expires = 0"
                " WHERE name = $1 AND holder = $2 AND token = $3",
                lease.name,
                lease.holder,
                lease.token,
            )

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._wakened.set()
        if self._task is not None:
            await self._task
        self._watchers.end()
        for connection in (self._connection, self._side):
            if connection is not None and not connection.is_closed():
                await connection.close()


def _state() -> str:
    return "SELECT revision, kept_after FROM longshore_state"


def _fail(waiting: Iterable[Pending], error: Exception) -> None:
    for pending in waiting:
        pending.fail(StoreUnavailable(str(error) or type(error).__name__))


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows as the arrays that `unnest` takes."""
    return [[row[column] for row in rows] for column in range(width)]


def _arguments(group: Group, origin: uuid.UUID) -> list[Any]:
    """What `_WRITE` takes."""
    last = group.last_writes()
    deleted = [place(write.key) for _, write in last if write.record is None]
    put = [
        (*place(write.key), revision, write.encoded)
        for revision, write in last
        if write.record is not None
    ]
    return [
        *_columns(deleted, 4),
        *_columns(put, 6),
        *_columns(group.history_rows(), 8),
        origin,
        group.revision,
        CHANNEL,
    ]


async def connect(url: str) -> Connection:
    connection: Connection = await asyncpg.connect(
        url, timeout=PATIENCE, server_settings={"application_name": "longshore"}
    )
    if await connection.fetchval("SHOW synchronous_commit") == "off":
        await connection.execute("SET synchronous_commit = on")
    return connection


async def migrate(connection: Connection, steps: Sequence[str]) -> None:
    """Bring the database's schema up to the last of `steps`, each whole or not at all."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS longshore_schema (version integer NOT NULL)"
        )
        version = await connection.fetchval("SELECT version FROM longshore_schema")
        if version is None:
            version = 0
            await connection.execute("INSERT INTO longshore_schema VALUES (0)")
        if version > len(steps):
            raise StoreError(
                f"the store has schema {version}, this Longshore knows {len(steps)}: it is older"
                " than the one that wrote the store"
            )
        for step in steps[version:]:
            await connection.execute(step)
        await connection.execute("UPDATE longshore_schema SET version = $1", len(steps))


async def open_postgres(url: str, kinds: Sequence[Kind[Any]], clock: Clock) -> PostgresStore:
    """The store in the database of this URL; `StoreUnavailable` where it cannot be reached."""
    store = PostgresStore(url, kinds, clock)
    try:
        await store.start()
    except (*BROKEN, asyncpg.PostgresError) as error:
        raise StoreUnavailable(str(error)) from error
    return store
