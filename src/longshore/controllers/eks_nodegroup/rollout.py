"""The phases of an update of a node group's version; pure.

("Understand each phase of node updates", EKS User Guide. As many more nodes are launched first as
may be unavailable at once, where EKS launches up to two for each Availability Zone.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from longshore.controllers.eks_nodegroup.health import JOIN_SECONDS
from longshore.controllers.eks_nodegroup.scene import Scene, Seat
from longshore.model.eks import UpdateError
from longshore.model.eks_parts import Drain, Nodegroup, Rollout

EVICTION_SECONDS = 900.0
"""For so long pods may take to leave a node."""
FORCED_SECONDS = 60.0
"""For so long what was deleted may take to end, before its node ends all the same."""
MOST_AT_ONCE = 100
SCALE_UP, UPGRADE, FAILED = "ScaleUp", "Upgrade", "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done next; `rollout` is how far the update is then.

    `terminate` are instances to end, with whether another one is to come for each.
    """

    rollout: Rollout
    desired: int
    maximum: int
    """What the Auto Scaling group is to have, before what `terminate` takes away."""
    cordon: tuple[str, ...] = ()
    uncordon: tuple[str, ...] = ()
    """Names of nodes."""
    terminate: tuple[tuple[str, bool], ...] = ()
    failure: UpdateError | None = None
    finished: bool = False


def at_once(nodegroup: Nodegroup, total: int) -> int:
    """How many of `total` nodes may be unavailable at the same time: one at least."""
    share = nodegroup.max_unavailable_percentage
    count = total * share // 100 if share else nodegroup.max_unavailable
    return max(1, min(MOST_AT_ONCE, count))


def begin(update: str, before: Rollout | None, scene: Scene, nodegroup: Nodegroup) -> Rollout:
    """The start of an update. One that follows a failed one goes on where that stopped."""
    again = before is not None and before.phase == FAILED
    desired = before.desired if again and before is not None else scene.desired
    return Rollout(update=update, desired=desired, maximum=nodegroup.max_size, since=scene.now)


def plan(
    nodegroup: Nodegroup,
    rollout: Rollout,
    scene: Scene,
    current: int,
    left: dict[str, int],
) -> Plan:
    """The next step. `current` is the version of the launch template from which on instances run
    what is wanted; `left` has the number of pods that are still on each draining node."""
    return _Turn(nodegroup, rollout, scene, current, left).plan()


class _Turn:
    """One look at an update."""

    def __init__(
        self,
        nodegroup: Nodegroup,
        rollout: Rollout,
        scene: Scene,
        current: int,
        left: dict[str, int],
    ) -> None:
        self._nodegroup = nodegroup
        self._rollout = rollout
        self._scene = scene
        self._left = left
        self._old = [seat for seat in scene.live if seat.version < current]
        self._new = [seat for seat in scene.live if seat.version >= current]
        self._going = [seat for seat in scene.seats if seat.leaving and seat.version < current]
        self._at_once = at_once(nodegroup, max(rollout.desired, 1))

    def plan(self) -> Plan:
        if not self._scene.reached:
            return self._unreached()
        if not self._old:
            return self._end()
        failure = self._failure()
        if failure is not None:
            return self._failed(failure)
        if self._rollout.phase == SCALE_UP:
            return self._scale_up()
        return self._upgrade()

    def _still(self, **changes: object) -> Plan:
        """As things are, but for `changes`."""
        same = {
            "rollout": self._rollout,
            "desired": self._scene.desired,
            "maximum": self._scene.maximum,
        }
        return Plan(**{**same, **changes})  # type: ignore[arg-type]

    def _step(self, **fields: object) -> Rollout:
        """The rollout one step further."""
        return msgspec.structs.replace(self._rollout, since=self._scene.now, **fields)

    def _waited(self, seconds: float) -> bool:
        return self._scene.now >= self._rollout.since + seconds

    def _unreached(self) -> Plan:
        if not self._waited(JOIN_SECONDS):
            return self._still()
        said = "The API server of the cluster could not be reached."
        return self._failed(UpdateError("ClusterUnreachable", said, (self._nodegroup.cluster,)))

    def _end(self) -> Plan:
        """Nothing of before is left: done once as many new nodes are ready as there were."""
        ready = sum(seat.ready for seat in self._new)
        nothing_done = self._rollout.phase == SCALE_UP
        enough = ready >= min(self._rollout.desired, self._scene.desired)
        if not self._going and (nothing_done or enough):
            maximum = max(self._rollout.maximum, self._scene.desired)
            return self._still(maximum=maximum, finished=True)
        failure = self._failure()
        return self._still() if failure is None else self._failed(failure)

    def _failure(self) -> UpdateError | None:
        """Why the update cannot go on: new nodes do not come, or pods do not leave."""
        name, now = self._nodegroup.name, self._scene.now
        late = [
            seat
            for seat in self._new
            if not seat.ready and now >= max(seat.joined_at, self._rollout.since) + JOIN_SECONDS
        ]
        absent = len(self._scene.live) < self._scene.desired and self._waited(JOIN_SECONDS)
        if late or absent:
            said = (
                "Couldn't proceed with upgrade process as new nodes are not joining node group"
                f" {name}"
            )
            reason = f" ({self._scene.failure})" if absent and self._scene.failure else ""
            ids = tuple(seat.instance_id for seat in late) or (name,)
            return UpdateError("NodeCreationFailure", said + reason, ids)
        stuck = [drain.node for drain in self._rollout.drains if self._is_stuck(drain)]
        if stuck:
            said = f"Reached max retries while trying to evict pods from nodes in node group {name}"
            return UpdateError("PodEvictionFailure", said, tuple(stuck))
        return None

    def _is_stuck(self, drain: Drain) -> bool:
        waiting = self._left.get(drain.node, 0) > 0
        overdue = self._scene.now >= drain.since + EVICTION_SECONDS
        return waiting and overdue and not self._nodegroup.force_update

    def _failed(self, failure: UpdateError) -> Plan:
        """Nodes take pods again; new instances that never became nodes go."""
        idle = [seat for seat in self._new if not seat.ready] if self._scene.reached else []
        spare = max(0, self._scene.desired - self._rollout.desired)
        return self._still(
            rollout=self._step(phase=FAILED, drains=()),
            uncordon=tuple(
                seat.node.name for seat in self._old if seat.node is not None and seat.node.marked
            ),
            terminate=tuple((seat.instance_id, False) for seat in idle[:spare]),
            failure=failure,
        )

    def _scale_up(self) -> Plan:
        """Have more nodes than there were, before any of them goes."""
        minimal = self._nodegroup.update_strategy == "MINIMAL"
        more = 0 if minimal else min(self._at_once, len(self._old))
        wanted = self._rollout.desired + more
        if self._scene.desired < wanted:
            return self._still(
                rollout=self._step(), desired=wanted, maximum=max(self._scene.maximum, wanted)
            )
        if sum(seat.ready for seat in self._new) < more:
            return self._still()
        cordon = () if minimal else _uncordoned(self._old)
        return self._still(rollout=self._step(phase=UPGRADE), cordon=cordon)

    def _upgrade(self) -> Plan:
        """Drain old nodes, as many at once as may be; end those that are empty."""
        kept, ended, replaced = self._drains()
        chosen = self._choice(kept, len(ended))
        fresh = tuple(self._drain(seat) for seat in chosen)
        drains = (*kept, *fresh)
        moved = bool(fresh or ended) or drains != self._rollout.drains
        rollout = self._step(drains=drains) if moved else self._rollout
        minimal = self._nodegroup.update_strategy == "MINIMAL"
        cordon = _uncordoned(chosen) if minimal else _uncordoned(self._old)
        terminate = tuple(zip(ended, replaced, strict=True))
        return self._still(rollout=rollout, cordon=cordon, terminate=terminate)

    def _drain(self, seat: Seat) -> Drain:
        name = seat.node.name if seat.node is not None else ""
        return Drain(instance_id=seat.instance_id, node=name, since=self._scene.now)

    def _drains(self) -> tuple[list[Drain], list[str], list[bool]]:
        """Drains that go on; instances whose drain is over, and whether another comes for each."""
        old = {seat.instance_id for seat in self._old}
        kept: list[Drain] = []
        ended: list[str] = []
        for drain in self._rollout.drains:
            if drain.instance_id not in old:
                continue
            if self._is_over(drain):
                ended.append(drain.instance_id)
            else:
                kept.append(self._pressed(drain))
        coming = len(self._new) + max(0, self._scene.desired - len(self._scene.live))
        lacking = self._rollout.desired - coming
        return kept, ended, [position < lacking for position in range(len(ended))]

    def _is_over(self, drain: Drain) -> bool:
        if not drain.node or not self._left.get(drain.node, 0):
            return True
        limit = EVICTION_SECONDS + FORCED_SECONDS
        return drain.forced and self._scene.now >= drain.since + limit

    def _pressed(self, drain: Drain) -> Drain:
        """The same; forced where it takes too long and the update is to be."""
        overdue = self._scene.now >= drain.since + EVICTION_SECONDS
        if not overdue or drain.forced:
            return drain
        return msgspec.structs.replace(drain, forced=True)

    def _choice(self, kept: Sequence[Drain], ending: int) -> list[Seat]:
        """Old nodes to drain now: first those that are no use, then as many of the others as leave
        enough that are."""
        busy = {drain.instance_id for drain in kept} | {
            drain.instance_id for drain in self._rollout.drains
        }
        free = [seat for seat in self._old if seat.instance_id not in busy]
        room = self._at_once - len(kept) - ending - len(self._going)
        usable = sum(seat.ready for seat in (*free, *self._new))
        spare = usable - (self._rollout.desired - self._at_once)
        chosen: list[Seat] = []
        for seat in sorted(free, key=lambda each: (each.ready, each.instance_id)):
            if len(chosen) >= room or (seat.ready and spare <= 0):
                break
            spare -= seat.ready
            chosen.append(seat)
        return chosen


def _uncordoned(seats: Sequence[Seat]) -> tuple[str, ...]:
    return tuple(
        seat.node.name for seat in seats if seat.node is not None and not seat.node.cordoned
    )
