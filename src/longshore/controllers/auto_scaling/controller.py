"""The loop: one key for each group."""

from collections.abc import Collection, Iterable
from typing import Any

from longshore.controllers.auto_scaling.group import Group
from longshore.controllers.auto_scaling.turn import turn
from longshore.controllers.interface import Surroundings
from longshore.instances import Around
from longshore.model.auto_scaling import AUTO_SCALING_GROUP, LIFECYCLE_HOOK, MEMBER, REFRESH
from longshore.model.instances import INSTANCE, INSTANCE_STATUS
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader, Transaction


class AutoScaling:
    """`longshore.controllers.interface.Controller` of every Auto Scaling group."""

    name = "controllers/auto_scaling"
    watched: Collection[Kind[Any]] = (
        AUTO_SCALING_GROUP,
        INSTANCE,
        INSTANCE_STATUS,
        LIFECYCLE_HOOK,
        MEMBER,
        REFRESH,
    )

    def __init__(self, surroundings: Surroundings) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._installation = surroundings.installation

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        key = change.key
        if key.kind == AUTO_SCALING_GROUP.name:
            yield key
        elif key.kind in {INSTANCE.name, INSTANCE_STATUS.name}:
            for record in reader.find(MEMBER, key.account, key.region, "instance", key.name):
                yield Key(AUTO_SCALING_GROUP.name, key.account, key.region, record.value.group)
        else:
            found: Any = change.after or change.before
            yield Key(AUTO_SCALING_GROUP.name, key.account, key.region, found.value.group)

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [record.key for record in reader.scan(AUTO_SCALING_GROUP)]

    async def reconcile(self, key: Key) -> float | None:
        return await self._store.transact(lambda tx: self._turn(tx, key))

    def _turn(self, tx: Transaction, key: Key) -> float | None:
        record = tx.get(AUTO_SCALING_GROUP, key.account, key.region, key.name)
        if record is None:
            return None
        around = Around(
            account=key.account,
            region=key.region,
            now=self._clock.now(),
            ids=self._ids,
            installation=self._installation,
            principal_arn=record.value.service_linked_role_arn,
        )
        return turn(Group(tx, around, record))
