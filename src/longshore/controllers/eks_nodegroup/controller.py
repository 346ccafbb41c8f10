"""The loop: one key for each node group."""

from collections.abc import Collection, Iterable
from typing import Any

from longshore.base.logs import logger
from longshore.controllers.cluster_clients import ClusterClients
from longshore.controllers.eks_nodegroup import records
from longshore.controllers.eks_nodegroup.look import Look
from longshore.controllers.interface import Surroundings
from longshore.model import eks
from longshore.model.auto_scaling import ACTIVITY, AUTO_SCALING_GROUP, MEMBER, AutoScalingGroup
from longshore.model.eks_parts import NODEGROUP, Nodegroup, part_name
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader, Record, Transaction

log = logger(__name__)


class EksNodegroup:
    """`longshore.controllers.interface.Controller` of every managed node group."""

    name = "controllers/eks_nodegroup"
    watched: Collection[Kind[Any]] = (
        NODEGROUP,
        eks.UPDATE,
        eks.CLUSTER_STATUS,
        AUTO_SCALING_GROUP,
        MEMBER,
        ACTIVITY,
    )

    def __init__(self, surroundings: Surroundings, clients: ClusterClients) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._clients = clients
        self._started = surroundings.clock.now()

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        key = change.key
        record: Any = change.after or change.before
        if key.kind == NODEGROUP.name:
            yield key
        elif key.kind == eks.CLUSTER_STATUS.name:
            prefix = part_name(key.name, "")
            for found in reader.scan(NODEGROUP, key.account, key.region, prefix=prefix):
                yield found.key
        elif key.kind == eks.UPDATE.name:
            if record.value.nodegroup:
                yield _key(key, record.value.cluster, record.value.nodegroup)
        else:
            yield from _of_group(key, record, reader)

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [record.key for record in reader.scan(NODEGROUP)]

    async def reconcile(self, key: Key) -> float | None:
        reader = self._store.reader
        record = reader.get(NODEGROUP, key.account, key.region, key.name)
        if record is None:
            return None
        nodegroup = record.value
        if nodegroup.deleted_at:
            await self._take_away(key, nodegroup)
            return None
        place = (key.account, key.region, nodegroup.cluster)
        cluster, running = reader.get(eks.CLUSTER, *place), reader.get(eks.CLUSTER_STATUS, *place)
        if cluster is None or running is None or not running.value.endpoint:
            return None
        look = Look(
            store=self._store,
            ids=self._ids,
            clients=self._clients,
            now=self._clock.now(),
            # What was away while Longshore was gets its time again.
            began=max(nodegroup.created_at, self._started),
            key=key,
            cluster=cluster.value,
            running=running.value,
            nodegroup=nodegroup,
        )
        return await look.run()

    async def _take_away(self, key: Key, nodegroup: Nodegroup) -> None:
        """The instances first; what is left of the node group goes once they have ended."""
        now = self._clock.now()

        def end(tx: Transaction) -> bool:
            status = records.status_of(tx, key, nodegroup)
            return status is None or records.end_group(tx, key, status, now)

        if await self._store.transact(end):
            await self._store.transact(lambda tx: records.forget(tx, key, nodegroup))
            log.info("a node group was deleted", nodegroup=nodegroup.arn)


def _of_group(key: Key, record: Record[Any], reader: Reader) -> Iterable[Key]:
    """The node group whose Auto Scaling group, or a part of that, this is."""
    group = record.value
    if not isinstance(group, AutoScalingGroup):
        found = reader.get(AUTO_SCALING_GROUP, key.account, key.region, group.group)
        if found is None:
            return
        group = found.value
    tags = {tag.key: tag.value for tag in group.tags}
    cluster, name = tags.get("eks:cluster-name"), tags.get("eks:nodegroup-name")
    if cluster and name:
        yield _key(key, cluster, name)


def _key(at: Key, cluster: str, nodegroup: str) -> Key:
    return Key(NODEGROUP.name, at.account, at.region, part_name(cluster, nodegroup))
