"""Snapshots as records: found by id, and their states."""

import re
from collections.abc import Iterable

from longshore.model.errors import AwsError
from longshore.model.volumes import SNAPSHOT, SNAPSHOT_STATUS, Snapshot, SnapshotStatus
from longshore.services.interface import Context
from longshore.vpc.lookup import absent

_ID = re.compile(r"snap-([0-9a-f]{8}|[0-9a-f]{17})")


def check_snapshot_ids(ids: Iterable[str]) -> None:
    """AwsError InvalidParameterValue for what is no id."""
    for each in ids:
        if not _ID.fullmatch(each):
            raise AwsError(
                "InvalidParameterValue",
                f"Value ({each}) for parameter snapshotId is invalid. Expected: 'snap-...'.",
            )


def find_snapshot(context: Context, snapshot_id: str) -> Snapshot:
    """AwsError InvalidSnapshot.NotFound, also for one that is deleted."""
    check_snapshot_ids([snapshot_id])
    record = context.tx.get(SNAPSHOT, context.account, context.region, snapshot_id)
    if record is None or record.value.deleted:
        raise absent(SNAPSHOT, snapshot_id)
    return record.value


def snapshot_status(context: Context, snapshot_id: str) -> SnapshotStatus | None:
    record = context.tx.get(SNAPSHOT_STATUS, context.account, context.region, snapshot_id)
    return record.value if record is not None else None
