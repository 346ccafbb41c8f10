"""One look at one node group: what it is made of, how it is, what is to be done about it."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from longshore.base.ids import Ids
from longshore.base.logs import logger
from longshore.controllers.cluster_clients import ClusterClients
from longshore.controllers.eks_nodegroup import nodes as cluster_nodes
from longshore.controllers.eks_nodegroup import parting, records
from longshore.controllers.eks_nodegroup.health import judge
from longshore.controllers.eks_nodegroup.missing import missing
from longshore.controllers.eks_nodegroup.repair import repair
from longshore.controllers.eks_nodegroup.scene import Node, Scene, Seat, last_failure, seats_of
from longshore.controllers.eks_nodegroup.template import template_data, types_of, user_template
from longshore.controllers.eks_nodegroup.trouble import Trouble
from longshore.controllers.eks_nodegroup.updating import Updating
from longshore.kubernetes.client import Client, Refused
from longshore.model.auto_scaling import ACTIVITY, MEMBER
from longshore.model.eks import CLUSTER, Cluster, ClusterStatus, Issue, Update
from longshore.model.eks_parts import Nodegroup, NodegroupStatus
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, state_of
from longshore.store.interface import Key, Store, Transaction

SOON_SECONDS = 1.5
"""How often a node group is looked at that is on its way to something."""
LATER_SECONDS = 30.0
STARTING = frozenset({"pending", "running"})
NOT_READY = "a node of the EKS node group that is not ready"
log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`began` is since when the node group is being created, as far as that is waited for."""

    store: Store
    ids: Ids
    clients: ClusterClients
    now: float
    began: float
    key: Key
    cluster: Cluster
    running: ClusterStatus
    nodegroup: Nodegroup

    async def run(self) -> float | None:
        """Do the next things; seconds after which to look again."""
        status, trouble = await self._prepared()
        reader = self.store.reader
        place = (self.key.account, self.key.region, self.cluster.name)
        client = await self.clients.client(Key(CLUSTER.name, *place))
        nodes = await self._nodes(client)
        scene = self._scene(status, nodes)
        leaving = await self._part(client, status, scene)
        if status.status == "CREATE_FAILED":
            return SOON_SECONDS if leaving else None
        update = records.open_update(reader, self.key, self.nodegroup)
        gone = missing(reader, self.key, self.nodegroup, self.running, status)
        if update is None and client is not None:
            await self._repair(client, status, scene)
        elif update is not None and status.status != "CREATING":
            await self._updating(client, status, update).go_on(
                scene, nodes or (), trouble or _of_group(gone)
            )
        troubles = [*gone, trouble] if trouble is not None else gone
        after = await self.store.transact(lambda tx: self._judge(tx, scene, troubles))
        busy = after.status == "CREATING" or bool(after.repairs) or update is not None
        return SOON_SECONDS if busy or leaving else LATER_SECONDS

    def _updating(self, client: Client | None, status: NodegroupStatus, update: Update) -> Updating:
        return Updating(self.store, self.key, self.nodegroup, status, update, client)

    async def _prepared(self) -> tuple[NodegroupStatus, Issue | None]:
        """The status with what instances are launched from, as it is to be now; or why that cannot
        be."""
        try:
            return await self.store.transact(self._prepare), None
        except Trouble as trouble:
            return await self.store.transact(self._begun), trouble.issue

    def _begun(self, tx: Transaction) -> NodegroupStatus:
        status = records.status_of(tx, self.key, self.nodegroup)
        if status is not None:
            return status
        return records.begin(tx, self.ids, self.key, self.cluster, self.nodegroup, self.now)

    def _prepare(self, tx: Transaction) -> NodegroupStatus:
        key, nodegroup = self.key, self.nodegroup
        status = self._begun(tx)
        if status.status == "CREATE_FAILED":
            return status
        place = (key.account, key.region)
        data = template_data(tx, place, self.cluster, self.running, nodegroup)
        types = types_of(nodegroup, user_template(tx, place, nodegroup))
        status = records.have_template(tx, self.ids, key, nodegroup, status, data, self.now)
        return records.have_group(tx, self.ids, key, nodegroup, status, types, self.now)

    async def _nodes(self, client: Client | None) -> list[Node] | None:
        """None where the API server does not answer: its own loop knows why."""
        if client is None:
            return None
        try:
            return await cluster_nodes.nodes_of(client, self.nodegroup.name)
        except (OSError, Refused) as failure:
            log.warning(
                "a cluster's nodes could not be seen",
                cluster=self.cluster.arn,
                reason=str(failure),
            )
            return None

    def _scene(self, status: NodegroupStatus, nodes: Sequence[Node] | None) -> Scene:
        reader, place = self.store.reader, (self.key.account, self.key.region)
        group = records.group_of(reader, self.key, status)
        members = reader.find(MEMBER, *place, "group", status.group)
        activities = reader.find(ACTIVITY, *place, "group", status.group)
        return Scene(
            now=self.now,
            desired=group.desired if group is not None else 0,
            maximum=group.max_size if group is not None else 0,
            seats=seats_of(
                [record.value for record in members],
                nodes or (),
                self._stopped([record.value.instance_id for record in members]),
            ),
            reached=nodes is not None,
            failure=last_failure([record.value for record in activities]),
        )

    def _stopped(self, ids: Sequence[str]) -> list[str]:
        """Those of these instances that do not run any more."""
        reader, place = self.store.reader, (self.key.account, self.key.region)
        found: list[str] = []
        for instance_id in ids:
            instance = reader.get(INSTANCE, *place, instance_id)
            status = reader.get(INSTANCE_STATUS, *place, instance_id)
            told = status.value if status is not None else None
            if instance is None or state_of(instance.value, told) not in STARTING:
                found.append(instance_id)
        return found

    async def _part(self, client: Client | None, status: NodegroupStatus, scene: Scene) -> bool:
        """Drain nodes that Auto Scaling is to end, and let it; whether some are still to leave."""
        waiting = parting.waiting(scene)
        left: dict[str, int] = {}
        if client is not None and scene.reached:
            left = await self._drained(client, waiting)
        free = parting.free(scene, left)
        if free:

            def write(tx: Transaction) -> None:
                for instance_id in free:
                    records.let_go(tx, self.key, status, instance_id)

            await self.store.transact(write)
        return len(free) < len(waiting)

    async def _drained(self, client: Client, seats: Sequence[Seat]) -> dict[str, int]:
        """How many pods are still on the nodes of these members, which are asked to leave."""
        nodes = {seat.node.name: seat.node for seat in seats if seat.node is not None}
        drains = parting.drains(seats)
        try:
            for drain in drains:
                if not nodes[drain.node].cordoned:
                    await cluster_nodes.cordon(client, drain.node)
        except (OSError, Refused) as failure:
            log.warning(
                "a node could not be cordoned", nodegroup=self.nodegroup.arn, reason=str(failure)
            )
        silent = [drain for drain in drains if not nodes[drain.node].ready]
        answering = [drain for drain in drains if nodes[drain.node].ready]
        left = await cluster_nodes.drain_all(client, answering)
        return {**left, **await cluster_nodes.drain_all(client, silent, self.now)}

    async def _repair(self, client: Client, status: NodegroupStatus, scene: Scene) -> None:
        """Replace nodes that are not ready, where that is asked for."""
        if not self.nodegroup.repair.get("enabled") and not status.repairs:
            return
        left = await cluster_nodes.drain_all(client, status.repairs, self.now)
        step = repair(self.nodegroup, status.repairs, scene, left)
        known = {drain.instance_id for drain in status.repairs}
        for drain in step.drains:
            if drain.instance_id not in known:
                await cluster_nodes.cordon(client, drain.node)

        def write(tx: Transaction) -> None:
            found = self._begun(tx)
            changed = msgspec.structs.replace(found, repairs=step.drains)
            records.put_status(tx, self.key, changed)
            for instance_id in step.terminate:
                records.ask_to_end(tx, self.key, found, instance_id, self.now, NOT_READY)

        await self.store.transact(write)

    def _judge(self, tx: Transaction, scene: Scene, troubles: Sequence[Issue]) -> NodegroupStatus:
        """Write how the node group is, and what its nodes run once the first ones do."""
        status = self._begun(tx)
        health = judge(self.nodegroup, status.status, scene, troubles, self.began)
        changed = msgspec.structs.replace(status, status=health.status, issues=health.issues)
        if status.status == "CREATING" and health.status == "ACTIVE":
            changed = msgspec.structs.replace(
                changed,
                version=self.nodegroup.version,
                release_version=self.nodegroup.release_version,
            )
            log.info("a node group is active", nodegroup=self.nodegroup.arn)
        records.put_status(tx, self.key, changed)
        return changed


def _of_group(gone: Sequence[Issue]) -> Issue | None:
    """That there is no Auto Scaling group whose instances an update could replace."""
    lost = (issue for issue in gone if issue.code == "AutoScalingGroupNotFound")
    return next(lost, None)
