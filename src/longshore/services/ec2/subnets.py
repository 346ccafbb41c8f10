"""Subnets."""

import ipaddress
from typing import TYPE_CHECKING

import msgspec

from longshore.model.arn import make_arn
from longshore.model.ec2 import NETWORK_INTERFACE, ROUTE_TABLE, SUBNET, VPC, Subnet
from longshore.model.errors import AwsError, not_implemented
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.ranges import parse_range
from longshore.services.ec2.tagging import tag_list, tags_at_creation
from longshore.services.interface import Context, Response
from longshore.vpc.addresses import free_addresses
from longshore.vpc.creation import create_subnet as make_subnet
from longshore.vpc.lookup import require
from longshore.vpc.zones import zone_id, zone_names

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        CreateSubnetRequestTypeDef,
        DeleteSubnetRequestTypeDef,
        DescribeSubnetsRequestTypeDef,
        ModifySubnetAttributeRequestTypeDef,
    )

LISTING = Listing(
    member="Subnets",
    ids="SubnetIds",
    id="SubnetId",
    absent=("InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist"),
    filters={
        "availability-zone": "AvailabilityZone",
        "availabilityZone": "AvailabilityZone",
        "availability-zone-id": "AvailabilityZoneId",
        "available-ip-address-count": "AvailableIpAddressCount",
        "cidr-block": "CidrBlock",
        "cidr": "CidrBlock",
        "default-for-az": "DefaultForAz",
        "defaultForAz": "DefaultForAz",
        "map-public-ip-on-launch": "MapPublicIpOnLaunch",
        "owner-id": "OwnerId",
        "state": "State",
        "subnet-arn": "SubnetArn",
        "subnet-id": "SubnetId",
        "vpc-id": "VpcId",
    },
)


def subnet_item(context: Context, subnet: Subnet) -> Item:
    account, region = context.account, context.region
    return {
        "SubnetId": subnet.id,
        "SubnetArn": make_arn("ec2", region, account, f"subnet/{subnet.id}"),
        "OwnerId": account,
        "VpcId": subnet.vpc_id,
        "State": "available",
        "CidrBlock": subnet.cidr,
        "AvailableIpAddressCount": free_addresses(context.tx, account, region, subnet),
        "AvailabilityZone": subnet.zone,
        "AvailabilityZoneId": subnet.zone_id,
        "DefaultForAz": subnet.default_for_az,
        "MapPublicIpOnLaunch": subnet.map_public_ip,
        "MapCustomerOwnedIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": False,
        "Ipv6CidrBlockAssociationSet": [],
        "Ipv6Native": False,
        "EnableDns64": False,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": "ip-name",
            "EnableResourceNameDnsARecord": False,
            "EnableResourceNameDnsAAAARecord": False,
        },
        "Tags": tag_list(subnet.tags),
    }


def create_subnet(context: Context, request: "CreateSubnetRequestTypeDef") -> Response:
    account, region = context.account, context.region
    vpc = require(context.tx, VPC, account, region, request["VpcId"])
    if "CidrBlock" not in request:
        raise not_implemented("ec2", "CreateSubnet with IPAM or IPv6 only")
    cidr = parse_range(request["CidrBlock"], "cidrBlock", "InvalidSubnet.Range")
    network = ipaddress.IPv4Network(cidr)
    if not any(network.subnet_of(ipaddress.IPv4Network(c)) for c in vpc.cidrs):
        raise AwsError("InvalidSubnet.Range", f"The CIDR '{cidr}' is invalid.")
    for record in context.tx.find(SUBNET, account, region, "vpc", vpc.id):
        if network.overlaps(ipaddress.IPv4Network(record.value.cidr)):
            raise AwsError(
                "InvalidSubnet.Conflict", f"The CIDR '{cidr}' conflicts with another subnet"
            )
    # Two overlapping subnets made at once must meet: both write the VPC.
    context.tx.put(VPC, account, region, vpc.id, vpc)
    subnet = make_subnet(
        context.tx,
        context.ids,
        account,
        region,
        vpc.id,
        cidr,
        _zone(context, request),
        tags=tags_at_creation(context, request, "subnet"),
    )
    return {"Subnet": subnet_item(context, subnet)}


def _zone(context: Context, request: "CreateSubnetRequestTypeDef") -> str:
    """The AZ asked for by name or id, or the region's first."""
    names = zone_names(context.region)
    by_id = {zone_id(name): name for name in names}
    wanted = request.get("AvailabilityZone") or request.get("AvailabilityZoneId") or names[0]
    zone = by_id.get(wanted, wanted)
    if zone not in names:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({wanted}) for parameter availabilityZone is invalid. Subnets can currently "
            f"only be created in the following availability zones: {', '.join(names)}.",
        )
    return zone


def describe_subnets(context: Context, request: "DescribeSubnetsRequestTypeDef") -> Response:
    records = context.tx.scan(SUBNET, context.account, context.region)
    return describe(LISTING, (subnet_item(context, r.value) for r in records), request)


def delete_subnet(context: Context, request: "DeleteSubnetRequestTypeDef") -> Response:
    tx, account, region = context.tx, context.account, context.region
    subnet = require(tx, SUBNET, account, region, request["SubnetId"])
    if tx.find(NETWORK_INTERFACE, account, region, "subnet", subnet.id):
        raise AwsError(
            "DependencyViolation",
            f"The subnet '{subnet.id}' has dependencies and cannot be deleted.",
        )
    for record in tx.find(ROUTE_TABLE, account, region, "vpc", subnet.vpc_id):
        kept = tuple(a for a in record.value.associations if a[1] != subnet.id)
        if kept != record.value.associations:
            table = msgspec.structs.replace(record.value, associations=kept)
            tx.put(ROUTE_TABLE, account, region, table.id, table)
    tx.delete(SUBNET, account, region, subnet.id)
    return {}


def modify_subnet_attribute(
    context: Context, request: "ModifySubnetAttributeRequestTypeDef"
) -> Response:
    subnet = require(context.tx, SUBNET, context.account, context.region, request["SubnetId"])
    if request.keys() - {"SubnetId", "MapPublicIpOnLaunch", "DryRun"}:
        raise not_implemented("ec2", "ModifySubnetAttribute of anything but mapPublicIpOnLaunch")
    if "MapPublicIpOnLaunch" in request:
        value = request["MapPublicIpOnLaunch"].get("Value", False)
        changed = msgspec.structs.replace(subnet, map_public_ip=value)
        context.tx.put(SUBNET, context.account, context.region, subnet.id, changed)
    return {}
