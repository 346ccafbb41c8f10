"""VPCs."""

import ipaddress
from typing import TYPE_CHECKING

import msgspec

from longshore.model.ec2 import (
    INTERNET_GATEWAY,
    NETWORK_INTERFACE,
    ROUTE_TABLE,
    SECURITY_GROUP,
    SUBNET,
    VPC,
    Route,
    Vpc,
)
from longshore.model.errors import AwsError, not_implemented
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.ranges import parse_range
from longshore.services.ec2.tagging import tag_list, tags_at_creation
from longshore.services.interface import Context, Response
from longshore.vpc.creation import create_default_vpc as make_default_vpc
from longshore.vpc.creation import create_vpc as make_vpc
from longshore.vpc.lookup import require

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        AssociateVpcCidrBlockRequestTypeDef,
        CreateDefaultVpcRequestTypeDef,
        CreateVpcRequestTypeDef,
        DeleteVpcRequestTypeDef,
        DescribeVpcAttributeRequestTypeDef,
        DescribeVpcsRequestTypeDef,
        DisassociateVpcCidrBlockRequestTypeDef,
        ModifyVpcAttributeRequestTypeDef,
    )

LISTING = Listing(
    member="Vpcs",
    ids="VpcIds",
    id="VpcId",
    absent=("InvalidVpcID.NotFound", "The vpc ID '{}' does not exist"),
    filters={
        "cidr": "CidrBlock",
        "cidr-block-association.association-id": "CidrBlockAssociationSet[].AssociationId",
        "cidr-block-association.cidr-block": "CidrBlockAssociationSet[].CidrBlock",
        "cidr-block-association.state": "CidrBlockAssociationSet[].CidrBlockState.State",
        "dhcp-options-id": "DhcpOptionsId",
        "is-default": "IsDefault",
        "isDefault": "IsDefault",
        "owner-id": "OwnerId",
        "state": "State",
        "vpc-id": "VpcId",
    },
)


def _association_id(vpc: Vpc, cidr: str) -> str:
    """Derived: a range is in a VPC once at most."""
    network = ipaddress.IPv4Network(cidr)
    tail = vpc.id.removeprefix("vpc-")[:7]
    return f"vpc-cidr-assoc-{tail}{int(network.network_address):08x}{network.prefixlen:02x}"


def _associations(vpc: Vpc) -> list[Item]:
    return [
        {
            "AssociationId": _association_id(vpc, cidr),
            "CidrBlock": cidr,
            "CidrBlockState": {"State": "associated"},
        }
        for cidr in vpc.cidrs
    ]


def vpc_item(vpc: Vpc, account: str) -> Item:
    return {
        "VpcId": vpc.id,
        "OwnerId": account,
        "State": "available",
        "CidrBlock": vpc.cidrs[0],
        "CidrBlockAssociationSet": _associations(vpc),
        "Ipv6CidrBlockAssociationSet": [],
        "DhcpOptionsId": vpc.dhcp_options_id,
        "InstanceTenancy": vpc.instance_tenancy,
        "IsDefault": vpc.is_default,
        "Tags": tag_list(vpc.tags),
    }


def create_vpc(context: Context, request: "CreateVpcRequestTypeDef") -> Response:
    if request.get("Ipv4IpamPoolId") or request.get("AmazonProvidedIpv6CidrBlock"):
        raise not_implemented("ec2", "CreateVpc with IPAM or IPv6")
    if "CidrBlock" not in request:
        raise AwsError("MissingParameter", "Either 'cidrBlock' or 'ipv4IpamPoolId' is required")
    vpc = make_vpc(
        context.tx,
        context.ids,
        context.account,
        context.region,
        parse_range(request["CidrBlock"], "cidrBlock", "InvalidVpc.Range"),
        tenancy=request.get("InstanceTenancy", "default"),
        tags=tags_at_creation(context, request, "vpc"),
    )
    return {"Vpc": vpc_item(vpc, context.account)}


def create_default_vpc(context: Context, request: "CreateDefaultVpcRequestTypeDef") -> Response:
    if any(record.value.is_default for record in context.tx.scan(VPC, *_place(context))):
        raise AwsError(
            "DefaultVpcAlreadyExists",
            "A Default VPC already exists for this account in this region.",
        )
    vpc = make_default_vpc(context.tx, context.account, context.region, context.ids)
    return {"Vpc": vpc_item(vpc, context.account)}


def _place(context: Context) -> tuple[str, str]:
    return context.account, context.region


def describe_vpcs(context: Context, request: "DescribeVpcsRequestTypeDef") -> Response:
    records = context.tx.scan(VPC, *_place(context))
    return describe(LISTING, (vpc_item(r.value, context.account) for r in records), request)


def delete_vpc(context: Context, request: "DeleteVpcRequestTypeDef") -> Response:
    """Delete a VPC in which nothing is left but what came with it."""
    tx, (account, region) = context.tx, _place(context)
    vpc = require(tx, VPC, account, region, request["VpcId"])
    tables = tx.find(ROUTE_TABLE, account, region, "vpc", vpc.id)
    groups = tx.find(SECURITY_GROUP, account, region, "vpc", vpc.id)
    gateways = tx.scan(INTERNET_GATEWAY, account, region)
    if (
        len(tx.find(SUBNET, account, region, "vpc", vpc.id)) > 0
        or len(tx.find(NETWORK_INTERFACE, account, region, "vpc", vpc.id)) > 0
        or any(gateway.value.vpc_id == vpc.id for gateway in gateways)
        or any(group.value.name != "default" for group in groups)
        or len(tables) > 1
    ):
        raise AwsError(
            "DependencyViolation", f"The vpc '{vpc.id}' has dependencies and cannot be deleted."
        )
    for table in tables:
        tx.delete(ROUTE_TABLE, account, region, table.value.id)
    for group in groups:
        tx.delete(SECURITY_GROUP, account, region, group.value.id)
    tx.delete(VPC, account, region, vpc.id)
    return {}


def modify_vpc_attribute(context: Context, request: "ModifyVpcAttributeRequestTypeDef") -> Response:
    """Change one attribute, as AWS allows at a time."""
    vpc = require(context.tx, VPC, *_place(context), request["VpcId"])
    given = [name for name in ("EnableDnsSupport", "EnableDnsHostnames") if name in request]
    if "EnableNetworkAddressUsageMetrics" in request:
        raise not_implemented("ec2", "ModifyVpcAttribute of enableNetworkAddressUsageMetrics")
    if len(given) != 1:
        raise AwsError(
            "InvalidParameterCombination", "Exactly one attribute must be given at a time"
        )
    if "EnableDnsSupport" in request:
        value = request["EnableDnsSupport"].get("Value", False)
        changed = msgspec.structs.replace(vpc, dns_support=value)
    else:
        value = request["EnableDnsHostnames"].get("Value", False)
        changed = msgspec.structs.replace(vpc, dns_hostnames=value)
    context.tx.put(VPC, *_place(context), vpc.id, changed)
    return {}


def describe_vpc_attribute(
    context: Context, request: "DescribeVpcAttributeRequestTypeDef"
) -> Response:
    vpc = require(context.tx, VPC, *_place(context), request["VpcId"])
    attribute = request["Attribute"]
    if attribute == "enableDnsSupport":
        return {"VpcId": vpc.id, "EnableDnsSupport": {"Value": vpc.dns_support}}
    if attribute == "enableDnsHostnames":
        return {"VpcId": vpc.id, "EnableDnsHostnames": {"Value": vpc.dns_hostnames}}
    return {"VpcId": vpc.id, "EnableNetworkAddressUsageMetrics": {"Value": False}}


def associate_vpc_cidr_block(
    context: Context, request: "AssociateVpcCidrBlockRequestTypeDef"
) -> Response:
    """Add a range to a VPC, and to the local routes of its tables."""
    tx, (account, region) = context.tx, _place(context)
    vpc = require(tx, VPC, account, region, request["VpcId"])
    if "CidrBlock" not in request:
        raise not_implemented("ec2", "AssociateVpcCidrBlock with IPAM or IPv6")
    cidr = parse_range(request["CidrBlock"], "cidrBlock", "InvalidVpc.Range")
    if any(ipaddress.IPv4Network(cidr).overlaps(ipaddress.IPv4Network(c)) for c in vpc.cidrs):
        raise AwsError("CidrConflict", f"The CIDR '{cidr}' conflicts with another subnet")
    changed = msgspec.structs.replace(vpc, cidrs=(*vpc.cidrs, cidr))
    tx.put(VPC, account, region, vpc.id, changed)
    local = Route(destination=cidr, target="local", origin="CreateRouteTable")
    for record in tx.find(ROUTE_TABLE, account, region, "vpc", vpc.id):
        table = msgspec.structs.replace(record.value, routes=(*record.value.routes, local))
        tx.put(ROUTE_TABLE, account, region, table.id, table)
    return {"VpcId": vpc.id, "CidrBlockAssociation": _associations(changed)[-1]}


def disassociate_vpc_cidr_block(
    context: Context, request: "DisassociateVpcCidrBlockRequestTypeDef"
) -> Response:
    """Remove a range that is not the VPC's first and holds no subnet."""
    tx, (account, region) = context.tx, _place(context)
    for record in tx.scan(VPC, account, region):
        vpc = record.value
        for association in _associations(vpc):
            if association["AssociationId"] == request["AssociationId"]:
                _remove_range(context, vpc, association["CidrBlock"])
                gone = {**association, "CidrBlockState": {"State": "disassociating"}}
                return {"VpcId": vpc.id, "CidrBlockAssociation": gone}
    raise AwsError(
        "InvalidVpcCidrBlockAssociationID.NotFound",
        f"The vpc CIDR block association ID '{request['AssociationId']}' does not exist",
    )


def _remove_range(context: Context, vpc: Vpc, cidr: str) -> None:
    tx, (account, region) = context.tx, _place(context)
    if cidr == vpc.cidrs[0]:
        raise AwsError(
            "OperationNotPermitted",
            f"The vpc CIDR block with association ID {_association_id(vpc, cidr)} may not be "
            "disassociated. It is the primary IPv4 CIDR block of the VPC",
        )
    network = ipaddress.IPv4Network(cidr)
    subnets = tx.find(SUBNET, account, region, "vpc", vpc.id)
    if any(ipaddress.IPv4Network(s.value.cidr).subnet_of(network) for s in subnets):
        raise AwsError(
            "DependencyViolation",
            f"The vpc '{vpc.id}' has dependencies in '{cidr}' and it cannot be disassociated.",
        )
    cidrs = tuple(c for c in vpc.cidrs if c != cidr)
    tx.put(VPC, account, region, vpc.id, msgspec.structs.replace(vpc, cidrs=cidrs))
    for record in tx.find(ROUTE_TABLE, account, region, "vpc", vpc.id):
        routes = tuple(r for r in record.value.routes if r.destination != cidr)
        table = msgspec.structs.replace(record.value, routes=routes)
        tx.put(ROUTE_TABLE, account, region, table.id, table)
