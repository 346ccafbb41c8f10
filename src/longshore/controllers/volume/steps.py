"""What becomes of a volume and of a snapshot; pure."""

from msgspec.structs import replace

from longshore.model.volumes import Attachment, Snapshot, SnapshotStatus, Volume, VolumeStatus


def next_volume(
    volume: Volume, status: VolumeStatus | None, *, instance_ended: bool
) -> Volume | None:
    """The volume as it is to be written; None to remove it, itself where nothing is to be done.

    `instance_ended` says that the instance of its attachment is terminated, or forgotten.
    """
    if volume.deleted:
        return None if status is not None and status.gone else volume
    if volume.attachment is not None and instance_ended:
        gone = volume.attachment.delete_on_termination
        return replace(volume, attachment=None, deleted=gone, revision=volume.revision + 1)
    if status is None or status.revision != volume.revision:
        # What the host says is of something that was wanted before.
        return volume
    if volume.attachment is not None and _is_over(volume.attachment, status):
        return replace(volume, attachment=None)
    if status.error and 0 < status.size < volume.performance.size:
        return _taken_back(volume, status.error)
    return volume


def _is_over(attachment: Attachment, status: VolumeStatus) -> bool:
    """Whether it has left, or never came to be."""
    failed = bool(status.error) and not status.size
    return failed or (attachment.detaching and not status.instance_id)


def _taken_back(volume: Volume, failure: str) -> Volume:
    modification = volume.modification
    if modification is None:
        return volume
    return replace(
        volume,
        performance=modification.original,
        modification=replace(modification, failure=failure),
        revision=volume.revision + 1,
    )


def is_over(snapshot: Snapshot, status: SnapshotStatus | None) -> bool:
    """Whether a snapshot's records go: its file has."""
    return snapshot.deleted and status is not None and status.state == "deleted"
