"""The loops: one key for each volume, and one for each snapshot."""

from collections.abc import Collection, Iterable
from typing import Any

from longshore.controllers.one_kind import OneKind
from longshore.controllers.volume.steps import is_over, next_volume
from longshore.model.instances import INSTANCE, INSTANCE_STATUS
from longshore.model.kind import Kind
from longshore.model.volumes import (
    SNAPSHOT,
    SNAPSHOT_STATUS,
    VOLUME,
    VOLUME_STATUS,
    Snapshot,
    Volume,
)
from longshore.store.interface import Change, Key, Reader, Record, Transaction


class VolumeController(OneKind[Volume]):
    """`longshore.controllers.interface.Controller` of every data volume."""

    name = "controllers/volume"
    kind = VOLUME

    @property
    def watched(self) -> Collection[Kind[Any]]:
        return (VOLUME, VOLUME_STATUS, INSTANCE, INSTANCE_STATUS)

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        key = change.key
        if key.kind in {VOLUME.name, VOLUME_STATUS.name}:
            yield Key(VOLUME.name, key.account, key.region, key.name)
        else:
            for record in reader.find(VOLUME, key.account, key.region, "instance", key.name):
                yield record.key

    def _advance(self, tx: Transaction, record: Record[Volume]) -> float | None:
        key, volume = record.key, record.value
        place = (key.account, key.region, key.name)
        status = tx.get(VOLUME_STATUS, *place)
        after = next_volume(
            volume,
            status.value if status is not None else None,
            instance_ended=_has_ended(tx, key, volume),
        )
        if after is None:
            tx.delete(VOLUME_STATUS, *place)
            tx.delete(VOLUME, *place)
        elif after != volume:
            tx.put(VOLUME, *place, after)
        return None


def _has_ended(reader: Reader, key: Key, volume: Volume) -> bool:
    if volume.attachment is None:
        return False
    place = (key.account, key.region, volume.attachment.instance_id)
    status = reader.get(INSTANCE_STATUS, *place)
    ended = status is not None and status.value.state == "terminated"
    return ended or reader.get(INSTANCE, *place) is None


class SnapshotController(OneKind[Snapshot]):
    """`longshore.controllers.interface.Controller` of every snapshot."""

    name = "controllers/volume/snapshots"
    kind = SNAPSHOT

    @property
    def watched(self) -> Collection[Kind[Any]]:
        return (SNAPSHOT, SNAPSHOT_STATUS)

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        key = change.key
        yield Key(SNAPSHOT.name, key.account, key.region, key.name)

    def _concerns(self, value: Snapshot) -> bool:
        return value.deleted

    def _advance(self, tx: Transaction, record: Record[Snapshot]) -> float | None:
        key = record.key
        place = (key.account, key.region, key.name)
        status = tx.get(SNAPSHOT_STATUS, *place)
        if is_over(record.value, status.value if status is not None else None):
            tx.delete(SNAPSHOT_STATUS, *place)
            tx.delete(SNAPSHOT, *place)
        return None
