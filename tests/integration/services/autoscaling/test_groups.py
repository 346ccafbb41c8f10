"""Auto Scaling groups as boto3 sees them: made, changed, described, deleted."""

from datetime import UTC, datetime, timedelta
from typing import Any

from integration.services.autoscaling.scaling_plane import Scaling
from integration.services.iam.iam_plane import ACCOUNT

FULL = "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or"
NAMED = {"AutoScalingGroupName": "web"}
BASE = {"InstancesDistribution": {"OnDemandBaseCapacity": 1}}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"MinSize": 3, "MaxSize": 2}, "Max bound, 2, must be greater than or equal to min bound"),
    ({"MinSize": -1}, "must not be negative"),
    ({"DesiredCapacity": 9}, "Desired capacity:9 must be between the specified min size:0"),
    ({"VPCZoneIdentifier": None}, "At least one Availability Zone or VPC Subnet is required."),
    ({"VPCZoneIdentifier": "subnet-0"}, "The subnet ID 'subnet-0' does not exist"),
    ({"AvailabilityZones": ["us-east-1a"]}, "availability zones of the specified subnets"),
    (
        {"VPCZoneIdentifier": None, "AvailabilityZones": ["us-east-1z"]},
        "Invalid availability zones: [us-east-1z]",
    ),
    ({"LaunchTemplate": None}, FULL),
    ({"LaunchTemplate": {}}, FULL),
    ({"LaunchTemplate": {"Version": "1"}}, "either launchTemplateId or LaunchTemplateName"),
    (
        {"LaunchTemplate": {"LaunchTemplateName": "none"}},
        "You must use a valid fully-formed launch template. The specified launch template, "
        "with template name none, does not exist.",
    ),
    (
        {"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "9"}},
        "You must use a valid fully-formed launch template. Could not find the specified",
    ),
    ({"TerminationPolicies": ["Best"]}, "Invalid termination policy: Best"),
    ({"MaxInstanceLifetime": 60}, "MaxInstanceLifetime must be 0 or between 86400"),
    ({"DefaultInstanceWarmup": 9999}, "DefaultInstanceWarmup must be between -1 and 3600"),
    (
        {"InstanceMaintenancePolicy": {"MinHealthyPercentage": 0, "MaxHealthyPercentage": 200}},
        "The difference between MinHealthyPercentage and MaxHealthyPercentage",
    ),
    ({"AutoScalingGroupName": "a:b"}, "without colons"),
    ({"Tags": [{"Key": "aws:a"}]}, "reserved for internal use"),
    ({"Tags": [{"Key": "a", "ResourceId": "other"}]}, "must match the name"),
    (
        {"LaunchTemplate": None, "MixedInstancesPolicy": BASE},
        "must contain a LaunchTemplateSpecification",
    ),
]
UNBUILT: list[dict[str, Any]] = [
    {"LaunchTemplate": None, "LaunchConfigurationName": "web"},
    {"LaunchTemplate": None, "InstanceId": "i-0"},
    {"LoadBalancerNames": ["web"]},
    {"TargetGroupARNs": ["arn:aws:x"]},
    {"HealthCheckType": "ELB"},
    {"PlacementGroup": "web"},
    {"TerminationPolicies": ["arn:aws:lambda:us-east-1:1:function:web"]},
    {"AvailabilityZoneImpairmentPolicy": {"ZonalShiftEnabled": True}},
]


async def test_a_group_is_described_as_it_was_asked_for(scaling: Scaling):
    await scaling.create(
        MinSize=1,
        MaxSize=3,
        HealthCheckGracePeriod=60,
        TerminationPolicies=["OldestInstance", "Default"],
        NewInstancesProtectedFromScaleIn=True,
        MaxInstanceLifetime=86400,
        DefaultInstanceWarmup=30,
        InstanceMaintenancePolicy={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150},
        Tags=[{"Key": "stage", "Value": "test", "PropagateAtLaunch": True}],
        Context="mine",
    )
    (member,) = await scaling.until("InService")
    group = await scaling.group()
    assert group["AutoScalingGroupARN"].startswith(
        f"arn:aws:autoscaling:us-east-1:{ACCOUNT}:autoScalingGroup:"
    )
    assert group["AutoScalingGroupARN"].endswith(":autoScalingGroupName/web")
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (1, 3, 1)
    assert group["VPCZoneIdentifier"] == ",".join(scaling.subnets)
    assert group["AvailabilityZones"] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert group["LaunchTemplate"] == {
        "LaunchTemplateId": scaling.template,
        "LaunchTemplateName": "web",
        "Version": "1",
    }
    assert group["TerminationPolicies"] == ["OldestInstance", "Default"]
    assert (group["DefaultCooldown"], group["HealthCheckType"]) == (300, "EC2")
    assert group["MaxInstanceLifetime"] == 86400
    assert group["DefaultInstanceWarmup"] == 30
    assert group["InstanceMaintenancePolicy"]["MaxHealthyPercentage"] == 150
    assert group["ServiceLinkedRoleARN"].endswith("/AWSServiceRoleForAutoScaling")
    assert group["Context"] == "mine"
    (tag,) = group["Tags"]
    assert (tag["ResourceId"], tag["Key"], tag["PropagateAtLaunch"]) == ("web", "stage", True)
    (instance,) = group["Instances"]
    assert (instance["InstanceId"], instance["HealthStatus"]) == (member, "Healthy")
    assert instance["ProtectedFromScaleIn"]
    assert instance["LaunchTemplate"]["Version"] == "1"


async def test_members_are_instances_of_ec2(scaling: Scaling):
    (member,) = await scaling.running(
        1, Tags=[{"Key": "a", "Value": "b", "PropagateAtLaunch": True}]
    )
    found = await scaling.ec2("describe_instances", InstanceIds=[member])
    (instance,) = found["Reservations"][0]["Instances"]
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    assert tags["aws:autoscaling:groupName"] == "web"
    assert tags["a"] == "b"
    assert instance["State"]["Name"] == "running"
    listed = await scaling.call("describe_auto_scaling_instances", InstanceIds=[member, "i-0"])
    (shown,) = listed["AutoScalingInstances"]
    assert (shown["AutoScalingGroupName"], shown["LifecycleState"]) == ("web", "InService")


async def test_an_instance_that_ec2_terminates_is_replaced(scaling: Scaling):
    (old,) = await scaling.running(1)
    await scaling.ec2("terminate_instances", InstanceIds=[old])
    await scaling.until_group(
        lambda group: [each["InstanceId"] for each in group["Instances"]] not in ([old], [])
    )
    (new,) = await scaling.until("InService")
    assert new != old


async def test_a_launch_template_may_say_more_of_its_interface(scaling: Scaling):
    group = (await scaling.ec2("describe_security_groups"))["SecurityGroups"][0]["GroupId"]
    await scaling.ec2(
        "create_launch_template_version",
        LaunchTemplateName="web",
        SourceVersion="1",
        LaunchTemplateData={
            "NetworkInterfaces": [
                {"DeviceIndex": 0, "AssociatePublicIpAddress": False, "Groups": [group]}
            ]
        },
    )
    (member,) = await scaling.running(
        1, LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Latest"}
    )
    shown = (await scaling.group())["Instances"][0]
    assert shown["LaunchTemplate"]["Version"] == "3"
    found = await scaling.ec2("describe_instances", InstanceIds=[member])
    (instance,) = found["Reservations"][0]["Instances"]
    assert instance["SubnetId"] in scaling.subnets
    assert "PublicIpAddress" not in instance


async def test_a_group_that_could_not_work_is_refused(scaling: Scaling):
    for more, message in REFUSED:
        code, said = await scaling.refused(**more)
        assert (code, message in said) == ("ValidationError", True), said
    assert (await scaling.call("describe_auto_scaling_groups"))["AutoScalingGroups"] == []


async def test_what_is_not_built_is_refused_as_such(scaling: Scaling):
    for more in UNBUILT:
        code, said = await scaling.refused(**more)
        assert code == "NotImplemented"
        assert said.startswith("Longshore does not implement")


async def test_a_name_is_taken_once_and_free_again_when_its_group_is_gone(scaling: Scaling):
    await scaling.running(1)
    exists = "AutoScalingGroup by this name already exists - A group with the name web already"
    code, said = await scaling.refused()
    assert (code, said) == ("AlreadyExists", f"{exists} exists")
    assert await scaling.error("delete_auto_scaling_group", **NAMED) == (
        "ResourceInUse",
        "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance "
        "request(s) still in the group.",
    )
    scaling.machines.clear()
    await scaling.call("delete_auto_scaling_group", **NAMED, ForceDelete=True)
    await scaling.until("Terminating")
    assert (await scaling.group())["Status"] == "Delete in progress"
    code, said = await scaling.refused()
    assert code == "AlreadyExists"
    assert said.startswith(f"{exists} exists and is pending delete.")
    assert await scaling.error("update_auto_scaling_group", **NAMED, MaxSize=9) == (
        "ValidationError",
        "The AutoScaling group may not be modified while it is pending delete",
    )
    scaling.machines.set()
    await scaling.until_group(lambda group: group is None)
    await scaling.create()
    missing = "AutoScalingGroup name not found - AutoScalingGroup 'other' not found"
    assert await scaling.error("delete_auto_scaling_group", AutoScalingGroupName="other") == (
        "ValidationError",
        missing,
    )


async def test_a_group_whose_last_members_are_ending_cannot_be_deleted_yet(scaling: Scaling):
    await scaling.running(1)
    scaling.machines.clear()
    await scaling.call("set_desired_capacity", **NAMED, DesiredCapacity=0)
    await scaling.until("Terminating")
    assert await scaling.error("delete_auto_scaling_group", **NAMED) == (
        "ScalingActivityInProgress",
        "You cannot delete an AutoScalingGroup while there are scaling activities in progress for "
        "that group.",
    )
    scaling.machines.set()
    await scaling.until()
    await scaling.call("delete_auto_scaling_group", **NAMED)
    await scaling.until_group(lambda group: group is None)


async def test_a_protected_group_is_deleted_only_once_that_is_taken_away(scaling: Scaling):
    await scaling.create(DeletionProtection="prevent-all-deletion")
    code, _ = await scaling.error("delete_auto_scaling_group", **NAMED)
    assert code == "ValidationError"
    await scaling.call("update_auto_scaling_group", **NAMED, DeletionProtection="none")
    await scaling.call("delete_auto_scaling_group", **NAMED)


async def test_bounds_take_the_desired_capacity_along(scaling: Scaling):
    await scaling.running(1)
    await scaling.call("update_auto_scaling_group", **NAMED, MinSize=2)
    await scaling.until("InService", "InService")
    await scaling.call("update_auto_scaling_group", **NAMED, MinSize=0, MaxSize=1)
    await scaling.until("InService")
    group = await scaling.group()
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (0, 1, 1)
    causes = [each["Cause"] for each in await scaling.activities(**NAMED)]
    assert any(
        "a user request update of AutoScalingGroup constraints to min: 2, max: 5, desired: 2 "
        "changing the desired capacity from 1 to 2." in each
        for each in causes
    )


async def test_capacity_is_set_within_bounds(scaling: Scaling):
    await scaling.create(MinSize=1, MaxSize=2)
    for wanted, words in ((3, "above max value 2"), (0, "below min value 1")):
        assert await scaling.error("set_desired_capacity", **NAMED, DesiredCapacity=wanted) == (
            "ValidationError",
            f"New SetDesiredCapacity value {wanted} is {words} for the AutoScalingGroup.",
        )
    await scaling.until("InService")
    code, said = await scaling.error(
        "set_desired_capacity", **NAMED, DesiredCapacity=2, HonorCooldown=True
    )
    assert code == "ScalingActivityInProgress"
    assert said.startswith("Scaling activity ")
    await scaling.call("set_desired_capacity", **NAMED, DesiredCapacity=2)
    await scaling.until("InService", "InService")


async def test_groups_are_listed_by_name_by_tag_and_in_pages(scaling: Scaling):
    for name in ("a", "b", "c"):
        await scaling.create(name, Tags=[{"Key": "kind", "Value": name}])

    async def named(**request: Any) -> list[str]:
        found = await scaling.call("describe_auto_scaling_groups", **request)
        return [each["AutoScalingGroupName"] for each in found["AutoScalingGroups"]]

    assert await named() == ["a", "b", "c"]
    assert await named(AutoScalingGroupNames=["c", "a", "none"]) == ["a", "c"]
    assert await named(Filters=[{"Name": "tag:kind", "Values": ["b", "x"]}]) == ["b"]
    assert await named(Filters=[{"Name": "tag-key", "Values": ["kind"]}]) == ["a", "b", "c"]
    first = await scaling.call("describe_auto_scaling_groups", MaxRecords=2)
    assert len(first["AutoScalingGroups"]) == 2
    assert await named(NextToken=first["NextToken"]) == ["c"]
    code, _ = await scaling.error("describe_auto_scaling_groups", NextToken="x")
    assert code == "InvalidNextToken"
    code, _ = await scaling.error("describe_auto_scaling_groups", MaxRecords=101)
    assert code == "ValidationError"
    plain = await scaling.call("describe_auto_scaling_groups", IncludeInstances=False)
    assert plain["AutoScalingGroups"][0].get("Instances", []) == []


async def test_tags_come_and_go(scaling: Scaling):
    await scaling.create()
    tag = {"ResourceId": "web", "ResourceType": "auto-scaling-group", "Key": "a", "Value": "1"}
    await scaling.call("create_or_update_tags", Tags=[{**tag, "PropagateAtLaunch": False}])
    await scaling.call("create_or_update_tags", Tags=[{**tag, "Value": "2"}, {**tag, "Key": "b"}])
    found = (await scaling.call("describe_tags"))["Tags"]
    assert [(each["Key"], each["Value"]) for each in found] == [("a", "2"), ("b", "1")]
    only = await scaling.call("describe_tags", Filters=[{"Name": "key", "Values": ["b"]}])
    assert len(only["Tags"]) == 1
    await scaling.call("delete_tags", Tags=[{"ResourceId": "web", "Key": "b"}])
    await scaling.call("delete_tags", Tags=[{"ResourceId": "web", "Key": "a", "Value": "9"}])
    assert [each["Key"] for each in (await scaling.group())["Tags"]] == ["a"]
    code, _ = await scaling.error("create_or_update_tags", Tags=[{**tag, "ResourceId": "none"}])
    assert code == "ValidationError"
    code, _ = await scaling.error("describe_tags", Filters=[{"Name": "colour", "Values": ["b"]}])
    assert code == "ValidationError"


async def test_activities_tell_what_happened_the_newest_first(scaling: Scaling):
    await scaling.running(1)
    await scaling.call("set_desired_capacity", **NAMED, DesiredCapacity=0)
    await scaling.until()
    ended, launched = await scaling.activities(**NAMED)
    assert launched["Description"].startswith("Launching a new EC2 instance: i-")
    assert (launched["StatusCode"], launched["Progress"]) == ("Successful", 100)
    assert launched["Cause"].startswith("At ")
    assert (
        "a user request created an AutoScalingGroup changing the desired capacity from 0 to 1."
        in launched["Cause"]
    )
    assert '"Availability Zone": "us-east-1' in launched["Details"]
    assert ended["Description"].startswith("Terminating EC2 instance: i-")
    assert "a user request explicitly set group desired capacity" in ended["Cause"]
    assert "was selected for termination." in ended["Cause"]
    (one,) = await scaling.activities(ActivityIds=[launched["ActivityId"]])
    assert one == launched
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    bound = [{"Name": "StartTimeLowerBound", "Values": [later]}]
    assert await scaling.activities(Filters=bound) == []
    by_status = [{"Name": "Status", "Values": ["Successful"]}]
    assert len(await scaling.activities(Filters=by_status)) == 2
    code, _ = await scaling.error("describe_scaling_activities", AutoScalingGroupName="none")
    assert code == "ValidationError"


async def test_processes_are_suspended_and_resumed(scaling: Scaling):
    await scaling.create()
    await scaling.call("suspend_processes", **NAMED, ScalingProcesses=["Launch"])
    await scaling.call("set_desired_capacity", **NAMED, DesiredCapacity=1)
    (told,) = (await scaling.group())["SuspendedProcesses"]
    assert told["ProcessName"] == "Launch"
    assert told["SuspensionReason"].startswith("User suspended at ")
    assert await scaling.states() == []
    await scaling.call("resume_processes", **NAMED)
    await scaling.until("InService")
    await scaling.call("suspend_processes", **NAMED)
    processes = await scaling.call("describe_scaling_process_types")
    assert len((await scaling.group())["SuspendedProcesses"]) == len(processes["Processes"]) == 9
    code, _ = await scaling.error("suspend_processes", **NAMED, ScalingProcesses=["Sleep"])
    assert code == "ValidationError"


async def test_a_mixed_group_takes_types_in_order_and_options_as_asked(scaling: Scaling):
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateName": "web"},
            "Overrides": [{"InstanceType": "t3.small"}, {"InstanceType": "t3.medium"}],
        },
        "InstancesDistribution": {
            "OnDemandBaseCapacity": 1,
            "OnDemandPercentageAboveBaseCapacity": 0,
        },
    }
    members = await scaling.running(2, LaunchTemplate=None, MixedInstancesPolicy=policy)
    group = await scaling.group()
    assert "LaunchTemplate" not in group
    distribution = group["MixedInstancesPolicy"]["InstancesDistribution"]
    assert distribution["OnDemandAllocationStrategy"] == "prioritized"
    assert distribution["SpotAllocationStrategy"] == "lowest-price"
    assert {each["InstanceType"] for each in group["Instances"]} == {"t3.small"}
    found = await scaling.ec2("describe_instances", InstanceIds=members)
    options = [
        each.get("InstanceLifecycle", "on-demand")
        for reservation in found["Reservations"]
        for each in reservation["Instances"]
    ]
    assert sorted(options) == ["on-demand", "spot"]
    weighed = {"LaunchTemplate": {**policy["LaunchTemplate"], "Overrides": [
        {"InstanceType": "t3.small", "WeightedCapacity": "2"}]}}  # fmt: skip
    code, _ = await scaling.refused("other", LaunchTemplate=None, MixedInstancesPolicy=weighed)
    assert code == "NotImplemented"


async def test_kinds_and_limits_are_told(scaling: Scaling):
    await scaling.create()
    limits = await scaling.call("describe_account_limits")
    assert limits["NumberOfAutoScalingGroups"] == 1
    policies = await scaling.call("describe_termination_policy_types")
    assert "Default" in policies["TerminationPolicyTypes"]
    for operation in (
        "describe_adjustment_types",
        "describe_auto_scaling_notification_types",
        "describe_metric_collection_types",
    ):
        assert await scaling.call(operation)
    code, _ = await scaling.error("enable_metrics_collection", **NAMED, Granularity="1Minute")
    assert code == "NotImplemented"
