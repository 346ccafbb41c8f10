"""The rules of security groups: added, removed, changed and listed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model.ec2 import SECURITY_GROUP, SecurityGroup, SecurityGroupRule
from longshore.model.errors import AwsError
from longshore.services.ec2.describing import Listing, describe
from longshore.services.ec2.permissions import (
    PEERS,
    checked_peer,
    checked_ports,
    identity,
    parse_rules,
    requested_permissions,
    rule_item,
    with_ids,
)
from longshore.services.ec2.security_groups import find_group
from longshore.services.ec2.tagging import tags_at_creation
from longshore.services.interface import Context, Response
from longshore.vpc.lookup import require

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeSecurityGroupRulesRequestTypeDef,
        ModifySecurityGroupRulesRequestTypeDef,
        SecurityGroupRuleRequestTypeDef,
    )

RULES_PER_GROUP = 60
"""In each direction ("Amazon VPC quotas")."""
LISTING = Listing(
    member="SecurityGroupRules",
    ids="SecurityGroupRuleIds",
    id="SecurityGroupRuleId",
    absent=(
        "InvalidSecurityGroupRuleId.NotFound",
        "The security group rule ID '{}' does not exist",
    ),
    filters={"group-id": "GroupId", "security-group-rule-id": "SecurityGroupRuleId"},
)


def _put(context: Context, group: SecurityGroup, rules: Iterable[SecurityGroupRule]) -> None:
    changed = msgspec.structs.replace(group, rules=tuple(rules))
    context.tx.put(SECURITY_GROUP, context.account, context.region, group.id, changed)


def _authorize(context: Context, request: Any, *, egress: bool) -> Response:
    group = find_group(context, request)
    permissions = requested_permissions(context, request)
    tags = tags_at_creation(context, request, "security-group-rule")
    wanted = parse_rules(context, group, permissions, egress=egress, tags=tags)
    known = {identity(rule) for rule in group.rules}
    for rule in wanted:
        if identity(rule) in known:
            raise AwsError(
                "InvalidPermission.Duplicate",
                f'the specified rule "{_spelt(rule)}" already exists',
            )
        known.add(identity(rule))
    added = with_ids(wanted, context.ids)
    if sum(rule.egress == egress for rule in (*group.rules, *added)) > RULES_PER_GROUP:
        raise AwsError(
            "RulesPerSecurityGroupLimitExceeded",
            "The maximum number of rules per security group has been reached.",
        )
    _put(context, group, (*group.rules, *added))
    items = [rule_item(rule, group, context) for rule in added]
    return {"Return": True, "SecurityGroupRules": items}


def _spelt(rule: SecurityGroupRule) -> str:
    """A rule as EC2's messages spell it."""
    peer = rule.cidr or rule.cidr_ipv6 or rule.prefix_list_id or rule.group_id
    protocol = "ALL" if rule.protocol == "-1" else rule.protocol.upper()
    ports = f", from port: {rule.from_port}, to port: {rule.to_port}" if protocol != "ALL" else ""
    return f"peer: {peer}, {protocol}{ports}, ALLOW"


def authorize_security_group_ingress(context: Context, request: Any) -> Response:
    """Add ingress rules: in IpPermissions, or one in the flat form."""
    return _authorize(context, request, egress=False)


def authorize_security_group_egress(context: Context, request: Any) -> Response:
    """Add egress rules."""
    return _authorize(context, request, egress=True)


def _revoke(context: Context, request: Any, *, egress: bool) -> Response:
    group = find_group(context, request)
    if request.get("SecurityGroupRuleIds"):
        doomed = [_rule(group, rule_id, egress) for rule_id in request["SecurityGroupRuleIds"]]
    else:
        permissions = requested_permissions(context, request)
        wanted = {identity(r) for r in parse_rules(context, group, permissions, egress=egress)}
        doomed = [rule for rule in group.rules if identity(rule) in wanted]
        if len({identity(rule) for rule in doomed}) < len(wanted):
            raise AwsError(
                "InvalidPermission.NotFound",
                "The specified rule does not exist in this security group.",
            )
    _put(context, group, (rule for rule in group.rules if rule not in doomed))
    return {
        "Return": True,
        "RevokedSecurityGroupRules": [_revoked_item(rule, group) for rule in doomed],
    }


def _revoked_item(rule: SecurityGroupRule, group: SecurityGroup) -> dict[str, Any]:
    named = {
        "CidrIpv4": rule.cidr,
        "CidrIpv6": rule.cidr_ipv6,
        "PrefixListId": rule.prefix_list_id,
        "ReferencedGroupId": rule.group_id,
        "Description": rule.description,
    }
    return {
        "SecurityGroupRuleId": rule.id,
        "GroupId": group.id,
        "IsEgress": rule.egress,
        "IpProtocol": rule.protocol,
        "FromPort": rule.from_port,
        "ToPort": rule.to_port,
        **{name: value for name, value in named.items() if value},
    }


def _rule(group: SecurityGroup, rule_id: str, egress: bool | None = None) -> SecurityGroupRule:
    for rule in group.rules:
        if rule.id == rule_id and egress in (None, rule.egress):
            return rule
    raise AwsError(
        "InvalidSecurityGroupRuleId.NotFound",
        f"The security group rule ID '{rule_id}' does not exist",
    )


def revoke_security_group_ingress(context: Context, request: Any) -> Response:
    """Remove ingress rules: by id, in IpPermissions, or one in the flat form."""
    return _revoke(context, request, egress=False)


def revoke_security_group_egress(context: Context, request: Any) -> Response:
    """Remove egress rules."""
    return _revoke(context, request, egress=True)


def _describe_anew(context: Context, request: Any, *, egress: bool) -> Response:
    """Change the descriptions of rules that are named by id or by what they say."""
    group = find_group(context, request)
    texts = {
        _rule(group, given.get("SecurityGroupRuleId", ""), egress).id: given.get("Description", "")
        for given in request.get("SecurityGroupRuleDescriptions") or ()
    }
    if not texts:
        permissions = requested_permissions(context, request)
        wanted = parse_rules(context, group, permissions, egress=egress)
        by_identity = {identity(rule): rule.description for rule in wanted}
        texts = {r.id: by_identity[identity(r)] for r in group.rules if identity(r) in by_identity}
        if len(texts) < len(by_identity):
            raise AwsError(
                "InvalidPermission.NotFound",
                "The specified rule does not exist in this security group.",
            )
    _put(
        context,
        group,
        (
            msgspec.structs.replace(rule, description=texts.get(rule.id, rule.description))
            for rule in group.rules
        ),
    )
    return {"Return": True}


def update_security_group_rule_descriptions_ingress(context: Context, request: Any) -> Response:
    return _describe_anew(context, request, egress=False)


def update_security_group_rule_descriptions_egress(context: Context, request: Any) -> Response:
    return _describe_anew(context, request, egress=True)


def modify_security_group_rules(
    context: Context, request: "ModifySecurityGroupRulesRequestTypeDef"
) -> Response:
    """Put other contents into rules that keep their ids; all of them or none."""
    group = find_group(context, request)
    changed = {}
    for update in request["SecurityGroupRules"]:
        old = _rule(group, update["SecurityGroupRuleId"])
        given = update.get("SecurityGroupRule", {})
        changed[old.id] = _modified(context, group, old, given)
    rules = [changed.get(rule.id, rule) for rule in group.rules]
    if len({identity(rule) for rule in rules}) < len(rules):
        raise AwsError("InvalidPermission.Duplicate", "the specified rule already exists")
    _put(context, group, rules)
    return {"Return": True}


def _modified(
    context: Context,
    group: SecurityGroup,
    old: SecurityGroupRule,
    given: "SecurityGroupRuleRequestTypeDef",
) -> SecurityGroupRule:
    protocol, low, high = checked_ports(
        given.get("IpProtocol", old.protocol), given.get("FromPort"), given.get("ToPort")
    )
    names = {"CidrIpv4": "cidr", "CidrIpv6": "cidr_ipv6", "PrefixListId": "prefix_list_id"}
    peers: dict[str, str] = {field: "" for _, _, field in PEERS}
    for member, field in names.items():
        text = str(given.get(member, ""))
        if text:
            peers[field] = checked_peer(field, text)
    referred = given.get("ReferencedGroupId", "")
    if referred:
        place = (context.account, context.region)
        peers["group_id"] = require(context.tx, SECURITY_GROUP, *place, referred).id
    if sum(bool(value) for value in peers.values()) != 1:
        raise AwsError(
            "InvalidParameterCombination",
            "Exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId is required",
        )
    return msgspec.structs.replace(
        old,
        protocol=protocol,
        from_port=low,
        to_port=high,
        group_account=context.account if referred else "",
        description=given.get("Description", old.description),
        **peers,
    )


def describe_security_group_rules(
    context: Context, request: "DescribeSecurityGroupRulesRequestTypeDef"
) -> Response:
    records = context.tx.scan(SECURITY_GROUP, context.account, context.region)
    items = [rule_item(rule, r.value, context) for r in records for rule in r.value.rules]
    return describe(LISTING, items, request)
