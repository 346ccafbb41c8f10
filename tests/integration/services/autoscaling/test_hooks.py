"""Lifecycle hooks as boto3 asks for them."""

import pytest
from integration.services.autoscaling.scaling_plane import Scaling

NAMED = {"AutoScalingGroupName": "web"}
UP = {**NAMED, "LifecycleHookName": "up"}
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


async def hooks(scaling: Scaling, **more: object) -> list[dict[str, object]]:
    found = await scaling.call("describe_lifecycle_hooks", **NAMED, **more)
    return list(found["LifecycleHooks"])


async def put(scaling: Scaling, name: str = "up", **more: object) -> None:
    named = {**NAMED, "LifecycleHookName": name}
    await scaling.call("put_lifecycle_hook", **named, **more)


async def test_a_hook_has_aws_usual_values_and_keeps_what_a_change_does_not_say(scaling: Scaling):
    await scaling.create()
    await put(scaling, LifecycleTransition=LAUNCHING)
    usual = {
        "LifecycleHookName": "up",
        "AutoScalingGroupName": "web",
        "LifecycleTransition": LAUNCHING,
        "HeartbeatTimeout": 3600,
        "GlobalTimeout": 172800,
        "DefaultResult": "ABANDON",
    }
    assert await hooks(scaling) == [usual]
    await put(scaling, HeartbeatTimeout=60, NotificationMetadata="mine", NotificationTargetARN="")
    changed = {"HeartbeatTimeout": 60, "GlobalTimeout": 6000, "NotificationMetadata": "mine"}
    assert await hooks(scaling) == [{**usual, **changed}]


async def test_hooks_are_listed_by_name(scaling: Scaling):
    await scaling.create()
    for name in ("b", "a/b", "c"):
        await put(scaling, name, LifecycleTransition=TERMINATING)
    assert [each["LifecycleHookName"] for each in await hooks(scaling)] == ["a/b", "b", "c"]
    some = await hooks(scaling, LifecycleHookNames=["c", "none"])
    assert [each["LifecycleHookName"] for each in some] == ["c"]
    types = await scaling.call("describe_lifecycle_hook_types")
    assert types["LifecycleHookTypes"] == [LAUNCHING, TERMINATING]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCH"},
        {"LifecycleTransition": LAUNCHING, "HeartbeatTimeout": 29},
        {"LifecycleTransition": LAUNCHING, "HeartbeatTimeout": 7201},
        {"LifecycleTransition": LAUNCHING, "DefaultResult": "STOP"},
    ],
)
async def test_what_no_hook_may_be_is_refused_and_nothing_is_made(scaling: Scaling, wrong):
    await scaling.create()
    code, _ = await scaling.error("put_lifecycle_hook", **UP, **wrong)
    assert code == "ValidationError"
    assert await hooks(scaling) == []


async def test_a_name_of_other_characters_is_refused(scaling: Scaling):
    await scaling.create()
    for name in ("a b", "a:b", "ü"):
        named = {**NAMED, "LifecycleHookName": name}
        code, _ = await scaling.error("put_lifecycle_hook", **named, LifecycleTransition=LAUNCHING)
        assert code == "ValidationError"


async def test_notifications_are_not_built(scaling: Scaling):
    await scaling.create()
    target = {"NotificationTargetARN": "arn:aws:sqs:us-east-1:123456789012:queue"}
    code, _ = await scaling.error(
        "put_lifecycle_hook", **UP, LifecycleTransition=LAUNCHING, **target
    )
    assert code == "NotImplemented"
    specified = {"LifecycleHookName": "up", "LifecycleTransition": LAUNCHING, **target}
    assert (await scaling.refused("other", LifecycleHookSpecificationList=[specified]))[0] == (
        "NotImplemented"
    )
    assert await scaling.group("other") is None


async def test_a_group_has_no_more_than_fifty_hooks(scaling: Scaling):
    await scaling.create()
    for number in range(50):
        await put(scaling, f"h{number}", LifecycleTransition=LAUNCHING)
    code, _ = await scaling.error("put_lifecycle_hook", **UP, LifecycleTransition=LAUNCHING)
    assert code == "LimitExceeded"
    await put(scaling, "h0", HeartbeatTimeout=30)


async def test_a_group_that_is_not_there_has_no_hooks(scaling: Scaling):
    missing = "AutoScalingGroup name not found - AutoScalingGroup 'web' not found"
    for operation, more in (
        ("put_lifecycle_hook", {**UP, "LifecycleTransition": LAUNCHING}),
        ("describe_lifecycle_hooks", NAMED),
        ("delete_lifecycle_hook", UP),
        ("complete_lifecycle_action", {**UP, "LifecycleActionResult": "CONTINUE"}),
        ("record_lifecycle_action_heartbeat", UP),
    ):
        assert await scaling.error(operation, **more) == ("ValidationError", missing)


async def test_hooks_that_a_group_is_made_with_hold_its_first_instances(scaling: Scaling):
    specified = {"LifecycleHookName": "up", "LifecycleTransition": LAUNCHING}
    await scaling.create(DesiredCapacity=1, LifecycleHookSpecificationList=[specified])
    (member,) = await scaling.until("Pending:Wait")
    (activity,) = await scaling.activities(**NAMED)
    assert activity["StatusCode"] == "MidLifecycleAction"
    await scaling.call("record_lifecycle_action_heartbeat", **UP, InstanceId=member)
    done = {**UP, "LifecycleActionResult": "CONTINUE", "InstanceId": member}
    await scaling.call("complete_lifecycle_action", **done)
    await scaling.until("InService")
    over = f"No active Lifecycle Action found with instance ID {member}"
    assert await scaling.error("complete_lifecycle_action", **done) == ("ValidationError", over)


async def test_an_action_is_completed_by_whom_it_names_alone(scaling: Scaling):
    await scaling.create(DesiredCapacity=1)
    (member,) = await scaling.until("InService")
    await put(scaling, "down", LifecycleTransition=TERMINATING)
    down = {**NAMED, "LifecycleHookName": "down", "LifecycleActionResult": "CONTINUE"}
    await scaling.call("set_desired_capacity", **NAMED, DesiredCapacity=0)
    await scaling.until("Terminating:Wait")
    for wrong, said in (
        ({"InstanceId": "i-0"}, "No active Lifecycle Action found with instance ID i-0"),
        (
            {"LifecycleActionToken": "0" * 36, "InstanceId": member},
            f"No active Lifecycle Action found with token {'0' * 36}",
        ),
        ({}, "Either InstanceId or LifecycleActionToken must be specified."),
        ({"LifecycleHookName": "up", "InstanceId": member}, None),
        ({"LifecycleActionResult": "STOP", "InstanceId": member}, None),
    ):
        code, told = await scaling.error("complete_lifecycle_action", **{**down, **wrong})
        assert code == "ValidationError"
        assert said in {None, told}
    assert await scaling.states() == ["Terminating:Wait"]
    await scaling.call("complete_lifecycle_action", **down, InstanceId=member)
    await scaling.until()


async def test_what_waits_for_a_hook_goes_on_when_that_is_deleted(scaling: Scaling):
    await scaling.create(DesiredCapacity=1)
    await scaling.until("InService")
    await put(scaling, "down", LifecycleTransition=TERMINATING)
    await scaling.call("set_desired_capacity", **NAMED, DesiredCapacity=0)
    await scaling.until("Terminating:Wait")
    down = {**NAMED, "LifecycleHookName": "down"}
    await scaling.call("delete_lifecycle_hook", **down)
    await scaling.until()
    assert (await scaling.error("delete_lifecycle_hook", **down))[0] == "ValidationError"
    await put(scaling, LifecycleTransition=LAUNCHING)
    await scaling.call("set_desired_capacity", **NAMED, DesiredCapacity=1)
    await scaling.until("Pending:Wait")
    await scaling.call("suspend_processes", **NAMED, ScalingProcesses=["Launch"])
    await scaling.call("delete_lifecycle_hook", **UP)
    await scaling.until()


async def test_a_waiting_instance_keeps_its_group_from_being_deleted_but_by_force(scaling: Scaling):
    await scaling.create(DesiredCapacity=1)
    await scaling.until("InService")
    await put(scaling, "down", LifecycleTransition=TERMINATING)
    await scaling.call("set_desired_capacity", **NAMED, DesiredCapacity=0)
    await scaling.until("Terminating:Wait")
    code, _ = await scaling.error("delete_auto_scaling_group", **NAMED)
    assert code == "ScalingActivityInProgress"
    await scaling.call("delete_auto_scaling_group", **NAMED, ForceDelete=True)
    await scaling.until_group(lambda group: group is None)
    await scaling.create()
    assert await hooks(scaling) == []
