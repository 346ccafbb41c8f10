"""Tags of groups: given, removed, listed ("Tag Auto Scaling groups and instances")."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from longshore.model.auto_scaling import AUTO_SCALING_GROUP, AutoScalingGroup, GroupTag
from longshore.services.autoscaling.failures import invalid, limit_exceeded, no_group
from longshore.services.autoscaling.pages import page
from longshore.services.autoscaling.records import (
    changeable_group,
    find_group,
    put_group,
)
from longshore.services.interface import Context, Operation, Response

Document = Mapping[str, Any]

GROUP = "auto-scaling-group"
MOST_TAGS = 50


def given_tags(context: Context, tags: Iterable[Document], name: str) -> tuple[GroupTag, ...]:
    """The tags of a group that is made."""
    for tag in tags:
        if tag.get("ResourceId") not in {None, "", name}:
            raise invalid("Tag resourceId must match the name of the AutoScalingGroup.")
    return merged((), tags)


def merged(before: Sequence[GroupTag], given: Iterable[Document]) -> tuple[GroupTag, ...]:
    """`before` with the tags `given` over them."""
    kept = {tag.key: tag for tag in before}
    for tag in given:
        if tag.get("ResourceType") not in {None, "", GROUP}:
            raise invalid(f"Invalid tag resource type: {tag['ResourceType']}")
        if tag["Key"].lower().startswith("aws:"):
            raise invalid("Tag keys starting with 'aws:' are reserved for internal use")
        kept[tag["Key"]] = GroupTag(
            tag["Key"], tag.get("Value") or "", bool(tag.get("PropagateAtLaunch"))
        )
    if len(kept) > MOST_TAGS:
        raise limit_exceeded(f"You have reached the maximum number of tags: {MOST_TAGS}.")
    return tuple(kept.values())


def _by_group(context: Context, tags: Iterable[Document]) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = {}
    for tag in tags:
        name = tag.get("ResourceId") or ""
        if find_group(context, name) is None:
            raise no_group(name)
        found.setdefault(name, []).append(tag)
    return found


def create_or_update_tags(context: Context, request: Document) -> Response:
    for name, tags in _by_group(context, request["Tags"]).items():
        group = changeable_group(context, name)
        put_group(context, msgspec.structs.replace(group, tags=merged(group.tags, tags)))
    return {}


def delete_tags(context: Context, request: Document) -> Response:
    """Tags are removed by key, and only with their value where the request has one."""
    for name, tags in _by_group(context, request["Tags"]).items():
        group = changeable_group(context, name)
        left = tuple(tag for tag in group.tags if not any(_is_meant(tag, each) for each in tags))
        put_group(context, msgspec.structs.replace(group, tags=left))
    return {}


def _is_meant(tag: GroupTag, given: Document) -> bool:
    return tag.key == given["Key"] and given.get("Value") in {None, "", tag.value}


def tag_shapes(group: AutoScalingGroup) -> list[dict[str, Any]]:
    return [
        {
            "ResourceId": group.name,
            "ResourceType": GROUP,
            "Key": tag.key,
            "Value": tag.value,
            "PropagateAtLaunch": tag.propagate,
        }
        for tag in sorted(group.tags, key=lambda tag: tag.key)
    ]


def describe_tags(context: Context, request: Document) -> Response:
    filters = request.get("Filters") or ()
    for each in filters:
        if each.get("Name") not in _FILTERED:
            raise invalid(f"Filter type {each.get('Name')} is not correct. Allowed Filter types "
                          "are: auto-scaling-group, key, value, propagate-at-launch")  # fmt: skip
    groups = context.tx.scan(AUTO_SCALING_GROUP, context.account, context.region)
    tags = [tag for record in groups for tag in tag_shapes(record.value)]
    found = [tag for tag in tags if all(_passes(tag, each) for each in filters)]
    some, token = page(found, request, lambda tag: f"{tag['ResourceId']} {tag['Key']}")
    return {"Tags": list(some), **token}


_FILTERED = {
    "auto-scaling-group": "ResourceId",
    "key": "Key",
    "propagate-at-launch": "PropagateAtLaunch",
    "value": "Value",
}


def _passes(tag: Document, given: Document) -> bool:
    value = tag[_FILTERED[given["Name"]]]
    text = str(value).lower() if isinstance(value, bool) else value
    return text in (given.get("Values") or ())


OPERATIONS: Mapping[str, Operation] = {
    "CreateOrUpdateTags": create_or_update_tags,
    "DeleteTags": delete_tags,
    "DescribeTags": describe_tags,
}
