"""Security group rules in and out of their two forms: IpPermissions and single rules.

"AuthorizeSecurityGroupIngress" and "Security group rules" (EC2 API Reference, VPC User Guide).
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from longshore.base.ids import Ids
from longshore.model.arn import make_arn
from longshore.model.ec2 import SECURITY_GROUP, SecurityGroup, SecurityGroupRule, Tags
from longshore.model.errors import AwsError
from longshore.services.ec2.describing import Item
from longshore.services.ec2.ranges import parse_cidr
from longshore.services.ec2.tagging import tag_list
from longshore.services.interface import Context

PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}
WITH_PORTS = frozenset({"tcp", "udp"})
WITH_TYPES = frozenset({"icmp", "icmpv6"})
PEERS: Sequence[tuple[str, str, str]] = (
    ("IpRanges", "CidrIp", "cidr"),
    ("Ipv6Ranges", "CidrIpv6", "cidr_ipv6"),
    ("PrefixListIds", "PrefixListId", "prefix_list_id"),
    ("UserIdGroupPairs", "GroupId", "group_id"),
)
"""A permission's list of peers, the peer's own member, and the rule's field."""


def requested_permissions(context: Context, request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The permissions of a request, those of its old flat form included."""
    permissions = list(request.get("IpPermissions") or ())
    if "IpProtocol" in request or "CidrIp" in request or "SourceSecurityGroupName" in request:
        flat = {k: request[k] for k in ("IpProtocol", "FromPort", "ToPort") if k in request}
        if "CidrIp" in request:
            flat["IpRanges"] = [{"CidrIp": request["CidrIp"]}]
        if "SourceSecurityGroupName" in request:
            flat["UserIdGroupPairs"] = [{"GroupName": request["SourceSecurityGroupName"]}]
        permissions.append(flat)
    if not permissions:
        raise AwsError("MissingParameter", "The request must contain the parameter ipPermissions")
    return permissions


def parse_rules(
    context: Context,
    group: SecurityGroup,
    permissions: Iterable[Mapping[str, Any]],
    *,
    egress: bool,
    tags: Tags = (),
) -> list[SecurityGroupRule]:
    """One rule for each peer of each permission, with ids still empty."""
    rules = []
    for permission in permissions:
        protocol, low, high = checked_ports(
            permission.get("IpProtocol", ""), permission.get("FromPort"), permission.get("ToPort")
        )
        peers = list(_peers(context, group, permission))
        if not peers:
            raise AwsError(
                "InvalidParameterValue",
                "Invalid value '' for IP permission: a range, a prefix list or a group is required",
            )
        rules += [
            SecurityGroupRule(
                id="",
                egress=egress,
                protocol=protocol,
                from_port=low,
                to_port=high,
                tags=tags,
                **peer,
            )
            for peer in peers
        ]
    return rules


def checked_ports(protocol: str, low: int | None, high: int | None) -> tuple[str, int, int]:
    """Protocol and ports in canonical form (-1 for any); AwsError for what EC2 refuses."""
    name = PROTOCOLS.get(protocol.lower(), protocol.lower())
    if name in WITH_PORTS:
        if low is None or high is None:
            raise AwsError(
                "InvalidParameterValue",
                "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
            )
        return (name, *_port_range(low, high))
    if name in WITH_TYPES:
        return name, -1 if low is None else low, -1 if high is None else high
    if name == "-1":
        return name, -1, -1
    if not name.isdigit() or not 0 <= int(name) <= 255:
        raise AwsError(
            "InvalidPermission.Malformed",
            f"Invalid value '{protocol}' for IP protocol. Unknown protocol.",
        )
    return name, -1, -1


def _port_range(low: int, high: int) -> tuple[int, int]:
    if (low, high) == (-1, -1):
        return 0, 65535
    for port in (low, high):
        if not 0 <= port <= 65535:
            raise AwsError("InvalidParameterValue", f"Invalid value '{port}' for port.")
    if low > high:
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid value '{low}-{high}' for portRange. "
            "The from port must not exceed the to port.",
        )
    return low, high


def _peers(
    context: Context, group: SecurityGroup, permission: Mapping[str, Any]
) -> Iterator[dict[str, str]]:
    for member, own, field in PEERS:
        for given in permission.get(member) or ():
            peer = {field: given.get(own, ""), "description": given.get("Description", "")}
            if field == "group_id":
                peer |= _referred_group(context, group, given)
            else:
                peer[field] = checked_peer(field, peer[field])
            yield peer


def checked_peer(field: str, text: str) -> str:
    """A range in canonical form; AwsError for a bad one, and for prefix lists (there are none)."""
    if field == "cidr":
        try:
            return str(parse_cidr(text, "cidrIp"))
        except AwsError as error:
            message = f"CIDR block {text} is malformed"
            raise AwsError("InvalidParameterValue", message) from error
    if field == "cidr_ipv6":
        try:
            return str(ipaddress.IPv6Network(text, strict=False))
        except ValueError as error:
            message = f"CIDR block {text} is malformed"
            raise AwsError("InvalidParameterValue", message) from error
    raise AwsError("InvalidPrefixListID.NotFound", f"The prefix list ID '{text}' does not exist")


def _referred_group(
    context: Context, group: SecurityGroup, given: Mapping[str, Any]
) -> dict[str, str]:
    """The group that a pair names by id, or by name in the same VPC."""
    account = given.get("UserId") or context.account
    wanted = given.get("GroupId") or given.get("GroupName", "")
    place = (context.account, context.region)
    for record in context.tx.find(SECURITY_GROUP, *place, "vpc", group.vpc_id):
        if account == context.account and wanted in (record.value.id, record.value.name):
            return {"group_id": record.value.id, "group_account": account}
    raise AwsError(
        "InvalidGroup.NotFound",
        f"You have specified two resources that belong to different networks: {wanted}"
        if not wanted
        else f"The security group '{wanted}' does not exist",
    )


def identity(rule: SecurityGroupRule) -> SecurityGroupRule:
    """What makes a rule the same as another: everything but its id, description and tags."""
    return msgspec.structs.replace(rule, id="", description="", tags=())


def with_ids(rules: Iterable[SecurityGroupRule], ids: Ids) -> list[SecurityGroupRule]:
    return [msgspec.structs.replace(rule, id=f"sgr-{ids.hex(17)}") for rule in rules]


def rule_item(rule: SecurityGroupRule, group: SecurityGroup, context: Context) -> Item:
    """A rule as DescribeSecurityGroupRules lists it."""
    item: dict[str, Any] = {
        "SecurityGroupRuleId": rule.id,
        "SecurityGroupRuleArn": make_arn(
            "ec2", context.region, context.account, f"security-group-rule/{rule.id}"
        ),
        "GroupId": group.id,
        "GroupOwnerId": context.account,
        "IsEgress": rule.egress,
        "IpProtocol": rule.protocol,
        "FromPort": rule.from_port,
        "ToPort": rule.to_port,
        "Tags": tag_list(rule.tags),
    }
    named = {
        "CidrIpv4": rule.cidr,
        "CidrIpv6": rule.cidr_ipv6,
        "PrefixListId": rule.prefix_list_id,
        "Description": rule.description,
    }
    item |= {name: value for name, value in named.items() if value}
    if rule.group_id:
        item["ReferencedGroupInfo"] = {
            "GroupId": rule.group_id,
            "UserId": rule.group_account,
            "VpcId": group.vpc_id,
        }
    return item


def permission_items(rules: Iterable[SecurityGroupRule]) -> list[Item]:
    """Rules gathered into IpPermissions: one for each protocol and port range."""
    gathered: dict[tuple[str, int, int], dict[str, Any]] = {}
    for rule in rules:
        key = (rule.protocol, rule.from_port, rule.to_port)
        permission = gathered.get(key)
        if permission is None:
            permission = {"IpProtocol": rule.protocol, **{member: [] for member, _, _ in PEERS}}
            if rule.protocol in WITH_PORTS | WITH_TYPES:
                permission |= {"FromPort": rule.from_port, "ToPort": rule.to_port}
            gathered[key] = permission
        member, peer = _peer_item(rule)
        permission[member].append(peer)
    return list(gathered.values())


def _peer_item(rule: SecurityGroupRule) -> tuple[str, dict[str, str]]:
    for member, own, field in PEERS:
        value = getattr(rule, field)
        if value:
            peer = {own: value}
            if rule.group_id:
                peer["UserId"] = rule.group_account
            if rule.description:
                peer["Description"] = rule.description
            return member, peer
    raise AssertionError(f"rule {rule.id} has no peer")
