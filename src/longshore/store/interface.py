"""What a store promises.

Terms
-----
A *record* is a frozen struct under a key (kind, account, region, name). Global resources (IAM) use
the region `""`; records that belong to no account (hosts) use the account `""`.
The store has one *revision*, an integer that grows with each committed transaction; a record
carries the revision of the transaction that wrote it last.
A *transaction* reads the process's cache and stages writes. It commits whole or not at all, and
only if each record that it wrote or `require`d is still at the revision that it read (absent
counts as revision 0). Where others write the database too, that may fail at the commit, and the
transaction runs again on fresh reads; where this process is the only writer it cannot, and the
transaction runs once.

Lifecycle
---------
    store = await open_store("sqlite:///var/lib/longshore/state.db", KINDS, clock)
    def rename(tx: Transaction) -> None:
        cluster = tx.get(CLUSTER, account, region, "default")
        ...
        tx.put(CLUSTER, account, region, "default", changed)
    await store.transact(rename)      # durable when it returns
    async for change in store.watch([CLUSTER], after=revision): ...
    await store.close()
"""

from abc import ABC, abstractmethod
from asyncio import Future
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from longshore.model.kind import Kind

T = TypeVar("T", bound=msgspec.Struct)
T_co = TypeVar("T_co", bound=msgspec.Struct, covariant=True)
R = TypeVar("R")


class StoreError(Exception):
    """The store could not do what was asked."""


class Conflict(StoreError):
    """Another transaction changed a record that this one read and wrote."""


class Compacted(StoreError):
    """The changes after the revision asked for are no longer kept: list anew, then watch."""


class StoreUnavailable(StoreError):
    """The disk is full or the database cannot be reached; nothing of the transaction was kept."""


class Key(msgspec.Struct, frozen=True):
    """Where a record is."""

    kind: str
    account: str
    region: str
    name: str


class Record(msgspec.Struct, Generic[T_co], frozen=True):
    """A value and the revision that wrote it."""

    key: Key
    revision: int
    value: T_co


class Change(msgspec.Struct, frozen=True):
    """One record's change in one committed transaction; `after` is None where it was deleted."""

    revision: int
    key: Key
    before: Record[msgspec.Struct] | None
    after: Record[msgspec.Struct] | None


class Lease(msgspec.Struct, frozen=True):
    """`holder` owns `name` until `expires` (epoch seconds); `token` grows with each new holder."""

    name: str
    holder: str
    expires: float
    token: int


class Reader(Protocol):
    """Reads; synchronous, from memory."""

    def get(self, kind: Kind[T], account: str, region: str, name: str) -> Record[T] | None:
        """The record, or None."""

    def scan(
        self,
        kind: Kind[T],
        account: str | None = None,
        region: str | None = None,
        *,
        prefix: str = "",
        after: str = "",
        limit: int | None = None,
    ) -> Sequence[Record[T]]:
        """Records ordered by (account, region, name).

        `prefix` and `after` (exclusive) apply to names and need account and region; `limit` is a
        page's size. Without account or region, all of them.
        """

    def find(
        self, kind: Kind[T], account: str, region: str, index: str, value: str
    ) -> Sequence[Record[T]]:
        """Records whose index function gave `value`, ordered by name."""

    def count(self, kind: Kind[T], account: str, region: str, index: str, value: str) -> int:
        """How many records `find` would give; costs the same however many there are."""


class Transaction(Reader, Protocol):
    """Reads that see the staged writes, and the staging of writes."""

    def put(self, kind: Kind[T], account: str, region: str, name: str, value: T) -> None:
        """Write over whatever this transaction read (or would read now) under the key."""

    def create(self, kind: Kind[T], account: str, region: str, name: str, value: T) -> None:
        """Write, provided that there is no such record; raises `Conflict` at once if there is."""

    def delete(self, kind: Kind[T], account: str, region: str, name: str) -> None:
        """Remove the record; nothing happens where there is none."""

    def require(self, record: Record[Any]) -> None:
        """Commit only if `record` is unchanged then."""


class Store(ABC):
    """Records, changes and leases of one installation."""

    @property
    @abstractmethod
    def revision(self) -> int:
        """The last revision that reads in this process see."""

    @property
    @abstractmethod
    def reader(self) -> Reader:
        """Reads outside of a transaction: always sees this process's own committed writes."""

    async def transact(self, function: Callable[[Transaction], R], attempts: int = 10) -> R:
        """Run `function` and commit what it staged; durable (fsynced) when this returns.

        `function` is synchronous and may run several times: where another's commit changed what
        it read (PostgreSQL) it runs again on fresh reads, `attempts` times in all before
        `Conflict`, and where the commit of a group that it read came to nothing it reads again. On
        SQLite what it stages is staged once, and `attempts` has no meaning. What it raises, a
        `Conflict` of `create` or `require` among it, ends the transaction unwritten and is not
        tried again there. Where it stages nothing, nothing is waited for but a group that it may
        have seen.

        Transactions are serialisable in the order of their revisions: whatever `function` read,
        lists and indexes included, is the same when its writes commit, or it runs again. It may
        also see the writes of transactions that commit in the same group before it; what it
        returns or raises is known to the caller only once those are durable. Readers and watchers
        see nothing that is not durable. Values are decoded again as they are staged, so one that
        would not decode raises at once.
        """
        return await self.submit(function, attempts)

    @abstractmethod
    def submit(self, function: Callable[[Transaction], R], attempts: int = 10) -> Future[R]:
        """The same without waiting: done already where there is nothing to wait for."""

    @abstractmethod
    def watch(
        self, kinds: Collection[Kind[Any]], after: int | None = None
    ) -> AsyncIterator[Change]:
        """Every durable change of these kinds since revision `after` (now, if None), in order.

        Registered when called, not at the first `anext`. Raises `Compacted` from the iterator.
        """

    @abstractmethod
    async def acquire(self, name: str, holder: str, ttl: float, now: float) -> Lease | None:
        """Take or renew a lease for `ttl` seconds; None while another holder's is unexpired."""

    @abstractmethod
    async def release(self, lease: Lease) -> None:
        """Give the lease back; nothing happens where it has passed to another."""

    @abstractmethod
    async def reset(self, keep: Collection[Kind[Any]] = ()) -> None:
        """Forget all records but those of the kinds to `keep`, in one transaction."""

    @abstractmethod
    async def close(self) -> None:
        """Commit what is pending and free everything."""
