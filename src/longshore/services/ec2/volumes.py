"""Volumes: the instances' root volumes, which come and go with them."""

from typing import TYPE_CHECKING, Any

from longshore.instances.images import ROOT_DEVICE
from longshore.model.instances import Instance
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.instances import all_instances, shown_state
from longshore.services.ec2.tagging import tag_list
from longshore.services.interface import Context, Response
from longshore.vpc.zones import zone_id

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import DescribeVolumesRequestTypeDef

LISTING = Listing(
    member="Volumes",
    ids="VolumeIds",
    id="VolumeId",
    absent=("InvalidVolume.NotFound", "The volume '{}' does not exist."),
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
        "status": "State",
        "volume-id": "VolumeId",
        "volume-type": "VolumeType",
    },
)
SPEED: dict[str, dict[str, int]] = {
    "gp3": {"Iops": 3000, "Throughput": 125},
    "gp2": {"Iops": 100},
}
"""What a volume of a type is said to do where nothing is asked ("Amazon EBS volume types")."""


def volume_item(instance: Instance) -> Item:
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


def describe_volumes(context: Context, request: "DescribeVolumesRequestTypeDef") -> Response:
    instances = all_instances(context)
    items = [volume_item(each) for each in instances if shown_state(context, each) != "terminated"]
    return describe(LISTING, items, request)
