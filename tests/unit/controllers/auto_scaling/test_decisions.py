"""What groups decide holds whatever their members are."""

import math
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from longshore.controllers.auto_scaling.health import BY_USER, GONE, IMPAIRED, trouble
from longshore.controllers.auto_scaling.mix import Mix
from longshore.controllers.auto_scaling.patience import failures_in_a_row, seconds_to_wait
from longshore.controllers.auto_scaling.replacing import limits, step
from longshore.controllers.auto_scaling.seen import Seen, Warmup, counted
from longshore.controllers.auto_scaling.selection import Current, select
from longshore.controllers.auto_scaling.spread import imbalance, in_order

NOW = 10_000_000.0
WARM = Warmup(now=NOW)
ZONES = ["a", "b", "c"]
POLICIES = [
    *("AllocationStrategy", "ClosestToNextInstanceHour", "Default", "NewestInstance"),
    *("OldestInstance", "OldestLaunchConfiguration", "OldestLaunchTemplate"),
]


def member(name, **fields):
    return Seen(**{"id": name, "zone": "a", "lifecycle": "InService", **fields})


members = st.lists(
    st.builds(
        Seen,
        id=st.uuids().map(str),
        zone=st.sampled_from(ZONES),
        lifecycle=st.sampled_from(["Pending", "InService"]),
        health=st.sampled_from(["Healthy", "Healthy", "Healthy", "Unhealthy"]),
        protected=st.booleans(),
        launched_at=st.floats(0, NOW),
        template=st.tuples(st.sampled_from(["", "lt-1", "lt-2"]), st.integers(0, 3)),
        instance_type=st.sampled_from(["m5.large", "c5.large"]),
        spot=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda each: each.id,
)
policies = st.lists(st.sampled_from(POLICIES), max_size=3)


@given(members, st.integers(0, 12), policies)
def test_as_many_go_as_are_too_many_but_never_a_protected_one(found, count, asked):
    chosen = select(found, count, asked, Current(), NOW)
    free = {each.id for each in found if not each.protected}
    assert set(chosen) <= free
    assert len(chosen) == len(set(chosen)) == min(count, len(free))


@given(members, st.integers(0, 12), policies)
def test_scaling_in_leaves_zones_no_more_uneven_than_they_were(found, count, asked):
    plain = [
        Seen(id=each.id, zone=each.zone, lifecycle="InService", launched_at=each.launched_at)
        for each in found
    ]
    before = Counter(each.zone for each in plain)
    chosen = select(plain, count, asked, Current(), NOW)
    after = Counter(each.zone for each in plain if each.id not in chosen)
    assert spread(after) <= max(1, spread(before))


def spread(counts):
    numbers = [counts[zone] for zone in ZONES]
    return max(numbers) - min(numbers)


def test_unhealthy_members_go_before_any_policy_is_asked():
    found = [member("old", launched_at=1.0), member("sick", launched_at=2.0, health="Unhealthy")]
    assert select(found, 1, ["OldestInstance"], Current(), NOW) == ["sick"]


@pytest.mark.parametrize(
    ("policy", "first"),
    [
        ("OldestInstance", "oldest"),
        ("NewestInstance", "newest"),
        ("OldestLaunchTemplate", "other-template"),
        ("Default", "other-template"),
        ("ClosestToNextInstanceHour", "hour"),
        ("AllocationStrategy", "last-type"),
    ],
)
def test_each_policy_names_its_own_first_victim(policy, first):
    usual = {"template": ("lt-1", 2), "instance_type": "c5.large"}
    found = [
        member("oldest", launched_at=NOW - 36_000, **usual),
        member("newest", launched_at=NOW - 60, **usual),
        member("hour", launched_at=NOW - 3590, **usual),
        member("other-template", launched_at=NOW - 100, **usual | {"template": ("lt-2", 9)}),
        member("last-type", launched_at=NOW - 110, **usual | {"instance_type": "m5.large"}),
    ]
    mix = Mix(types=("c5.large", "m5.large")) if policy == "AllocationStrategy" else Mix()
    current = Current(template_id="lt-1", mix=mix)
    assert select(found, 1, [policy], current, NOW) == [first]


def test_an_old_version_goes_before_a_new_one():
    found = [
        member("new", template=("lt-1", 3), launched_at=1.0),
        member("old", template=("lt-1", 2), launched_at=2.0),
    ]
    assert select(found, 1, ["Default"], Current(template_id="lt-1"), NOW) == ["old"]


@given(st.integers(0, 30), st.integers(0, 10), st.integers(0, 100))
def test_instances_launched_one_by_one_are_spot_and_on_demand_as_asked(total, base, percent):
    mix = Mix(on_demand_base=base, on_demand_percent=percent)
    made = []
    for _ in range(total):
        made.append(mix.next_is_spot(made))
    assert made.count(False) == mix.on_demand_of(total)
    assert min(total, base) <= made.count(False) <= total


def test_scaling_in_takes_spot_instances_where_on_demand_ones_are_few():
    mix = Mix(on_demand_base=1, on_demand_percent=0)
    found = [member("on-demand", launched_at=1.0), member("spot", spot=True, launched_at=2.0)]
    assert select(found, 1, ["OldestInstance"], Current(mix=mix), NOW) == ["spot"]


@given(st.integers(0, 40), st.permutations(ZONES))
def test_launches_spread_evenly_over_zones(count, zones):
    taken = []
    for _ in range(count):
        taken.append(in_order(zones, taken)[0])
    assert spread(Counter(taken)) <= 1
    assert imbalance(zones, taken) is None


@given(st.lists(st.sampled_from([*ZONES, "gone"]), max_size=30))
def test_moving_one_member_at_a_time_makes_zones_even(taken):
    taken = list(taken)
    for _ in range(100):
        uneven = imbalance(ZONES, taken)
        if uneven is None:
            break
        taken.remove(uneven[0])
        taken.append(uneven[1])
    assert "gone" not in taken
    assert spread(Counter(taken)) <= 1


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, ""),
        ({"state": "stopping"}, GONE),
        ({"state": "terminated", "lifecycle": "Pending"}, GONE),
        ({"state": "pending", "lifecycle": "Pending"}, ""),
        ({"state": "shutting-down", "lifecycle": "Standby"}, ""),
        ({"health": "Unhealthy"}, BY_USER),
        ({"impaired_since": NOW - 119, "in_service_at": NOW - 600}, ""),
        ({"impaired_since": NOW - 120, "in_service_at": NOW - 600}, IMPAIRED),
        ({"impaired_since": NOW - 200, "in_service_at": NOW - 30}, ""),
    ],
)
def test_a_member_is_unhealthy_for_one_of_three_reasons(fields, why):
    assert trouble(member("i", **fields), 60.0, NOW) == why


def test_a_member_that_follows_another_counts_only_once_that_one_goes():
    old, new = member("old"), member("new", instead_of="old")
    assert counted([old, new]) == [old]
    assert counted([member("old", asked="terminate"), new]) == [new]


replaced = st.lists(
    st.builds(
        Seen,
        id=st.uuids().map(str),
        zone=st.just("a"),
        lifecycle=st.sampled_from(["Pending", "InService", "InService"]),
        health=st.sampled_from(["Healthy", "Healthy", "Unhealthy"]),
    ),
    min_size=1,
    max_size=10,
    unique_by=lambda each: each.id,
)
percents = st.tuples(st.integers(0, 100), st.integers(100, 200))


@given(replaced, percents, st.data())
def test_replacing_keeps_within_its_percentages(found, percent, data):
    desired = len(found)
    allowed = limits(desired, *percent)
    old = [each.id for each in found if data.draw(st.booleans())]
    todo = step(found, old, desired, allowed, WARM)
    assert not set(todo.launch) & set(todo.terminate)
    assert {*todo.launch, *todo.terminate} <= set(old)
    assert not todo.launch or len(found) + len(todo.launch) <= allowed.high
    ready = {each.id for each in found if WARM.is_ready(each)}
    left = len(ready - set(todo.terminate))
    lowest = allowed.low if allowed.high > desired else min(allowed.low, desired - 1)
    assert left >= min(lowest, len(ready))


@given(st.integers(1, 8), percents, st.lists(st.booleans(), max_size=40))
def test_every_replacement_ends_with_new_members_only(desired, percent, luck):
    allowed = limits(desired, *percent)
    state = {f"o{n}": member(f"o{n}") for n in range(desired)}
    old, made = list(state), 0
    for turn in range(120):
        for each in list(state.values()):
            if each.lifecycle == "Pending" and (luck[turn] if turn < len(luck) else True):
                state[each.id] = member(each.id, instead_of=each.instead_of)
                state.pop(each.instead_of, None)
        if len(counted(state.values())) < desired:
            state[f"n{made}"] = member(f"n{made}", lifecycle="Pending")
            made += 1
            continue
        todo = step(state.values(), old, desired, allowed, WARM)
        for name in todo.terminate:
            del state[name]
        for name in todo.launch:
            state[f"n{made}"] = member(f"n{made}", lifecycle="Pending", instead_of=name)
            made += 1
        assert len(state) <= allowed.high
    assert len(state) == desired
    assert not set(state) & set(old)


@given(st.integers(0, 1000), percents)
def test_percentages_always_leave_room_to_launch_first_where_they_exceed_a_hundred(
    desired, percent
):
    assume(percent[1] > 100)
    allowed = limits(desired, *percent)
    assert allowed.low == math.ceil(desired * percent[0] / 100)
    assert allowed.high > desired


def test_waiting_after_failed_launches_grows_and_has_an_end():
    waits = [seconds_to_wait(failures) for failures in range(20)]
    assert waits[0] == 0
    assert waits == sorted(waits)
    assert waits[-1] == 300
    assert failures_in_a_row([False, False, True, False]) == 2
    assert failures_in_a_row([]) == 0
