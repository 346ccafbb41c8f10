"""What an instance has in the store besides its own record, staged in transactions."""

from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.base.ids import Ids
from longshore.controllers.instance.machine import definition
from longshore.controllers.system_account import have_ecs_cluster
from longshore.instances.ending import give_up_interface, give_up_public_address
from longshore.model import ecs
from longshore.model.eks import SYSTEM_ACCOUNT
from longshore.model.instances import (
    INSTANCE,
    INSTANCE_STATUS,
    SYSTEM_CLUSTER,
    Instance,
    InstanceStatus,
    Reason,
)
from longshore.scheduler.launch import Launch, new_task
from longshore.store.interface import Key, Reader, Transaction
from longshore.vpc.interfaces import leave_interface

GROUP = "instance:"
"""What the groups of instances' tasks begin with."""


def task_of(reader: Reader, key: Key, status: InstanceStatus) -> ecs.Task | None:
    """The instance's newest task."""
    name = f"{SYSTEM_CLUSTER}/{status.task_id}"
    record = reader.get(ecs.TASK, SYSTEM_ACCOUNT, key.region, name) if status.task_id else None
    return record.value if record is not None else None


def group_of(key: Key) -> str:
    """The group of an instance's tasks; `instance_of` undoes it."""
    return f"{GROUP}{key.account}/{key.name}"


def instance_of(task: ecs.Task, region: str) -> Key | None:
    """The instance that this task of the system account is; None where it is none."""
    if task.cluster != SYSTEM_CLUSTER or not task.group.startswith(GROUP):
        return None
    account, _, name = task.group.removeprefix(GROUP).partition("/")
    return Key(INSTANCE.name, account, region, name)


def status_of(reader: Reader, key: Key) -> InstanceStatus:
    record = reader.get(INSTANCE_STATUS, key.account, key.region, key.name)
    return record.value if record is not None else InstanceStatus()


def put_status(tx: Transaction, key: Key, status: InstanceStatus) -> None:
    if status != status_of(tx, key):
        tx.put(INSTANCE_STATUS, key.account, key.region, key.name, status)


def show(
    tx: Transaction, key: Key, instance: Instance, state: str, now: float, **changes: Any
) -> None:
    """The instance is in this state now, for the reason that its record has."""
    before = status_of(tx, key)
    if before.state != state:
        changes |= {"changed_at": now, "reason": _reason(instance, state)}
        if state == "running":
            changes["running_since"] = now
    put_status(tx, key, msgspec.structs.replace(before, state=state, **changes))


def _reason(instance: Instance, state: str) -> Reason | None:
    return None if state in {"pending", "running"} else instance.reason


def boot(
    tx: Transaction,
    ids: Ids,
    key: Key,
    instance: Instance,
    document: Mapping[str, Any],
    now: float,
) -> None:
    """Have a new task for the instance."""
    here = (SYSTEM_ACCOUNT, key.region)
    before = status_of(tx, key)
    made = definition(key, document, before.boots + 1, now)
    tx.put(ecs.TASK_DEFINITION, *here, ecs.definition_name(made.family, made.revision), made)
    if before.boots:
        tx.delete(ecs.TASK_DEFINITION, *here, ecs.definition_name(made.family, before.boots))
    launch = Launch(
        cluster=SYSTEM_CLUSTER,
        cluster_arn=have_ecs_cluster(tx, key.region, SYSTEM_CLUSTER),
        launch_type="EC2",
        group=group_of(key),
        started_by=key.name,
        overrides={},
    )
    task = msgspec.structs.replace(
        new_task(launch, made, ids, now),
        interface=ecs.TaskInterface(instance.interface_account(key.account), instance.interface_id),
    )
    tx.create(ecs.TASK, *here, task.name, task)
    state = "running" if before.state == "running" else "pending"
    show(
        tx,
        key,
        instance,
        state,
        now,
        task_id=task.id,
        boots=before.boots + 1,
        reboots=instance.reboots,
    )


def stop(tx: Transaction, key: Key, task: ecs.Task, now: float) -> None:
    """Have the task stop; safe to repeat."""
    record = tx.get(ecs.TASK, SYSTEM_ACCOUNT, key.region, task.name)
    if record is None or record.value.desired_status == "STOPPED":
        return
    said = ecs.Stop(code="UserInitiated", reason="The instance is stopped or rebooted", at=now)
    stopped = msgspec.structs.replace(record.value, desired_status="STOPPED", stop=said)
    tx.put(ecs.TASK, SYSTEM_ACCOUNT, key.region, task.name, stopped)


def leave(tx: Transaction, key: Key, instance: Instance) -> None:
    """A stopped instance is on no host, and has no public address of its own any more."""
    account = instance.interface_account(key.account)
    leave_interface(tx, ecs.TaskInterface(account, instance.interface_id), key.region)
    give_up_public_address(tx, account, key.region, instance)


def take_away(tx: Transaction, key: Key, instance: Instance, status: InstanceStatus) -> None:
    """Remove what a terminated instance had, but for what describes it."""
    here = (SYSTEM_ACCOUNT, key.region)
    give_up_interface(tx, instance.interface_account(key.account), key.region, instance)
    for number in (status.boots, status.boots - 1):
        tx.delete(ecs.TASK_DEFINITION, *here, ecs.definition_name(instance.id, max(number, 0)))
    if status.task_id:
        tx.delete(ecs.TASK, *here, f"{SYSTEM_CLUSTER}/{status.task_id}")


def forget(tx: Transaction, key: Key) -> None:
    """Remove what describes a terminated instance."""
    tx.delete(INSTANCE_STATUS, key.account, key.region, key.name)
    tx.delete(INSTANCE, key.account, key.region, key.name)
