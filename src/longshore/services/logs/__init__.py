"""CloudWatch Logs: groups and streams as records, events in the log store.

Enters: calls of the Logs API, the agent's batches among them. Leaves: records of groups and
streams, events in telemetry. What is deleted here is removed from telemetry by
`controllers/log_retention`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from longshore.model.errors import AwsError
from longshore.services.interface import Context, Service
from longshore.services.logs import events, filtering, groups, resources, streams, tags
from longshore.telemetry.interface import LogStore, LogStoreUnavailable

GROUP_OPERATIONS = (
    "CreateLogGroup",
    "CreateLogStream",
    "DeleteLogGroup",
    "DeleteRetentionPolicy",
    "DescribeLogStreams",
    "FilterLogEvents",
    "ListTagsForResource",
    "ListTagsLogGroup",
    "PutLogGroupDeletionProtection",
    "PutRetentionPolicy",
    "TagLogGroup",
    "TagResource",
    "UntagLogGroup",
    "UntagResource",
)
STREAM_OPERATIONS = ("DeleteLogStream", "GetLogEvents", "PutLogEvents")


def service(log_store: LogStore) -> Service:
    """The service over a log store."""
    return Service(
        name="logs",
        iam_prefix="logs",
        operations={
            "CreateLogGroup": groups.create,
            "CreateLogStream": streams.create,
            "DeleteLogGroup": groups.delete,
            "DeleteLogStream": streams.delete,
            "DeleteRetentionPolicy": groups.delete_retention_policy,
            "ListTagsForResource": tags.list_for_resource,
            "ListTagsLogGroup": tags.list_of_group,
            "PutLogGroupDeletionProtection": groups.put_deletion_protection,
            "PutRetentionPolicy": groups.put_retention_policy,
            "TagLogGroup": tags.tag_group,
            "TagResource": tags.tag_resource,
            "TestMetricFilter": filtering.test_pattern,
            "UntagLogGroup": tags.untag_group,
            "UntagResource": tags.untag_resource,
        },
        waiting={
            "DescribeLogGroups": _with(log_store, groups.describe),
            "DescribeLogStreams": _with(log_store, streams.describe),
            "FilterLogEvents": _with(log_store, filtering.filter_events),
            "GetLogEvents": _with(log_store, events.get),
            "PutLogEvents": _with(log_store, events.put),
        },
        resources={
            **dict.fromkeys(GROUP_OPERATIONS, resources.log_group),
            **dict.fromkeys(STREAM_OPERATIONS, resources.log_stream),
            "DescribeLogGroups": resources.all_log_groups,
        },
    )


def _with(log_store: LogStore, operation: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """The operation over this log store; ServiceUnavailableException where that cannot be used."""

    async def answer(context: Context, request: Mapping[str, Any]) -> Any:
        try:
            return await operation(log_store, context, request)
        except LogStoreUnavailable as error:
            raise AwsError("ServiceUnavailableException", str(error), status=500) from error

    return answer
