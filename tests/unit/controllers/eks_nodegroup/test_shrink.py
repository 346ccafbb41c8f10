"""Which nodes go when a node group is made smaller."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from longshore.controllers.eks_nodegroup.scene import Node, Scene, Seat
from longshore.controllers.eks_nodegroup.shrink import shrink

SEATS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.booleans(), st.booleans()), max_size=12
)


def seats_of(drawn):
    return [
        Seat(
            instance_id=f"i-{number:02}",
            version=version,
            zone=zone,
            protected=protected,
            node=Node(name=f"n-{number:02}", instance_id=f"i-{number:02}", ready=ready),
        )
        for number, (zone, version, ready, protected) in enumerate(drawn)
    ]


@given(drawn=SEATS, desired=st.integers(0, 12), pods=st.integers(0, 2))
def test_as_many_go_as_are_too_many_each_after_its_pods(drawn, desired, pods):
    seats = seats_of(drawn)
    scene = Scene(now=0.0, desired=len(seats), maximum=12, seats=seats)
    first = shrink(desired, (), scene, {})
    free = sum(not seat.protected for seat in seats)
    assert len(first.drains) == min(free, max(0, len(seats) - desired))
    assert first.end == ()
    protected = {seat.instance_id for seat in seats if seat.protected}
    assert not protected & {drain.instance_id for drain in first.drains}
    second = shrink(desired, first.drains, scene, {d.node: pods for d in first.drains})
    kept, ended = (len(second.drains), len(second.end))
    assert (kept, ended) == ((len(first.drains), 0) if pods else (0, len(first.drains)))
    late = Scene(now=900.0, desired=len(seats), maximum=12, seats=seats)
    stubborn = shrink(desired, first.drains, late, {d.node: 1 for d in first.drains})
    assert len(stubborn.end) == len(first.drains)


@given(drawn=SEATS, desired=st.integers(0, 12))
def test_zones_stay_even(drawn, desired):
    seats = seats_of([(zone, 1, True, False) for zone, *_ in drawn])
    scene = Scene(now=0.0, desired=len(seats), maximum=12, seats=seats)
    before = Counter(seat.zone for seat in seats)
    gone = {drain.instance_id for drain in shrink(desired, (), scene, {}).drains}
    after = Counter(seat.zone for seat in seats if seat.instance_id not in gone)
    for zone, count in after.items():
        assert all(count >= min(before[zone], other - 1) for other in after.values())


def test_what_is_no_use_goes_first():
    seats = seats_of([("a", 1, True, False), ("b", 1, False, False), ("a", 1, True, False)])
    scene = Scene(now=0.0, desired=3, maximum=3, seats=seats)
    assert [drain.node for drain in shrink(2, (), scene, {}).drains] == ["n-01"]


def test_an_instance_that_is_no_node_goes_at_once():
    scene = Scene(now=0.0, desired=1, maximum=1, seats=[Seat(instance_id="i-1")])
    assert shrink(0, (), scene, {}).end == ("i-1",)


@given(drawn=SEATS, more=st.integers(0, 12))
def test_nodes_that_are_wanted_again_are_spared(drawn, more):
    seats = seats_of(drawn)
    scene = Scene(now=0.0, desired=len(seats), maximum=12, seats=seats)
    first = shrink(0, (), scene, {})
    again = shrink(more, first.drains, scene, {drain.node: 1 for drain in first.drains})
    surplus = max(0, len(seats) - more)
    assert len(again.drains) == min(surplus, len(first.drains))
    assert set(again.drains) | set(again.spared) == set(first.drains)
