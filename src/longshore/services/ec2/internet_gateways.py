"""Internet gateways."""

from typing import TYPE_CHECKING

import msgspec

from longshore.model.ec2 import INTERNET_GATEWAY, NETWORK_INTERFACE, VPC, InternetGateway
from longshore.model.errors import AwsError
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.tagging import tag_list, tags_at_creation
from longshore.services.interface import Context, Response
from longshore.vpc.elastic import public_address_of
from longshore.vpc.lookup import require

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        AttachInternetGatewayRequestTypeDef,
        CreateInternetGatewayRequestTypeDef,
        DeleteInternetGatewayRequestTypeDef,
        DescribeInternetGatewaysRequestTypeDef,
        DetachInternetGatewayRequestTypeDef,
    )

LISTING = Listing(
    member="InternetGateways",
    ids="InternetGatewayIds",
    id="InternetGatewayId",
    absent=("InvalidInternetGatewayID.NotFound", "The internetGateway ID '{}' does not exist"),
    filters={
        "attachment.state": "Attachments[].State",
        "attachment.vpc-id": "Attachments[].VpcId",
        "internet-gateway-id": "InternetGatewayId",
        "owner-id": "OwnerId",
    },
)


def _item(gateway: InternetGateway, account: str) -> Item:
    attached = [{"State": "available", "VpcId": gateway.vpc_id}] if gateway.vpc_id else []
    return {
        "InternetGatewayId": gateway.id,
        "OwnerId": account,
        "Attachments": attached,
        "Tags": tag_list(gateway.tags),
    }


def _place(context: Context) -> tuple[str, str]:
    return context.account, context.region


def create_internet_gateway(
    context: Context, request: "CreateInternetGatewayRequestTypeDef"
) -> Response:
    gateway = InternetGateway(
        id=f"igw-{context.ids.hex(17)}",
        tags=tags_at_creation(context, request, "internet-gateway"),
    )
    context.tx.create(INTERNET_GATEWAY, *_place(context), gateway.id, gateway)
    return {"InternetGateway": _item(gateway, context.account)}


def describe_internet_gateways(
    context: Context, request: "DescribeInternetGatewaysRequestTypeDef"
) -> Response:
    records = context.tx.scan(INTERNET_GATEWAY, *_place(context))
    return describe(LISTING, (_item(r.value, context.account) for r in records), request)


def attach_internet_gateway(
    context: Context, request: "AttachInternetGatewayRequestTypeDef"
) -> Response:
    tx = context.tx
    gateway = require(tx, INTERNET_GATEWAY, *_place(context), request["InternetGatewayId"])
    vpc = require(tx, VPC, *_place(context), request["VpcId"])
    if gateway.vpc_id:
        raise AwsError(
            "Resource.AlreadyAssociated",
            f"resource {gateway.id} is already attached to network {gateway.vpc_id}",
        )
    for record in tx.scan(INTERNET_GATEWAY, *_place(context)):
        if record.value.vpc_id == vpc.id:
            raise AwsError(
                "InvalidParameterValue",
                f"Network {vpc.id} already has an internet gateway attached",
            )
    # Two gateways for one VPC at once must meet: both write the VPC.
    tx.put(VPC, *_place(context), vpc.id, vpc)
    changed = msgspec.structs.replace(gateway, vpc_id=vpc.id)
    tx.put(INTERNET_GATEWAY, *_place(context), gateway.id, changed)
    return {}


def detach_internet_gateway(
    context: Context, request: "DetachInternetGatewayRequestTypeDef"
) -> Response:
    tx, (account, region) = context.tx, _place(context)
    gateway = require(tx, INTERNET_GATEWAY, account, region, request["InternetGatewayId"])
    vpc = require(tx, VPC, account, region, request["VpcId"])
    if gateway.vpc_id != vpc.id:
        raise AwsError(
            "Gateway.NotAttached", f"resource {gateway.id} is not attached to network {vpc.id}"
        )
    for record in tx.find(NETWORK_INTERFACE, account, region, "vpc", vpc.id):
        if public_address_of(tx, account, region, record.value):
            raise AwsError(
                "DependencyViolation",
                f"Network {vpc.id} has some mapped public address(es). Please unmap those public "
                "address(es) before detaching the gateway.",
            )
    detached = msgspec.structs.replace(gateway, vpc_id="")
    tx.put(INTERNET_GATEWAY, account, region, gateway.id, detached)
    return {}


def delete_internet_gateway(
    context: Context, request: "DeleteInternetGatewayRequestTypeDef"
) -> Response:
    gateway_id = request["InternetGatewayId"]
    gateway = require(context.tx, INTERNET_GATEWAY, *_place(context), gateway_id)
    if gateway.vpc_id:
        raise AwsError(
            "DependencyViolation",
            f"The internetGateway '{gateway.id}' has dependencies and cannot be deleted.",
        )
    context.tx.delete(INTERNET_GATEWAY, *_place(context), gateway.id)
    return {}
