"""Members of groups as boto3 asks something of them."""

import pytest
from integration.services.autoscaling.scaling_plane import Scaling

NAMED = {"AutoScalingGroupName": "web"}


async def test_a_member_is_terminated_with_and_without_another_in_its_place(scaling: Scaling):
    first, _ = await scaling.running(2, MinSize=1)
    scaling.machines.clear()
    made = await scaling.call(
        "terminate_instance_in_auto_scaling_group",
        InstanceId=first,
        ShouldDecrementDesiredCapacity=True,
    )
    activity = made["Activity"]
    assert activity["Description"] == f"Terminating EC2 instance: {first}"
    assert activity["StatusCode"] == "InProgress"
    assert "in response to a user request, shrinking the capacity from 2 to 1." in activity["Cause"]
    await scaling.until("InService", "Terminating")
    again = await scaling.call(
        "terminate_instance_in_auto_scaling_group",
        InstanceId=first,
        ShouldDecrementDesiredCapacity=True,
    )
    assert again["Activity"]["ActivityId"] == activity["ActivityId"]
    scaling.machines.set()
    (second,) = await scaling.until("InService")
    (done,) = await scaling.activities(ActivityIds=[activity["ActivityId"]])
    assert done["StatusCode"] == "Successful"
    code, said = await scaling.error(
        "terminate_instance_in_auto_scaling_group",
        InstanceId=second,
        ShouldDecrementDesiredCapacity=True,
    )
    assert code == "ValidationError"
    assert said.startswith("Currently, desiredSize equals minSize (1).")
    await scaling.call(
        "terminate_instance_in_auto_scaling_group",
        InstanceId=second,
        ShouldDecrementDesiredCapacity=False,
    )
    await scaling.until_group(
        lambda group: [each["InstanceId"] for each in group["Instances"]] not in ([second], [])
    )
    await scaling.until("InService")


async def test_who_is_in_no_group_is_not_found(scaling: Scaling):
    await scaling.create()
    missing = "Instance Id not found - No managed instance found for instance ID: i-0"
    for operation, more in (
        ("terminate_instance_in_auto_scaling_group", {"ShouldDecrementDesiredCapacity": False}),
        ("set_instance_health", {"HealthStatus": "Healthy"}),
    ):
        assert await scaling.error(operation, InstanceId="i-0", **more) == (
            "ValidationError",
            missing,
        )
    code, said = await scaling.error(
        "detach_instances", **NAMED, InstanceIds=["i-0"], ShouldDecrementDesiredCapacity=False
    )
    assert (code, said) == (
        "ValidationError",
        "The instance i-0 is not part of Auto Scaling group web.",
    )


async def test_health_is_set_but_not_within_the_grace_period(scaling: Scaling):
    (member,) = await scaling.running(1, HealthCheckGracePeriod=300)
    await scaling.call("set_instance_health", InstanceId=member, HealthStatus="Unhealthy")
    assert await scaling.until("InService") == [member]
    code, _ = await scaling.error("set_instance_health", InstanceId=member, HealthStatus="Middling")
    assert code == "ValidationError"
    await scaling.call(
        "set_instance_health",
        InstanceId=member,
        HealthStatus="Unhealthy",
        ShouldRespectGracePeriod=False,
    )
    await scaling.until_group(
        lambda group: [each["InstanceId"] for each in group["Instances"]] not in ([member], [])
    )


async def test_protection_is_given_and_taken(scaling: Scaling):
    members = await scaling.running(2)
    await scaling.call(
        "set_instance_protection", **NAMED, InstanceIds=members[:1], ProtectedFromScaleIn=True
    )
    await scaling.call("set_desired_capacity", **NAMED, DesiredCapacity=0)
    assert await scaling.until("InService") == members[:1]
    await scaling.call(
        "set_instance_protection", **NAMED, InstanceIds=members[:1], ProtectedFromScaleIn=False
    )
    assert await scaling.until() == []


async def test_an_instance_leaves_its_group_and_joins_another(scaling: Scaling):
    first, second = await scaling.running(2, MaxSize=2)
    made = await scaling.call(
        "detach_instances", **NAMED, InstanceIds=[first], ShouldDecrementDesiredCapacity=True
    )
    assert made["Activities"][0]["Description"] == f"Detaching EC2 instance: {first}"
    assert await scaling.until("InService") == [second]
    await scaling.create("other", MaxSize=1)
    other = {"AutoScalingGroupName": "other"}
    await scaling.call("attach_instances", **other, InstanceIds=[first])
    assert await scaling.until("InService", name="other") == [first]
    assert (await scaling.group("other"))["DesiredCapacity"] == 1
    (activity,) = await scaling.activities(**other)
    assert activity["Description"] == f"Attaching an existing EC2 instance: {first}"
    assert activity["StatusCode"] == "Successful"
    code, said = await scaling.error("attach_instances", **NAMED, InstanceIds=[first])
    assert (code, said) == (
        "ValidationError",
        f"Instance {first} is already part of AutoScalingGroup:other",
    )
    await scaling.call(
        "detach_instances", **other, InstanceIds=[first], ShouldDecrementDesiredCapacity=True
    )
    await scaling.until(name="other")
    await scaling.call("update_auto_scaling_group", **NAMED, MaxSize=1)
    code, said = await scaling.error("attach_instances", **NAMED, InstanceIds=[first])
    assert (code, said) == (
        "ValidationError",
        "AutoScalingGroup web has min-size=0, max-size=1, and desired-size=1. To attach 1 "
        "instance, please update the AutoScalingGroup sizes appropriately.",
    )
    code, said = await scaling.error("attach_instances", **NAMED, InstanceIds=["i-0"])
    assert said == "Invalid Instance ID(s): [i-0] specified"


async def test_a_member_stands_by_and_comes_back(scaling: Scaling):
    first, second = await scaling.running(2, MinSize=1)
    made = await scaling.call(
        "enter_standby", **NAMED, InstanceIds=[first], ShouldDecrementDesiredCapacity=True
    )
    assert made["Activities"][0]["Description"] == f"Moving EC2 instance to Standby: {first}"
    await scaling.until("InService", "Standby")
    assert (await scaling.group())["DesiredCapacity"] == 1
    code, said = await scaling.error(
        "enter_standby", **NAMED, InstanceIds=[second], ShouldDecrementDesiredCapacity=True
    )
    assert (code, said) == (
        "ValidationError",
        "AutoScalingGroup web has min-size=1, max-size=5, and desired-size=1. To place into "
        "standby 1 instance, please update the AutoScalingGroup sizes appropriately.",
    )
    code, said = await scaling.error("exit_standby", **NAMED, InstanceIds=[second])
    assert said == f"The instance {second} is not in Standby."
    back = await scaling.call("exit_standby", **NAMED, InstanceIds=[first])
    assert back["Activities"][0]["Description"] == f"Moving EC2 instance out of Standby: {first}"
    await scaling.until("InService", "InService")
    assert (await scaling.group())["DesiredCapacity"] == 2


async def test_a_member_that_stands_by_is_replaced_where_capacity_is_kept(scaling: Scaling):
    (first,) = await scaling.running(1)
    await scaling.call(
        "enter_standby", **NAMED, InstanceIds=[first], ShouldDecrementDesiredCapacity=False
    )
    await scaling.until("InService", "Standby")


@pytest.mark.parametrize("operation", ["attach_instances", "exit_standby"])
async def test_no_more_than_twenty_instances_are_moved_at_once(scaling: Scaling, operation: str):
    await scaling.create()
    ids = [f"i-{number}" for number in range(21)]
    code, said = await scaling.error(operation, **NAMED, InstanceIds=ids)
    assert code == "ValidationError"
    assert said.startswith("List exceeds the maximum number of instances")
