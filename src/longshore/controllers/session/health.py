"""Containers' health, as TCS brings it."""

from functools import partial

import msgspec

from longshore.model.ecs import TASK, ContainerInstance
from longshore.nodeapi.tcs import PublishHealthRequest, TaskHealth
from longshore.scheduler.view import reservation_of
from longshore.store.interface import Store, Transaction


async def record_health(
    store: Store, instance: ContainerInstance, message: PublishHealthRequest
) -> None:
    """Write the health of the containers that changed it; only of tasks on this instance."""
    for health in message.tasks:
        if _differs(store, instance, health):
            await store.transact(partial(_write, instance=instance, health=health))


def _differs(store: Store, instance: ContainerInstance, health: TaskHealth) -> bool:
    claim = reservation_of(store.reader, instance.arn).claims.get(health.task_arn)
    if claim is None:
        return False
    record = store.reader.get(TASK, claim.account, claim.region, claim.name)
    stated = {each.container_name: each.health_status for each in health.containers}
    return record is not None and any(
        stated.get(each.name, each.health) != each.health for each in record.value.containers
    )


def _write(tx: Transaction, instance: ContainerInstance, health: TaskHealth) -> None:
    claim = reservation_of(tx, instance.arn).claims.get(health.task_arn)
    record = tx.get(TASK, claim.account, claim.region, claim.name) if claim is not None else None
    if record is None or claim is None:
        return
    stated = {each.container_name: each.health_status for each in health.containers}
    containers = tuple(
        msgspec.structs.replace(each, health=stated.get(each.name, each.health))
        for each in record.value.containers
    )
    changed = msgspec.structs.replace(record.value, containers=containers)
    tx.put(TASK, claim.account, claim.region, claim.name, changed)
