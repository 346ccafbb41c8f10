"""Tags: given at creation, added, removed and listed ("Tag your Amazon EC2 resources")."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import ec2, instances, volumes
from longshore.model.arn import make_arn
from longshore.model.ec2 import Tags
from longshore.model.errors import AwsError
from longshore.model.kind import Kind
from longshore.services.ec2.describing import Listing, describe
from longshore.services.interface import Context, Response
from longshore.vpc.lookup import absent

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        DescribeTagsRequestTypeDef,
    )

MAX_TAGS = 50
MAX_KEY, MAX_VALUE = 127, 255

KINDS: Mapping[str, tuple[Kind[Any], str]] = {
    "vpc": (ec2.VPC, "vpc"),
    "subnet": (ec2.SUBNET, "subnet"),
    "rtb": (ec2.ROUTE_TABLE, "route-table"),
    "igw": (ec2.INTERNET_GATEWAY, "internet-gateway"),
    "sg": (ec2.SECURITY_GROUP, "security-group"),
    "eni": (ec2.NETWORK_INTERFACE, "network-interface"),
    "eipalloc": (ec2.ADDRESS, "elastic-ip"),
    "dopt": (ec2.DHCP_OPTIONS, "dhcp-options"),
    "key": (ec2.KEY_PAIR, "key-pair"),
    "i": (instances.INSTANCE, "instance"),
    "lt": (instances.LAUNCH_TEMPLATE, "launch-template"),
    "vol": (volumes.VOLUME, "volume"),
    "snap": (volumes.SNAPSHOT, "snapshot"),
}
"""By the prefix of an id: the kind, and its resource type."""


def resource_arn(context: Context, resource_type: str, resource_id: str) -> str:
    """Snapshots' ARNs have no account ("Resource types defined by Amazon EC2")."""
    owner = "" if resource_type == "snapshot" else context.account
    return make_arn("ec2", context.region, owner, f"{resource_type}/{resource_id}")


def tag_list(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags]


def tags_at_creation(context: Context, request: Mapping[str, Any], resource_type: str) -> Tags:
    """The tags that a creation gives its resource; asks for ec2:CreateTags where there are any."""
    pairs: dict[str, str] = {}
    for specification in request.get("TagSpecifications") or ():
        given = specification.get("ResourceType", "")
        if given != resource_type:
            raise AwsError(
                "InvalidParameterValue",
                f"'{given}' is not a valid taggable resource type for this operation.",
            )
        for key, value in _pairs(specification.get("Tags") or ()):
            if key in pairs:
                raise AwsError("InvalidParameterValue", f"Duplicate tag key '{key}' specified.")
            pairs[key] = value
    if pairs:
        arn = resource_arn(context, resource_type, "*")
        conditions: dict[str, str | list[str]] = {
            "ec2:CreateAction": context.operation,
            "aws:TagKeys": list(pairs),
        }
        conditions |= {f"aws:RequestTag/{key}": value for key, value in pairs.items()}
        context.authorize("ec2:CreateTags", arn, conditions)
    return _bounded(pairs)


def _pairs(tags: Iterable[Mapping[str, str]]) -> list[tuple[str, str]]:
    pairs = [(tag.get("Key", ""), tag.get("Value", "")) for tag in tags]
    for key, value in pairs:
        if not key or len(key) > MAX_KEY:
            raise AwsError(
                "InvalidParameterValue",
                "Tag key cannot be null or empty"
                if not key
                else f"Tag key exceeds the maximum length of {MAX_KEY} characters",
            )
        if key.lower().startswith("aws:"):
            raise _reserved()
        if len(value) > MAX_VALUE:
            raise AwsError(
                "InvalidParameterValue",
                f"Tag value exceeds the maximum length of {MAX_VALUE} characters",
            )
    return pairs


def _reserved() -> AwsError:
    return AwsError(
        "InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"
    )


def _bounded(pairs: Mapping[str, str]) -> Tags:
    if sum(not key.startswith("aws:") for key in pairs) > MAX_TAGS:
        raise AwsError(
            "TagLimitExceeded",
            f"You have reached the maximum number of tags: {MAX_TAGS} per resource.",
        )
    return tuple(pairs.items())


def create_tags(context: Context, request: Any) -> Response:
    """Add tags to resources, or change their values."""
    fresh = dict(_pairs(request.get("Tags") or ()))
    if not fresh:
        raise AwsError("MissingParameter", "The request must contain the parameter tag")
    _change(context, request["Resources"], lambda tags: {**tags, **fresh})
    return {}


def delete_tags(context: Context, request: Any) -> Response:
    """Remove tags: all of one's own, those of a key, or those of a key with just this value."""
    wanted = list(request.get("Tags") or ())
    for tag in wanted:
        if tag.get("Key", "").lower().startswith("aws:"):
            raise _reserved()

    def keep(tags: Mapping[str, str]) -> dict[str, str]:
        if not wanted:
            return {key: value for key, value in tags.items() if key.startswith("aws:")}
        return {
            key: value
            for key, value in tags.items()
            if not any(tag.get("Key") == key and tag.get("Value", value) == value for tag in wanted)
        }

    _change(context, request["Resources"], keep)
    return {}


def _change(context: Context, resources: Sequence[str], change: Any) -> None:
    for resource_id in resources:
        if resource_id.startswith("sgr-"):
            _change_rule(context, resource_id, change)
            continue
        if resource_id.startswith("vol-") and _change_root_volume(context, resource_id, change):
            continue
        kind, _ = kind_of(resource_id)
        record = context.tx.get(kind, context.account, context.region, resource_id)
        if record is None or getattr(record.value, "deleted", False):
            raise absent(kind, resource_id)
        tags = _bounded(change(dict(record.value.tags)))
        context.tx.put(
            kind,
            context.account,
            context.region,
            resource_id,
            msgspec.structs.replace(record.value, tags=tags),
        )


def _change_rule(context: Context, rule_id: str, change: Any) -> None:
    place = (context.account, context.region)
    for record in context.tx.scan(ec2.SECURITY_GROUP, *place):
        group = record.value
        if any(rule.id == rule_id for rule in group.rules):
            rules = tuple(
                msgspec.structs.replace(rule, tags=_bounded(change(dict(rule.tags))))
                if rule.id == rule_id
                else rule
                for rule in group.rules
            )
            changed = msgspec.structs.replace(group, rules=rules)
            context.tx.put(ec2.SECURITY_GROUP, *place, group.id, changed)
            return
    raise AwsError(
        "InvalidSecurityGroupRuleId.NotFound",
        f"The security group rule ID '{rule_id}' does not exist",
    )


def _change_root_volume(context: Context, volume_id: str, change: Any) -> bool:
    """Change the tags of an instance's root volume; whether it is one."""
    place = (context.account, context.region)
    for record in context.tx.scan(instances.INSTANCE, *place):
        if record.value.root_volume_id == volume_id:
            tags = _bounded(change(dict(record.value.volume_tags)))
            changed = msgspec.structs.replace(record.value, volume_tags=tags)
            context.tx.put(instances.INSTANCE, *place, changed.id, changed)
            return True
    return False


def kind_of(resource_id: str) -> tuple[Kind[Any], str]:
    """The kind and the resource type of an id; AwsError InvalidID."""
    found = KINDS.get(resource_id.split("-", 1)[0])
    if found is None or "-" not in resource_id:
        raise AwsError("InvalidID", f"The ID '{resource_id}' is not valid")
    return found


_LISTING = Listing(
    member="Tags",
    id="ResourceId",
    absent=("", ""),
    tags="",
    filters={
        "key": "Key",
        "value": "Value",
        "resource-id": "ResourceId",
        "resource-type": "ResourceType",
    },
)


def describe_tags(context: Context, request: "DescribeTagsRequestTypeDef") -> Response:
    """Every tag, with what it is on."""
    items = [
        {"Key": key, "Value": value, "ResourceId": resource_id, "ResourceType": resource_type}
        for resource_id, resource_type, tags in _tagged(context)
        for key, value in tags
    ]
    return describe(_LISTING, items, request)


def _tagged(context: Context) -> Iterable[tuple[str, str, Tags]]:
    place = (context.account, context.region)
    for kind, resource_type in KINDS.values():
        for record in context.tx.scan(kind, *place):
            yield record.value.id, resource_type, record.value.tags
    for record in context.tx.scan(ec2.SECURITY_GROUP, *place):
        for rule in record.value.rules:
            yield rule.id, "security-group-rule", rule.tags
    for record in context.tx.scan(instances.INSTANCE, *place):
        yield record.value.root_volume_id, "volume", record.value.volume_tags
