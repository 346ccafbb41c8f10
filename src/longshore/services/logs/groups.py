"""Log groups: create, delete, describe, retention."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model.errors import AwsError, not_built
from longshore.model.logs import (
    LOG_GROUP,
    LOG_STREAM,
    LogGroup,
    log_group_arn,
    stream_key,
)
from longshore.services.interface import Context, Response
from longshore.services.logs.pages import page
from longshore.services.logs.resources import (
    invalid_parameter,
    name_in,
    require_group,
)
from longshore.services.logs.tags import checked
from longshore.store.interface import Record
from longshore.telemetry.interface import LogStore

if TYPE_CHECKING:
    from types_boto3_logs import type_defs as t

RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)
"""What PutRetentionPolicy takes ("PutRetentionPolicy", API reference)."""
PAGE = 50


def create(context: Context, request: "t.CreateLogGroupRequestTypeDef") -> Response:
    name = request["logGroupName"]
    if name.lower().startswith("aws/"):
        raise invalid_parameter("Log groups starting with AWS/ are reserved for AWS.")
    if context.tx.get(LOG_GROUP, context.account, context.region, name) is not None:
        raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists")
    if request.get("kmsKeyId"):
        raise not_built("encryption of log groups with KMS keys")
    group = LogGroup(
        name=name,
        id=context.ids.hex(16),
        created_at=int(context.now * 1000),
        log_class=request.get("logGroupClass", "STANDARD"),
        deletion_protection=request.get("deletionProtectionEnabled", False),
        tags=checked(request.get("tags") or {}),
    )
    context.tx.create(LOG_GROUP, context.account, context.region, name, group)
    return {}


def delete(context: Context, request: "t.DeleteLogGroupRequestTypeDef") -> Response:
    group = require_group(context.tx, context, request).value
    if group.deletion_protection:
        raise AwsError(
            "OperationAbortedException",
            "The log group has deletion protection enabled and cannot be deleted.",
        )
    prefix = stream_key(group.name, "")
    for stream in context.tx.scan(LOG_STREAM, context.account, context.region, prefix=prefix):
        context.tx.delete(LOG_STREAM, context.account, context.region, stream.key.name)
    context.tx.delete(LOG_GROUP, context.account, context.region, group.name)
    return {}


def _change(context: Context, request: Mapping[str, Any], **fields: Any) -> Response:
    group = require_group(context.tx, context, request).value
    changed = msgspec.structs.replace(group, **fields)
    context.tx.put(LOG_GROUP, context.account, context.region, group.name, changed)
    return {}


def put_retention_policy(
    context: Context, request: "t.PutRetentionPolicyRequestTypeDef"
) -> Response:
    days = request["retentionInDays"]
    if days not in RETENTION_DAYS:
        allowed = ", ".join(str(each) for each in RETENTION_DAYS)
        raise invalid_parameter(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy"
            f" constraint: Member must satisfy enum value set: [{allowed}]"
        )
    return _change(context, request, retention_days=days)


def delete_retention_policy(
    context: Context, request: "t.DeleteRetentionPolicyRequestTypeDef"
) -> Response:
    return _change(context, request, retention_days=0)


def put_deletion_protection(context: Context, request: Mapping[str, Any]) -> Response:
    return _change(
        context, request, deletion_protection=bool(request.get("deletionProtectionEnabled"))
    )


async def describe(
    log_store: LogStore, context: Context, request: "t.DescribeLogGroupsRequestTypeDef"
) -> Response:
    found, token = page(
        list(_matching(context, request)), request.get("nextToken"), request.get("limit", PAGE)
    )
    sizes = await log_store.stored_bytes([record.value.id for record in found])
    groups = [_described(context, record.value, sizes[record.value.id]) for record in found]
    return {"logGroups": groups, **({"nextToken": token} if token else {})}


def _matching(
    context: Context, request: "t.DescribeLogGroupsRequestTypeDef"
) -> Iterator[Record[LogGroup]]:
    prefix, part = request.get("logGroupNamePrefix", ""), request.get("logGroupNamePattern", "")
    if prefix and part:
        raise invalid_parameter(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
        )
    wanted = {name_in(each) for each in request.get("logGroupIdentifiers") or ()}
    log_class = request.get("logGroupClass")
    reader = context.store.reader
    for record in reader.scan(LOG_GROUP, context.account, context.region, prefix=prefix):
        group = record.value
        if part.lower() not in group.name.lower() or (wanted and group.name not in wanted):
            continue
        if log_class in {None, group.log_class}:
            yield record


def _described(context: Context, group: LogGroup, stored: int) -> dict[str, Any]:
    arn = log_group_arn(context.account, context.region, group.name)
    described: dict[str, Any] = {
        "logGroupName": group.name,
        "creationTime": group.created_at,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "storedBytes": stored,
        "logGroupClass": group.log_class,
        "logGroupArn": arn,
        "deletionProtectionEnabled": group.deletion_protection,
    }
    if group.retention_days:
        described["retentionInDays"] = group.retention_days
    return described
