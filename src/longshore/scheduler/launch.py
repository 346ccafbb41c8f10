"""A new task's record, from its definition and what is asked for; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longshore.base.ids import Ids
from longshore.model.ecs import (
    ContainerStatus,
    Document,
    Tags,
    Task,
    TaskDefinition,
    TaskNetwork,
)
from longshore.scheduler.demand import host_ports, overridden, task_size

FARGATE_STORAGE = 20
"""GiB that a Fargate task has without asking ("Fargate task ephemeral storage")."""
PLATFORM_VERSION = "1.4.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What is asked of one task, or of each of several."""

    cluster: str
    cluster_arn: str
    launch_type: str
    group: str
    service: str = ""
    deployment_id: str = ""
    started_by: str = ""
    capacity_provider: str = ""
    platform_version: str = ""
    overrides: Document
    network: TaskNetwork | None = None
    constraints: tuple[Document, ...] = ()
    execute_command: bool = False
    tags: Tags = ()


def new_task(
    launch: Launch, definition: TaskDefinition, ids: Ids, now: float, instance_arn: str = ""
) -> Task:
    """The record of a task that is to run; `instance_arn` where its place is chosen already."""
    document = overridden(definition.document, launch.overrides)
    task_id = ids.hex(32)
    arn_head = launch.cluster_arn.replace(":cluster/", ":task/")
    cpu, memory = task_size(document)
    tcp, udp = host_ports(document)
    fargate = launch.launch_type == "FARGATE"
    mode = document.get("networkMode") or "bridge"
    return Task(
        id=task_id,
        arn=f"{arn_head}/{task_id}",
        cluster=launch.cluster,
        cluster_arn=launch.cluster_arn,
        definition_arn=definition.arn,
        created_at=now,
        launch_type=launch.launch_type,
        network_mode=mode,
        cpu=cpu,
        memory=memory,
        tcp_ports=tcp,
        udp_ports=udp,
        cpu_text=str(cpu),
        memory_text=str(memory),
        group=launch.group,
        service=launch.service,
        deployment_id=launch.deployment_id,
        started_by=launch.started_by,
        capacity_provider=launch.capacity_provider,
        platform_version=_platform(launch.platform_version) if fargate else "",
        platform_family="Linux" if fargate else "",
        overrides=launch.overrides,
        network=launch.network,
        constraints=(*launch.constraints, *document.get("placementConstraints", ())),
        instance_arn=instance_arn,
        task_role_arn=document.get("taskRoleArn") or "",
        execution_role_arn=document.get("executionRoleArn") or "",
        task_credentials_id=ids.uuid(),
        execution_credentials_id=ids.uuid(),
        ephemeral_storage=_storage(document) if fargate else 0,
        execute_command=launch.execute_command,
        tags=launch.tags,
        containers=tuple(
            _container(arn_head, task_id, ids, container)
            for container in document["containerDefinitions"]
        ),
        last_status="PROVISIONING" if mode == "awsvpc" else "PENDING",
    )


def _platform(version: str) -> str:
    return PLATFORM_VERSION if version in {"", "LATEST"} else version


def _storage(document: Document) -> int:
    stated = document.get("ephemeralStorage") or {}
    return int(stated.get("sizeInGiB") or FARGATE_STORAGE)


def _container(
    arn_head: str, task_id: str, ids: Ids, container: Mapping[str, Any]
) -> ContainerStatus:
    container_id = ids.uuid()
    head = arn_head.replace(":task/", ":container/")
    return ContainerStatus(
        id=f"{head}/{task_id}/{container_id}",
        name=container["name"],
        image=container["image"],
        cpu=str(container.get("cpu") or 0),
        memory=str(container.get("memory") or ""),
        memory_reservation=str(container.get("memoryReservation") or ""),
        essential=container.get("essential", True),
    )
