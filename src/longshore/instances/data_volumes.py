"""Data volumes: which names their devices may have, and those that a launch makes."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from longshore.instances.around import Around
from longshore.instances.images import ROOT_DEVICE
from longshore.instances.types import InstanceType
from longshore.instances.volume_types import performance
from longshore.model.errors import AwsError, not_built
from longshore.model.instances import Instance, Tags
from longshore.model.volumes import (
    SNAPSHOT,
    SNAPSHOT_STATUS,
    VOLUME,
    VOLUME_STATUS,
    Attachment,
    Performance,
    Snapshot,
    Volume,
)
from longshore.store.interface import Reader, Transaction
from longshore.vpc.lookup import absent

Request = Mapping[str, Any]
DEVICE = re.compile(r"/dev/(sd[a-z][1-9]?|sd[a-z]1[0-5]|xvd[a-z]|xvd[a-d][a-z])")
"""Names that EBS takes ("Device names for volumes on Amazon EC2 instances")."""
OF_ROOT = frozenset({"xvda", "xvda1"})
MEMBERS = frozenset(
    {
        *("DeleteOnTermination", "Encrypted", "Iops", "SnapshotId", "Throughput", "VolumeSize"),
        "VolumeType",
    }
)
"""Members of a launch's `Ebs` that are heeded."""
LAUNCH_TYPE = "gp3"


class DataVolume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume that a launch is to make and attach."""

    device: str
    performance: Performance
    snapshot_id: str = ""
    delete_on_termination: bool = True


def kernel_name(device: str) -> str:
    """Of `/dev/sdf` and of `/dev/xvdf` the same: `xvdf`."""
    return device.removeprefix("/dev/").replace("sd", "xvd", 1)


def too_many(kind: InstanceType) -> AwsError:
    """The error for more volumes than an instance of the type may have."""
    return AwsError(
        "AttachmentLimitExceeded",
        f"You have exceeded the limit of {kind.data_volumes} for data volumes of an instance of "
        f"type {kind.name}.",
    )


def completed_snapshot(reader: Reader, account: str, region: str, snapshot_id: str) -> Snapshot:
    """One that a volume can be made of; AwsError InvalidSnapshot.NotFound, IncorrectState."""
    record = reader.get(SNAPSHOT, account, region, snapshot_id)
    if record is None or record.value.deleted:
        raise absent(SNAPSHOT, snapshot_id)
    status = reader.get(SNAPSHOT_STATUS, account, region, snapshot_id)
    state = status.value.state if status is not None else "pending"
    if state != "completed":
        raise AwsError("IncorrectState", f"Snapshot is in invalid state - {state}")
    return record.value


def is_awaited(reader: Reader, account: str, region: str, snapshot_id: str) -> bool:
    """Whether a volume is still to be made of the snapshot."""
    return any(
        not record.value.deleted
        and reader.get(VOLUME_STATUS, account, region, record.key.name) is None
        for record in reader.find(VOLUME, account, region, "snapshot", snapshot_id)
    )


def of_root(mapping: Request) -> bool:
    """Whether a block device mapping is the root volume's."""
    return bool(mapping.get("DeviceName") == ROOT_DEVICE)


def data_volumes(
    reader: Reader, account: str, region: str, request: Request, kind: InstanceType
) -> tuple[DataVolume, ...]:
    """The data volumes that a launch asks for ("Block device mappings").

    AwsError InvalidBlockDeviceMapping, InvalidParameterValue, AttachmentLimitExceeded, and those of
    snapshots; 501 NotImplemented for what is not built.
    """
    mappings = [each for each in request.get("BlockDeviceMappings") or () if not of_root(each)]
    names = set(OF_ROOT)
    for mapping in mappings:
        device = mapping.get("DeviceName", "")
        if not DEVICE.fullmatch(device):
            raise _invalid(f"Invalid device name {device}")
        if kernel_name(device) in names:
            raise _invalid(f"The device '{device}' is used in more than one block-device mapping")
        names.add(kernel_name(device))
    if len(mappings) > kind.data_volumes:
        raise too_many(kind)
    return tuple(_data_volume(reader, account, region, each) for each in mappings)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidBlockDeviceMapping", message)


def _data_volume(reader: Reader, account: str, region: str, mapping: Request) -> DataVolume:
    if mapping.get("VirtualName") or "NoDevice" in mapping:
        raise not_built("ec2:RunInstances with block devices that are not EBS's")
    asked = dict(mapping.get("Ebs") or {})
    for name, value in asked.items():
        if value and name not in MEMBERS:
            raise not_built(f"ec2:RunInstances with Ebs.{name}")
    if asked.get("Encrypted"):
        raise not_built("ec2: encrypted volumes")
    size, snapshot_id = asked.get("VolumeSize"), asked.get("SnapshotId", "")
    if snapshot_id:
        least = completed_snapshot(reader, account, region, snapshot_id).volume_size
        size = size or least
        if size < least:
            raise _invalid(
                f"Volume of size {size}GB is smaller than snapshot '{snapshot_id}', expect size >= "
                f"{least}GB"
            )
    if size is None:
        raise AwsError(
            "MissingParameter", "The request must contain the parameter size or snapshotId"
        )
    kind = asked.get("VolumeType") or LAUNCH_TYPE
    return DataVolume(
        device=mapping["DeviceName"],
        performance=performance(kind, size, asked.get("Iops"), asked.get("Throughput")),
        snapshot_id=snapshot_id,
        delete_on_termination=asked.get("DeleteOnTermination", True),
    )


def write_data_volumes(
    tx: Transaction, around: Around, instance: Instance, wanted: Iterable[DataVolume], tags: Tags
) -> None:
    """Write a launch's volumes, attached to the instance that it made."""
    for each in wanted:
        volume = Volume(
            id=f"vol-{around.ids.hex(17)}",
            zone=instance.zone,
            performance=each.performance,
            created_at=around.now,
            snapshot_id=each.snapshot_id,
            attachment=Attachment(
                instance_id=instance.id,
                device=each.device,
                at=around.now,
                delete_on_termination=each.delete_on_termination,
            ),
            revision=1,
            tags=tags,
        )
        tx.create(VOLUME, *around.place, volume.id, volume)
