"""Who may do what with groups."""

from integration.services.autoscaling.scaling_plane import Scaling
from integration.services.iam.iam_plane import ACCOUNT, allow, deny

NAMED = {"AutoScalingGroupName": "web"}
LAUNCHING = allow("ec2:RunInstances", "iam:CreateServiceLinkedRole")


async def test_a_policy_names_groups_by_arn_and_by_tag(scaling: Scaling):
    await scaling.create(Tags=[{"Key": "team", "Value": "a"}])
    await scaling.create("other")
    arn = (await scaling.group("other"))["AutoScalingGroupARN"]
    joe = await scaling.plane.user(
        "joe",
        allow(
            "autoscaling:SetDesiredCapacity",
            Condition={"StringEquals": {"autoscaling:ResourceTag/team": "a"}},
        ),
        allow("autoscaling:SuspendProcesses", resource=arn),
    )
    await scaling.call("set_desired_capacity", by=joe, **NAMED, DesiredCapacity=0)
    await scaling.call("suspend_processes", by=joe, AutoScalingGroupName="other")
    code, said = await scaling.error(
        "set_desired_capacity", by=joe, AutoScalingGroupName="other", DesiredCapacity=0
    )
    assert code == "AccessDenied"
    assert f"autoscaling:SetDesiredCapacity on resource: {arn}" in said
    code, _ = await scaling.error("suspend_processes", by=joe, **NAMED)
    assert code == "AccessDenied"
    code, _ = await scaling.error("describe_auto_scaling_groups", by=joe)
    assert code == "AccessDenied"


async def test_an_instance_is_its_groups_for_policies(scaling: Scaling):
    (member,) = await scaling.running(1, Tags=[{"Key": "team", "Value": "a"}])
    joe = await scaling.plane.user(
        "joe",
        allow(
            "autoscaling:SetInstanceHealth",
            Condition={"StringEquals": {"aws:ResourceTag/team": "a"}},
        ),
    )
    await scaling.call("set_instance_health", by=joe, InstanceId=member, HealthStatus="Healthy")
    code, _ = await scaling.error(
        "set_instance_health", by=joe, InstanceId="i-0", HealthStatus="Healthy"
    )
    assert code == "AccessDenied"


async def test_conditions_bound_what_a_group_may_be(scaling: Scaling):
    joe = await scaling.plane.user(
        "joe",
        LAUNCHING,
        allow(
            "autoscaling:CreateAutoScalingGroup",
            Condition={
                "NumericLessThanEquals": {"autoscaling:MaxSize": "2"},
                "Bool": {"autoscaling:LaunchTemplateVersionSpecified": "true"},
            },
        ),
    )
    assert (await scaling.refused(by=joe, MaxSize=3))[0] == "AccessDenied"
    latest = {"LaunchTemplateName": "web", "Version": "$Latest"}
    assert (await scaling.refused(by=joe, MaxSize=2, LaunchTemplate=latest))[0] == "AccessDenied"
    tags = [{"Key": "a", "Value": "b"}]
    assert (await scaling.refused(by=joe, MaxSize=2, Tags=tags))[0] == "AccessDenied"
    await scaling.create(by=joe, MaxSize=2)


async def test_who_makes_a_group_must_be_allowed_to_run_its_template_and_pass_its_role(
    scaling: Scaling,
):
    role = await scaling.plane.role("node", {"Service": "ec2.amazonaws.com"})
    admin = scaling.plane.admin
    await admin.call("create_instance_profile", InstanceProfileName="node")
    await admin.call("add_role_to_instance_profile", InstanceProfileName="node", RoleName="node")
    await scaling.ec2(
        "create_launch_template_version",
        LaunchTemplateName="web",
        SourceVersion="1",
        LaunchTemplateData={"IamInstanceProfile": {"Name": "node"}},
    )
    template = {"LaunchTemplateName": "web", "Version": "3"}
    create = allow("autoscaling:CreateAutoScalingGroup", "iam:CreateServiceLinkedRole")
    refused = (
        "AccessDenied",
        f"You are not authorized to use launch template: {scaling.template}",
    )
    nobody = await scaling.plane.user("nobody", create)
    assert await scaling.refused(by=nobody, LaunchTemplate=template) == refused
    runner = await scaling.plane.user("runner", create, LAUNCHING)
    assert await scaling.refused(by=runner, LaunchTemplate=template) == refused
    passer = await scaling.plane.user(
        "passer", create, LAUNCHING, allow("iam:PassRole", resource=role["Arn"])
    )
    await scaling.create(by=passer, LaunchTemplate=template, DesiredCapacity=1)
    (member,) = await scaling.until("InService")
    found = await scaling.ec2("describe_instances", InstanceIds=[member])
    (instance,) = found["Reservations"][0]["Instances"]
    assert instance["IamInstanceProfile"]["Arn"].endswith("instance-profile/node")


async def test_the_service_linked_role_is_made_with_the_first_group(scaling: Scaling):
    arn = (
        f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/"
        "AWSServiceRoleForAutoScaling"
    )
    joe = await scaling.plane.user(
        "joe",
        allow("autoscaling:*", "ec2:RunInstances"),
        deny("iam:CreateServiceLinkedRole"),
    )
    assert (await scaling.refused(by=joe))[0] == "AccessDenied"
    await scaling.create("first")
    role = await scaling.plane.admin.call("get_role", RoleName="AWSServiceRoleForAutoScaling")
    assert role["Role"]["Arn"] == arn
    await scaling.create(by=joe)
    assert (await scaling.group())["ServiceLinkedRoleARN"] == arn
    assert await scaling.refused("third", ServiceLinkedRoleARN=f"{arn}_other") == (
        "ValidationError",
        "ARN specified for Service-Linked Role does not exist.",
    )
