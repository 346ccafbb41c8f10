"""Regions and Availability Zones."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.interface import Context, Response
from longshore.vpc.zones import zone_id, zone_names

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeAvailabilityZonesRequestTypeDef,
        DescribeRegionsRequestTypeDef,
    )

REGIONS: Mapping[str, str] = {
    "ap-northeast-1": "opt-in-not-required",
    "ap-northeast-2": "opt-in-not-required",
    "ap-northeast-3": "opt-in-not-required",
    "ap-south-1": "opt-in-not-required",
    "ap-southeast-1": "opt-in-not-required",
    "ap-southeast-2": "opt-in-not-required",
    "ca-central-1": "opt-in-not-required",
    "eu-central-1": "opt-in-not-required",
    "eu-north-1": "opt-in-not-required",
    "eu-west-1": "opt-in-not-required",
    "eu-west-2": "opt-in-not-required",
    "eu-west-3": "opt-in-not-required",
    "sa-east-1": "opt-in-not-required",
    "us-east-1": "opt-in-not-required",
    "us-east-2": "opt-in-not-required",
    "us-west-1": "opt-in-not-required",
    "us-west-2": "opt-in-not-required",
}
"""The regions that every account has ("Regions and Zones")."""

REGION_LISTING = Listing(
    member="Regions",
    ids="RegionNames",
    id="RegionName",
    absent=("InvalidParameterValue", "Invalid region provided: {}"),
    tags="",
    filters={
        "endpoint": "Endpoint",
        "opt-in-status": "OptInStatus",
        "region-name": "RegionName",
    },
)
ZONE_LISTING = Listing(
    member="AvailabilityZones",
    ids="ZoneNames",
    id="ZoneName",
    absent=("InvalidParameterValue", "Invalid availability zone: [{}]"),
    tags="",
    filters={
        "group-long-name": "GroupLongName",
        "group-name": "GroupName",
        "opt-in-status": "OptInStatus",
        "region-name": "RegionName",
        "state": "State",
        "zone-id": "ZoneId",
        "zone-name": "ZoneName",
        "zone-type": "ZoneType",
    },
)


def describe_regions(context: Context, request: "DescribeRegionsRequestTypeDef") -> Response:
    """AWS's regions and Longshore's own, where that is not one of them."""
    regions = {context.region: "opt-in-not-required", **REGIONS}
    items: list[Item] = [
        {
            "RegionName": name,
            "Endpoint": f"ec2.{name}.amazonaws.com",
            "OptInStatus": status,
        }
        for name, status in regions.items()
    ]
    return describe(REGION_LISTING, items, request)


def describe_availability_zones(
    context: Context, request: "DescribeAvailabilityZonesRequestTypeDef"
) -> Response:
    """The three logical zones of the region."""
    items: list[Item] = [
        {
            "ZoneName": name,
            "ZoneId": zone_id(name),
            "State": "available",
            "RegionName": context.region,
            "GroupName": f"{context.region}-zg-1",
            "NetworkBorderGroup": context.region,
            "OptInStatus": "opt-in-not-required",
            "ZoneType": "availability-zone",
            "Messages": [],
        }
        for name in zone_names(context.region)
    ]
    ids = set(request.get("ZoneIds") or ())
    if ids:
        items = [item for item in items if item["ZoneId"] in ids]
    return describe(ZONE_LISTING, items, request)
