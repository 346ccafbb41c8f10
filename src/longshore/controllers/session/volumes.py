"""The volumes and snapshots of one host: what its agent is told, and what it reports."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from longshore.instances.data_volumes import is_awaited
from longshore.model.host import HOST
from longshore.model.instances import INSTANCE
from longshore.model.volumes import (
    SNAPSHOT,
    SNAPSHOT_STATUS,
    VOLUME,
    VOLUME_STATUS,
    Snapshot,
    SnapshotStatus,
    Volume,
    VolumeStatus,
)
from longshore.nodeapi.own import (
    HostSnapshot,
    HostVolume,
    ReportedSnapshot,
    ReportedVolume,
    VolumesMessage,
    VolumesReport,
)
from longshore.store.interface import Reader, Record, Store, Transaction

VOLUME_KINDS = (VOLUME, VOLUME_STATUS, SNAPSHOT)
"""A change of one of these may change what a host is told of its volumes."""


def _holder(reader: Reader, zone: str) -> str:
    """The host that has the files of an AZ: of those that stand in for it one that is connected."""
    hosts = [
        (not record.value.connected, record.value.id)
        for record in reader.scan(HOST)
        # A host is registered with the AZs of one region, and stands in for those of all.
        if any(each[-1] == zone[-1] for each in record.value.zones)
    ]
    return min(hosts, default=(True, ""))[1]


def _of_host(reader: Reader, kind: Any, host: str) -> Iterator[Record[Any]]:
    holders: dict[str, str] = {}
    for record in reader.scan(kind):
        letter = record.value.zone[-1]
        if letter not in holders:
            holders[letter] = _holder(reader, letter)
        if holders[letter] == host:
            yield record


def host_volumes(reader: Reader, host: str) -> VolumesMessage:
    """All volumes and snapshots whose files the host is to have; without a message id."""
    volumes = [_volume(reader, record) for record in _of_host(reader, VOLUME, host)]
    snapshots = [_snapshot(reader, record) for record in _of_host(reader, SNAPSHOT, host)]
    return VolumesMessage(
        message_id="",
        volumes=tuple(each for each in volumes if each is not None),
        snapshots=tuple(snapshots),
    )


def _snapshot(reader: Reader, record: Record[Snapshot]) -> HostSnapshot:
    snapshot, key = record.value, record.key
    awaited = snapshot.deleted and is_awaited(reader, key.account, key.region, key.name)
    return HostSnapshot(
        id=snapshot.id,
        volume_id=snapshot.volume_id,
        made=reader.get(SNAPSHOT_STATUS, key.account, key.region, key.name) is not None,
        deleted=snapshot.deleted and not awaited,
    )


def _volume(reader: Reader, record: Record[Volume]) -> HostVolume | None:
    volume, key = record.value, record.key
    status = _status(reader, record)
    failed = status is not None and bool(status.error) and not status.size
    if failed and not volume.deleted:
        return None
    attachment = volume.attachment
    inside = attachment is not None and not attachment.detaching and not volume.deleted
    instance = (
        reader.get(INSTANCE, key.account, key.region, attachment.instance_id)
        if attachment is not None and inside
        else None
    )
    return HostVolume(
        id=volume.id,
        size=volume.performance.size,
        snapshot_id=volume.snapshot_id,
        instance_id=instance.value.id if instance is not None else "",
        interface_id=instance.value.interface_id if instance is not None else "",
        device=attachment.device if attachment is not None and instance is not None else "",
        forced=attachment is not None and attachment.forced,
        made=status is not None and bool(status.size),
        deleted=volume.deleted,
        revision=volume.revision,
    )


async def record_volumes(store: Store, host: str, report: VolumesReport, now: float) -> None:
    """Write what differs from what was reported before."""
    volumes = {each.id: each for each in report.volumes}
    snapshots = {each.id: each for each in report.snapshots}
    for record in _of_host(store.reader, VOLUME, host):
        said = volumes.get(record.key.name)
        if said is not None and _is_news(store.reader, record, said):
            await store.transact(partial(_write_volume, record=record, said=said, now=now))
    for snapshot in _of_host(store.reader, SNAPSHOT, host):
        found = snapshots.get(snapshot.key.name)
        known = store.reader.get(
            SNAPSHOT_STATUS, snapshot.key.account, snapshot.key.region, snapshot.key.name
        )
        if found is not None and (known is None or found.gone):
            await store.transact(partial(_write_snapshot, record=snapshot, said=found, now=now))


def _status(reader: Reader, record: Record[Volume]) -> VolumeStatus | None:
    found = reader.get(VOLUME_STATUS, record.key.account, record.key.region, record.key.name)
    return found.value if found is not None else None


def _is_news(reader: Reader, record: Record[Volume], said: ReportedVolume) -> bool:
    known = _status(reader, record)
    return known is None or _told(known, said, known.sized_at) != known


def _told(known: VolumeStatus | None, said: ReportedVolume, sized_at: float) -> VolumeStatus:
    entered = known.entered if known is not None else 0
    return VolumeStatus(
        size=said.size,
        error=said.error,
        instance_id=said.instance_id,
        device=said.device,
        busy=said.busy,
        gone=said.gone,
        entered=said.revision if said.instance_id and not said.busy else entered,
        revision=said.revision,
        sized_at=sized_at,
    )


def _write_volume(
    tx: Transaction, record: Record[Volume], said: ReportedVolume, now: float
) -> None:
    key = record.key
    if tx.get(VOLUME, key.account, key.region, key.name) is None:
        return
    known = _status(tx, record)
    same = known is not None and known.size == said.size
    sized_at = known.sized_at if known is not None and same else now
    tx.put(VOLUME_STATUS, key.account, key.region, key.name, _told(known, said, sized_at))


def _write_snapshot(
    tx: Transaction, record: Record[Snapshot], said: ReportedSnapshot, now: float
) -> None:
    key = record.key
    if tx.get(SNAPSHOT, key.account, key.region, key.name) is not None:
        state = "deleted" if said.gone else "error" if said.error else "completed"
        status = SnapshotStatus(state=state, at=now, error=said.error, stored=said.stored)
        tx.put(SNAPSHOT_STATUS, key.account, key.region, key.name, status)
