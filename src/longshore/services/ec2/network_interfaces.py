"""Elastic network interfaces."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.instances import instance_type
from longshore.model.ec2 import (
    NETWORK_INTERFACE,
    SECURITY_GROUP,
    VPC,
    Address,
    NetworkInterface,
)
from longshore.model.errors import AwsError, not_implemented
from longshore.model.instances import INSTANCE
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.idempotency import once
from longshore.services.ec2.tagging import tag_list, tags_at_creation
from longshore.services.interface import Context, Response
from longshore.vpc.elastic import elastic_of
from longshore.vpc.interfaces import (
    ADDRESSES_PER_INTERFACE,
    assign_addresses,
    check_groups,
    unassign_addresses,
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
        AssignPrivateIpAddressesRequestTypeDef,
        CreateNetworkInterfaceRequestTypeDef,
        DeleteNetworkInterfaceRequestTypeDef,
        DescribeNetworkInterfaceAttributeRequestTypeDef,
        DescribeNetworkInterfacesRequestTypeDef,
        ModifyNetworkInterfaceAttributeRequestTypeDef,
        UnassignPrivateIpAddressesRequestTypeDef,
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
    elastic = elastic_of(context.tx, *_place(context), eni)
    addresses = [
        _address_item(context, eni, address, elastic)
        for address in (eni.private_address, *eni.secondary_addresses)
    ]
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
        "PrivateDnsName": addresses[0]["PrivateDnsName"],
        "PrivateIpAddresses": addresses,
        "Ipv6Addresses": [],
        "Groups": [_group_item(context, group_id) for group_id in eni.security_groups],
        "RequesterManaged": eni.requester_managed,
        "SourceDestCheck": eni.source_dest_check,
        "TagSet": tag_list(eni.tags),
    }
    if eni.attachment_id:
        item["Attachment"] = _attachment_item(eni, context.account)
    association = addresses[0].get("Association")
    if association:
        item["Association"] = association
        item["PublicDnsName"] = association["PublicDnsName"]
    return item


def _address_item(
    context: Context, eni: NetworkInterface, address: str, elastic: Mapping[str, Address]
) -> Item:
    item: dict[str, Any] = {
        "Primary": address == eni.private_address,
        "PrivateIpAddress": address,
        "PrivateDnsName": private_dns_name(address, context.region),
    }
    association = _association_item(context, eni, address, elastic.get(address))
    if association:
        item["Association"] = association
    return item


def _group_item(context: Context, group_id: str) -> Item:
    record = context.tx.get(SECURITY_GROUP, *_place(context), group_id)
    return {"GroupId": group_id, "GroupName": record.value.name if record else ""}


def _attachment_item(eni: NetworkInterface, account: str) -> Item:
    # The machine of a Fargate pod is nobody's instance.
    owner = {"InstanceId": eni.instance_id} if _is_of_instance(eni) else {}
    return {
        "AttachmentId": eni.attachment_id,
        "AttachTime": eni.attached_at,
        "DeleteOnTermination": eni.delete_on_termination,
        "DeviceIndex": 0 if _is_of_instance(eni) else 1,
        "InstanceOwnerId": account,
        "Status": "attached",
        **owner,
    }


def _is_of_instance(eni: NetworkInterface) -> bool:
    return bool(eni.instance_id) and not eni.requester_managed


def _association_item(
    context: Context, eni: NetworkInterface, address: str, elastic: Address | None
) -> Item:
    if elastic is not None:
        return {
            "AllocationId": elastic.id,
            "AssociationId": elastic.association_id,
            "IpOwnerId": context.account,
            "PublicIp": elastic.public_address,
            "PublicDnsName": _public_name(context, eni, elastic.public_address),
        }
    if not eni.public_address or address != eni.private_address:
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
    for name in ("Ipv4PrefixCount", "Ipv6AddressCount"):
        if request.get(name):
            raise not_implemented("ec2", f"CreateNetworkInterface with {name}")
    primary, further = _chosen(request)
    count = request.get("SecondaryPrivateIpAddressCount", 0)
    if count and further:
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter secondaryPrivateIpAddressCount cannot be used with secondary addresses "
            "in privateIpAddresses",
        )
    eni = once(
        context,
        request,
        NETWORK_INTERFACE,
        lambda: _make(context, request, primary, further, count),
    )
    return {"NetworkInterface": interface_item(context, eni)}


def _chosen(request: "CreateNetworkInterfaceRequestTypeDef") -> tuple[str, list[str]]:
    """The primary address asked for, or empty, and the others."""
    specified = request.get("PrivateIpAddresses") or ()
    given = [each for each in specified if each.get("PrivateIpAddress")]
    primary = [each["PrivateIpAddress"] for each in given if each.get("Primary")]
    further = [each["PrivateIpAddress"] for each in given if not each.get("Primary")]
    alone = request.get("PrivateIpAddress", "")
    if not primary and not alone and len(further) == 1:
        return further[0], []
    if len(primary) + bool(alone) > 1:
        raise AwsError(
            "InvalidParameterCombination", "Only one primary private IP address can be specified."
        )
    return (primary[0] if primary else alone), further


def _make(
    context: Context,
    request: "CreateNetworkInterfaceRequestTypeDef",
    primary: str,
    further: Sequence[str],
    count: int,
) -> NetworkInterface:
    eni = make_network_interface(
        context.tx,
        context.ids,
        context.now,
        account=context.account,
        region=context.region,
        subnet_id=request["SubnetId"],
        security_groups=list(request.get("Groups") or ()),
        description=request.get("Description", ""),
        assign_public_ip=False,
        private_address=primary,
        tags=tags_at_creation(context, request, "network-interface"),
        installation=context.installation,
    )
    if not further and not count:
        return eni
    return assign_addresses(
        context.tx, context.ids, *_place(context), eni, count=count, chosen=further
    )


def assign_private_ip_addresses(
    context: Context, request: "AssignPrivateIpAddressesRequestTypeDef"
) -> Response:
    if request.get("Ipv4Prefixes") or request.get("Ipv4PrefixCount"):
        raise not_implemented("ec2", "AssignPrivateIpAddresses with prefixes")
    chosen = list(dict.fromkeys(request.get("PrivateIpAddresses") or ()))
    count = request.get("SecondaryPrivateIpAddressCount", 0)
    if chosen and count:
        raise AwsError(
            "InvalidParameterCombination",
            "The parameters privateIpAddresses and secondaryPrivateIpAddressCount cannot be used "
            "together",
        )
    if not chosen and count < 1:
        raise AwsError(
            "MissingParameter",
            "Either privateIpAddresses or secondaryPrivateIpAddressCount must be specified",
        )
    eni = _interface(context, request["NetworkInterfaceId"])
    new = [address for address in chosen if address not in eni.secondary_addresses]
    reassign = request.get("AllowReassignment", False)
    changed = assign_addresses(
        context.tx,
        context.ids,
        *_place(context),
        eni,
        count=count,
        chosen=new,
        reassign=reassign,
        limit=_limit(context, eni),
    )
    given = chosen or changed.secondary_addresses[len(eni.secondary_addresses) :]
    return {
        "NetworkInterfaceId": eni.id,
        "AssignedPrivateIpAddresses": [{"PrivateIpAddress": address} for address in given],
    }


def _limit(context: Context, eni: NetworkInterface) -> int:
    """How many private addresses the ENI may have: what the type of its instance says."""
    record = (
        context.tx.get(INSTANCE, *_place(context), eni.instance_id) if eni.instance_id else None
    )
    kind = instance_type(record.value.instance_type) if record is not None else None
    return 1 + kind.further_addresses if kind is not None else ADDRESSES_PER_INTERFACE


def unassign_private_ip_addresses(
    context: Context, request: "UnassignPrivateIpAddressesRequestTypeDef"
) -> Response:
    if request.get("Ipv4Prefixes"):
        raise not_implemented("ec2", "UnassignPrivateIpAddresses with prefixes")
    eni = _interface(context, request["NetworkInterfaceId"])
    addresses = list(dict.fromkeys(request.get("PrivateIpAddresses") or ()))
    if not addresses:
        raise AwsError("MissingParameter", "The request must contain privateIpAddresses")
    for address in addresses:
        if address not in eni.secondary_addresses:
            raise AwsError(
                "InvalidParameterValue",
                f"Some of {addresses} are not assigned to interface {eni.id}",
            )
    unassign_addresses(context.tx, *_place(context), eni, addresses)
    return {}


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
    """Change an ENI's groups, description, source/destination check, or whether it goes with its
    instance."""
    eni = _interface(context, request["NetworkInterfaceId"])
    known = ("Attachment", "Description", "DryRun", "Groups", "NetworkInterfaceId")
    if request.keys() - {*known, "SourceDestCheck"}:
        raise not_implemented("ec2", "ModifyNetworkInterfaceAttribute of this attribute")
    changes: dict[str, Any] = {}
    if "Groups" in request:
        groups = list(request["Groups"])
        changes["security_groups"] = check_groups(context.tx, *_place(context), eni.vpc_id, groups)
    if "Description" in request:
        changes["description"] = request["Description"].get("Value", "")
    if "SourceDestCheck" in request:
        changes["source_dest_check"] = request["SourceDestCheck"].get("Value", True)
    if "Attachment" in request:
        changes["delete_on_termination"] = _checked_attachment(eni, request["Attachment"])
    changed = msgspec.structs.replace(eni, **changes)
    context.tx.put(NETWORK_INTERFACE, *_place(context), eni.id, changed)
    return {}


def _checked_attachment(eni: NetworkInterface, given: Mapping[str, Any]) -> bool:
    """What is wanted of the ENI when its instance ends; AwsError where it is not so attached."""
    attachment_id = given.get("AttachmentId", "")
    if not eni.instance_id or attachment_id != eni.attachment_id:
        raise AwsError(
            "InvalidAttachmentID.NotFound",
            f"The attachment with ID '{attachment_id}' does not exist",
        )
    return bool(given.get("DeleteOnTermination", eni.delete_on_termination))


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
