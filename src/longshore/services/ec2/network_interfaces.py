"""Elastic network interfaces."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model.ec2 import (
    ADDRESS,
    NETWORK_INTERFACE,
    SECURITY_GROUP,
    VPC,
    NetworkInterface,
)
from longshore.model.errors import AwsError, not_implemented
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.idempotency import once
from longshore.services.ec2.tagging import tag_list, tags_at_creation
from longshore.services.interface import Context, Response
from longshore.vpc.interfaces import (
    check_groups,
)
from longshore.vpc.interfaces import (
    create_network_interface as make_network_interface,
)
from longshore.vpc.interfaces import (
    delete_network_interface as remove_network_interface,
)
from longshore.vpc.lookup import require
from longshore.vpc.zones import private_dns_name, public_dns_name, zone_id

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        CreateNetworkInterfaceRequestTypeDef,
        DeleteNetworkInterfaceRequestTypeDef,
        DescribeNetworkInterfaceAttributeRequestTypeDef,
        DescribeNetworkInterfacesRequestTypeDef,
        ModifyNetworkInterfaceAttributeRequestTypeDef,
    )

LISTING = Listing(
    member="NetworkInterfaces",
    ids="NetworkInterfaceIds",
    id="NetworkInterfaceId",
    absent=("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '{}' does not exist"),
    tags="TagSet",
    filters={
        "addresses.private-ip-address": "PrivateIpAddresses[].PrivateIpAddress",
        "addresses.primary": "PrivateIpAddresses[].Primary",
        "addresses.association.public-ip": "PrivateIpAddresses[].Association.PublicIp",
        "association.allocation-id": "Association.AllocationId",
        "association.association-id": "Association.AssociationId",
        "association.ip-owner-id": "Association.IpOwnerId",
        "association.public-ip": "Association.PublicIp",
        "association.public-dns-name": "Association.PublicDnsName",
        "attachment.attachment-id": "Attachment.AttachmentId",
        "attachment.instance-id": "Attachment.InstanceId",
        "attachment.instance-owner-id": "Attachment.InstanceOwnerId",
        "attachment.status": "Attachment.Status",
        "availability-zone": "AvailabilityZone",
        "description": "Description",
        "group-id": "Groups[].GroupId",
        "group-name": "Groups[].GroupName",
        "interface-type": "InterfaceType",
        "mac-address": "MacAddress",
        "network-interface-id": "NetworkInterfaceId",
        "owner-id": "OwnerId",
        "private-dns-name": "PrivateDnsName",
        "private-ip-address": "PrivateIpAddress",
        "requester-managed": "RequesterManaged",
        "source-dest-check": "SourceDestCheck",
        "status": "Status",
        "subnet-id": "SubnetId",
        "vpc-id": "VpcId",
    },
)


def _place(context: Context) -> tuple[str, str]:
    return context.account, context.region


def interface_item(context: Context, eni: NetworkInterface) -> Item:
    private_name = private_dns_name(eni.private_address, context.region)
    primary: dict[str, Any] = {
        "Primary": True,
        "PrivateIpAddress": eni.private_address,
        "PrivateDnsName": private_name,
    }
    item: dict[str, Any] = {
        "NetworkInterfaceId": eni.id,
        "OwnerId": context.account,
        "VpcId": eni.vpc_id,
        "SubnetId": eni.subnet_id,
        "AvailabilityZone": eni.zone,
        "AvailabilityZoneId": zone_id(eni.zone),
        "Description": eni.description,
        "InterfaceType": eni.interface_type,
        "Status": eni.status,
        "MacAddress": eni.mac,
        "PrivateIpAddress": eni.private_address,
        "PrivateDnsName": private_name,
        "PrivateIpAddresses": [primary],
        "Ipv6Addresses": [],
        "Groups": [_group_item(context, group_id) for group_id in eni.security_groups],
        "RequesterManaged": eni.requester_managed,
        "SourceDestCheck": eni.source_dest_check,
        "TagSet": tag_list(eni.tags),
    }
    if eni.attachment_id:
        item["Attachment"] = _attachment_item(eni, context.account)
    association = _association_item(context, eni)
    if association:
        item["Association"] = primary["Association"] = association
        item["PublicDnsName"] = association["PublicDnsName"]
    return item


def _group_item(context: Context, group_id: str) -> Item:
    record = context.tx.get(SECURITY_GROUP, *_place(context), group_id)
    return {"GroupId": group_id, "GroupName": record.value.name if record else ""}


def _attachment_item(eni: NetworkInterface, account: str) -> Item:
    owner = {"InstanceId": eni.instance_id} if eni.instance_id else {}
    return {
        "AttachmentId": eni.attachment_id,
        "AttachTime": eni.attached_at,
        "DeleteOnTermination": eni.delete_on_termination,
        "DeviceIndex": 0 if eni.instance_id else 1,
        "InstanceOwnerId": account,
        "Status": "attached",
        **owner,
    }


def _association_item(context: Context, eni: NetworkInterface) -> Item:
    for record in context.tx.find(ADDRESS, *_place(context), "interface", eni.id):
        elastic = record.value
        return {
            "AllocationId": elastic.id,
            "AssociationId": elastic.association_id,
            "IpOwnerId": context.account,
            "PublicIp": elastic.public_address,
            "PublicDnsName": _public_name(context, eni, elastic.public_address),
        }
    if not eni.public_address:
        return {}
    return {
        "IpOwnerId": "amazon",
        "PublicIp": eni.public_address,
        "PublicDnsName": _public_name(context, eni, eni.public_address),
    }


def _public_name(context: Context, eni: NetworkInterface, address: str) -> str:
    vpc = context.tx.get(VPC, *_place(context), eni.vpc_id)
    named = vpc is not None and vpc.value.dns_hostnames
    return public_dns_name(address, context.region) if named else ""


def create_network_interface(
    context: Context, request: "CreateNetworkInterfaceRequestTypeDef"
) -> Response:
    if request.get("InterfaceType", "interface") != "interface":
        raise not_implemented("ec2", f"CreateNetworkInterface of type {request['InterfaceType']}")
    for name in ("SecondaryPrivateIpAddressCount", "Ipv4PrefixCount", "Ipv6AddressCount"):
        if request.get(name):
            raise not_implemented("ec2", f"CreateNetworkInterface with {name}")
    specified = request.get("PrivateIpAddresses") or ()
    if len(specified) > 1:
        raise not_implemented("ec2", "CreateNetworkInterface with several addresses")
    chosen = [each["PrivateIpAddress"] for each in specified if each.get("PrivateIpAddress")]
    eni = once(context, request, NETWORK_INTERFACE, lambda: _make(context, request, chosen))
    return {"NetworkInterface": interface_item(context, eni)}


def _make(
    context: Context, request: "CreateNetworkInterfaceRequestTypeDef", chosen: Sequence[str]
) -> NetworkInterface:
    return make_network_interface(
        context.tx,
        context.ids,
        context.now,
        account=context.account,
        region=context.region,
        subnet_id=request["SubnetId"],
        security_groups=list(request.get("Groups") or ()),
        description=request.get("Description", ""),
        assign_public_ip=False,
        private_address=request.get("PrivateIpAddress") or (chosen[0] if chosen else ""),
        tags=tags_at_creation(context, request, "network-interface"),
        installation=context.installation,
    )


def describe_network_interfaces(
    context: Context, request: "DescribeNetworkInterfacesRequestTypeDef"
) -> Response:
    records = context.tx.scan(NETWORK_INTERFACE, *_place(context))
    return describe(LISTING, (interface_item(context, r.value) for r in records), request)


def _interface(context: Context, eni_id: str) -> NetworkInterface:
    return require(context.tx, NETWORK_INTERFACE, *_place(context), eni_id)


def delete_network_interface(
    context: Context, request: "DeleteNetworkInterfaceRequestTypeDef"
) -> Response:
    eni = _interface(context, request["NetworkInterfaceId"])
    if eni.status == "in-use":
        raise AwsError(
            "InvalidParameterValue", f"Network interface '{eni.id}' is currently in use."
        )
    remove_network_interface(context.tx, *_place(context), eni.id)
    return {}


def modify_network_interface_attribute(
    context: Context, request: "ModifyNetworkInterfaceAttributeRequestTypeDef"
) -> Response:
    """Change an ENI's groups, description or source/destination check."""
    eni = _interface(context, request["NetworkInterfaceId"])
    known = {"NetworkInterfaceId", "Groups", "Description", "SourceDestCheck", "DryRun"}
    if request.keys() - known:
        raise not_implemented("ec2", "ModifyNetworkInterfaceAttribute of this attribute")
    changes: dict[str, Any] = {}
    if "Groups" in request:
        groups = list(request["Groups"])
        changes["security_groups"] = check_groups(context.tx, *_place(context), eni.vpc_id, groups)
    if "Description" in request:
        changes["description"] = request["Description"].get("Value", "")
    if "SourceDestCheck" in request:
        changes["source_dest_check"] = request["SourceDestCheck"].get("Value", True)
    changed = msgspec.structs.replace(eni, **changes)
    context.tx.put(NETWORK_INTERFACE, *_place(context), eni.id, changed)
    return {}


def describe_network_interface_attribute(
    context: Context, request: "DescribeNetworkInterfaceAttributeRequestTypeDef"
) -> Response:
    eni = _interface(context, request["NetworkInterfaceId"])
    attribute = request.get("Attribute", "")
    item = interface_item(context, eni)
    answers: dict[str, Item] = {
        "description": {"Description": {"Value": eni.description}},
        "groupSet": {"Groups": item["Groups"]},
        "sourceDestCheck": {"SourceDestCheck": {"Value": eni.source_dest_check}},
        "attachment": {"Attachment": item["Attachment"]} if "Attachment" in item else {},
    }
    if attribute not in answers:
        raise AwsError(
            "InvalidParameterValue", f"Value ({attribute}) for parameter attribute is invalid."
        )
    return {"NetworkInterfaceId": eni.id, **answers[attribute]}
