"""AddTags, RemoveTags, DescribeTags."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from longshore.model.elbv2 import Listener, LoadBalancer, Tags, TargetGroup, record_of
from longshore.services.elbv2.checks import bounded, tag_pairs
from longshore.services.elbv2.failures import invalid
from longshore.services.elbv2.records import (
    listener_of,
    load_balancer_of,
    put_listener,
    put_load_balancer,
    put_target_group,
    target_group_of,
)
from longshore.services.interface import Context, Operation, Response

Tagged = LoadBalancer | Listener | TargetGroup
Request = Mapping[str, Any]
MOST_RESOURCES = 20


def authorize_tags(context: Context, arn: str, tags: Tags) -> None:
    """Who makes something with tags must be allowed to tag it, too."""
    if not tags:
        return
    conditions: dict[str, str | list[str]] = {
        "elasticloadbalancing:CreateAction": context.operation,
        "aws:TagKeys": [key for key, _ in tags],
    }
    conditions |= {f"aws:RequestTag/{key}": value for key, value in tags}
    context.authorize("elasticloadbalancing:AddTags", arn, conditions)


def tagged_by(context: Context, arn: str) -> Tagged:
    """The resource of this ARN, or the error that there is none."""
    kind, _ = record_of(arn)
    if kind == "loadbalancer":
        return load_balancer_of(context, arn)
    if kind == "listener":
        return listener_of(context, arn)
    if kind == "targetgroup":
        return target_group_of(context, arn)
    raise invalid(f"'{arn}' is not a valid load balancer, target group or listener ARN")


def _put(context: Context, value: Tagged) -> None:
    if isinstance(value, LoadBalancer):
        put_load_balancer(context, value)
    elif isinstance(value, Listener):
        put_listener(context, value)
    else:
        put_target_group(context, value)


def add_tags(context: Context, request: Request) -> Response:
    fresh = dict(tag_pairs(request["Tags"]))
    for found in _resources(context, request["ResourceArns"]):
        tags = bounded(tuple({**dict(found.tags), **fresh}.items()))
        _put(context, msgspec.structs.replace(found, tags=tags))
    return {}


def remove_tags(context: Context, request: Request) -> Response:
    gone = set(request["TagKeys"])
    for found in _resources(context, request["ResourceArns"]):
        tags = tuple(pair for pair in found.tags if pair[0] not in gone)
        _put(context, msgspec.structs.replace(found, tags=tags))
    return {}


def describe_tags(context: Context, request: Request) -> Response:
    return {
        "TagDescriptions": [
            {
                "ResourceArn": found.arn,
                "Tags": [{"Key": key, "Value": value} for key, value in found.tags],
            }
            for found in _resources(context, request["ResourceArns"])
        ]
    }


def _resources(context: Context, arns: Sequence[str]) -> list[Tagged]:
    if len(arns) > MOST_RESOURCES:
        raise invalid(f"You can specify up to {MOST_RESOURCES} resources")
    return [tagged_by(context, arn) for arn in dict.fromkeys(arns)]


OPERATIONS: Mapping[str, Operation] = {
    "AddTags": add_tags,
    "DescribeTags": describe_tags,
    "RemoveTags": remove_tags,
}
