"""Instance types: what the common ones have ("Amazon EC2 instance types")."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from longshore.instances.types import instance_types
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.interface import Context, Response
from longshore.vpc.zones import zone_id, zone_names

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeInstanceTypeOfferingsRequestTypeDef,
        DescribeInstanceTypesRequestTypeDef,
    )

LISTING = Listing(
    member="InstanceTypes",
    ids="InstanceTypes",
    id="InstanceType",
    absent=(
        "InvalidInstanceType",
        "The following supplied instance types do not exist: [{}]",
    ),
    tags="",
    filters={
        "bare-metal": "BareMetal",
        "burstable-performance-supported": "BurstablePerformanceSupported",
        "current-generation": "CurrentGeneration",
        "free-tier-eligible": "FreeTierEligible",
        "instance-type": "InstanceType",
        "memory-info.size-in-mib": "MemoryInfo.SizeInMiB",
        "network-info.ipv4-addresses-per-interface": "NetworkInfo.Ipv4AddressesPerInterface",
        "network-info.maximum-network-interfaces": "NetworkInfo.MaximumNetworkInterfaces",
        "processor-info.supported-architecture": "ProcessorInfo.SupportedArchitectures[]",
        "supported-usage-class": "SupportedUsageClasses[]",
        "vcpu-info.default-vcpus": "VCpuInfo.DefaultVCpus",
    },
)
OFFERING_LISTING = Listing(
    member="InstanceTypeOfferings",
    id="InstanceType",
    absent=("", ""),
    tags="",
    filters={"instance-type": "InstanceType", "location": "Location"},
)


def _items() -> Iterator[Item]:
    for found in instance_types().values():
        yield {
            "InstanceType": found.name,
            "CurrentGeneration": found.current,
            "FreeTierEligible": found.name in ("t2.micro", "t3.micro"),
            "BareMetal": False,
            "BurstablePerformanceSupported": found.burstable,
            "SupportedUsageClasses": ["on-demand", "spot"],
            "SupportedRootDeviceTypes": ["ebs"],
            "SupportedVirtualizationTypes": ["hvm"],
            "ProcessorInfo": {"SupportedArchitectures": [found.architecture]},
            "VCpuInfo": {"DefaultVCpus": found.vcpus},
            "MemoryInfo": {"SizeInMiB": found.memory},
            "EbsInfo": {
                "AttachmentLimitType": "dedicated" if found.has_own_limit else "shared",
                "EbsOptimizedSupport": "default",
                "EncryptionSupport": "unsupported",
                "MaximumEbsAttachments": found.attachments,
            },
            "NetworkInfo": {
                "MaximumNetworkInterfaces": found.interfaces,
                "Ipv4AddressesPerInterface": found.addresses,
            },
        }


def describe_instance_types(
    context: Context, request: "DescribeInstanceTypesRequestTypeDef"
) -> Response:
    return describe(LISTING, _items(), request)


def describe_instance_type_offerings(
    context: Context, request: "DescribeInstanceTypeOfferingsRequestTypeDef"
) -> Response:
    """Every type is offered everywhere in the region."""
    kind = request.get("LocationType", "region")
    zones = zone_names(context.region)
    locations = {
        "region": [context.region],
        "availability-zone": zones,
        "availability-zone-id": [zone_id(zone) for zone in zones],
    }.get(kind, [])
    items = [
        {"InstanceType": item["InstanceType"], "LocationType": kind, "Location": location}
        for item in _items()
        for location in locations
    ]
    return describe(OFFERING_LISTING, items, request)
