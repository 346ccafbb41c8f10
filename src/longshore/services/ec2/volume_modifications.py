"""ModifyVolume, and what has become of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.instances.volume_types import TYPES, performance
from longshore.model.errors import AwsError, not_built
from longshore.model.volumes import (
    VOLUME,
    Modification,
    Performance,
    Volume,
    VolumeStatus,
    is_modified,
)
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.volumes import (
    check_volume_ids,
    find_volume,
    put_volume,
    root_of,
    state_of,
    status_of,
)
from longshore.services.interface import Context, Response

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeVolumesModificationsRequestTypeDef,
        ModifyVolumeRequestTypeDef,
    )

LISTING = Listing(
    member="VolumesModifications",
    ids="VolumeIds",
    id="VolumeId",
    absent=(
        "InvalidVolumeModification.NotFound",
        "Modification for volume '{}' does not exist.",
    ),
    tags="",
    filters={
        "modification-state": "ModificationState",
        "original-iops": "OriginalIops",
        "original-size": "OriginalSize",
        "original-volume-type": "OriginalVolumeType",
        "target-iops": "TargetIops",
        "target-size": "TargetSize",
        "target-volume-type": "TargetVolumeType",
        "volume-id": "VolumeId",
    },
)
CHANGED_IOPS = 3_000
"""IOPS where a volume changes its type and none are asked for ("ModifyVolume": Iops)."""


def modify_volume(context: Context, request: "ModifyVolumeRequestTypeDef") -> Response:
    """Make a volume larger, or of another type or speed."""
    if request.get("MultiAttachEnabled"):
        raise not_built("ec2:ModifyVolume with MultiAttachEnabled")
    volume_id = request["VolumeId"]
    check_volume_ids([volume_id])
    if root_of(context, volume_id) is not None:
        raise not_built("ec2:ModifyVolume of root volumes")
    volume = find_volume(context, volume_id)
    state = state_of(context, volume)
    if state not in {"available", "in-use"}:
        raise AwsError("IncorrectState", f"Volume '{volume_id}' is in the '{state}' state.")
    if state_of_modification(volume, status_of(context, volume_id)) == "modifying":
        raise AwsError(
            "IncorrectModificationState", "Cannot modify volume in modification state MODIFYING"
        )
    target = _target(volume.performance, request)
    changed = msgspec.structs.replace(
        volume,
        performance=target,
        modification=Modification(at=context.now, original=volume.performance, target=target),
        revision=volume.revision + 1,
    )
    put_volume(context, changed)
    return {"VolumeModification": _item(context, changed)}


def _target(now: Performance, request: Mapping[str, Any]) -> Performance:
    """What the volume is to be; AwsError for what its type cannot be."""
    if not any(request.get(name) for name in ("Size", "VolumeType", "Iops", "Throughput")):
        raise AwsError(
            "InvalidParameterCombination",
            "At least one of size, volumeType, iops and throughput must be specified.",
        )
    size, kind = request.get("Size") or now.size, request.get("VolumeType") or now.type
    if size < now.size:
        raise AwsError("InvalidParameterValue", "New size cannot be smaller than existing size")
    iops, throughput = request.get("Iops"), request.get("Throughput")
    known = TYPES.get(kind)
    if known is not None and known.iops[1] and iops is None:
        iops = now.iops if kind == now.type else CHANGED_IOPS
    if known is not None and known.throughput[1] and throughput is None and kind == now.type:
        throughput = now.throughput
    return performance(kind, size, iops, throughput)


def state_of_modification(volume: Volume, status: VolumeStatus | None) -> str:
    """A `VolumeModificationState`; empty where nothing was ever modified."""
    if volume.modification is None:
        return ""
    if volume.modification.failure:
        return "failed"
    return "completed" if is_modified(volume, status) else "modifying"


def _item(context: Context, volume: Volume) -> Item:
    modification = volume.modification
    assert modification is not None
    status = status_of(context, volume.id)
    state = state_of_modification(volume, status)
    item: dict[str, Any] = {
        "VolumeId": volume.id,
        "ModificationState": state,
        "Progress": 100 if state == "completed" else 0,
        "StartTime": modification.at,
        "OriginalMultiAttachEnabled": False,
        "TargetMultiAttachEnabled": False,
        **_shape("Original", modification.original),
        **_shape("Target", modification.target),
    }
    if modification.failure:
        item["StatusMessage"] = modification.failure
    if state == "completed" and status is not None:
        item["EndTime"] = max(modification.at, status.sized_at)
    return item


def _shape(prefix: str, shape: Performance) -> dict[str, Any]:
    item: dict[str, Any] = {f"{prefix}Size": shape.size, f"{prefix}VolumeType": shape.type}
    if shape.iops:
        item[f"{prefix}Iops"] = shape.iops
    if shape.throughput:
        item[f"{prefix}Throughput"] = shape.throughput
    return item


def describe_volumes_modifications(
    context: Context, request: "DescribeVolumesModificationsRequestTypeDef"
) -> Response:
    for each in request.get("VolumeIds") or ():
        if root_of(context, each) is None:
            find_volume(context, each)
    volumes = [record.value for record in context.tx.scan(VOLUME, context.account, context.region)]
    items = [_item(context, each) for each in volumes if each.modification is not None]
    return describe(LISTING, items, request)
