"""What there is one of and cannot be changed yet: DHCP options, network ACLs, prefix lists."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from longshore.model.ec2 import DHCP_OPTIONS, SUBNET, VPC, Vpc
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.tagging import tag_list
from longshore.services.interface import Context, Response

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeAccountAttributesRequestTypeDef,
        DescribeDhcpOptionsRequestTypeDef,
        DescribeNetworkAclsRequestTypeDef,
    )

DHCP_LISTING = Listing(
    member="DhcpOptions",
    ids="DhcpOptionsIds",
    id="DhcpOptionsId",
    absent=("InvalidDhcpOptionID.NotFound", "The dhcpOption ID '{}' does not exist"),
    filters={
        "dhcp-options-id": "DhcpOptionsId",
        "key": "DhcpConfigurations[].Key",
        "owner-id": "OwnerId",
        "value": "DhcpConfigurations[].Values[].Value",
    },
)
ACL_LISTING = Listing(
    member="NetworkAcls",
    ids="NetworkAclIds",
    id="NetworkAclId",
    absent=("InvalidNetworkAclID.NotFound", "The networkAcl ID '{}' does not exist"),
    filters={
        "association.association-id": "Associations[].NetworkAclAssociationId",
        "association.network-acl-id": "Associations[].NetworkAclId",
        "association.subnet-id": "Associations[].SubnetId",
        "default": "IsDefault",
        "entry.cidr": "Entries[].CidrBlock",
        "entry.egress": "Entries[].Egress",
        "entry.protocol": "Entries[].Protocol",
        "entry.rule-action": "Entries[].RuleAction",
        "entry.rule-number": "Entries[].RuleNumber",
        "network-acl-id": "NetworkAclId",
        "owner-id": "OwnerId",
        "vpc-id": "VpcId",
    },
)
LAST_RULE = 32767
ALLOW_ALL = 100


def _place(context: Context) -> tuple[str, str]:
    return context.account, context.region


def describe_dhcp_options(
    context: Context, request: "DescribeDhcpOptionsRequestTypeDef"
) -> Response:
    items: list[Item] = [
        {
            "DhcpOptionsId": record.value.id,
            "OwnerId": context.account,
            "DhcpConfigurations": [
                {"Key": key, "Values": [{"Value": value} for value in values]}
                for key, values in record.value.configurations
            ],
            "Tags": tag_list(record.value.tags),
        }
        for record in context.tx.scan(DHCP_OPTIONS, *_place(context))
    ]
    return describe(DHCP_LISTING, items, request)


def describe_network_acls(
    context: Context, request: "DescribeNetworkAclsRequestTypeDef"
) -> Response:
    """Each VPC's default ACL, which allows everything, on all of its subnets."""
    vpcs = [record.value for record in context.tx.scan(VPC, *_place(context))]
    return describe(ACL_LISTING, (_acl_item(context, vpc) for vpc in vpcs), request)


def _acl_item(context: Context, vpc: Vpc) -> Item:
    subnets = context.tx.find(SUBNET, *_place(context), "vpc", vpc.id)
    return {
        "NetworkAclId": vpc.network_acl_id,
        "OwnerId": context.account,
        "VpcId": vpc.id,
        "IsDefault": True,
        "Entries": list(_entries()),
        "Associations": [
            {
                "NetworkAclAssociationId": subnet.value.id.replace("subnet-", "aclassoc-"),
                "NetworkAclId": vpc.network_acl_id,
                "SubnetId": subnet.value.id,
            }
            for subnet in subnets
        ],
        "Tags": [],
    }


def _entries() -> Iterator[Item]:
    for egress in (True, False):
        for number, action in ((ALLOW_ALL, "allow"), (LAST_RULE, "deny")):
            yield {
                "CidrBlock": "0.0.0.0/0",
                "Egress": egress,
                "Protocol": "-1",
                "RuleAction": action,
                "RuleNumber": number,
            }


def describe_prefix_lists(context: Context, request: Any) -> Response:
    """None: Longshore has no gateway endpoints."""
    listing = Listing(
        member="PrefixLists",
        ids="PrefixListIds",
        id="PrefixListId",
        absent=("InvalidPrefixListId.NotFound", "The prefix list ID '{}' does not exist"),
        filters={"prefix-list-id": "PrefixListId", "prefix-list-name": "PrefixListName"},
    )
    return describe(listing, (), request)


def describe_managed_prefix_lists(context: Context, request: Any) -> Response:
    """None: they cannot be made yet."""
    listing = Listing(
        member="PrefixLists",
        ids="PrefixListIds",
        id="PrefixListId",
        absent=("InvalidPrefixListID.NotFound", "The prefix list ID '{}' does not exist"),
        filters={
            "owner-id": "OwnerId",
            "prefix-list-id": "PrefixListId",
            "prefix-list-name": "PrefixListName",
        },
    )
    return describe(listing, (), request)


def describe_account_attributes(
    context: Context, request: "DescribeAccountAttributesRequestTypeDef"
) -> Response:
    vpcs = [record.value for record in context.tx.scan(VPC, *_place(context))]
    attributes = {
        "supported-platforms": "VPC",
        "default-vpc": next((vpc.id for vpc in vpcs if vpc.is_default), "none"),
        "max-instances": "20",
        "vpc-max-security-groups-per-interface": "5",
        "max-elastic-ips": "5",
        "vpc-max-elastic-ips": "5",
    }
    wanted: Collection[str] = request.get("AttributeNames") or attributes.keys()
    return {
        "AccountAttributes": [
            {"AttributeName": name, "AttributeValues": [{"AttributeValue": value}]}
            for name, value in attributes.items()
            if name in wanted
        ]
    }
