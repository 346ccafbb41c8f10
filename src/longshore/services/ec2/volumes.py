"""Volumes that CreateVolume makes, and instances' root volumes, which come and go with them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.instances.data_volumes import completed_snapshot
from longshore.instances.images import ROOT_DEVICE
from longshore.instances.volume_types import DEFAULT_TYPE, performance
from longshore.model.errors import AwsError, not_built
from longshore.model.instances import INSTANCE, Instance
from longshore.model.volumes import (
    VOLUME,
    VOLUME_STATUS,
    Attachment,
    Performance,
    Volume,
    VolumeStatus,
    attachment_state,
    shown_size,
    volume_state,
)
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.idempotency import once
from longshore.services.ec2.instances import all_instances, shown_state
from longshore.services.ec2.snapshot_records import check_snapshot_ids
from longshore.services.ec2.tagging import tag_list, tags_at_creation
from longshore.services.interface import Context, Response
from longshore.vpc.lookup import absent
from longshore.vpc.zones import zone_id, zone_names

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        CreateVolumeRequestTypeDef,
        DeleteVolumeRequestTypeDef,
        DescribeVolumeAttributeRequestTypeDef,
        DescribeVolumesRequestTypeDef,
        DescribeVolumeStatusRequestTypeDef,
        EnableVolumeIORequestTypeDef,
        ModifyVolumeAttributeRequestTypeDef,
    )

ABSENT = ("InvalidVolume.NotFound", "The volume '{}' does not exist.")
LISTING = Listing(
    member="Volumes",
    ids="VolumeIds",
    id="VolumeId",
    absent=ABSENT,
    filters={
        "attachment.delete-on-termination": "Attachments[].DeleteOnTermination",
        "attachment.device": "Attachments[].Device",
        "attachment.instance-id": "Attachments[].InstanceId",
        "attachment.status": "Attachments[].State",
        "availability-zone": "AvailabilityZone",
        "availability-zone-id": "AvailabilityZoneId",
        "encrypted": "Encrypted",
        "multi-attach-enabled": "MultiAttachEnabled",
        "size": "Size",
        "snapshot-id": "SnapshotId",
        "status": "State",
        "volume-id": "VolumeId",
        "volume-type": "VolumeType",
    },
)
STATUS_LISTING = Listing(
    member="VolumeStatuses",
    ids="VolumeIds",
    id="VolumeId",
    absent=ABSENT,
    tags="",
    filters={
        "availability-zone": "AvailabilityZone",
        "availability-zone-id": "AvailabilityZoneId",
        "volume-status.details-name": "VolumeStatus.Details[].Name",
        "volume-status.details-status": "VolumeStatus.Details[].Status",
        "volume-status.status": "VolumeStatus.Status",
    },
)
SPEED: dict[str, dict[str, int]] = {
    "gp3": {"Iops": 3000, "Throughput": 125},
    "gp2": {"Iops": 100},
}
"""What a root volume of a type is said to do where nothing is asked ("Amazon EBS volume types")."""
UNBUILT = ("KmsKeyId", "MultiAttachEnabled", "Operator", "OutpostArn", "VolumeInitializationRate")
_ID = re.compile(r"vol-([0-9a-f]{8}|[0-9a-f]{17})")


def check_volume_ids(ids: Iterable[str]) -> None:
    """AwsError InvalidParameterValue for what is no id."""
    for each in ids:
        if not _ID.fullmatch(each):
            raise AwsError(
                "InvalidParameterValue",
                f"Value ({each}) for parameter volumeId is invalid. Expected: 'vol-...'.",
            )


def find_volume(context: Context, volume_id: str) -> Volume:
    """The data volume; AwsError InvalidVolume.NotFound, also for one that is deleted."""
    check_volume_ids([volume_id])
    record = context.tx.get(VOLUME, context.account, context.region, volume_id)
    if record is None or record.value.deleted:
        raise absent(VOLUME, volume_id)
    return record.value


def status_of(context: Context, volume_id: str) -> VolumeStatus | None:
    record = context.tx.get(VOLUME_STATUS, context.account, context.region, volume_id)
    return record.value if record is not None else None


def state_of(context: Context, volume: Volume) -> str:
    return volume_state(volume, status_of(context, volume.id))


def put_volume(context: Context, volume: Volume) -> None:
    context.tx.put(VOLUME, context.account, context.region, volume.id, volume)


def root_of(context: Context, volume_id: str) -> Instance | None:
    """The instance whose root volume this is; None where it is none's."""
    for instance in all_instances(context):
        if instance.root_volume_id == volume_id and shown_state(context, instance) != "terminated":
            return instance
    return None


def root_item(instance: Instance) -> Item:
    """An instance's root volume, which is no record of its own."""
    kind = instance.root_volume.get("VolumeType", "gp3")
    item: dict[str, Any] = {
        "VolumeId": instance.root_volume_id,
        "Size": instance.root_volume_gib,
        "State": "in-use",
        "VolumeType": kind,
        "AvailabilityZone": instance.zone,
        "AvailabilityZoneId": zone_id(instance.zone),
        "CreateTime": instance.launched_at,
        "Encrypted": False,
        "MultiAttachEnabled": False,
        "SnapshotId": "",
        "Attachments": [
            {
                "VolumeId": instance.root_volume_id,
                "InstanceId": instance.id,
                "Device": ROOT_DEVICE,
                "State": "attached",
                "AttachTime": instance.launched_at,
                "DeleteOnTermination": True,
            }
        ],
        "Tags": tag_list(instance.volume_tags),
    }
    asked = {name: instance.root_volume[name] for name in ("Iops", "Throughput")
             if name in instance.root_volume}  # fmt: skip
    return item | SPEED.get(kind, {}) | asked


def volume_item(context: Context, volume: Volume) -> Item:
    status = status_of(context, volume.id)
    item: dict[str, Any] = {
        "VolumeId": volume.id,
        "Size": shown_size(volume, status),
        "State": volume_state(volume, status),
        "VolumeType": volume.performance.type,
        "AvailabilityZone": volume.zone,
        "AvailabilityZoneId": zone_id(volume.zone),
        "CreateTime": volume.created_at,
        "Encrypted": False,
        "MultiAttachEnabled": False,
        "SnapshotId": volume.snapshot_id,
        "Attachments": [attachment_item(context, volume, each) for each in _attachments(volume)],
        "Tags": tag_list(volume.tags),
    }
    if volume.performance.iops:
        item["Iops"] = volume.performance.iops
    if volume.performance.throughput:
        item["Throughput"] = volume.performance.throughput
    return item


def _attachments(volume: Volume) -> Iterator[Attachment]:
    if volume.attachment is not None:
        yield volume.attachment


def attachment_item(context: Context, volume: Volume, attachment: Attachment) -> Item:
    record = context.tx.get(INSTANCE, context.account, context.region, attachment.instance_id)
    runs = record is not None and shown_state(context, record.value) == "running"
    return {
        "VolumeId": volume.id,
        "InstanceId": attachment.instance_id,
        "Device": attachment.device,
        "State": attachment_state(
            volume, attachment, status_of(context, volume.id), instance_runs=runs
        ),
        "AttachTime": attachment.at,
        "DeleteOnTermination": attachment.delete_on_termination,
    }


def _items(context: Context) -> Iterator[Item]:
    for instance in all_instances(context):
        if shown_state(context, instance) != "terminated":
            yield root_item(instance)
    for record in context.tx.scan(VOLUME, context.account, context.region):
        yield volume_item(context, record.value)


def describe_volumes(context: Context, request: "DescribeVolumesRequestTypeDef") -> Response:
    check_volume_ids(request.get("VolumeIds") or ())
    return describe(LISTING, _items(context), request)


def create_volume(context: Context, request: "CreateVolumeRequestTypeDef") -> Response:
    """Have a volume in an Availability Zone, of nothing but zeros or from a snapshot."""
    if request.get("Encrypted"):
        raise not_built("ec2: encrypted volumes")
    for name in UNBUILT:
        if request.get(name):
            raise not_built(f"ec2:CreateVolume with {name}")
    zone = _zone(context, request)
    wanted = _performance(context, request)
    volume = once(context, request, VOLUME, lambda: _make(context, request, zone, wanted))
    shown = volume_item(context, volume)
    return {name: value for name, value in shown.items() if name != "Attachments"}


def _make(
    context: Context, request: "CreateVolumeRequestTypeDef", zone: str, wanted: Performance
) -> Volume:
    volume = Volume(
        id=f"vol-{context.ids.hex(17)}",
        zone=zone,
        performance=wanted,
        created_at=context.now,
        snapshot_id=request.get("SnapshotId", ""),
        tags=tags_at_creation(context, request, "volume"),
    )
    context.tx.create(VOLUME, context.account, context.region, volume.id, volume)
    return volume


def _zone(context: Context, request: Mapping[str, Any]) -> str:
    name, given_id = request.get("AvailabilityZone", ""), request.get("AvailabilityZoneId", "")
    names = zone_names(context.region)
    if name and given_id:
        raise AwsError(
            "InvalidParameterCombination",
            "You must specify either AvailabilityZone or AvailabilityZoneId, but not both.",
        )
    if not name and not given_id:
        raise AwsError(
            "MissingParameter", "The request must contain the parameter availabilityZone"
        )
    found = [each for each in names if name == each or given_id == zone_id(each)]
    if not found:
        raise AwsError("InvalidZone.NotFound", f"The zone '{name or given_id}' does not exist.")
    return found[0]


def _performance(context: Context, request: Mapping[str, Any]) -> Performance:
    size, snapshot_id = request.get("Size"), request.get("SnapshotId", "")
    if snapshot_id:
        check_snapshot_ids([snapshot_id])
        place = (context.account, context.region)
        least = completed_snapshot(context.tx, *place, snapshot_id).volume_size
        size = least if size is None else size
        if size < least:
            raise AwsError(
                "InvalidParameterValue",
                f"Volume of {size}GiB is smaller than snapshot '{snapshot_id}', expect size >= "
                f"{least}GiB.",
            )
    if size is None:
        raise AwsError("MissingParameter", "The request must contain the parameter size/snapshot")
    kind = request.get("VolumeType") or DEFAULT_TYPE
    return performance(kind, size, request.get("Iops"), request.get("Throughput"))


def delete_volume(context: Context, request: "DeleteVolumeRequestTypeDef") -> Response:
    volume_id = request["VolumeId"]
    check_volume_ids([volume_id])
    root = root_of(context, volume_id)
    if root is not None:
        raise in_use(volume_id, root.id)
    volume = find_volume(context, volume_id)
    if volume.attachment is not None:
        raise in_use(volume_id, volume.attachment.instance_id)
    if state_of(context, volume) == "creating":
        raise AwsError("IncorrectState", f"The volume '{volume_id}' is 'creating'")
    revision = volume.revision + 1
    put_volume(context, msgspec.structs.replace(volume, deleted=True, revision=revision))
    return {}


def in_use(volume_id: str, instance_id: str) -> AwsError:
    return AwsError("VolumeInUse", f"Volume {volume_id} is currently attached to {instance_id}")


def describe_volume_status(
    context: Context, request: "DescribeVolumeStatusRequestTypeDef"
) -> Response:
    check_volume_ids(request.get("VolumeIds") or ())
    items = [_status_item(item) for item in _items(context)]
    return describe(STATUS_LISTING, items, request)


def _status_item(item: Item) -> Item:
    state = item["State"]
    good = state in {"available", "in-use"}
    performed = "not-applicable" if good else "insufficient-data"
    return {
        "VolumeId": item["VolumeId"],
        "AvailabilityZone": item["AvailabilityZone"],
        "AvailabilityZoneId": item["AvailabilityZoneId"],
        "Actions": [],
        "Events": [],
        "AttachmentStatuses": [],
        "VolumeStatus": {
            "Status": "ok" if good else "insufficient-data",
            "Details": [
                {"Name": "io-enabled", "Status": "passed" if good else "insufficient-data"},
                {"Name": "io-performance", "Status": performed},
            ],
        },
    }


def describe_volume_attribute(
    context: Context, request: "DescribeVolumeAttributeRequestTypeDef"
) -> Response:
    volume = find_volume(context, request["VolumeId"])
    answers: dict[str, Item] = {
        "autoEnableIO": {"AutoEnableIO": {"Value": volume.auto_enable_io}},
        "productCodes": {"ProductCodes": []},
    }
    attribute = request["Attribute"]
    if attribute not in answers:
        raise AwsError(
            "InvalidParameterValue", f"Value ({attribute}) for parameter attribute is invalid."
        )
    return {"VolumeId": volume.id, **answers[attribute]}


def modify_volume_attribute(
    context: Context, request: "ModifyVolumeAttributeRequestTypeDef"
) -> Response:
    volume = find_volume(context, request["VolumeId"])
    wanted = (request.get("AutoEnableIO") or {}).get("Value")
    if wanted is None:
        raise AwsError("MissingParameter", "The request must contain the parameter autoEnableIO")
    put_volume(context, msgspec.structs.replace(volume, auto_enable_io=wanted))
    return {}


def enable_volume_io(context: Context, request: "EnableVolumeIORequestTypeDef") -> Response:
    """Nothing disables I/O here: it is enabled already."""
    find_volume(context, request["VolumeId"])
    return {}
