"""Staged writes over other reads, and what a transaction has read.

A `Draft` is the transaction that a function gets; a `TrackedDraft` is one that may turn out to have
read what is no longer so. A `Group` holds what the transactions of one commit have staged so far,
in their order. All are layers over a reader.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from longshore.model.kind import Kind
from longshore.store.cache import HistoryRow, Place
from longshore.store.interface import Conflict, Key, Reader, Record

T = TypeVar("T", bound=msgspec.Struct)

_encoder = msgspec.json.Encoder()


class Base(Reader, Protocol):
    """A reader that knows when what it reads was changed."""

    @property
    def revision(self) -> int: ...

    def revision_of(self, key: Key) -> int: ...

    def modified(self, kind: str, account: str | None, region: str | None) -> int: ...


class Write(msgspec.Struct, frozen=True):
    """One staged write: `record` and its encoded value, or None where it deletes."""

    key: Key
    before: Record[Any] | None
    record: Record[Any] | None
    encoded: bytes | None


def place(key: Key) -> tuple[str, str, str, str]:
    return key.kind, key.account, key.region, key.name


def _history_row(revision: int, write: Write) -> HistoryRow:
    before = write.before
    return (
        revision,
        *place(write.key),
        0 if before is None else before.revision,
        None if before is None else _encoder.encode(before.value),
        write.encoded,
    )


class Layer:
    """Reads that see `staged` before what lies under them."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.staged: dict[str, dict[Place, dict[str, Record[Any] | None]]] = {}

    def stage(self, key: Key, record: Record[Any] | None) -> None:
        places = self.staged.setdefault(key.kind, {})
        places.setdefault((key.account, key.region), {})[key.name] = record

    def staged_names(
        self, kind: str, account: str, region: str
    ) -> dict[str, Record[Any] | None] | None:
        places = self.staged.get(kind)
        return None if places is None else places.get((account, region))

    def get(self, kind: Kind[T], account: str, region: str, name: str) -> Record[T] | None:
        if kind.name in self.staged:
            names = self.staged_names(kind.name, account, region)
            if names is not None and name in names:
                return names[name]
        return self.base.get(kind, account, region, name)

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
        places = self.staged.get(kind.name)
        if not places:
            return self.base.scan(kind, account, region, prefix=prefix, after=after, limit=limit)
        kept = after if account is not None and region is not None else ""
        below = self.base.scan(kind, account, region, prefix=prefix, after=kept)
        merged = {_order(record): record for record in below}
        for place, names in places.items():
            if account not in {None, place[0]} or region not in {None, place[1]}:
                continue
            for name, record in names.items():
                if record is None:
                    merged.pop((*place, name), None)
                elif name.startswith(prefix) and name > kept:
                    merged[*place, name] = record
        return [merged[order] for order in sorted(merged)][:limit]

    def find(
        self, kind: Kind[T], account: str, region: str, index: str, value: str
    ) -> Sequence[Record[T]]:
        below = self.base.find(kind, account, region, index, value)
        names = self.staged_names(kind.name, account, region)
        if not names:
            return below
        merged = {record.key.name: record for record in below if record.key.name not in names}
        function = kind.indexes[index]
        merged |= {
            name: record
            for name, record in names.items()
            if record is not None and value in function(record.value)
        }
        return [merged[name] for name in sorted(merged)]

    def count(self, kind: Kind[T], account: str, region: str, index: str, value: str) -> int:
        if self.staged_names(kind.name, account, region):
            return len(self.find(kind, account, region, index, value))
        return self.base.count(kind, account, region, index, value)


def _order(record: Record[Any]) -> tuple[str, str, str]:
    return record.key.account, record.key.region, record.key.name


class Group(Layer):
    """What the transactions of one commit have staged so far."""

    def __init__(self, base: Base) -> None:
        super().__init__(base)
        self.revision = base.revision
        self.transactions: list[tuple[int, list[Write]]] = []

    def add(self, draft: "Draft") -> int:
        """Take over a transaction's writes under the next revision, which is returned."""
        self.revision += 1
        writes = list(draft.writes(self.revision))
        for write in writes:
            self.stage(write.key, write.record)
        self.transactions.append((self.revision, writes))
        return self.revision

    def last_writes(self) -> list[tuple[int, Write]]:
        """What remains of the group: the last write of each record, with its revision."""
        last = {
            write.key: (revision, write)
            for revision, writes in self.transactions
            for write in writes
        }
        return list(last.values())

    def history_rows(self) -> list[HistoryRow]:
        """Every write in order, as the history keeps it."""
        return [
            _history_row(revision, write)
            for revision, writes in self.transactions
            for write in writes
        ]

    def revision_of(self, key: Key) -> int:
        names = self.staged_names(key.kind, key.account, key.region)
        if names is not None and key.name in names:
            record = names[key.name]
            return 0 if record is None else record.revision
        return self.base.revision_of(key)

    def modified(self, kind: str, account: str | None, region: str | None) -> int:
        places = self.staged.get(kind)
        if places and (account is None or region is None or (account, region) in places):
            return self.revision
        return self.base.modified(kind, account, region)


class Draft(Layer):
    """One run of a transaction's function, and what it staged."""

    base: Base

    def __init__(self, base: Base) -> None:
        super().__init__(base)
        self._began = base.revision
        self._encoded: dict[Key, bytes] = {}
        self._kinds: dict[str, Kind[Any]] = {}

    def put(self, kind: Kind[T], account: str, region: str, name: str, value: T) -> None:
        key = Key(kind.name, account, region, name)
        if "\0" in name:
            raise ValueError(f"a record's name holds no NUL: {name!r}")
        encoded = _encoder.encode(value)
        # Decoded at once: a value that could not be read again must not get in, and readers see
        # the same (tuples, not lists) before and after a restart.
        decoded = kind.decoder.decode(encoded)
        self._encoded[key] = encoded
        self._kinds[kind.name] = kind
        self.stage(key, Record(key, self._began + 1, decoded))

    def create(self, kind: Kind[T], account: str, region: str, name: str, value: T) -> None:
        if self.get(kind, account, region, name) is not None:
            raise Conflict(f"{kind.name} {name} exists")
        self.put(kind, account, region, name, value)

    def delete(self, kind: Kind[T], account: str, region: str, name: str) -> None:
        self._kinds[kind.name] = kind
        self.stage(Key(kind.name, account, region, name), None)

    def require(self, record: Record[Any]) -> None:
        key = record.key
        if self.base.revision_of(key) != record.revision:
            raise Conflict(f"{key.kind} {key.name} has changed")

    def writes(self, revision: int) -> Iterator[Write]:
        """What it staged, as of the revision that it commits under."""
        for kind, places in self.staged.items():
            for (account, region), names in places.items():
                for name, record in names.items():
                    write = self._write(Key(kind, account, region, name), revision, record)
                    if write.before is not None or write.record is not None:
                        yield write

    def _write(self, key: Key, revision: int, record: Record[Any] | None) -> Write:
        before = self.base.get(self._kinds[key.kind], key.account, key.region, key.name)
        if record is None:
            return Write(key, before, None, None)
        if record.revision != revision:
            record = Record(key, revision, record.value)
        return Write(key, before, record, self._encoded[key])


class TrackedDraft(Draft):
    """A draft that knows what it read, for a group that others may have changed meanwhile."""

    def __init__(self, base: Base) -> None:
        super().__init__(base)
        self._read: dict[Key, int] = {}
        self._ranges: set[tuple[str, str | None, str | None]] = set()

    def get(self, kind: Kind[T], account: str, region: str, name: str) -> Record[T] | None:
        self._note(Key(kind.name, account, region, name))
        return super().get(kind, account, region, name)

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
        self._ranges.add((kind.name, account, region))
        return super().scan(kind, account, region, prefix=prefix, after=after, limit=limit)

    def find(
        self, kind: Kind[T], account: str, region: str, index: str, value: str
    ) -> Sequence[Record[T]]:
        self._ranges.add((kind.name, account, region))
        return super().find(kind, account, region, index, value)

    def count(self, kind: Kind[T], account: str, region: str, index: str, value: str) -> int:
        self._ranges.add((kind.name, account, region))
        return super().count(kind, account, region, index, value)

    def put(self, kind: Kind[T], account: str, region: str, name: str, value: T) -> None:
        self._note(Key(kind.name, account, region, name))
        super().put(kind, account, region, name, value)

    def delete(self, kind: Kind[T], account: str, region: str, name: str) -> None:
        self._note(Key(kind.name, account, region, name))
        super().delete(kind, account, region, name)

    def require(self, record: Record[Any]) -> None:
        self._note(record.key)
        super().require(record)

    def holds(self, now: Base) -> bool:
        """Whether it would read the same in `now` as it did."""
        if now.revision == self._began:
            return True
        return all(
            now.revision_of(key) == revision for key, revision in self._read.items()
        ) and all(now.modified(*each) <= self._began for each in self._ranges)

    def _note(self, key: Key) -> None:
        if key not in self._read:
            self._read[key] = self.base.revision_of(key)
