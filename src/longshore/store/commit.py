"""What both implementations share: reads from the cache, and what follows a group's commit.

`Pending` is for a store whose records others change as well. There a transaction's function runs at
once, on what is durable. If it stages nothing, that is all. Else it waits for the next group; there
it is taken as it is if everything that it read (records, and also ranges that it listed) is still
the same, and run again on top of the group if not. So transactions are serialisable, and their
order is that of their revisions.
"""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from longshore.model.kind import Kind
from longshore.store.cache import Cache
from longshore.store.interface import (
    Change,
    Conflict,
    Reader,
    Store,
    Transaction,
)
from longshore.store.transaction import Group, TrackedDraft
from longshore.store.watch import Watch, Watchers, kind_names

R = TypeVar("R")

HISTORY = 20_000
"""Revisions whose changes are kept for watchers that come back."""


class Waiting(Protocol):
    """Whoever waits for a group."""

    def succeed(self) -> None:
        """The group is durable."""


class Pending:
    """A transaction that waits for its group."""

    __slots__ = ("attempts", "draft", "function", "future", "result")

    def __init__(
        self,
        function: Callable[[Transaction], Any],
        attempts: int,
        draft: TrackedDraft | None,
        result: Any,
    ) -> None:
        self.function = function
        self.attempts = attempts
        self.draft = draft
        self.result = result
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def run(self, group: Group) -> bool:
        """Have a draft that holds on top of `group`; False where the function raised."""
        if self.draft is not None and self.draft.holds(group):
            return True
        try:
            self.attempts -= 1
            if self.attempts < 0:
                raise Conflict("another transaction came first")
            self.draft = TrackedDraft(group)
            self.result = self.function(self.draft)
        except Exception as error:  # the caller's own: handed to the caller
            self.fail(error)
            return False
        return True

    def succeed(self) -> None:
        if not self.future.done():
            self.future.set_result(self.result)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


def evaluate(group: Group, waiting: Iterable[Pending]) -> list[Pending]:
    """Add each transaction to the group, in order; those that did not raise."""
    accepted = []
    for pending in waiting:
        if pending.run(group) and pending.draft is not None:
            if pending.draft.staged:
                group.add(pending.draft)
            accepted.append(pending)
    return accepted


class CachedStore(Store):
    """A store that reads from its cache; the implementations say how a group becomes durable."""

    def __init__(self, kinds: Iterable[Kind[Any]]) -> None:
        self._cache = Cache(kinds)
        self._watchers = Watchers()
        self._closed = False

    @property
    def revision(self) -> int:
        return self._cache.revision

    @property
    def reader(self) -> Reader:
        return self._cache

    def _settle(self, group: Group, accepted: Iterable[Waiting]) -> None:
        """The group is durable: let readers, watchers and callers know."""
        for revision, writes in group.transactions:
            for write in writes:
                self._cache.set(write.key, revision, write.record)
            self._cache.revision = revision
            self._watchers.publish(revision, writes)
        for pending in accepted:
            pending.succeed()

    def watch(
        self, kinds: Collection[Kind[Any]], after: int | None = None
    ) -> AsyncIterator[Change]:
        revision = self._cache.revision
        return self._watchers.add(
            Watch(kind_names(kinds), revision, revision if after is None else after, self._history)
        )

    @abstractmethod
    async def _history(self, after: int, until: int, kinds: Collection[str]) -> Sequence[Change]:
        """Durable changes of these kinds in (after, until], oldest first; raises `Compacted`."""

    async def reset(self, keep: Collection[Kind[Any]] = ()) -> None:
        kept = kind_names(keep)

        def forget(tx: Transaction) -> None:
            for shelf in self._cache.shelves.values():
                if shelf.kind.name not in kept:
                    for record in tx.scan(shelf.kind):
                        key = record.key
                        tx.delete(shelf.kind, key.account, key.region, key.name)

        await self.transact(forget)
