"""The loop: one key for all clusters, since each waits for others."""

from collections.abc import Collection, Iterable
from typing import Any

from longshore.base.logs import logger
from longshore.controllers.eks_patches import records, scene
from longshore.controllers.eks_patches.nodegroups import Group, following
from longshore.controllers.eks_patches.plan import Plan, plan
from longshore.controllers.interface import Surroundings
from longshore.model.eks import CLUSTER, CLUSTER_STATUS, SYSTEM_ACCOUNT, UPDATE
from longshore.model.eks_parts import NODEGROUP, NODEGROUP_STATUS
from longshore.model.eks_platforms import PATCH, PLATFORM
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader, Transaction

ALL = Key(PLATFORM.name, SYSTEM_ACCOUNT, "", "")
log = logger(__name__)


class EksPatches:
    """`longshore.controllers.interface.Controller` of patches."""

    name = "controllers/eks_patches"
    watched: Collection[Kind[Any]] = (
        CLUSTER,
        CLUSTER_STATUS,
        NODEGROUP,
        NODEGROUP_STATUS,
        PATCH,
        PLATFORM,
        UPDATE,
    )

    def __init__(self, surroundings: Surroundings) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        yield ALL

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [ALL]

    async def reconcile(self, key: Key) -> float | None:
        step, groups = await self._store.transact(self._step)
        for name, concerned in step._asdict().items():
            for each in concerned if name != "wait" else ():
                log.info("a patch goes on", step=name, cluster=each.key.name, minor=each.minor)
        for group in groups:
            log.info("a node group is patched", nodegroup=group.key.name, release=group.newest)
        return step.wait

    def _step(self, tx: Transaction) -> tuple[Plan, list[Group]]:
        now = self._clock.now()
        records.forget_gone(tx)
        planes, newest = list(scene.planes(tx)), scene.newest_platforms(tx)
        step = plan(planes, newest, now)
        records.carry_out(tx, step, now)
        groups = following(scene.groups(tx, planes, newest))
        for group in groups:
            records.begin_update(tx, self._ids, group, now)
        return step, groups
