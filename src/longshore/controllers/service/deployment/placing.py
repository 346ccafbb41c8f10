"""New tasks of services: where there is room for them now."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from longshore.base.ids import Ids
from longshore.model.ecs import (
    TASK,
    TASK_DEFINITION,
    Service,
    Tags,
    Task,
    TaskDefinition,
    definition_of_arn,
)
from longshore.model.eks import SYSTEM_ACCOUNT
from longshore.scheduler.columns import Columns
from longshore.scheduler.demand import Demand, demand_of
from longshore.scheduler.feasible import feasible
from longshore.scheduler.launch import Launch, new_task
from longshore.scheduler.plan import Plan, plan
from longshore.scheduler.reservation import claim
from longshore.scheduler.view import cluster_columns, fargate_columns, host_columns
from longshore.store.interface import Key, Reader, Transaction

NO_CAPACITY = "Capacity is unavailable at this time"
NO_INSTANCES = "No Container Instances were found in your cluster"
SPREAD = (
    {"type": "spread", "field": "attribute:ecs.availability-zone"},
    {"type": "spread", "field": "instanceId"},
)
DISTINCT = ({"type": "distinctInstance"},)
WORDS = {
    "AGENT": "The container agent is disconnected",
    "ATTRIBUTE": "An attribute required by the task is missing",
    "RESOURCE:CPU": "There was insufficient CPU available",
    "RESOURCE:MEMORY": "There was insufficient memory available",
    "RESOURCE:PORTS": "A port required by the task is in use",
}


class Placing:
    """Makes tasks of a service's primary deployment."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    def start(
        self,
        tx: Transaction,
        key: Key,
        service: Service,
        count: int,
        now: float,
        live: Sequence[Task],
    ) -> tuple[list[str], str]:
        """Ids of the tasks that were written, and why there are no more of them."""
        definition = definition_of(tx, key, service)
        if definition is None:
            return [], "The task definition is gone"
        launch = _launch(service, definition)
        draft = new_task(launch, definition, self._ids, now)
        fargate = launch.launch_type == "FARGATE"
        demand = demand_of(draft, () if fargate else definition.requires_attributes)
        columns = _places(tx, key, service, fargate=fargate)
        strategies = service.placement_strategy or SPREAD
        chosen = plan(columns, demand, count, () if fargate else strategies, self._draw)
        made = []
        for instance in chosen.instances:
            place = "" if fargate else instance
            task = new_task(launch, definition, self._ids, now, place)
            tx.create(TASK, key.account, key.region, task.name, task)
            if place:
                claim(tx, place, task, key.account, key.region)
            made.append(task.id)
        return made, _reason(chosen, count, fargate=fargate)

    def _draw(self, below: int) -> int:
        return int(self._ids.hex(8), 16) % below

    def daemon_count(
        self, tx: Transaction, key: Key, service: Service, live: Sequence[Task]
    ) -> int:
        """Instances that run the daemon or could."""
        definition = definition_of(tx, key, service)
        if definition is None:
            return len(live)
        draft = new_task(_launch(service, definition), definition, self._ids, 0.0)
        columns = cluster_columns(tx, key.account, key.region, service.cluster)
        return _daemon_places(columns, demand_of(draft, definition.requires_attributes), live)


def _places(reader: Reader, key: Key, service: Service, *, fargate: bool) -> Columns:
    """Where the service's tasks may run; those of EKS's own account on any host."""
    if fargate:
        return fargate_columns(reader)
    if key.account == SYSTEM_ACCOUNT:
        return host_columns(reader)
    return cluster_columns(reader, key.account, key.region, service.cluster)


def _daemon_places(columns: Columns, demand: Demand, live: Sequence[Task]) -> int:
    allowed, _ = feasible(columns, demand)
    taken = {task.instance_arn for task in live}
    free = {columns.rows[int(position)].arn for position in np.flatnonzero(allowed)}
    return len(free | taken)


def definition_of(reader: Reader, key: Key, service: Service) -> TaskDefinition | None:
    """The primary deployment's task definition."""
    name = definition_of_arn(service.deployments[-1].definition_arn)
    record = reader.get(TASK_DEFINITION, key.account, key.region, name)
    return record.value if record is not None else None


def _launch(service: Service, definition: TaskDefinition) -> Launch:
    deployment = service.deployments[-1]
    strategy: Sequence[Mapping[str, Any]] = deployment.strategy
    daemon = service.scheduling == "DAEMON"
    return Launch(
        cluster=service.cluster,
        cluster_arn=service.cluster_arn,
        launch_type=deployment.launch_type,
        group=f"service:{service.name}",
        service=service.name,
        deployment_id=deployment.id,
        started_by=deployment.id,
        capacity_provider=strategy[0]["capacityProvider"] if strategy else "",
        platform_version=deployment.platform_version,
        overrides={},
        network=deployment.network,
        constraints=(*service.constraints, *(DISTINCT if daemon else ())),
        execute_command=service.execute_command,
        tags=_tags(service, definition),
    )


def _tags(service: Service, definition: TaskDefinition) -> Tags:
    sources: dict[str, Tags] = {
        "SERVICE": service.tags,
        "TASK_DEFINITION": definition.tags,
    }
    managed: Tags = ()
    if service.managed_tags:
        managed = (
            ("aws:ecs:serviceName", service.name),
            ("aws:ecs:clusterName", service.cluster),
        )
    return (*sources.get(service.propagate_tags, ()), *managed)


def _reason(chosen: Plan, count: int, *, fargate: bool) -> str:
    if len(chosen.instances) >= count:
        return ""
    if fargate:
        return NO_CAPACITY
    if not chosen.failures:
        return NO_INSTANCES
    reason = chosen.failures[0].reason
    return WORDS.get(reason, reason.rstrip("."))
