"""CloudWatch Logs: groups and streams as records, events in the log store.

Enters: calls of the Logs API, the agent's batches among them. Leaves: records of groups and
streams, events in telemetry. What is deleted here is removed from telemetry by
`controllers/log_retention`.
"""

from functools import partial

from longshore.services.interface import Service
from longshore.services.logs import events, filtering, groups, resources, streams, tags
from longshore.telemetry.interface import LogStore

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
            "DescribeLogGroups": partial(groups.describe, log_store),
            "DescribeLogStreams": partial(streams.describe, log_store),
            "FilterLogEvents": partial(filtering.filter_events, log_store),
            "GetLogEvents": partial(events.get, log_store),
            "PutLogEvents": partial(events.put, log_store),
        },
        resources={
            **dict.fromkeys(GROUP_OPERATIONS, resources.log_group),
            **dict.fromkeys(STREAM_OPERATIONS, resources.log_stream),
            "DescribeLogGroups": resources.all_log_groups,
        },
    )
