"""When instances go that Auto Scaling is to end: pure decisions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.controllers.eks_nodegroup.parting import drains, free, waiting
from longshore.controllers.eks_nodegroup.scene import HOOK, Node, Scene, Seat, seats_of
from longshore.model.auto_scaling import LifecycleAction, Member

NOW = 10_000.0


def seat(*, since=NOW, ready=True, joined=True, runs=True):
    node = Node(name="n-1", instance_id="i-1", ready=ready)
    return Seat(
        instance_id="i-1", node=node if joined else None, waits_since=since, runs=runs, leaving=True
    )


def scene(*seats, reached=True):
    return Scene(now=NOW, desired=1, maximum=1, seats=seats, reached=reached)


def test_a_node_goes_once_it_is_empty():
    assert free(scene(seat()), {"n-1": 1}) == []
    assert free(scene(seat()), {"n-1": 0}) == ["i-1"]


def test_a_node_that_nobody_looked_at_is_not_thought_to_be_empty():
    assert free(scene(seat()), {}) == []


@pytest.mark.parametrize(("ready", "seconds"), [(True, 900), (False, 300)])
def test_pods_that_do_not_leave_hold_a_node_only_for_so_long(ready, seconds):
    early, late = (seat(since=NOW - each, ready=ready) for each in (seconds - 1, seconds))
    assert free(scene(early), {"n-1": 1}) == []
    assert free(scene(late), {"n-1": 1}) == ["i-1"]


def test_an_instance_that_is_no_node_has_nothing_to_be_drained_of():
    assert free(scene(seat(joined=False)), {}) == ["i-1"]
    assert drains([seat(joined=False)]) == []


def test_nothing_goes_for_want_of_an_answer_until_it_has_had_its_time():
    unseen = seat(joined=False)
    assert free(scene(unseen, reached=False), {}) == []
    assert free(scene(seat(joined=False, since=NOW - 900), reached=False), {}) == ["i-1"]


def test_a_machine_that_does_not_run_any_more_goes_at_once():
    dead = seat(runs=False, ready=False)
    assert free(scene(dead), {"n-1": 3}) == ["i-1"]
    assert drains([dead]) == []


def test_only_members_that_wait_for_eks_are_seen_to():
    def member(number, *actions):
        return Member(group="g", instance_id=f"i-{number}", instance_type="t3.micro", zone="a",
                      joined_at=0.0, lifecycle="Terminating:Wait", actions=actions)  # fmt: skip

    action = LifecycleAction(hook=HOOK, token="t", since=5.0, heartbeat_at=5.0)
    other = LifecycleAction(hook="theirs", token="t", since=5.0, heartbeat_at=5.0)
    over = LifecycleAction(hook=HOOK, token="t", since=5.0, heartbeat_at=5.0, result="CONTINUE")
    seats = seats_of([member(1, other, action), member(2, other), member(3, over)], ())
    assert [each.instance_id for each in waiting(scene(*seats))] == ["i-1"]
    assert [each.runs for each in seats_of([member(1)], (), ["i-1"])] == [False]


@given(
    since=st.floats(0.1, NOW),
    ready=st.booleans(),
    joined=st.booleans(),
    runs=st.booleans(),
    reached=st.booleans(),
    left=st.integers(0, 3),
)
def test_whatever_there_is_an_instance_goes_within_a_quarter_of_an_hour(
    since, ready, joined, runs, reached, left
):
    found = seat(since=since, ready=ready, joined=joined, runs=runs)
    gone = free(scene(found, reached=reached), {"n-1": left})
    if NOW - since >= 900:
        assert gone == ["i-1"]
    if gone and runs and joined and ready:
        assert left == 0 or NOW - since >= 900
