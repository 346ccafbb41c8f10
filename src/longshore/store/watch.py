"""Watches: what changed is handed to everyone who follows its kind."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any
from weakref import WeakSet

from longshore.store.interface import Change, Compacted, StoreUnavailable
from longshore.store.transaction import Write

LONGEST_QUEUE = 100_000
"""Changes that a watcher may lag behind before it is told to list anew."""

LoadHistory = Callable[[int, int, Collection[str]], Awaitable[Sequence[Change]]]
"""Changes of kinds in (after, until], oldest first; raises `Compacted`."""


class Watch(AsyncIterator[Change]):
    """One watcher's changes; ends with `Compacted` where it fell too far behind."""

    def __init__(
        self, kinds: Collection[str], revision: int, after: int, load: LoadHistory
    ) -> None:
        self.kinds = frozenset(kinds)
        self._changes: deque[Change] = deque()
        self._missed = (after, revision) if after < revision else None
        self._after = after
        self._load = load
        self._waiter: asyncio.Future[None] | None = None
        self._end: Exception | None = None

    def push(self, change: Change) -> None:
        if change.revision <= self._after or self._end is not None:
            return
        self._changes.append(change)
        if len(self._changes) > LONGEST_QUEUE:
            self.fail(Compacted(f"a watcher fell behind at revision {change.revision}"))
        self._wake()

    def fail(self, error: Exception) -> None:
        self._changes.clear()
        self._end = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> "Watch":
        return self

    async def __anext__(self) -> Change:
        if self._missed is not None:
            older = await self._load(*self._missed, self.kinds)
            self._missed = None
            self._changes.extendleft(reversed(older))
        while not self._changes:
            if self._end is not None:
                raise self._end
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._changes.popleft()


class Watchers:
    """Everyone who watches; who is no longer referred to is forgotten."""

    def __init__(self) -> None:
        self._watches: WeakSet[Watch] = WeakSet()

    def add(self, watch: Watch) -> Watch:
        self._watches.add(watch)
        return watch

    def publish(self, revision: int, writes: Iterable[Write]) -> None:
        """Tell of one durable transaction."""
        watches = list(self._watches)
        for write in writes:
            wanted = [watch for watch in watches if write.key.kind in watch.kinds]
            if wanted:
                change = Change(revision, write.key, write.before, write.record)
                for watch in wanted:
                    watch.push(change)

    def tell(self, change: Change) -> None:
        """Tell of one record's change that another control plane made."""
        for watch in list(self._watches):
            if change.key.kind in watch.kinds:
                watch.push(change)

    def lose(self, error: Compacted) -> None:
        """Changes are lost to everyone: they end, and list anew."""
        for watch in list(self._watches):
            watch.fail(error)

    def end(self) -> None:
        """The store closes: iterations raise `StoreUnavailable`."""
        for watch in list(self._watches):
            watch.fail(StoreUnavailable("the store was closed"))


def kind_names(kinds: Collection[Any]) -> set[str]:
    return {kind.name for kind in kinds}
