"""An update that is in progress, taken further."""

from collections.abc import Sequence
from typing import Any

import msgspec

from longshore.base.logs import logger
from longshore.controllers.eks_nodegroup import nodes as cluster_nodes
from longshore.controllers.eks_nodegroup import records
from longshore.controllers.eks_nodegroup.rollout import FAILED, Plan, begin, plan
from longshore.controllers.eks_nodegroup.scene import Node, Scene
from longshore.controllers.eks_nodegroup.shrink import Shrink, shrink
from longshore.kubernetes.client import Client, Refused
from longshore.model.eks import Issue, Update, UpdateError
from longshore.model.eks_parts import Nodegroup, NodegroupStatus, Rollout, Taint
from longshore.store.interface import Key, Store, Transaction

GIVE_UP_SECONDS = 900.0
JOINING_SECONDS = 300.0
"""For so long an update of labels waits for an instance that was launched with the old ones."""
SIZES = frozenset({"MinSize", "MaxSize", "DesiredSize"})
OF_NODES = frozenset({"LabelsToAdd", "LabelsToRemove", "TaintsToAdd", "TaintsToRemove"})
BY_EKS = "an update of the EKS node group"
log = logger(__name__)


class Updating:
    """One step of one update."""

    def __init__(
        self,
        store: Store,
        key: Key,
        nodegroup: Nodegroup,
        status: NodegroupStatus,
        update: Update,
        client: Client | None,
    ) -> None:
        self._store = store
        self._key = key
        self._nodegroup = nodegroup
        self._status = status
        self._update = update
        self._client = client

    async def go_on(self, scene: Scene, nodes: Sequence[Node], trouble: Issue | None) -> None:
        """`trouble` is why instances cannot be launched as the node group is to be."""
        if trouble is not None:
            error = UpdateError("Unknown", trouble.message, trouble.resources)
            await self._store.transact(lambda tx: self._fail(tx, error))
            return
        step = self._configure if self._update.type == "ConfigUpdate" else self._roll
        try:
            await step(scene, nodes)
        except (OSError, Refused) as failure:
            log.warning(
                "nodes could not be changed", nodegroup=self._nodegroup.arn, reason=str(failure)
            )
            await self._give_up(scene, failure)

    async def _give_up(self, scene: Scene, failure: Exception) -> None:
        """Once the cluster has refused for long enough."""
        if scene.now < self._last_step() + GIVE_UP_SECONDS:
            return
        said = f"The nodes of the cluster could not be changed: {failure}"
        error = UpdateError("ClusterUnreachable", said, (self._nodegroup.cluster,))
        await self._store.transact(lambda tx: self._fail(tx, error))

    def _last_step(self) -> float:
        """When the update came further last."""
        rollout = self._rollout()
        drains = (drain.since for drain in self._status.shrinking)
        return max(self._update.created_at, rollout.since if rollout else 0.0, *drains, 0.0)

    def _rollout(self) -> Rollout | None:
        """How far this very update is, if it is one of the version and has begun."""
        rollout = self._status.rollout
        return rollout if rollout is not None and rollout.update == self._update.id else None

    def _end(self, tx: Transaction, *errors: UpdateError) -> None:
        records.end_update(tx, self._key, self._update, *errors)

    def _fail(self, tx: Transaction, error: UpdateError) -> None:
        """The update has failed as things are; the next one goes on from there."""
        rollout = self._rollout()
        if rollout is not None:
            failed = msgspec.structs.replace(rollout, phase=FAILED, drains=())
            self._change_status(tx, rollout=failed)
        self._end(tx, error)

    async def _configure(self, scene: Scene, nodes: Sequence[Node]) -> None:
        asked = {kind for kind, _ in self._update.params}
        if asked & OF_NODES and not await self._change_nodes(scene, nodes):
            return
        if asked & SIZES and not await self._resize(scene):
            return
        await self._store.transact(self._end)

    async def _resize(self, scene: Scene) -> bool:
        """Have the sizes that are asked for; whether the group has them. Nodes that are too many
        are drained before each goes."""
        group, drains = self._nodegroup, self._status.shrinking
        left: dict[str, int] = {}
        if self._client is not None and scene.reached:
            left = await cluster_nodes.drain_all(self._client, drains)
        elif len(scene.live) > group.desired_size:
            raise OSError("the API server does not answer")
        step = shrink(group.desired_size, drains, scene, left)
        fresh = [drain.node for drain in step.drains if drain not in drains]
        spared = [drain.node for drain in step.spared]
        if self._client is not None:
            await cluster_nodes.have_cordoned(self._client, fresh, spared)
        return await self._store.transact(lambda tx: self._write_sizes(tx, step, scene))

    def _write_sizes(self, tx: Transaction, step: Shrink, scene: Scene) -> bool:
        group = self._nodegroup
        # As many as there are until those that go have gone: Auto Scaling would choose others.
        desired = group.desired_size + len(step.drains) + len(step.end)
        most = max(group.max_size, desired) if step.drains else group.max_size
        sizes = {"min_size": group.min_size, "max_size": most, "desired": desired}
        records.resize(tx, self._key, self._status, scene.now, BY_EKS, **sizes)
        for instance_id in step.end:
            records.ask_to_end(
                tx, self._key, self._status, instance_id, scene.now, BY_EKS, replace=False
            )
        self._change_status(tx, rollout=None, shrinking=step.drains)
        return not step.drains

    def _change_status(self, tx: Transaction, **fields: Any) -> None:
        status = records.status_of(tx, self._key, self._nodegroup)
        if status is not None:
            changed = msgspec.structs.replace(status, **fields)
            records.put_status(tx, self._key, changed)

    async def _change_nodes(self, scene: Scene, nodes: Sequence[Node]) -> bool:
        """Give nodes their labels and taints; whether all have them now."""
        if self._client is None or not scene.reached:
            raise OSError("the API server does not answer")
        labels = dict(self._nodegroup.labels)
        gone = self._removed("LabelsToRemove", tuple[str, ...])
        taints = self._removed("TaintsToRemove", tuple[_Removed, ...])
        removed = [Taint(each.key, each.value, each.effect) for each in taints]
        done = True
        for node in nodes:
            await cluster_nodes.have_labels(self._client, node, labels, gone)
            done &= await cluster_nodes.have_taints(
                self._client, node, self._nodegroup.taints, removed
            )
        return done and not self._awaits(scene)

    def _removed(self, kind: str, shape: Any) -> Any:
        text = dict(self._update.params).get(kind, "[]")
        return msgspec.json.decode(text, type=shape)

    def _awaits(self, scene: Scene) -> bool:
        """Whether an instance that was launched before will join with what it was told then."""
        return any(
            seat.node is None
            and seat.version < self._status.template_version
            and scene.now < seat.joined_at + JOINING_SECONDS
            for seat in scene.live
        )

    async def _roll(self, scene: Scene, nodes: Sequence[Node]) -> None:
        del nodes  # The scene has them, beside their instances.
        rollout = self._rollout() or begin(
            self._update.id, self._status.rollout, scene, self._nodegroup
        )
        left: dict[str, int] = {}
        if self._client is not None and scene.reached:
            left = await cluster_nodes.drain_all(self._client, rollout.drains)
        step = plan(self._nodegroup, rollout, scene, self._status.current, left)
        if self._client is not None:
            await cluster_nodes.have_cordoned(self._client, step.cordon, step.uncordon)
        await self._store.transact(lambda tx: self._write(tx, step, scene))

    def _write(self, tx: Transaction, step: Plan, scene: Scene) -> None:
        self._change_status(tx, rollout=step.rollout)
        now = scene.now
        # What somebody else has set since the look stays.
        if (step.maximum, step.desired) != (scene.maximum, scene.desired):
            sizes = {"max_size": step.maximum, "desired": step.desired}
            records.resize(tx, self._key, self._status, now, BY_EKS, **sizes)
        for instance_id, replace in step.terminate:
            records.ask_to_end(
                tx, self._key, self._status, instance_id, now, BY_EKS, replace=replace
            )
        if step.failure is not None:
            self._end(tx, step.failure)
            log.warning(
                "an update of a node group failed",
                nodegroup=self._nodegroup.arn,
                reason=step.failure.message,
            )
        if step.finished:
            self._change_status(
                tx,
                rollout=None,
                version=self._nodegroup.version,
                release_version=self._nodegroup.release_version,
            )
            self._end(tx)


class _Removed(msgspec.Struct):
    """A taint as updates show it."""

    key: str
    effect: str
    value: str = ""
