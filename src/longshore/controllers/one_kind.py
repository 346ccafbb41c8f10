"""What controllers share that look at each record of one kind by itself."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from longshore.controllers.interface import Surroundings
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader, Record, Transaction

T = TypeVar("T", bound=msgspec.Struct)


class OneKind(ABC, Generic[T]):
    """A `longshore.controllers.interface.Controller` of every record of `kind`; each is moved on in
    a transaction of its own."""

    name: str
    kind: ClassVar[Kind[Any]]

    def __init__(self, surroundings: Surroundings) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock

    @property
    def watched(self) -> Collection[Kind[Any]]:
        return (self.kind,)

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        after: Record[Any] | None = change.after
        if after is not None and self._concerns(after.value):
            yield change.key

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [record.key for record in reader.scan(self.kind) if self._concerns(record.value)]

    async def reconcile(self, key: Key) -> float | None:
        return await self._store.transact(lambda tx: self._reconcile(tx, key))

    def _reconcile(self, tx: Transaction, key: Key) -> float | None:
        record = tx.get(self.kind, key.account, key.region, key.name)
        if record is None or not self._concerns(record.value):
            return None
        return self._advance(tx, record)

    def _concerns(self, value: T) -> bool:
        """Whether there may ever be something to do for this one, as it is now."""
        return True

    @abstractmethod
    def _advance(self, tx: Transaction, record: Record[T]) -> float | None:
        """Do the next thing for the record; seconds after which to look again, or None."""
