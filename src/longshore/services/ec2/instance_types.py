"""Instance types: what the common ones have ("Amazon EC2 instance types")."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.interface import Context, Response
from longshore.vpc.zones import zone_id, zone_names

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeInstanceTypeOfferingsRequestTypeDef,
        DescribeInstanceTypesRequestTypeDef,
    )

Size = tuple[str, int, int, int, int]
"""Name, vCPUs, MiB of memory, ENIs, IPv4 addresses an ENI."""

_T = (
    ("nano", 2, 512, 2, 2),
    ("micro", 2, 1024, 2, 2),
    ("small", 2, 2048, 3, 4),
    ("medium", 2, 4096, 3, 6),
    ("large", 2, 8192, 3, 12),
    ("xlarge", 4, 16384, 4, 15),
    ("2xlarge", 8, 32768, 4, 15),
)


def _sizes(ratio: int, smallest: str = "large") -> tuple[Size, ...]:
    """The usual ladder of a family with `ratio` GiB a vCPU."""
    ladder = (
        ("medium", 1, 2, 4),
        ("large", 2, 3, 10),
        ("xlarge", 4, 4, 15),
        ("2xlarge", 8, 4, 15),
        ("4xlarge", 16, 8, 30),
        ("8xlarge", 32, 8, 30),
        ("12xlarge", 48, 8, 30),
        ("16xlarge", 64, 15, 50),
    )
    start = [name for name, *_ in ladder].index(smallest)
    return tuple(
        (name, vcpus, vcpus * ratio * 1024, enis, addresses)
        for name, vcpus, enis, addresses in ladder[start:]
    )


FAMILIES: Mapping[str, tuple[str, tuple[Size, ...]]] = {
    "t2": (
        "x86_64",
        (
            ("nano", 1, 512, 2, 2),
            ("micro", 1, 1024, 2, 2),
            ("small", 1, 2048, 3, 4),
            ("medium", 2, 4096, 3, 6),
            ("large", 2, 8192, 3, 12),
        ),
    ),
    "t3": ("x86_64", _T),
    "t3a": ("x86_64", _T),
    "t4g": ("arm64", _T),
    "m5": ("x86_64", _sizes(4)),
    "m6i": ("x86_64", _sizes(4)),
    "m6g": ("arm64", _sizes(4, "medium")),
    "m7i": ("x86_64", _sizes(4)),
    "m7g": ("arm64", _sizes(4, "medium")),
    "c5": (
        "x86_64",
        (
            ("large", 2, 4096, 3, 10),
            ("xlarge", 4, 8192, 4, 15),
            ("2xlarge", 8, 16384, 4, 15),
            ("4xlarge", 16, 32768, 8, 30),
            ("9xlarge", 36, 73728, 8, 30),
            ("12xlarge", 48, 98304, 8, 30),
            ("18xlarge", 72, 147456, 15, 50),
            ("24xlarge", 96, 196608, 15, 50),
        ),
    ),
    "c6i": ("x86_64", _sizes(2)),
    "c6g": ("arm64", _sizes(2, "medium")),
    "c7i": ("x86_64", _sizes(2)),
    "c7g": ("arm64", _sizes(2, "medium")),
    "r5": ("x86_64", _sizes(8)),
    "r6i": ("x86_64", _sizes(8)),
    "r6g": ("arm64", _sizes(8, "medium")),
    "r7i": ("x86_64", _sizes(8)),
    "r7g": ("arm64", _sizes(8, "medium")),
}
BURSTABLE = frozenset({"t2", "t3", "t3a", "t4g"})
PREVIOUS = frozenset({"t2"})

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
    for family, (architecture, sizes) in FAMILIES.items():
        for size, vcpus, memory, enis, addresses in sizes:
            yield {
                "InstanceType": f"{family}.{size}",
                "CurrentGeneration": family not in PREVIOUS,
                "FreeTierEligible": f"{family}.{size}" in ("t2.micro", "t3.micro"),
                "BareMetal": False,
                "BurstablePerformanceSupported": family in BURSTABLE,
                "SupportedUsageClasses": ["on-demand"],
                "SupportedRootDeviceTypes": ["ebs"],
                "SupportedVirtualizationTypes": ["hvm"],
                "ProcessorInfo": {"SupportedArchitectures": [architecture]},
                "VCpuInfo": {"DefaultVCpus": vcpus},
                "MemoryInfo": {"SizeInMiB": memory},
                "NetworkInfo": {
                    "MaximumNetworkInterfaces": enis,
                    "Ipv4AddressesPerInterface": addresses,
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
