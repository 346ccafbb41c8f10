"""AttachVolume and DetachVolume."""

from typing import TYPE_CHECKING

import msgspec

from longshore.instances.data_volumes import DEVICE, OF_ROOT, kernel_name, too_many
from longshore.instances.images import ROOT_DEVICE
from longshore.instances.types import instance_type
from longshore.model.errors import AwsError, not_built
from longshore.model.instances import Instance
from longshore.model.volumes import VOLUME, Attachment, Volume
from longshore.services.ec2.instances import find_instance, shown_state
from longshore.services.ec2.volumes import (
    attachment_item,
    check_volume_ids,
    find_volume,
    put_volume,
    root_of,
    state_of,
)
from longshore.services.interface import Context, Response

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import AttachVolumeRequestTypeDef, DetachVolumeRequestTypeDef


def attach_volume(context: Context, request: "AttachVolumeRequestTypeDef") -> Response:
    """Have a volume in an instance of its Availability Zone."""
    if request.get("EbsCardIndex"):
        raise not_built("ec2:AttachVolume with EbsCardIndex")
    volume_id, device = request["VolumeId"], request["Device"]
    check_volume_ids([volume_id])
    root = root_of(context, volume_id)
    if root is not None:
        raise _attached_already(volume_id)
    volume = find_volume(context, volume_id)
    instance = find_instance(context, request["InstanceId"])
    _check_volume(context, volume)
    _check_instance(context, instance)
    if volume.zone != instance.zone:
        raise AwsError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume_id}' is not in the same availability zone as instance "
            f"'{instance.id}'",
        )
    _check_device(context, instance, device)
    attachment = Attachment(instance_id=instance.id, device=device, at=context.now)
    changed = msgspec.structs.replace(volume, attachment=attachment, revision=volume.revision + 1)
    put_volume(context, changed)
    return attachment_item(context, changed, attachment)


def _attached_already(volume_id: str) -> AwsError:
    return AwsError("VolumeInUse", f"{volume_id} is already attached to an instance")


def _check_volume(context: Context, volume: Volume) -> None:
    if volume.attachment is not None:
        raise _attached_already(volume.id)
    if state_of(context, volume) != "available":
        raise AwsError("IncorrectState", f"{volume.id} is not 'available'.")


def _check_instance(context: Context, instance: Instance) -> None:
    if shown_state(context, instance) not in {"running", "stopped"}:
        raise AwsError("IncorrectState", f"Instance '{instance.id}' is not 'running'.")


def _check_device(context: Context, instance: Instance, device: str) -> None:
    if not DEVICE.fullmatch(device):
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({device}) for parameter device is invalid. {device} is not a valid EBS device "
            "name.",
        )
    others = [
        record.value.attachment
        for record in context.tx.find(
            VOLUME, context.account, context.region, "instance", instance.id
        )
    ]
    taken = {kernel_name(each.device) for each in others if each is not None}
    if kernel_name(device) in taken | OF_ROOT:
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use",
        )
    kind = instance_type(instance.instance_type)
    if kind is not None and len(others) >= kind.data_volumes:
        raise too_many(kind)


def detach_volume(context: Context, request: "DetachVolumeRequestTypeDef") -> Response:
    """Have a volume leave its instance; with Force even where it is mounted there."""
    volume_id = request["VolumeId"]
    check_volume_ids([volume_id])
    root = root_of(context, volume_id)
    if root is not None:
        _refuse_root(context, root)
    volume = find_volume(context, volume_id)
    attachment = volume.attachment
    if attachment is None:
        state = state_of(context, volume)
        raise AwsError("IncorrectState", f"Volume '{volume_id}' is in the '{state}' state.")
    instance_id = request.get("InstanceId") or attachment.instance_id
    device = request.get("Device") or attachment.device
    if (instance_id, device) != (attachment.instance_id, attachment.device):
        raise AwsError(
            "InvalidAttachment.NotFound",
            f"The volume '{volume_id}' is not attached to instance '{instance_id}' as device "
            f"'{device}'.",
        )
    forced = attachment.forced or bool(request.get("Force"))
    leaving = msgspec.structs.replace(attachment, detaching=True, forced=forced)
    changed = msgspec.structs.replace(volume, attachment=leaving, revision=volume.revision + 1)
    put_volume(context, changed)
    return attachment_item(context, changed, leaving)


def _refuse_root(context: Context, instance: Instance) -> None:
    if shown_state(context, instance) == "stopped":
        raise not_built("ec2:DetachVolume of root volumes")
    raise AwsError(
        "OperationNotPermitted",
        f"Unable to detach root volume '{ROOT_DEVICE}' from instance '{instance.id}'",
    )
