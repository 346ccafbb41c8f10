"""The loop: one key for each instance."""

import asyncio
from collections.abc import Collection, Iterable
from typing import Any

from longshore.base.logs import logger
from longshore.controllers.instance import records
from longshore.controllers.instance.machine import Machines
from longshore.controllers.instance.steps import HALTED_INSIDE, Step, next_step
from longshore.controllers.interface import Surroundings
from longshore.controllers.system_account import have_execution_role
from longshore.instances import Around, stop_instance, terminate_instance
from longshore.model.ecs import TASK, Task
from longshore.model.eks import SYSTEM_ACCOUNT
from longshore.model.instances import INSTANCE, Instance, Reason
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader, Transaction

log = logger(__name__)


class InstanceController:
    """`longshore.controllers.interface.Controller` of every EC2 instance."""

    name = "controllers/instance"
    watched: Collection[Kind[Any]] = (INSTANCE, TASK)

    def __init__(self, surroundings: Surroundings, machines: Machines) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._installation = surroundings.installation
        self._machines = machines

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        if change.key.kind == INSTANCE.name:
            if change.after is not None:
                yield change.key
        elif change.key.account == SYSTEM_ACCOUNT:
            record: Any = change.after or change.before
            found = records.instance_of(record.value, change.key.region)
            if found is not None:
                yield found

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [record.key for record in reader.scan(INSTANCE)]

    async def reconcile(self, key: Key) -> float | None:
        record = self._store.reader.get(INSTANCE, key.account, key.region, key.name)
        if record is None:
            return None
        instance, now = record.value, self._clock.now()
        status = records.status_of(self._store.reader, key)
        task = records.task_of(self._store.reader, key, status)
        step = next_step(instance, status, task, now)
        if step.boot:
            await self._boot(key, instance)
        elif step.gone:
            await asyncio.to_thread(self._machines.forget_disk, instance.id)
        await self._store.transact(lambda tx: self._apply(tx, key, step, task))
        return step.again

    async def _boot(self, key: Key, instance: Instance) -> None:
        now = self._clock.now()
        try:
            reference = await self._machines.have_image(key.region, instance.image_id)
        except LookupError as failure:
            code = "Server.InternalError"
            message = f"{code}: Internal error on launch: {failure}"
            await self._store.transact(lambda tx: self._fail(tx, key, Reason(code, message)))
            log.warning("a machine image was not made", image=instance.image_id, reason=message)
            return
        document = self._machines.document(instance, reference)

        def stage(tx: Transaction) -> None:
            found = tx.get(INSTANCE, key.account, key.region, key.name)
            # The image may have taken minutes: it may not be wanted any more.
            if found is not None and found.value.wanted == "running":
                have_execution_role(tx, self._ids, now)
                records.boot(tx, self._ids, key, found.value, document, now)

        await self._store.transact(stage)

    def _apply(self, tx: Transaction, key: Key, step: Step, task: Task | None) -> None:
        record = tx.get(INSTANCE, key.account, key.region, key.name)
        if record is None or step.boot:
            return
        instance, now = record.value, self._clock.now()
        if step.forget:
            records.forget(tx, key)
            return
        if step.halted:
            self._halt(tx, key, instance)
        if step.failed is not None:
            self._fail(tx, key, step.failed)
        if step.stop and task is not None:
            records.stop(tx, key, task, now)
        if step.gone:
            records.take_away(tx, key, instance, records.status_of(tx, key))
        if step.state == "stopped":
            records.leave(tx, key, instance)
        ill_since = (records.status_of(tx, key).impaired_since or now) if step.ill else 0.0
        records.show(tx, key, instance, step.state, now, impaired_since=ill_since)

    def _halt(self, tx: Transaction, key: Key, instance: Instance) -> None:
        """What the instance's owner wants of a shutdown from inside."""
        end = stop_instance if instance.shutdown_behavior == "stop" else terminate_instance
        end(tx, self._around(key), instance.id, HALTED_INSIDE)

    def _fail(self, tx: Transaction, key: Key, reason: Reason) -> None:
        """An instance whose first start fails is terminated, another one is stopped again."""
        first = not records.status_of(tx, key).running_since
        end = terminate_instance if first else stop_instance
        end(tx, self._around(key), key.name, reason)

    def _around(self, key: Key) -> Around:
        return Around(
            account=key.account,
            region=key.region,
            now=self._clock.now(),
            ids=self._ids,
            installation=self._installation,
        )
