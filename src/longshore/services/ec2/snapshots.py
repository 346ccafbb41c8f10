"""Snapshots: what a volume held at one moment, from which others begin."""

from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model.errors import AwsError, not_built
from longshore.model.volumes import SNAPSHOT, Snapshot
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.snapshot_records import (
    check_snapshot_ids,
    find_snapshot,
    snapshot_status,
)
from longshore.services.ec2.tagging import tag_list, tags_at_creation
from longshore.services.ec2.volumes import check_volume_ids, find_volume, root_of, state_of
from longshore.services.interface import Context, Response

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        CreateSnapshotRequestTypeDef,
        DeleteSnapshotRequestTypeDef,
        DescribeSnapshotsRequestTypeDef,
    )

LISTING = Listing(
    member="Snapshots",
    ids="SnapshotIds",
    id="SnapshotId",
    absent=("InvalidSnapshot.NotFound", "The snapshot '{}' does not exist."),
    filters={
        "description": "Description",
        "encrypted": "Encrypted",
        "owner-id": "OwnerId",
        "progress": "Progress",
        "snapshot-id": "SnapshotId",
        "status": "State",
        "storage-tier": "StorageTier",
        "volume-id": "VolumeId",
        "volume-size": "VolumeSize",
    },
)
LONGEST_DESCRIPTION = 255


def snapshot_item(context: Context, snapshot: Snapshot) -> Item:
    status = snapshot_status(context, snapshot.id)
    state = status.state if status is not None else "pending"
    item: dict[str, Any] = {
        "SnapshotId": snapshot.id,
        "VolumeId": snapshot.volume_id,
        "VolumeSize": snapshot.volume_size,
        "State": state,
        "Progress": "100%" if state == "completed" else "0%",
        "StartTime": snapshot.started_at,
        "Description": snapshot.description,
        "Encrypted": False,
        "OwnerId": context.account,
        "StorageTier": "standard",
        "Tags": tag_list(snapshot.tags),
    }
    if status is not None and status.error:
        item["StateMessage"] = status.error
    if status is not None and state == "completed":
        item["CompletionTime"] = status.at
        item["FullSnapshotSizeInBytes"] = status.stored
    return item


def create_snapshot(context: Context, request: "CreateSnapshotRequestTypeDef") -> Response:
    """Have a snapshot of a volume as it is now; it is pending until it is copied."""
    for name in ("OutpostArn", "Location"):
        if request.get(name) not in {None, "", "regional"}:
            raise not_built(f"ec2:CreateSnapshot with {name}")
    volume_id, description = request["VolumeId"], request.get("Description", "")
    check_volume_ids([volume_id])
    if root_of(context, volume_id) is not None:
        raise not_built("ec2:CreateSnapshot of root volumes")
    volume = find_volume(context, volume_id)
    state = state_of(context, volume)
    if state not in {"available", "in-use"}:
        raise AwsError("IncorrectState", f"Volume '{volume_id}' is in the '{state}' state.")
    if len(description) > LONGEST_DESCRIPTION:
        raise AwsError(
            "InvalidParameterValue",
            f"Character length of description exceeds {LONGEST_DESCRIPTION}.",
        )
    snapshot = Snapshot(
        id=f"snap-{context.ids.hex(17)}",
        volume_id=volume_id,
        volume_size=volume.performance.size,
        zone=volume.zone,
        started_at=context.now,
        description=description,
        tags=tags_at_creation(context, request, "snapshot"),
    )
    context.tx.create(SNAPSHOT, context.account, context.region, snapshot.id, snapshot)
    shown = snapshot_item(context, snapshot)
    return {name: value for name, value in shown.items() if name != "StorageTier"} | {
        "Progress": ""
    }


def describe_snapshots(context: Context, request: "DescribeSnapshotsRequestTypeDef") -> Response:
    """Snapshots are their owner's alone: nobody else's, nor public ones, are there."""
    check_snapshot_ids(request.get("SnapshotIds") or ())
    owners = set(request.get("OwnerIds") or ())
    restorable = set(request.get("RestorableByUserIds") or ())
    mine = {"self", context.account}
    shown = (not owners or owners & mine) and (not restorable or restorable & mine)
    records = context.tx.scan(SNAPSHOT, context.account, context.region) if shown else ()
    items = [snapshot_item(context, each.value) for each in records if not each.value.deleted]
    return describe(LISTING, items, request)


def delete_snapshot(context: Context, request: "DeleteSnapshotRequestTypeDef") -> Response:
    """Its file goes once no volume is still to be made of it."""
    snapshot = find_snapshot(context, request["SnapshotId"])
    place = (context.account, context.region, snapshot.id)
    context.tx.put(SNAPSHOT, *place, msgspec.structs.replace(snapshot, deleted=True))
    return {}
