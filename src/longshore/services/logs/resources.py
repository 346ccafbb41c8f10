"""Log groups and streams of a call: found by name or ARN, or refused in AWS's words.

Resource ARNs as in "Actions, resources, and condition keys for Amazon CloudWatch Logs" (Service
Authorization Reference).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from longshore.model.arn import parse_arn
from longshore.model.errors import AwsError
from longshore.model.logs import (
    LOG_GROUP,
    LOG_STREAM,
    LogGroup,
    LogStream,
    log_group_arn,
    log_stream_arn,
    stream_key,
)
from longshore.services.interface import Context, Resource
from longshore.store.interface import Reader, Record


def invalid_parameter(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def not_found(what: str) -> AwsError:
    """`what` is `log group` or `log stream`."""
    return AwsError("ResourceNotFoundException", f"The specified {what} does not exist.")


def group_name(request: Mapping[str, Any]) -> str:
    """The group that a request names, by `logGroupName`, by `logGroupIdentifier` or by ARN."""
    name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
    if name and identifier:
        raise invalid_parameter(
            "LogGroup name and LogGroup ARN are mutually exclusive parameters. Specify one."
        )
    if not (name or identifier or request.get("resourceArn")):
        raise invalid_parameter("Either logGroupName or logGroupIdentifier must be specified.")
    return str(name) if name else name_in(str(identifier or request.get("resourceArn")))


def name_in(identifier: str) -> str:
    """The group's name in a name or an ARN (with or without `:*` behind it)."""
    arn = parse_arn(identifier)
    if arn is None:
        return identifier
    if arn.service != "logs" or not arn.resource.startswith("log-group:"):
        raise invalid_parameter(f"Invalid ARN: {identifier}")
    return arn.resource.removeprefix("log-group:").split(":", 1)[0]


def owner_of(identifier: str, context: Context) -> str:
    """The account of a group: the ARN's, or the caller's."""
    arn = parse_arn(identifier)
    return arn.account if arn is not None else context.account


def require_group(reader: Reader, context: Context, request: Mapping[str, Any]) -> Record[LogGroup]:
    identifier = str(request.get("logGroupIdentifier") or request.get("resourceArn") or "")
    if owner_of(identifier, context) != context.account:
        raise not_found("log group")
    record = reader.get(LOG_GROUP, context.account, context.region, group_name(request))
    if record is None:
        raise not_found("log group")
    return record


def require_stream(
    reader: Reader, context: Context, group: LogGroup, stream: str
) -> Record[LogStream]:
    key = stream_key(group.name, stream)
    record = reader.get(LOG_STREAM, context.account, context.region, key)
    if record is None:
        raise not_found("log stream")
    return record


def log_group(context: Context, request: Any) -> Iterable[Resource]:
    """The group of a call, with its tags."""
    name = group_name(request)
    record = context.tx.get(LOG_GROUP, context.account, context.region, name)
    tags = record.value.tags if record is not None else tuple((request.get("tags") or {}).items())
    yield Resource(
        arn=log_group_arn(context.account, context.region, name),
        conditions={f"aws:ResourceTag/{key}": value for key, value in tags}
        if record is not None
        else {},
    )


def log_stream(context: Context, request: Any) -> Iterable[Resource]:
    """The stream of a call."""
    yield Resource(
        arn=log_stream_arn(
            context.account, context.region, group_name(request), request["logStreamName"]
        )
    )


def all_log_groups(context: Context, request: Any) -> Iterable[Resource]:
    """DescribeLogGroups is asked for all groups of the region at once."""
    del request
    yield Resource(arn=log_group_arn(context.account, context.region, "*"))
