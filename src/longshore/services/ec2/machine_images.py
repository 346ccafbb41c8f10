"""Amazon Machine Images: those that there are; none can be made."""

import time
from typing import TYPE_CHECKING, Any

from longshore.instances import MachineImage, machine_images
from longshore.instances.images import ARCHITECTURE, ROOT_DEVICE, ROOT_GIB
from longshore.model.eks import IMAGES_ACCOUNT
from longshore.model.errors import AwsError
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.interface import Context, Response

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import DescribeImagesRequestTypeDef

LISTING = Listing(
    member="Images",
    ids="ImageIds",
    id="ImageId",
    absent=("InvalidAMIID.NotFound", "The image id '[{}]' does not exist"),
    smallest_page=1,
    filters={
        "architecture": "Architecture",
        "block-device-mapping.delete-on-termination": (
            "BlockDeviceMappings[].Ebs.DeleteOnTermination"
        ),
        "block-device-mapping.device-name": "BlockDeviceMappings[].DeviceName",
        "block-device-mapping.encrypted": "BlockDeviceMappings[].Ebs.Encrypted",
        "block-device-mapping.volume-size": "BlockDeviceMappings[].Ebs.VolumeSize",
        "block-device-mapping.volume-type": "BlockDeviceMappings[].Ebs.VolumeType",
        "creation-date": "CreationDate",
        "description": "Description",
        "ena-support": "EnaSupport",
        "hypervisor": "Hypervisor",
        "image-id": "ImageId",
        "image-type": "ImageType",
        "is-public": "Public",
        "name": "Name",
        "owner-alias": "ImageOwnerAlias",
        "owner-id": "OwnerId",
        "root-device-name": "RootDeviceName",
        "root-device-type": "RootDeviceType",
        "sriov-net-support": "SriovNetSupport",
        "state": "State",
        "virtualization-type": "VirtualizationType",
    },
)
EVERYBODYS = frozenset({"amazon", IMAGES_ACCOUNT})
"""The owners whose images there are."""


def image_item(image: MachineImage) -> Item:
    return {
        "ImageId": image.id,
        "ImageLocation": f"amazon/{image.name}",
        "ImageType": "machine",
        "Name": image.name,
        "Description": image.description,
        "Public": True,
        "OwnerId": IMAGES_ACCOUNT,
        "ImageOwnerAlias": "amazon",
        "State": "available",
        "Architecture": ARCHITECTURE,
        "CreationDate": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(image.created_at)),
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "BlockDeviceMappings": [
            {
                "DeviceName": ROOT_DEVICE,
                "Ebs": {
                    "DeleteOnTermination": True,
                    "Encrypted": False,
                    "VolumeSize": ROOT_GIB,
                    "VolumeType": "gp3",
                },
            }
        ],
        "EnaSupport": True,
        "Hypervisor": "xen",
        "ImdsSupport": "v2.0",
        "RootDeviceName": ROOT_DEVICE,
        "RootDeviceType": "ebs",
        "SriovNetSupport": "simple",
        "VirtualizationType": "hvm",
        "Tags": [],
    }


def describe_images(context: Context, request: "DescribeImagesRequestTypeDef") -> Response:
    """The images of the region, which are Amazon's and public."""
    for image_id in request.get("ImageIds") or ():
        if not image_id.startswith("ami-"):
            raise AwsError(
                "InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")'
            )
    items = [image_item(image) for image in machine_images(context.region)]
    asked: dict[str, Any] = dict(request)
    if not _are_seen(request):
        asked["ImageIds"], items = [], []
    return describe(LISTING, items, asked)


def _are_seen(request: "DescribeImagesRequestTypeDef") -> bool:
    """Whether owners and launchers asked for are those of the images that there are."""
    owners = set(request.get("Owners") or EVERYBODYS)
    users = set(request.get("ExecutableUsers") or {"all"})
    return bool(owners & EVERYBODYS) and "all" in users
