"""A store in memory: the promises of `store.interface` without durability, for tests."""

import asyncio
from bisect import insort
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from longshore.model.kind import Kind
from longshore.store.interface import Change, Conflict, Key, Lease, Record, Store, Transaction

R = TypeVar("R")
Records = dict[Key, Record[Any]]


class MemoryReader:
    """Reads of a table of records."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def get(self, kind: Kind[Any], account: str, region: str, name: str) -> Record[Any] | None:
        return self._records.get(Key(kind.name, account, region, name))

    def scan(
        self,
        kind: Kind[Any],
        account: str | None = None,
        region: str | None = None,
        *,
        prefix: str = "",
        after: str = "",
        limit: int | None = None,
    ) -> Sequence[Record[Any]]:
        found = [
            record
            for key, record in self._all()
            if key.kind == kind.name
            and account in {None, key.account}
            and region in {None, key.region}
            and key.name.startswith(prefix)
            and (not after or key.name > after)
        ]
        found.sort(key=lambda record: (record.key.account, record.key.region, record.key.name))
        return found if limit is None else found[:limit]

    def find(
        self, kind: Kind[Any], account: str, region: str, index: str, value: str
    ) -> Sequence[Record[Any]]:
        give = kind.indexes[index]
        return [
            record for record in self.scan(kind, account, region) if value in give(record.value)
        ]

    def count(self, kind: Kind[Any], account: str, region: str, index: str, value: str) -> int:
        return len(self.find(kind, account, region, index, value))

    def _all(self) -> Iterable[tuple[Key, Record[Any]]]:
        return self._records.items()


class MemoryTransaction(MemoryReader):
    """Stages writes over the table; `read` is what a commit must find unchanged."""

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self.staged: dict[Key, Any] = {}
        self.required: list[Record[Any]] = []
        self.read: dict[Key, int] = {}

    def get(self, kind: Kind[Any], account: str, region: str, name: str) -> Record[Any] | None:
        key = Key(kind.name, account, region, name)
        if key in self.staged:
            value = self.staged[key]
            return None if value is None else Record(key, self._revision(key), value)
        record = self._records.get(key)
        self.read.setdefault(key, record.revision if record is not None else 0)
        return record

    def put(self, kind: Kind[Any], account: str, region: str, name: str, value: Any) -> None:
        self._stage(Key(kind.name, account, region, name), value)

    def create(self, kind: Kind[Any], account: str, region: str, name: str, value: Any) -> None:
        if self.get(kind, account, region, name) is not None:
            raise Conflict(f"{kind.name} {name} exists")
        self._stage(Key(kind.name, account, region, name), value)

    def delete(self, kind: Kind[Any], account: str, region: str, name: str) -> None:
        self._stage(Key(kind.name, account, region, name), None)

    def require(self, record: Record[Any]) -> None:
        self.required.append(record)

    def _stage(self, key: Key, value: Any) -> None:
        self.read.setdefault(key, self._revision(key))
        self.staged[key] = value

    def _revision(self, key: Key) -> int:
        record = self._records.get(key)
        return record.revision if record is not None else 0

    def _all(self) -> Iterable[tuple[Key, Record[Any]]]:
        for key, record in self._records.items():
            if key not in self.staged:
                yield key, record
        for key, value in self.staged.items():
            if value is not None:
                yield key, Record(key, self._revision(key), value)


class MemoryStore(Store):
    """All records in a dict; every change kept for watchers."""

    def __init__(self) -> None:
        self._records: Records = {}
        self._revision = 0
        self._changes: list[Change] = []
        self._watchers: list[tuple[frozenset[str], asyncio.Queue[Change]]] = []
        self._leases: dict[str, Lease] = {}
        self._token = 0

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def reader(self) -> MemoryReader:
        return MemoryReader(self._records)

    async def transact(self, function: Callable[[Transaction], R], attempts: int = 10) -> R:
        # Nothing is waited for: pure tests run it without an event loop.
        return self._run(function, attempts)

    def submit(self, function: Callable[[Transaction], R], attempts: int = 10) -> asyncio.Future[R]:
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        try:
            future.set_result(self._run(function, attempts))
        except Exception as error:  # the caller's own: handed to the caller
            future.set_exception(error)
        return future

    def _run(self, function: Callable[[Transaction], R], attempts: int) -> R:
        for attempt in range(1, attempts + 1):
            transaction = MemoryTransaction(self._records)
            try:
                result = function(transaction)
                self._commit(transaction)
            except Conflict:
                if attempt == attempts:
                    raise
            else:
                return result
        raise Conflict("no attempt was allowed")

    def _commit(self, transaction: MemoryTransaction) -> None:
        for record in transaction.required:
            found = self._records.get(record.key)
            if (found.revision if found is not None else 0) != record.revision:
                raise Conflict(f"{record.key} has changed")
        if not transaction.staged:
            return
        self._revision += 1
        for key, value in transaction.staged.items():
            self._write(key, value)

    def _write(self, key: Key, value: Any) -> None:
        before = self._records.pop(key, None)
        after = None if value is None else Record(key, self._revision, value)
        if after is not None:
            self._records[key] = after
        change = Change(self._revision, key, before, after)
        insort(self._changes, change, key=lambda change: change.revision)
        for kinds, queue in self._watchers:
            if key.kind in kinds:
                queue.put_nowait(change)

    def watch(
        self, kinds: Collection[Kind[Any]], after: int | None = None
    ) -> AsyncIterator[Change]:
        names = frozenset(kind.name for kind in kinds)
        queue: asyncio.Queue[Change] = asyncio.Queue()
        for change in self._changes if after is not None else ():
            if change.key.kind in names and change.revision > (after or 0):
                queue.put_nowait(change)
        watcher = (names, queue)
        self._watchers.append(watcher)
        return self._follow(watcher)

    async def _follow(
        self, watcher: tuple[frozenset[str], asyncio.Queue[Change]]
    ) -> AsyncIterator[Change]:
        try:
            while True:
                yield await watcher[1].get()
        finally:
            self._watchers.remove(watcher)

    async def acquire(self, name: str, holder: str, ttl: float, now: float) -> Lease | None:
        held = self._leases.get(name)
        if held is not None and held.holder != holder and held.expires > now:
            return None
        if held is None or held.holder != holder or held.expires <= now:
            self._token += 1
        lease = Lease(name, holder, now + ttl, self._token)
        self._leases[name] = lease
        return lease

    async def release(self, lease: Lease) -> None:
        held = self._leases.get(lease.name)
        if held is not None and held.token == lease.token:
            del self._leases[lease.name]

    async def reset(self, keep: Collection[Kind[Any]] = ()) -> None:
        kept = {kind.name for kind in keep}
        self._revision += 1
        for key in [key for key in self._records if key.kind not in kept]:
            self._write(key, None)

    async def close(self) -> None:
        self._watchers.clear()
