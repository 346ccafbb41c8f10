"""The health of containers that have checks, as PublishHealthRequest carries it: pure."""

from collections.abc import Iterable, Sequence

from longshore.agent.records import TaskRecord
from longshore.nodeapi import tcs

TASKS_A_MESSAGE = 10


def health_of(records: Iterable[TaskRecord]) -> dict[str, tcs.TaskHealth]:
    """By task ARN; tasks without checks are left out."""
    found = {}
    for record in records:
        containers = tuple(
            tcs.ContainerHealth(
                container_name=container.name,
                health_status=record.containers[container.name].health,
                status_since=record.containers[container.name].health_since or None,
            )
            for container in record.task.containers
            if container.health_check_type == "docker"
        )
        if containers:
            found[record.task.arn] = tcs.TaskHealth(
                task_arn=record.task.arn,
                task_definition_family=record.task.family,
                task_definition_version=record.task.version,
                containers=containers,
            )
    return found


def news(said: dict[str, tcs.TaskHealth], known: dict[str, tcs.TaskHealth]) -> list[tcs.TaskHealth]:
    """The tasks whose health differs from what was said last."""
    return [health for arn, health in known.items() if said.get(arn) != health]


def health_messages(
    healths: Sequence[tcs.TaskHealth], metadata: tcs.HealthMetadata, now: float
) -> list[tcs.PublishHealthRequest]:
    """Messages of at most ten tasks; none where there is nothing to say."""
    starts = range(0, len(healths), TASKS_A_MESSAGE)
    return [
        tcs.PublishHealthRequest(
            metadata=tcs.HealthMetadata(
                cluster=metadata.cluster,
                container_instance=metadata.container_instance,
                message_id=metadata.message_id,
                fin=start == starts[-1],
            ),
            tasks=tuple(healths[start : start + TASKS_A_MESSAGE]),
            timestamp=now,
        )
        for start in starts
    ]
