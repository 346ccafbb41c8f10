"""Rolling updates keep their promises whatever happens between two looks."""

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from longshore.controllers.service.deployment.rollout import (
    Member,
    breaker_threshold,
    retry_seconds,
    rollout,
)

members = st.lists(st.builds(
    Member,
    id=st.uuids().map(str),
    current=st.booleans(),
    healthy=st.booleans(),
    protected=st.booleans(),
    rank=st.integers(-3, 3),
), max_size=12, unique_by=lambda member: member.id)  # fmt: skip
percents = st.tuples(st.integers(0, 100), st.integers(100, 400))


@given(members, st.integers(0, 10), percents)
def test_stops_never_leave_fewer_healthy_tasks_than_the_minimum(found, desired, percent):
    minimum, maximum = percent
    plan = rollout(found, desired, minimum, maximum)
    lowest = math.ceil(desired * minimum / 100)
    before = sum(each.healthy for each in found)
    stopped = sum(each.healthy for each in found if each.id in plan.stop)
    assert before - stopped >= min(lowest, before)


@given(members, st.integers(0, 10), percents)
def test_starts_never_bring_more_tasks_than_the_maximum(found, desired, percent):
    minimum, maximum = percent
    plan = rollout(found, desired, minimum, maximum)
    highest = math.floor(desired * maximum / 100)
    assert plan.start == 0 or len(found) + plan.start <= highest
    assert plan.start >= 0


@given(members, st.integers(0, 10), percents)
def test_protected_tasks_are_left_alone(found, desired, percent):
    plan = rollout(found, desired, *percent)
    assert not {each.id for each in found if each.protected} & set(plan.stop)


@given(
    st.integers(0, 8),
    st.integers(0, 8),
    st.integers(0, 99),
    st.integers(100, 300),
    st.lists(st.booleans(), max_size=60),
)
def test_every_rollout_ends_with_the_wanted_tasks_and_no_other(
    old, desired, minimum, maximum, luck
):
    """Tasks become healthy when they like; nothing dies. Some room must be left by the percents."""
    assume(not desired or math.floor(desired * maximum / 100) > math.ceil(desired * minimum / 100))
    state = [Member(id=f"o{n}", current=False, healthy=True) for n in range(old)]
    made = 0
    for turn in range(150):
        plan = rollout(state, desired, minimum, maximum)
        state = [each for each in state if each.id not in plan.stop]
        state += [Member(id=f"n{made + n}", current=True, healthy=False) for n in range(plan.start)]
        made += plan.start
        ready = luck[turn % len(luck)] if luck and turn < 100 else True
        state = [Member(id=m.id, current=m.current, healthy=m.healthy or ready) for m in state]
    assert [each.current for each in state] == [True] * desired


def test_waiting_grows_and_has_an_end():
    waits = [retry_seconds(failures) for failures in range(20)]
    assert waits[:3] == [0, 0, 0]
    assert waits == sorted(waits)
    assert waits[-1] == 900


def test_breaker_opens_between_3_and_200():
    assert [breaker_threshold(n) for n in (1, 10, 25, 1000)] == [3, 5, 13, 200]
