"""Moves tasks through their states as agents report, and gives back what ended tasks held.

Enters: `reported`, `desired_status` and `placement` of tasks. Leaves: `last_status`, the times, and
`stop` where a task ended by itself. `steps` decides; this acts.
"""

from longshore.controllers.one_kind import OneKind
from longshore.controllers.task.lifecycle.steps import next_step
from longshore.model.ecs import TASK, Task
from longshore.scheduler.reservation import release
from longshore.store.interface import Key, Record, Transaction
from longshore.vpc import delete_network_interface


class TaskLifecycle(OneKind[Task]):
    """`longshore.controllers.interface.Controller` of every task's state."""

    name = "controllers/task/lifecycle"
    kind = TASK

    def _advance(self, tx: Transaction, record: Record[Task]) -> float | None:
        key = record.key
        step = next_step(record.value, self._clock.now())
        if step.free:
            _free(tx, key, record.value)
        if step.task is None:
            tx.delete(TASK, key.account, key.region, key.name)
        elif step.task != record.value:
            tx.put(TASK, key.account, key.region, key.name, step.task)
        return step.again


def _free(tx: Transaction, key: Key, task: Task) -> None:
    """In the transaction that ends the task, so that nothing is held by a task that is gone."""
    place = task.placement
    # Another account's stays where it is, for the next task that has it.
    if place is not None and place.eni_id and not place.account:
        delete_network_interface(tx, key.account, key.region, place.eni_id)
    instance = place.instance_arn if place is not None else task.instance_arn
    if instance:
        release(tx, instance, task.arn)
