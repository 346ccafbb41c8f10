"""EBS volumes and snapshots: the data volumes that `CreateVolume` makes.

Records lie in the account and region that own them, named by their id (`vol-…`, `snap-…`). Times
are epoch seconds, sizes GiB. Root volumes come and go with their instances and are part of
`model.instances.Instance`.

Writers: the API writes `Volume` and `Snapshot` (what is wanted); the session of the host that has
the files writes `VolumeStatus` and `SnapshotStatus` (what it reports); the volume's controller ends
an attachment that is over, takes a modification back that failed, and removes all of what is
deleted.
"""

import msgspec

from longshore.model.kind import Kind

Tags = tuple[tuple[str, str], ...]


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """That a volume is to be in an instance, or to leave it."""

    instance_id: str
    device: str
    """As it was asked for: `/dev/xvdba`, `/dev/sdf`."""
    at: float
    delete_on_termination: bool = False
    detaching: bool = False
    forced: bool = False
    """Whether it leaves even where it is mounted."""


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """What a volume is; `iops` and `throughput` (MiB/s) are 0 where its type has none."""

    size: int
    type: str
    iops: int = 0
    throughput: int = 0


class Modification(msgspec.Struct, frozen=True, kw_only=True):
    """The last `ModifyVolume`."""

    at: float
    original: Performance
    target: Performance
    failure: str = ""
    """Why it could not be."""


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A data volume as it is wanted."""

    id: str
    zone: str
    performance: Performance
    created_at: float
    snapshot_id: str = ""
    """What it begins with; empty for nothing but zeros."""
    attachment: Attachment | None = None
    revision: int = 0
    """How often something else was wanted of it."""
    modification: Modification | None = None
    auto_enable_io: bool = False
    deleted: bool = False
    tags: Tags = ()


class VolumeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a volume's host has of it; without one nothing is known yet."""

    size: int = 0
    """GiB of its file; 0 where there is none."""
    error: str = ""
    """Why there is none."""
    instance_id: str = ""
    """In which instance its device is; empty where in none."""
    device: str = ""
    busy: bool = False
    """Whether it is to leave the instance and is in use there."""
    gone: bool = False
    """Whether it was deleted, and nothing is left of it."""
    entered: int = 0
    """The `revision` with which it was last seen in an instance: a reboot does not show."""
    revision: int = 0
    """Of `Volume.revision`, the one that this was compared with."""
    sized_at: float = 0.0
    """When it had its present size."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot as it is wanted."""

    id: str
    volume_id: str
    volume_size: int
    zone: str
    """The volume's: where the copy is made."""
    started_at: float
    description: str = ""
    deleted: bool = False
    tags: Tags = ()


class SnapshotStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of a snapshot; without one it is pending. `stored` counts bytes."""

    state: str
    """`completed`, `error`, or `deleted` when nothing is left of it."""
    at: float
    error: str = ""
    stored: int = 0


def volume_state(volume: Volume, status: VolumeStatus | None) -> str:
    """A `VolumeState`."""
    if volume.deleted:
        return "deleting"
    if status is not None and status.error and not status.size:
        return "error"
    if status is None or not status.size:
        return "creating"
    return "available" if volume.attachment is None else "in-use"


def attachment_state(
    volume: Volume, attachment: Attachment, status: VolumeStatus | None, *, instance_runs: bool
) -> str:
    """A `VolumeAttachmentState`; to an instance that does not run a volume is attached at once."""
    if attachment.detaching:
        busy = status is not None and status.busy
        return "busy" if busy else "detaching"
    if status is None:
        return "attaching"
    place = (attachment.instance_id, attachment.device)
    there = (status.instance_id, status.device) == place or status.entered == volume.revision
    return "attached" if there or not instance_runs else "attaching"


def shown_size(volume: Volume, status: VolumeStatus | None) -> int:
    """GiB: what is wanted shows once the host has it."""
    wanted = volume.performance.size
    return min(wanted, status.size) if status is not None and status.size else wanted


def is_modified(volume: Volume, status: VolumeStatus | None) -> bool:
    """Whether the last modification is done."""
    return status is not None and status.size >= volume.performance.size


VOLUME = Kind(
    "ec2.volume",
    Volume,
    {
        "instance": lambda value: (
            [value.attachment.instance_id] if value.attachment is not None else []
        ),
        "snapshot": lambda value: [value.snapshot_id] if value.snapshot_id else [],
    },
)
VOLUME_STATUS = Kind("ec2.volume-status", VolumeStatus)
SNAPSHOT = Kind("ec2.snapshot", Snapshot, {"volume": lambda value: [value.volume_id]})
SNAPSHOT_STATUS = Kind("ec2.snapshot-status", SnapshotStatus)
