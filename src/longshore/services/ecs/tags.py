"""Tags: checks, shapes, and the operations on any tagged resource."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from longshore.model.arn import parse_arn
from longshore.model.ecs import (
    CLUSTER,
    CONTAINER_INSTANCE,
    SERVICE,
    TASK,
    TASK_DEFINITION,
    Tags,
    definition_name,
)
from longshore.model.errors import AwsError
from longshore.model.kind import Kind
from longshore.services.ecs.naming import invalid
from longshore.services.interface import Context, Response
from longshore.store.interface import Record

MOST_TAGS = 50
LONGEST_KEY = 128
LONGEST_VALUE = 256
RESERVED = "aws:"


def read_tags(tags: Iterable[Mapping[str, Any]] | None) -> Tags:
    """Tags of a request; InvalidParameterException ("Tag restrictions", ECS Developer Guide)."""
    found: dict[str, str] = {}
    for tag in tags or ():
        key, value = tag.get("key") or "", tag.get("value") or ""
        if not key:
            raise invalid("Tag key must not be empty.")
        if key.lower().startswith(RESERVED):
            raise invalid("Tag keys and values cannot start with aws:")
        if len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise invalid("The tag key or value is too long.")
        if key in found:
            raise invalid("Duplicate tag keys found. Please note that Tag keys are case sensitive.")
        found[key] = value
    if len(found) > MOST_TAGS:
        raise invalid("Too many tags: the limit is 50.")
    return tuple(found.items())


def show_tags(tags: Tags) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags]


def merge_tags(*groups: Tags) -> Tags:
    """Later ones win."""
    return tuple({key: value for group in groups for key, value in group}.items())


KINDS: Mapping[str, Kind[Any]] = {
    "cluster": CLUSTER,
    "task": TASK,
    "service": SERVICE,
    "container-instance": CONTAINER_INSTANCE,
    "task-definition": TASK_DEFINITION,
}


def _tagged(context: Context, text: str) -> tuple[Kind[Any], Record[Any]]:
    arn = parse_arn(text)
    if arn is None or arn.service != "ecs" or arn.resource_type not in KINDS:
        raise invalid(f"Invalid resource ARN: {text}")
    if arn.account != context.account or arn.region != context.region:
        raise invalid(f"The ARN is for a different account or region: {text}")
    kind, name = KINDS[arn.resource_type], arn.resource.partition("/")[2]
    if kind is TASK_DEFINITION:
        family, _, revision = name.rpartition(":")
        name = definition_name(family, int(revision)) if revision.isdecimal() else name
    record = context.tx.get(kind, context.account, context.region, name)
    if record is None:
        raise _not_found(arn.resource_type)
    return kind, record


def _not_found(resource_type: str) -> AwsError:
    match resource_type:
        case "cluster":
            return AwsError("ClusterNotFoundException", "Cluster not found.")
        case "service":
            return AwsError("ServiceNotFoundException", "Service not found.")
    return invalid(f"The specified {resource_type.replace('-', ' ')} does not exist.")


def tag_resource(context: Context, request: Any) -> Response:
    kind, record = _tagged(context, request["resourceArn"])
    tags = merge_tags(record.value.tags, read_tags(request.get("tags")))
    if len(tags) > MOST_TAGS:
        raise invalid("Too many tags: the limit is 50.")
    _put(context, kind, record, tags)
    return {}


def untag_resource(context: Context, request: Any) -> Response:
    kind, record = _tagged(context, request["resourceArn"])
    gone = set(request["tagKeys"])
    _put(context, kind, record, tuple(tag for tag in record.value.tags if tag[0] not in gone))
    return {}


def list_tags_for_resource(context: Context, request: Any) -> Response:
    _, record = _tagged(context, request["resourceArn"])
    return {"tags": show_tags(record.value.tags)}


def _put(context: Context, kind: Kind[Any], record: Record[Any], tags: Tags) -> None:
    changed = msgspec.structs.replace(record.value, tags=tags)
    context.tx.put(kind, context.account, context.region, record.key.name, changed)
