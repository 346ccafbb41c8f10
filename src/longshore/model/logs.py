"""What CloudWatch Logs keeps as records: log groups and log streams. Events are in telemetry.

`id` is what telemetry knows a group or stream by; one created anew under an old name has another.
Times are epoch milliseconds, as in the service's API.
"""

import msgspec

from longshore.model.arn import make_arn
from longshore.model.kind import Kind

Tags = tuple[tuple[str, str], ...]


class LogGroup(msgspec.Struct, frozen=True, kw_only=True):
    """`retention_days` 0 keeps events for ever."""

    name: str
    id: str
    created_at: int
    retention_days: int = 0
    log_class: str = "STANDARD"
    deletion_protection: bool = False
    tags: Tags = ()


class Delivery(msgspec.Struct, frozen=True):
    """A stream of another account, by names; without a group none, and events go nowhere."""

    account: str
    group: str = ""
    stream: str = ""
    since: int = 0
    """What is older (epoch milliseconds) goes nowhere either."""


class LogStream(msgspec.Struct, frozen=True, kw_only=True):
    group: str
    name: str
    id: str
    created_at: int
    delivery: Delivery | None = None
    """Where everything goes that is put into it, which keeps nothing itself. Streams of Longshore's
    own account have one, whose tasks log for others."""


LOG_GROUP = Kind("logs.log-group", LogGroup)
LOG_STREAM = Kind("logs.log-stream", LogStream, {"id": lambda stream: [stream.id]})


def stream_key(group: str, stream: str) -> str:
    """The record name of a stream; no group's name has a colon."""
    return f"{group}:{stream}"


def log_group_arn(account: str, region: str, group: str) -> str:
    """Without the `:*` that DescribeLogGroups puts at the end of `arn`."""
    return make_arn("logs", region, account, f"log-group:{group}")


def log_stream_arn(account: str, region: str, group: str, stream: str) -> str:
    return f"{log_group_arn(account, region, group)}:log-stream:{stream}"
