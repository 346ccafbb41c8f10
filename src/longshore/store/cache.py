"""Every record of the store in memory: ordered, indexed, decoded when first read.

Records are loaded as the bytes that the database gave and become structs at their first reading;
the indexes of a kind are built at the first `find` in it. So a store of 100,000 records opens in
well under a second, and what nobody reads costs little more than its bytes.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

import msgspec

from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Record

T = TypeVar("T", bound=msgspec.Struct)

Place = tuple[str, str]
"""Account and region."""
Raw = tuple[int, bytes]
"""Revision and encoded value of a record that nobody has read yet."""
Entry = Record[Any] | Raw
HistoryRow = tuple[int, str, str, str, str, int, bytes | None, bytes | None]
"""Revision, kind, account, region, name, revision before, value before, value after."""


class Partition:
    """The records of one kind in one account and region."""

    __slots__ = ("entries", "modified", "names")

    def __init__(self) -> None:
        self.names: list[str] = []
        self.entries: dict[str, Entry] = {}
        self.modified = 0

    def set(self, name: str, entry: Entry | None) -> None:
        if entry is None:
            if self.entries.pop(name, None) is not None:
                del self.names[bisect_left(self.names, name)]
            return
        if name not in self.entries:
            if self.names and name < self.names[-1]:
                insort(self.names, name)
            else:
                self.names.append(name)
        self.entries[name] = entry

    def page(self, prefix: str, after: str, limit: int | None) -> list[str]:
        """Names with `prefix`, after `after`, `limit` at most."""
        names = self.names
        start = bisect_left(names, prefix) if prefix else 0
        if after:
            start = max(start, bisect_right(names, after))
        end = len(names) if limit is None else min(len(names), start + limit)
        page = names[start:end]
        if prefix:
            page = page[: bisect_left(page, True, key=lambda name: not name.startswith(prefix))]
        return page


EMPTY = Partition()


class Shelf:
    """All records of one kind."""

    def __init__(self, kind: Kind[Any]) -> None:
        self.kind = kind
        self.partitions: dict[Place, Partition] = {}
        self.places: list[Place] = []
        self.modified = 0
        self.indexes: dict[tuple[str, str, str, str], list[str]] | None = None
        """Names by (index, account, region, value); None until someone asks."""

    def decode(self, key: Key, raw: Raw) -> Record[Any]:
        return Record(key, raw[0], self.kind.decoder.decode(raw[1]))

    def record(self, place: Place, partition: Partition, name: str) -> Record[Any] | None:
        entry = partition.entries.get(name)
        if type(entry) is tuple:
            entry = self.decode(Key(self.kind.name, place[0], place[1], name), entry)
            partition.entries[name] = entry
        return cast("Record[Any] | None", entry)

    def records(
        self, place: Place, partition: Partition, names: Iterable[str]
    ) -> list[Record[Any]]:
        found = (self.record(place, partition, name) for name in names)
        return [record for record in found if record is not None]

    def set(self, place: Place, name: str, revision: int, entry: Entry | None) -> None:
        """Put an entry in place; the indexes follow where they have been built."""
        partition = self.partitions.get(place)
        if partition is None:
            partition = self.partitions[place] = Partition()
            insort(self.places, place)
        if self.indexes is not None:
            self._unindex(place, self.record(place, partition, name))
        partition.set(name, entry)
        partition.modified = self.modified = revision
        if self.indexes is not None:
            self._index(place, self.record(place, partition, name))

    def find(self, place: Place, index: str, value: str) -> list[Record[Any]]:
        return self.records(
            place, self.partitions.get(place, EMPTY), self.names(place, index, value)
        )

    def names(self, place: Place, index: str, value: str) -> Sequence[str]:
        """The names of what `find` gives."""
        if index not in self.kind.indexes:
            raise LookupError(f"{self.kind.name} has no index {index}")
        if self.indexes is None:
            self.indexes = {}
            for each, partition in self.partitions.items():
                for record in self.records(each, partition, partition.names):
                    self._index(each, record)
        return self.indexes.get((index, *place, value), ())

    def _entries(self, place: Place, record: Record[Any]) -> Iterator[tuple[str, str, str, str]]:
        for index, values in self.kind.indexes.items():
            for value in set(values(record.value)):
                yield index, *place, value

    def _index(self, place: Place, record: Record[Any] | None) -> None:
        if record is None or self.indexes is None:
            return
        for entry in self._entries(place, record):
            insort(self.indexes.setdefault(entry, []), record.key.name)

    def _unindex(self, place: Place, record: Record[Any] | None) -> None:
        if record is None or self.indexes is None:
            return
        for entry in self._entries(place, record):
            names = self.indexes[entry]
            del names[bisect_left(names, record.key.name)]
            if not names:
                del self.indexes[entry]


class Cache:
    """A `Reader` over everything that is durable, as of `revision`."""

    def __init__(self, kinds: Iterable[Kind[Any]]) -> None:
        self.revision = 0
        self.shelves = {kind.name: Shelf(kind) for kind in kinds}

    def get(self, kind: Kind[T], account: str, region: str, name: str) -> Record[T] | None:
        shelf = self.shelves[kind.name]
        partition = shelf.partitions.get((account, region))
        entry = partition.entries.get(name) if partition is not None else None
        if partition is not None and type(entry) is tuple:
            return shelf.record((account, region), partition, name)
        return cast("Record[T] | None", entry)

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
        shelf = self.shelves[kind.name]
        if account is not None and region is not None:
            place = (account, region)
            partition = shelf.partitions.get(place)
            if partition is None or not partition.names:
                return []
            return shelf.records(place, partition, partition.page(prefix, after, limit))
        found: list[Record[T]] = []
        for place in shelf.places:
            if account in {None, place[0]} and region in {None, place[1]}:
                left = None if limit is None else limit - len(found)
                partition = shelf.partitions[place]
                found += shelf.records(place, partition, partition.page(prefix, "", left))
        return found

    def find(
        self, kind: Kind[T], account: str, region: str, index: str, value: str
    ) -> Sequence[Record[T]]:
        return self.shelves[kind.name].find((account, region), index, value)

    def count(self, kind: Kind[T], account: str, region: str, index: str, value: str) -> int:
        return len(self.shelves[kind.name].names((account, region), index, value))

    def revision_of(self, key: Key) -> int:
        """The record's revision, 0 where there is none; decodes nothing."""
        partition = self.shelves[key.kind].partitions.get((key.account, key.region), EMPTY)
        entry = partition.entries.get(key.name)
        if entry is None:
            return 0
        return entry[0] if isinstance(entry, tuple) else entry.revision

    def modified(self, kind: str, account: str | None, region: str | None) -> int:
        """The last revision that changed anything of this kind there."""
        shelf = self.shelves[kind]
        if account is None or region is None:
            return shelf.modified
        return shelf.partitions.get((account, region), EMPTY).modified

    def set(self, key: Key, revision: int, entry: Entry | None) -> None:
        """Take over what a durable transaction wrote; None where it deleted."""
        self.shelves[key.kind].set((key.account, key.region), key.name, revision, entry)

    def replace(self, fresh: "Cache") -> None:
        """Become what `fresh` is; whoever holds this reader sees it at once."""
        self.shelves, self.revision = fresh.shelves, fresh.revision

    def change(self, row: HistoryRow) -> Change:
        """What a row of the history tells."""
        revision, kind, account, region, name, before_revision, before, after = row
        key = Key(kind, account, region, name)
        shelf = self.shelves[kind]
        return Change(
            revision,
            key,
            None if before is None else shelf.decode(key, (before_revision, before)),
            None if after is None else shelf.decode(key, (revision, after)),
        )
