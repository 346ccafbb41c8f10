"""What lifecycle hooks make groups wait for, turn by turn, with machines that are played."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integration.controllers.played_groups import Groups

from longshore.model.auto_scaling import LIFECYCLE_HOOK, ON_LAUNCH, ON_TERMINATION


@pytest.fixture
def groups(tmp_path):
    return Groups(tmp_path)


async def test_a_new_instance_serves_once_its_hook_has_been_completed(groups):
    await groups.hook("up", ON_LAUNCH)
    await groups.begin(desired=1)
    assert groups.states == {"Pending:Wait": 1}
    assert groups.activities[0].status == "MidLifecycleAction"
    assert groups.again == 3600
    (name,) = groups.members
    await groups.complete(name)
    assert groups.states == {"InService": 1}
    assert groups.members[name].actions == ()
    assert groups.activities[0].status == "Successful"


async def test_a_launch_that_is_abandoned_is_told_and_tried_again_later(groups):
    await groups.hook("up", ON_LAUNCH)
    await groups.begin(desired=1)
    (old,) = groups.members
    token = groups.members[old].actions[0].token
    await groups.complete(old, "ABANDON")
    launched = groups.told("Launching")[0]
    said = (
        "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token "
        f"{token} was abandoned: Lifecycle Action Completed with ABANDON Result"
    )
    assert (launched.status, launched.message) == ("Cancelled", said)
    assert launched.description.endswith(f"{old}.  Status Reason: {said}")
    assert (groups.members, groups.again) == ({}, 5)
    await groups.wait(5)
    assert groups.states == {"Pending:Wait": 1}


@pytest.mark.parametrize(("result", "states"), [("CONTINUE", {"InService": 1}), ("ABANDON", {})])
async def test_what_nobody_completes_in_time_ends_as_the_hook_says(groups, result, states):
    await groups.hook("up", ON_LAUNCH, heartbeat_seconds=60, default_result=result)
    await groups.begin(desired=1)
    await groups.wait(59)
    assert groups.states == {"Pending:Wait": 1}
    await groups.wait(1)
    assert groups.states == states


async def test_all_hooks_of_a_launch_are_waited_for(groups):
    await groups.hook("first", ON_LAUNCH)
    await groups.hook("second", ON_LAUNCH)
    await groups.begin(desired=1)
    (name,) = groups.members
    first, second = groups.members[name].actions
    assert first.token != second.token
    await groups.complete(name)
    assert groups.states == {"Pending:Wait": 1}


async def test_an_instance_that_is_to_go_runs_on_until_its_hook_has_been_completed(groups):
    await groups.hook("down", ON_TERMINATION)
    await groups.begin(desired=2)
    assert groups.states == {"InService": 2}
    await groups.change(desired=1)
    assert groups.states == {"InService": 1, "Terminating:Wait": 1}
    assert len(groups.running) == 2
    assert groups.told("Terminating")[0].status == "MidLifecycleAction"
    (going,) = (name for name, each in groups.members.items() if each.actions)
    await groups.complete(going, "ABANDON")
    assert groups.states == {"InService": 1}
    assert going not in {each.id for each in groups.running}
    assert groups.told("Terminating")[0].status == "Successful"


async def test_while_an_instance_shuts_down_its_member_proceeds(groups):
    await groups.hook("down", ON_TERMINATION, heartbeat_seconds=60)
    await groups.begin(desired=1)
    await groups.change(desired=0)
    groups.clock.advance(60)
    await groups.settle(machines=False)
    assert groups.states == {"Terminating:Proceed": 1}
    assert groups.running == []
    await groups.settle()
    assert groups.members == {}


async def test_an_unhealthy_instance_is_replaced_at_once_and_goes_when_its_hook_lets_it(groups):
    await groups.hook("down", ON_TERMINATION)
    await groups.begin(desired=1)
    (old,) = groups.members
    await groups.change_member(old, health="Unhealthy")
    assert groups.states == {"InService": 1, "Terminating:Wait": 1}
    await groups.wait(3600)
    assert old not in groups.members


async def test_what_was_seen_to_before_is_not_waited_for(groups):
    await groups.hook("down", ON_TERMINATION)
    await groups.begin(desired=1)
    (old,) = groups.members
    await groups.change_member(old, asked="terminate", done=("down",))
    assert old not in groups.members


async def test_a_member_that_leaves_standby_waits_for_the_launch_hook_again(groups):
    await groups.begin(desired=1)
    (name,) = groups.members
    await groups.change_unseen(desired=0)
    await groups.change_member(name, asked="standby")
    await groups.hook("up", ON_LAUNCH)
    await groups.change_unseen(desired=1)
    await groups.change_member(name, lifecycle="Pending")
    assert groups.states == {"Pending:Wait": 1}


async def test_a_refresh_waits_for_hooks(groups):
    await groups.hook("up", ON_LAUNCH)
    await groups.hook("down", ON_TERMINATION)
    await groups.begin(desired=1)
    (old,) = groups.members
    await groups.complete(old)
    preferences = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}
    await groups.refresh(preferences=preferences)
    await groups.settle()
    assert groups.states == {"InService": 1, "Pending:Wait": 1}
    (new,) = set(groups.members) - {old}
    await groups.complete(new)
    assert groups.members[old].lifecycle == "Terminating:Wait"
    await groups.complete(old)
    assert groups.states == {"InService": 1}
    assert groups.last_refresh.status == "Successful"


async def test_a_group_that_is_deleted_waits_for_nothing_and_takes_its_hooks_along(groups):
    await groups.hook("down", ON_TERMINATION)
    await groups.begin(desired=2)
    await groups.change(desired=1)
    assert groups.states == {"InService": 1, "Terminating:Wait": 1}
    await groups.change_unseen(deleted_at=groups.clock.now())
    await groups.settle()
    assert (groups.gone, groups.running) == (True, [])
    assert not groups.store.reader.scan(LIFECYCLE_HOOK)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["desire", "continue", "abandon", "wait", "terminated", "Unhealthy", "terminate"]
        ),
        st.integers(0, 5),
    ),
    max_size=14,
)


@settings(max_examples=25, deadline=None)
@given(EVENTS)
def test_whatever_happens_nothing_waits_for_ever_and_a_group_has_what_it_was_asked_for(events):
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_live_through(Groups(Path(directory)), events))


async def _live_through(groups, events):
    await groups.hook("up", ON_LAUNCH, heartbeat_seconds=300, default_result="CONTINUE")
    await groups.hook("down", ON_TERMINATION, heartbeat_seconds=100)
    await groups.begin(desired=2)
    for event, number in events:
        groups.clock.advance(1)
        await _happen(groups, event, number)
    for _ in range(4):
        await groups.wait(301)
    assert groups.states == ({"InService": groups.group.desired} if groups.group.desired else {})
    assert {each.id for each in groups.running} == set(groups.members)
    assert all(each.ended_at for each in groups.activities)
    assert not any(each.actions for each in groups.members.values())


async def _happen(groups, event, number):
    waiting = [name for name, each in sorted(groups.members.items()) if each.actions]
    members = sorted(groups.members)
    if event == "desire":
        await groups.change(desired=number)
    elif event == "wait":
        await groups.wait(number * 60.0)
    elif event in {"continue", "abandon"}:
        if waiting:
            await groups.complete(waiting[number % len(waiting)], event.upper())
    elif members:
        name = members[number % len(members)]
        if event == "terminated":
            await groups.become(name, state=event)
        elif event == "Unhealthy":
            await groups.change_member(name, health=event)
        else:
            await groups.change_member(name, asked=event)
