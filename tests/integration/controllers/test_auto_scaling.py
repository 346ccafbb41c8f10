"""What groups do, turn by turn, with machines that are played."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integration.controllers.played_groups import PLACE, TEMPLATE, Groups

from longshore.model.auto_scaling import GroupTag
from longshore.model.ec2 import ADDRESS_CLAIM, NETWORK_INTERFACE
from longshore.model.instances import INSTANCE, Reason


@pytest.fixture
def groups(tmp_path):
    return Groups(tmp_path)


def config(version, template=TEMPLATE):
    return {"LaunchTemplate": {"LaunchTemplateId": template, "Version": version}}


async def test_a_group_has_as_many_instances_as_desired_spread_over_its_zones(groups):
    await groups.begin(desired=4)
    assert groups.states == {"InService": 4}
    assert groups.zones == [2, 1, 1]
    (first, *_) = groups.running
    assert dict(first.tags)["aws:autoscaling:groupName"] == "web"
    assert dict(first.tags)["aws:ec2launchtemplate:version"] == "1"
    assert groups.again is None


async def test_instances_carry_the_groups_tags_that_are_to_be_propagated(groups):
    tags = (GroupTag("stage", "test", True), GroupTag("own", "x", False))
    await groups.begin(desired=1, tags=tags)
    kept = dict(groups.running[0].tags)
    assert kept["stage"] == "test"
    assert "own" not in kept


async def test_an_instance_is_pending_until_it_runs(groups):
    await groups.begin(desired=0)
    await groups.change_unseen(desired=1)
    await groups.settle(machines=False)
    assert groups.states == {"Pending": 1}
    assert groups.activities[0].status == "PreInService"
    await groups.settle()
    assert groups.states == {"InService": 1}
    (launched,) = groups.activities
    assert (launched.status, launched.progress) == ("Successful", 100)
    assert "increasing the capacity from 0 to 1" in launched.cause


async def test_scaling_in_ends_instances_and_keeps_zones_even(groups):
    await groups.begin(desired=6)
    await groups.change(desired=2)
    assert groups.states == {"InService": 2}
    assert groups.zones == [1, 1]
    ended = groups.told("Terminating")
    assert len(ended) == 4
    assert all("shrinking the capacity from 6 to 2" in each.cause for each in ended)
    assert {each.status for each in ended} == {"Successful"}


async def test_protected_members_stay_even_where_they_are_too_many(groups):
    await groups.begin(protect_from_scale_in=True)
    await groups.change(desired=0)
    assert groups.states == {"InService": 3}


async def test_a_terminating_member_is_shown_until_its_instance_is_gone(groups):
    await groups.begin(desired=1)
    await groups.change_unseen(desired=0)
    await groups.settle(machines=False)
    assert groups.states == {"Terminating": 1}
    await groups.settle()
    assert groups.members == {}


@pytest.mark.parametrize("state", ["terminated", "stopping", "stopped"])
async def test_an_instance_that_runs_no_more_is_replaced(groups, state):
    await groups.begin(desired=1)
    (old,) = groups.members
    await groups.become(old, state=state)
    (new,) = groups.members
    assert new != old
    assert groups.states == {"InService": 1}
    assert "EC2 health check" in groups.told("Terminating")[0].cause
    assert groups.instance(old).wanted == "terminated"


async def test_failed_status_checks_count_after_the_grace_period(groups):
    await groups.begin(desired=1, health_check_grace_seconds=300)
    (old,) = groups.members
    await groups.become(old, impaired_since=groups.clock.now())
    assert list(groups.members) == [old]
    assert groups.again == 300
    await groups.wait(300)
    assert list(groups.members) != [old]


async def test_a_member_that_the_user_calls_unhealthy_is_replaced(groups):
    await groups.begin(desired=1)
    (old,) = groups.members
    await groups.change_member(old, health="Unhealthy")
    assert list(groups.members) != [old]
    assert "user health-check" in groups.told("Terminating")[0].cause
    assert "unhealthy instance needing to be replaced" in groups.told("Launching")[-1].cause


@pytest.mark.parametrize("process", ["HealthCheck", "ReplaceUnhealthy", "Terminate"])
async def test_suspended_processes_leave_dead_members_alone(groups, process):
    await groups.begin(desired=1, suspended=((process, "because"),))
    (old,) = groups.members
    await groups.become(old, state="terminated")
    assert list(groups.members) == [old]
    assert groups.members[old].health == ("Healthy" if process == "HealthCheck" else "Unhealthy")
    await groups.change(suspended=())
    assert list(groups.members) != [old]


async def test_nothing_is_launched_or_ended_while_that_is_suspended(groups):
    await groups.begin(suspended=(("Launch", "because"), ("Terminate", "because")))
    assert groups.members == {}
    await groups.change(suspended=(("Terminate", "because"),))
    await groups.change(desired=1)
    assert groups.states == {"InService": 3}


async def test_a_launch_without_room_is_told_and_tried_again_later_and_later(tmp_path):
    groups = Groups(tmp_path, memory=1024)
    await groups.begin(desired=2)
    assert groups.states == {"InService": 1}
    (failed,) = [each for each in groups.activities if each.status == "Failed"]
    assert "sufficient t3.micro capacity" in failed.message
    assert failed.message.endswith("Launching EC2 instance failed.")
    assert failed.description.startswith("Launching a new EC2 instance.  Status Reason: ")
    waits = []
    for _ in range(8):
        assert groups.again is not None
        waits.append(groups.again)
        await groups.wait(groups.again)
    assert waits[0] == 5
    assert waits == sorted(waits)
    assert waits[-1] == 300
    assert groups.states == {"InService": 1}


async def test_launches_that_fail_for_want_of_an_address_keep_none(tmp_path):
    groups = Groups(tmp_path, pool="198.18.9.0/30")  # The pool has one address to give.
    await groups.begin(desired=2)
    assert groups.states == {"InService": 1}
    failed = [each for each in groups.activities if each.status == "Failed"]
    assert "not enough free addresses" in failed[0].message
    chosen = {"DeviceIndex": 0, "PrivateIpAddress": "172.31.0.9", "AssociatePublicIpAddress": False}
    await groups.put_template({"NetworkInterfaces": [chosen]})
    await groups.change(desired=3, subnets=groups.group.subnets[:1])
    for _ in range(3):
        await groups.wait(300)
    claims = groups.store.reader.scan(ADDRESS_CLAIM)
    interfaces = [record.value for record in groups.store.reader.scan(NETWORK_INTERFACE)]
    assert {each.instance_id for each in interfaces} == set(groups.members)
    held = [each.private_address for each in interfaces]
    held += [each.public_address for each in interfaces if each.public_address]
    assert sorted(claim.key.name.rpartition("/")[2] for claim in claims) == sorted(held)


async def test_a_change_of_the_group_is_tried_at_once(groups):
    template = {"LaunchTemplateId": "lt-00000000000000000", "Version": "1"}
    await groups.begin(desired=1, launch_template=template)
    assert "does not exist" in groups.activities[0].message
    await groups.change(launch_template={"LaunchTemplateId": TEMPLATE, "Version": "$Latest"})
    assert groups.states == {"InService": 1}
    assert groups.members[groups.running[0].id].launch_template["Version"] == "2"


async def test_another_type_is_taken_where_the_first_has_no_room(tmp_path):
    groups = Groups(tmp_path, memory=3 * 1024)
    mixed = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": TEMPLATE, "Version": "1"},
            "Overrides": [{"InstanceType": "t3.xlarge"}, {"InstanceType": "t3.small"}],
        },
        "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 0},
    }
    await groups.begin(desired=1, launch_template=None, mixed_instances=mixed)
    (instance,) = groups.running
    assert (instance.instance_type, instance.spot) == ("t3.small", True)


async def test_an_instance_that_never_comes_up_fails_its_launch(groups):
    await groups.begin(desired=0)
    await groups.change_unseen(desired=1)
    await groups.settle(machines=False)
    (old,) = groups.members
    reason = Reason("Server.InternalError", "Server.InternalError: its image could not be made")
    await groups.become(old, state="terminated", reason=reason)
    failed = groups.told("Launching")[0]
    assert failed.status == "Failed"
    assert "its image could not be made" in failed.message
    assert groups.members == {}
    assert groups.again == 5
    await groups.wait(5)
    assert groups.states == {"InService": 1}


async def test_zones_that_have_become_uneven_are_evened_without_fewer_instances(groups):
    await groups.begin(desired=4)
    all_subnets = groups.group.subnets
    await groups.change(subnets=all_subnets[:1])
    assert groups.zones == [4]
    await groups.change_unseen(subnets=all_subnets)
    await groups.settle(machines=False)
    assert groups.states == {"InService": 4, "Pending": 1}
    await groups.settle()
    assert groups.zones == [2, 1, 1]
    assert groups.states == {"InService": 4}
    causes = [each.cause for each in groups.told("Launching")]
    assert sum("balance instances in zones" in each for each in causes) == 4


async def test_zones_stay_uneven_while_rebalancing_is_suspended(groups):
    await groups.begin(desired=2)
    await groups.change(
        suspended=(("AZRebalance", "because"),), subnets=groups.group.subnets[:1], desired=4
    )
    assert groups.zones == [3, 1]


async def test_members_that_are_too_old_are_replaced_one_at_a_time(groups):
    await groups.begin(desired=2, max_instance_lifetime=86_400)
    before = set(groups.members)
    assert groups.again == 86_400
    groups.clock.advance(86_400)
    await groups.settle(machines=False)
    assert groups.states == {"InService": 1, "Terminating": 1, "Pending": 1}
    await groups.settle()
    assert groups.states == {"InService": 2}
    assert not before & set(groups.members)


async def test_a_member_in_standby_runs_on_and_counts_no_more(groups):
    await groups.begin(desired=2)
    name = next(iter(groups.members))
    await groups.change_unseen(desired=1)
    await groups.change_member(name, asked="standby")
    assert groups.states == {"InService": 1, "Standby": 1}
    assert groups.instance(name).wanted == "running"
    await groups.change_unseen(desired=2)
    await groups.change_member(name, lifecycle="Pending")
    assert groups.states == {"InService": 2}


async def test_a_detached_instance_runs_on_outside_of_the_group(groups):
    await groups.begin(desired=2)
    name = next(iter(groups.members))
    await groups.change_member(name, asked="detach")
    assert name not in groups.members
    assert groups.states == {"InService": 2}
    assert groups.instance(name).wanted == "running"
    assert "aws:autoscaling:groupName" not in dict(groups.instance(name).tags)


async def test_a_deleted_group_ends_its_instances_and_goes_with_everything(groups):
    await groups.begin(desired=2)
    await groups.refresh(status="Successful")
    await groups.change_unseen(deleted_at=groups.clock.now())
    await groups.settle(machines=False)
    assert groups.states == {"Terminating": 2}
    await groups.settle()
    assert groups.gone
    assert groups.running == []
    assert groups.members == {}
    assert groups.activities == []


async def test_old_activities_are_forgotten(groups):
    await groups.begin(desired=1)
    assert len(groups.activities) == 1
    await groups.wait(43 * 24 * 3600.0)
    assert groups.activities == []


async def test_instances_that_are_gone_for_good_are_found_missing(groups):
    await groups.begin(desired=1)
    (old,) = groups.members
    await groups.store.transact(lambda tx: tx.delete(INSTANCE, *PLACE, old))
    await groups.settle()
    (new,) = groups.members
    assert new != old


async def test_a_refresh_replaces_one_after_the_other_and_then_changes_the_group(groups):
    await groups.begin(desired=3)
    before = set(groups.members)
    await groups.refresh(desired=config("2"), before=config("1"))
    await groups.settle(machines=False)
    assert groups.states == {"InService": 2, "Terminating": 1, "Pending": 1}
    assert groups.last_refresh.status == "InProgress"
    await groups.settle()
    assert groups.last_refresh.status == "Successful"
    assert groups.last_refresh.percentage == 100
    assert not before & set(groups.members)
    versions = {member.launch_template["Version"] for member in groups.members.values()}
    assert versions == {"2"}
    assert groups.group.launch_template == config("2")["LaunchTemplate"]


async def test_a_refresh_launches_first_where_more_than_all_may_be_healthy(groups):
    await groups.begin(desired=2)
    preferences = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}
    await groups.refresh(preferences=preferences, desired=config("2"), before=config("1"))
    await groups.settle(machines=False)
    assert groups.states == {"InService": 2, "Pending": 2}
    await groups.settle()
    assert groups.states == {"InService": 2}
    assert groups.last_refresh.status == "Successful"


async def test_a_refresh_waits_for_new_members_to_warm_up(groups):
    await groups.begin(desired=2)
    await groups.refresh(preferences={"InstanceWarmup": 60}, desired=config("2"))
    await groups.settle()
    assert groups.last_refresh.percentage == 50
    assert groups.again == 60
    await groups.wait(60)
    await groups.wait(60)
    assert groups.last_refresh.status == "Successful"


async def test_a_refresh_that_skips_what_matches_leaves_those_alone(groups):
    await groups.begin(desired=2)
    before = set(groups.members)
    await groups.refresh(preferences={"SkipMatching": True}, desired=config("1"))
    await groups.settle()
    assert set(groups.members) == before
    assert groups.last_refresh.status == "Successful"


async def test_a_cancelled_refresh_leaves_the_group_as_it_was(groups):
    await groups.begin(desired=2)
    await groups.refresh(preferences={"InstanceWarmup": 600}, desired=config("2"))
    await groups.settle()
    await groups.refresh(
        preferences={"InstanceWarmup": 600}, desired=config("2"), status="Cancelling"
    )
    await groups.settle()
    assert groups.last_refresh.status == "Cancelled"
    assert groups.group.launch_template["Version"] == "1"
    assert groups.states == {"InService": 2}


async def test_a_refresh_that_cannot_launch_fails_after_an_hour(groups):
    await groups.begin(desired=2)
    await groups.put_template({}, {"ImageId": "ami-00000000000000000"})
    await groups.refresh(desired=config("2"), before=config("1"))
    await groups.settle()
    assert groups.states == {"InService": 1}
    for _ in range(60):
        if groups.last_refresh.status != "InProgress":
            break
        await groups.wait(groups.again or 60)
    assert groups.last_refresh.status == "Failed"
    await groups.wait(300)
    assert groups.states == {"InService": 2}


async def test_a_refresh_that_fails_is_rolled_back_where_that_is_wanted(groups):
    await groups.begin(desired=2)
    await groups.refresh(
        preferences={"AutoRollback": True, "InstanceWarmup": 0},
        desired=config("2"),
        before=config("1"),
    )
    await groups.settle(machines=False)
    await groups.put_template({}, {"ImageId": "ami-00000000000000000"})
    await groups.settle()
    for _ in range(60):
        if groups.last_refresh.status != "InProgress":
            break
        await groups.wait(groups.again or 60)
    await groups.wait(300)
    assert groups.last_refresh.status == "RollbackSuccessful"
    versions = {member.launch_template["Version"] for member in groups.members.values()}
    assert versions == {"1"}
    assert groups.group.launch_template["Version"] == "1"


async def test_a_protected_member_stops_a_refresh_unless_it_says_otherwise(groups):
    await groups.begin(desired=1, protect_from_scale_in=True)
    (old,) = groups.members
    await groups.refresh(desired=config("2"))
    await groups.settle()
    assert list(groups.members) == [old]
    await groups.refresh(desired=config("2"), preferences={"ScaleInProtectedInstances": "Refresh"})
    await groups.settle()
    assert list(groups.members) != [old]


OF_MEMBERS = ("terminated", "stopped", "Unhealthy", "protect", "detach", "standby", "terminate")
OF_GROUPS = ("desire", "subnets", "wait", "hold", "refresh", "cancel")
EVENTS = st.lists(
    st.tuples(st.sampled_from([*OF_GROUPS, *OF_MEMBERS]), st.integers(0, 5)), max_size=12
)


@settings(max_examples=25, deadline=None)
@given(EVENTS)
def test_whatever_happens_a_group_ends_with_what_it_was_asked_for(events):
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_live_through(Groups(Path(directory)), events))


async def _live_through(groups, events):
    await groups.begin(desired=2)
    every_subnet = groups.group.subnets
    for event, number in events:
        groups.clock.advance(1)
        await _happen(groups, event, number, every_subnet)
    for name in [each.instance_id for each in groups.members.values() if each.protected]:
        await groups.change_member(name, protected=False)
    for name in [n for n, each in groups.members.items() if each.lifecycle == "Standby"]:
        await groups.change_member(name, asked="terminate")
    for _ in range(8):
        await groups.wait(3700)
    assert groups.states == ({"InService": groups.group.desired} if groups.group.desired else {})
    assert not groups.zones or max(groups.zones) - min(groups.zones) <= 1
    assert {each.id for each in groups.running} >= set(groups.members)
    assert all(each.ended_at for each in groups.activities)


async def _happen(groups, event, number, every_subnet):
    members = sorted(groups.members)
    if event in OF_GROUPS:
        await _happen_to_group(groups, event, number, every_subnet)
    elif members:
        await _happen_to_member(groups, event, members[number % len(members)])


async def _happen_to_group(groups, event, number, every_subnet):
    if event == "desire":
        await groups.change(desired=number)
    elif event == "subnets":
        await groups.change(subnets=every_subnet[: 1 + number % 3])
    elif event == "wait":
        await groups.wait(number * 100.0)
    elif event == "hold":
        await groups.change_unseen(desired=number)
        await groups.settle(machines=False)
    elif event == "refresh":
        preferences = {"MinHealthyPercentage": 50 * (number % 3), "InstanceWarmup": number}
        await groups.refresh(desired=config("2"), before=config("1"), preferences=preferences)
        await groups.settle()
    else:
        await groups.refresh(status="Cancelling", desired=config("2"))
        await groups.settle()


async def _happen_to_member(groups, event, name):
    if event in {"terminated", "stopped"}:
        await groups.become(name, state=event)
    elif event == "Unhealthy":
        await groups.change_member(name, health=event)
    elif event == "protect":
        await groups.change_member(name, protected=True)
    else:
        await groups.change_member(name, asked=event)
