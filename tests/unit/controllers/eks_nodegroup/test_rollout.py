"""Updates of node groups' versions, played to their end over a model of Auto Scaling and nodes."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.controllers.eks_nodegroup import rollout as phases
from longshore.controllers.eks_nodegroup.rollout import at_once, begin, plan
from longshore.controllers.eks_nodegroup.scene import Node, Scene, Seat
from longshore.model.eks_parts import Nodegroup

OLD, NEW = 1, 2


def nodegroup(**fields):
    return Nodegroup(
        **{
            "cluster": "web",
            "name": "ng",
            "arn": "arn",
            "id": "1",
            "version": "1.36",
            "release_version": "1.36.3-1",
            "created_at": 0.0,
            "modified_at": 0.0,
            "node_role": "arn:aws:iam::123456789012:role/node",
            "subnets": ("subnet-1",),
            "min_size": 0,
            "max_size": 50,
            "desired_size": 3,
            **fields,
        }
    )


class World:
    """A group of nodes of before, and what its Auto Scaling group and its cluster do each second.

    `boots` is how long an instance takes to become a node, `ends` how long to terminate; `stays`
    how long pods take to leave a node after they were asked to, `sick` are nodes not ready.
    """

    def __init__(self, group, total, *, boots=3, ends=2, stays=1, sick=0, launches=True):
        self.group, self.boots, self.ends, self.stays = group, boots, ends, stays
        self.launches = launches
        self.now, self.desired, self.maximum = 0.0, total, group.max_size
        self.made = total
        self.members = {f"i-{n:03}": [OLD, -1000.0, None] for n in range(total)}
        self.sick = {f"i-{n:03}" for n in range(sick)}
        self.cordoned, self.asked, self.least = set(), {}, total - sick
        self.before = total
        self.most_draining = self.most = 0
        self.rollout = begin("u", None, self.scene(), group)

    def seat(self, instance, fields):
        version, since, ended = fields
        ready = instance not in self.sick and self.now >= since + self.boots
        joined = self.now >= since + self.boots
        node = Node(
            name=f"n-{instance}",
            instance_id=instance,
            ready=ready,
            cordoned=instance in self.cordoned,
            marked=instance in self.cordoned,
        )
        return Seat(
            instance_id=instance,
            version=version,
            joined_at=since,
            in_service=self.now > since,
            leaving=ended is not None,
            node=node if joined else None,
        )

    def scene(self):
        seats = [self.seat(name, each) for name, each in sorted(self.members.items())]
        return Scene(now=self.now, desired=self.desired, maximum=self.maximum, seats=seats)

    def left(self):
        """Pods on draining nodes."""
        found = {}
        for drain in self.rollout.drains:
            since = self.asked.setdefault(drain.node, self.now)
            gone = self.now >= since + self.stays or drain.forced
            found[drain.node] = 0 if gone else 1
        return found

    def step(self):
        scene = self.scene()
        self.plan = plan(self.group, self.rollout, scene, NEW, self.left())
        self.rollout = self.plan.rollout
        self.desired, self.maximum = self.plan.desired, self.plan.maximum
        self.cordoned |= {name.removeprefix("n-") for name in self.plan.cordon}
        self.cordoned -= {name.removeprefix("n-") for name in self.plan.uncordon}
        for instance, replace in self.plan.terminate:
            assert self.members[instance][2] is None, "nothing is ended twice"
            self.members[instance][2] = self.now
            self.desired -= not replace
        self._auto_scale()
        self._count()
        self.now += 1

    def _auto_scale(self):
        for name, (_, _, ended) in list(self.members.items()):
            if ended is not None and self.now >= ended + self.ends:
                del self.members[name]
        live = [each for each in self.members.values() if each[2] is None]
        for _ in range(self.desired - len(live) if self.launches else 0):
            self.members[f"i-{self.made:03}"] = [NEW, self.now, None]
            self.made += 1

    def _count(self):
        scene = self.scene()
        draining = {drain.instance_id for drain in self.rollout.drains}
        usable = sum(s.ready and s.instance_id not in draining for s in scene.seats)
        self.least = min(self.least, usable)
        self.most = max(self.most, len(scene.live))
        busy = len(draining) + sum(s.leaving and s.version == OLD for s in scene.seats)
        self.most_draining = max(self.most_draining, busy)

    def run(self, seconds=5000):
        for _ in range(seconds):
            self.step()
            if self.plan.finished or self.plan.failure:
                return self.plan
        raise AssertionError("the update never ends")


SIZES = st.integers(1, 12)
RULES = st.one_of(
    st.builds(lambda n: {"max_unavailable": n}, st.integers(1, 15)),
    st.builds(
        lambda p: {"max_unavailable": 0, "max_unavailable_percentage": p}, st.integers(1, 100)
    ),
)


@settings(max_examples=80, deadline=None)
@given(
    total=SIZES,
    rule=RULES,
    minimal=st.booleans(),
    boots=st.integers(0, 20),
    ends=st.integers(0, 20),
    stays=st.integers(0, 20),
)
def test_every_update_ends_with_as_many_new_nodes_as_there_were_old_ones(
    total, rule, minimal, boots, ends, stays
):
    strategy = "MINIMAL" if minimal else "DEFAULT"
    group = nodegroup(update_strategy=strategy, **rule)
    world = World(group, total, boots=boots, ends=ends, stays=stays)
    done = world.run()
    assert done.finished
    assert done.failure is None
    assert {each[0] for each in world.members.values() if each[2] is None} == {NEW}
    assert world.desired == total == len([e for e in world.members.values() if e[2] is None])
    assert world.maximum == group.max_size
    allowed = at_once(group, total)
    # No more than may be are on their way out, and no more than may be are missed.
    assert world.most_draining <= allowed
    assert world.least >= max(0, total - allowed)
    assert world.most <= total + (0 if minimal else min(allowed, total))


@settings(max_examples=40, deadline=None)
@given(total=SIZES, sick=st.integers(0, 12), rule=RULES)
def test_nodes_that_are_no_use_hold_nothing_up(total, sick, rule):
    world = World(nodegroup(update_strategy="MINIMAL", **rule), total, sick=min(sick, total))
    assert world.run().finished


@given(percentage=st.integers(1, 100), total=st.integers(0, 500))
def test_percentages_are_never_nothing_and_never_more_than_a_hundred_nodes(percentage, total):
    group = nodegroup(max_unavailable=0, max_unavailable_percentage=percentage)
    count = at_once(group, total)
    assert 1 <= count <= 100
    assert count <= max(1, total * percentage / 100)


def test_old_nodes_take_no_new_pods_once_there_are_new_nodes():
    world = World(nodegroup(), 3)
    for _ in range(3):
        world.step()
        assert not world.cordoned
    world.run()
    assert {"i-000", "i-001", "i-002"} <= world.cordoned


def test_with_the_minimal_strategy_a_node_is_cordoned_when_it_is_drained():
    world = World(nodegroup(update_strategy="MINIMAL"), 3, stays=10)
    world.step()
    world.step()
    assert world.cordoned == {"i-000"}


def test_pods_that_stay_fail_the_update_after_a_quarter_of_an_hour():
    world = World(nodegroup(), 2, stays=10_000)
    done = world.run()
    assert done.failure.code == "PodEvictionFailure"
    assert done.failure.resources == ("n-i-000",)
    assert 900 <= world.now < 920
    # What is left of before takes pods again, and nothing of it was ended.
    assert not world.cordoned
    assert {"i-000", "i-001"} <= {n for n, each in world.members.items() if each[2] is None}


def test_a_forced_update_deletes_what_stays():
    world = World(nodegroup(force_update=True), 2, stays=10_000)
    assert world.run(4000).finished
    assert world.now > 2 * 900


def test_new_nodes_that_never_join_fail_the_update_and_go():
    world = World(nodegroup(), 2, boots=10_000)
    world.boots = 10_000
    for name in ("i-000", "i-001"):
        world.members[name][1] = -20_000.0
    done = world.run()
    assert done.failure.code == "NodeCreationFailure"
    assert "new nodes are not joining node group ng" in done.failure.message
    assert done.failure.resources == ("i-002",)
    assert world.desired == 2
    assert [n for n, each in world.members.items() if each[2] is None] == ["i-000", "i-001"]


def test_a_group_without_room_for_more_says_so():
    world = World(nodegroup(), 2, launches=False)
    done = world.run()
    assert done.failure.code == "NodeCreationFailure"
    assert done.failure.resources == ("ng",)


def test_an_update_goes_on_where_one_before_it_failed():
    world = World(nodegroup(), 3, stays=10_000)
    assert world.run().failure
    world.stays, world.asked = 1, {}
    assert world.rollout.phase == phases.FAILED
    world.rollout = begin("again", world.rollout, world.scene(), world.group)
    assert world.rollout.desired == 3
    assert world.run().finished
    assert world.desired == 3


def test_an_update_that_changes_nothing_is_done_at_once():
    world = World(nodegroup(), 3)
    for member in world.members.values():
        member[0] = NEW
    world.step()
    assert world.plan.finished
    assert (world.desired, world.plan.terminate) == (3, ())


def test_nothing_is_ended_while_the_cluster_does_not_answer():
    world = World(nodegroup(), 2)
    for _ in range(6):
        world.step()
    unseen = msgspec.structs.replace(world.rollout, since=world.now)
    scene = world.scene()
    blind = Scene(
        now=scene.now,
        desired=scene.desired,
        maximum=scene.maximum,
        seats=[
            Seat(instance_id=s.instance_id, version=s.version, joined_at=s.joined_at)
            for s in scene.seats
        ],
        reached=False,
    )
    waits = plan(world.group, unseen, blind, NEW, {})
    assert (waits.terminate, waits.failure, waits.rollout) == ((), None, unseen)
    late = Scene(
        now=scene.now + 900,
        desired=scene.desired,
        maximum=scene.maximum,
        seats=blind.seats,
        reached=False,
    )
    assert plan(world.group, unseen, late, NEW, {}).failure.code == "ClusterUnreachable"
