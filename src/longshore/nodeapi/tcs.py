"""TCS, the telemetry channel between ECS and its agents, as the Amazon ECS agent speaks it.

What an agent sends is an HTTP header block (it signs each frame), an empty line and then the frame;
what it is sent is the frame alone. `timestamp` and `status_since` are epoch seconds.
"""

from typing import Any

import msgspec

from longshore.nodeapi import frames
from longshore.nodeapi.acs import HeartbeatMessage, Message
from longshore.nodeapi.frames import by_name

HEADERS_END = b"\r\n\r\n"


class StatsSet(Message, frozen=True, kw_only=True):
    """Samples of one quantity since the last message."""

    min: float = 0.0
    max: float = 0.0
    sum: float = 0.0
    sample_count: int = 0


class NetworkStatsSet(Message, frozen=True, kw_only=True):
    rx_bytes: StatsSet | None = None
    tx_bytes: StatsSet | None = None


class StorageStatsSet(Message, frozen=True, kw_only=True):
    read_size_bytes: StatsSet | None = None
    write_size_bytes: StatsSet | None = None


class RestartStatsSet(Message, frozen=True, kw_only=True):
    restart_count: int = 0


class ContainerMetric(Message, frozen=True, kw_only=True):
    """CPU in percent of a vCPU, memory in MiB."""

    container_name: str
    cpu_stats_set: StatsSet | None = None
    memory_stats_set: StatsSet | None = None
    network_stats_set: NetworkStatsSet | None = None
    storage_stats_set: StorageStatsSet | None = None
    restart_stats_set: RestartStatsSet | None = None


class TaskMetric(Message, frozen=True, kw_only=True):
    task_arn: str
    task_definition_family: str = ""
    task_definition_version: str = ""
    container_metrics: tuple[ContainerMetric, ...] = ()


class MetricsMetadata(Message, frozen=True, kw_only=True):
    """`fin` marks the last of the messages that together cover all tasks."""

    cluster: str = ""
    container_instance: str = ""
    message_id: str = ""
    idle: bool = False
    fin: bool = True


class PublishMetricsRequest(Message, frozen=True, kw_only=True):
    """At most ten tasks."""

    metadata: MetricsMetadata
    task_metrics: tuple[TaskMetric, ...] = ()
    instance_metrics: msgspec.Raw | None = None
    timestamp: Any = None


class ContainerHealth(Message, frozen=True, kw_only=True):
    """`health_status` is HEALTHY, UNHEALTHY or UNKNOWN."""

    container_name: str
    health_status: str = "UNKNOWN"
    status_since: Any = None


class TaskHealth(Message, frozen=True, kw_only=True):
    task_arn: str
    task_definition_family: str = ""
    task_definition_version: str = ""
    containers: tuple[ContainerHealth, ...] = ()


class HealthMetadata(Message, frozen=True, kw_only=True):
    cluster: str = ""
    container_instance: str = ""
    message_id: str = ""
    fin: bool = True


class PublishHealthRequest(Message, frozen=True, kw_only=True):
    """The health of the containers that have checks."""

    metadata: HealthMetadata
    tasks: tuple[TaskHealth, ...] = ()
    timestamp: Any = None


class InstanceStatusMetadata(Message, frozen=True, kw_only=True):
    cluster: str = ""
    container_instance: str = ""
    request_id: str = ""


class InstanceStatus(Message, frozen=True, kw_only=True):
    """`type` is `ContainerRuntime`; `status` OK or IMPAIRED."""

    type: str = "ContainerRuntime"
    status: str = "OK"
    last_status_change: Any = None
    last_updated: Any = None


class PublishInstanceStatusRequest(Message, frozen=True, kw_only=True):
    metadata: InstanceStatusMetadata
    statuses: tuple[InstanceStatus, ...] = ()
    timestamp: Any = None


class AckPublishMetric(Message, frozen=True, kw_only=True):
    message: str = ""


class AckPublishHealth(Message, frozen=True, kw_only=True):
    message: str = ""


class AckPublishInstanceStatus(Message, frozen=True, kw_only=True):
    message: str = ""


TO_AGENT = by_name(AckPublishMetric, AckPublishHealth, AckPublishInstanceStatus, HeartbeatMessage)
FROM_AGENT = by_name(PublishMetricsRequest, PublishHealthRequest, PublishInstanceStatusRequest)


def encode_signed(message: msgspec.Struct, headers: dict[str, str]) -> bytes:
    """A frame as an agent sends it."""
    block = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return block.encode("latin-1") + b"\r\n" + frames.encode(message).encode()


def decode_signed(text: str | bytes) -> Any:
    """The message of an agent's frame, with or without headers; raises `FrameError`."""
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    head, mark, body = content.partition(HEADERS_END)
    return frames.decode(body if mark else head, FROM_AGENT)
