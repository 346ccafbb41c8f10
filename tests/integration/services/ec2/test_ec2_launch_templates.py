"""Launch templates and what is launched from them, as boto3 sees them."""

import base64
from typing import TYPE_CHECKING, Any

import pytest

from longshore.instances import machine_images
from longshore.testing.hosts import add_host

if TYPE_CHECKING:
    from conftest import Ec2

PLACE = ("123456789012", "us-east-1")
BASE, NODE, *_ = machine_images("us-east-1")
DATA = {"ImageId": BASE.id, "InstanceType": "t3.nano"}
NAME = {"LaunchTemplateName": "web"}


async def make(ec2: "Ec2", *further: dict[str, Any], **request: Any) -> str:
    """A template named `web` with these versions; its id."""
    request = {**NAME, "LaunchTemplateData": DATA, **request}
    made = await ec2.call("create_launch_template", **request)
    for data in further:
        await ec2.call("create_launch_template_version", **NAME, LaunchTemplateData=data)
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


async def versions(ec2: "Ec2", **request: Any) -> list[int]:
    found = await ec2.call("describe_launch_template_versions", **request)
    return [each["VersionNumber"] for each in found["LaunchTemplateVersions"]]


async def test_template_keeps_what_it_was_made_with(ec2: "Ec2") -> None:
    data = {
        **DATA,
        "UserData": base64.b64encode(b"#!/bin/sh").decode(),
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20}}],
        "NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": True}],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.1"}},
    }
    tags = [{"Key": "stage", "Value": "test"}]
    made = await make(
        ec2,
        LaunchTemplateData=data,
        VersionDescription="first",
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
    )
    (version,) = (await ec2.call("describe_launch_template_versions", LaunchTemplateId=made))[
        "LaunchTemplateVersions"
    ]
    assert version["LaunchTemplateData"] == data
    assert (version["VersionDescription"], version["DefaultVersion"]) == ("first", True)
    found = await ec2.call(
        "describe_launch_templates", Filters=[{"Name": "tag:stage", "Values": ["test"]}]
    )
    (template,) = found["LaunchTemplates"]
    assert (template["LaunchTemplateId"], template["Tags"]) == (made, tags)
    assert (template["DefaultVersionNumber"], template["LatestVersionNumber"]) == (1, 1)


async def test_name_is_used_once(ec2: "Ec2") -> None:
    await make(ec2)
    request = {**NAME, "LaunchTemplateData": DATA}
    assert await ec2.error("create_launch_template", **request) == (
        "InvalidLaunchTemplateName.AlreadyExistsException",
        "Launch template name already in use.",
    )
    once = {"LaunchTemplateName": "other", "LaunchTemplateData": DATA, "ClientToken": "t"}
    made = [await ec2.call("create_launch_template", **once) for _ in range(2)]
    assert (
        made[0]["LaunchTemplate"]["LaunchTemplateId"]
        == (made[1]["LaunchTemplate"]["LaunchTemplateId"])
    )


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        (
            "create_launch_template",
            {"LaunchTemplateName": "a b c", "LaunchTemplateData": DATA},
            "InvalidLaunchTemplateName.MalformedException",
        ),
        (
            "create_launch_template",
            {**NAME, "LaunchTemplateData": {"UserData": "!"}},
            "InvalidUserData.Malformed",
        ),
        ("describe_launch_template_versions", {}, "MissingParameter"),
        (
            "describe_launch_template_versions",
            {"LaunchTemplateId": "lt-0", **NAME},
            "InvalidParameterCombination",
        ),
        (
            "describe_launch_templates",
            {"LaunchTemplateIds": ["lt-0"]},
            "InvalidLaunchTemplateId.NotFound",
        ),
        (
            "describe_launch_templates",
            {"LaunchTemplateNames": ["web"]},
            "InvalidLaunchTemplateName.NotFoundException",
        ),
        (
            "delete_launch_template",
            {"LaunchTemplateName": "web"},
            "InvalidLaunchTemplateName.NotFoundException",
        ),
        (
            "delete_launch_template",
            {"LaunchTemplateId": "web"},
            "InvalidLaunchTemplateId.Malformed",
        ),
    ],
)
async def test_bad_calls_about_templates_get_the_errors_of_aws(
    ec2: "Ec2", operation: str, request_: dict[str, Any], code: str
) -> None:
    assert (await ec2.error(operation, **request_))[0] == code


async def test_versions_are_numbered_on_and_never_again(ec2: "Ec2") -> None:
    made = await make(ec2, {"KeyName": "a"}, {"KeyName": "b"})
    of = {"LaunchTemplateId": made}
    assert await versions(ec2, **of) == [3, 2, 1]
    assert await versions(ec2, **of, Versions=["$Latest", "1"]) == [3, 1]
    assert await versions(ec2, **of, MinVersion="2", MaxVersion="2") == [2]
    assert await versions(ec2, Versions=["$Default"]) == [1]
    code, _ = await ec2.error("describe_launch_template_versions", **of, Versions=["9"])
    assert code == "InvalidLaunchTemplateId.VersionNotFound"
    gone = await ec2.call("delete_launch_template_versions", **of, Versions=["1", "3", "9"])
    done = gone["SuccessfullyDeletedLaunchTemplateVersions"]
    failed = gone["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert [each["VersionNumber"] for each in done] == [3]
    assert [(each["VersionNumber"], each["ResponseError"]["Code"]) for each in failed] == [
        (1, "unexpectedError"),
        (9, "launchTemplateVersionDoesNotExist"),
    ]
    made_next = await ec2.call(
        "create_launch_template_version",
        **of,
        SourceVersion="2",
        LaunchTemplateData={"InstanceType": "t3.small"},
        ClientToken="t",
    )
    version = made_next["LaunchTemplateVersion"]
    assert version["VersionNumber"] == 4
    assert version["LaunchTemplateData"] == {"KeyName": "a", "InstanceType": "t3.small"}
    other = {"LaunchTemplateData": {"InstanceType": "t3.large"}, "ClientToken": "t"}
    code, _ = await ec2.error("create_launch_template_version", **of, **other)
    assert code == "IdempotentParameterMismatch"
    changed = await ec2.call("modify_launch_template", **of, DefaultVersion="4")
    assert changed["LaunchTemplate"]["DefaultVersionNumber"] == 4
    page = await ec2.call("describe_launch_template_versions", **of, MaxResults=2)
    assert [each["VersionNumber"] for each in page["LaunchTemplateVersions"]] == [4, 2]
    assert await versions(ec2, **of, MaxResults=2, NextToken=page["NextToken"]) == [1]


async def test_parameter_of_an_image_is_resolved_when_that_is_asked_for(ec2: "Ec2") -> None:
    path = "/aws/service/eks/optimized-ami/1.35/amazon-linux-2023/x86_64/standard/recommended"
    by_parameter = {"ImageId": f"resolve:ssm:{path}/image_id"}
    made = await make(ec2, LaunchTemplateData=by_parameter)
    for resolve, image in ((True, NODE.id), (False, by_parameter["ImageId"])):
        found = await ec2.call(
            "describe_launch_template_versions", LaunchTemplateId=made, ResolveAlias=resolve
        )
        data = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        assert data["ImageId"] == image


async def test_instance_is_launched_from_a_template(ec2: "Ec2") -> None:
    await ec2.store.transact(lambda tx: add_host(tx, *PLACE))
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "template"}]}]
    made = await make(ec2, {**DATA, "TagSpecifications": tags})
    launched = await ec2.call(
        "run_instances",
        MinCount=1,
        MaxCount=1,
        LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Latest"},
        InstanceType="t3.micro",
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "b", "Value": "own"}]}],
    )
    (instance,) = launched["Instances"]
    assert (instance["ImageId"], instance["InstanceType"]) == (BASE.id, "t3.micro")
    assert {tag["Key"]: tag["Value"] for tag in instance["Tags"]} == {
        "a": "template",
        "b": "own",
        "aws:ec2launchtemplate:id": made,
        "aws:ec2launchtemplate:version": "2",
    }
    asked = {
        arn: conditions
        for action, arn, conditions in ec2.identity.asked
        if action == "ec2:RunInstances"
    }
    template = f"arn:aws:ec2:us-east-1:123456789012:launch-template/{made}"
    assert template in asked
    new = asked["arn:aws:ec2:us-east-1:123456789012:instance/*"]
    assert (new["ec2:LaunchTemplate"], new["ec2:IsLaunchTemplateResource"]) == (template, "false")
    assert new["aws:RequestTag/a"] == "template"
    await ec2.call("delete_tags", Resources=[instance["InstanceId"]])
    found = await ec2.call(
        "describe_tags", Filters=[{"Name": "resource-id", "Values": [instance["InstanceId"]]}]
    )
    assert {tag["Key"] for tag in found["Tags"]} == {
        "aws:ec2launchtemplate:id",
        "aws:ec2launchtemplate:version",
    }


async def test_interface_and_subnet_are_not_said_of_one_launch_both(ec2: "Ec2") -> None:
    network = [{"DeviceIndex": 0, "AssociatePublicIpAddress": True}]
    await make(ec2, LaunchTemplateData={**DATA, "NetworkInterfaces": network})
    subnet = (await ec2.call("describe_subnets"))["Subnets"][0]["SubnetId"]
    request = {"MinCount": 1, "MaxCount": 1, "LaunchTemplate": NAME, "SubnetId": subnet}
    assert await ec2.error("run_instances", **request) == (
        "InvalidParameterCombination",
        "Network interfaces and an instance-level subnet ID may not be specified on the same "
        "request",
    )


async def test_template_is_made_from_an_instance(ec2: "Ec2") -> None:
    await ec2.store.transact(lambda tx: add_host(tx, *PLACE))
    launched = await ec2.call("run_instances", MinCount=1, MaxCount=1, UserData="hello", **DATA)
    instance = launched["Instances"][0]["InstanceId"]
    data = (await ec2.call("get_launch_template_data", InstanceId=instance))["LaunchTemplateData"]
    assert data | DATA == data
    assert base64.b64decode(data["UserData"]) == b"hello"
    await make(ec2, LaunchTemplateData=data)
    again = await ec2.call("run_instances", MinCount=1, MaxCount=1, LaunchTemplate=NAME)
    assert again["Instances"][0]["SubnetId"] == launched["Instances"][0]["SubnetId"]


async def test_deleted_template_is_gone_with_its_versions(ec2: "Ec2") -> None:
    made = await make(ec2, {"KeyName": "a"})
    await ec2.call("create_tags", Resources=[made], Tags=[{"Key": "a", "Value": "b"}])
    gone = await ec2.call("delete_launch_template", **NAME)
    assert gone["LaunchTemplate"]["Tags"] == [{"Key": "a", "Value": "b"}]
    assert (await ec2.call("describe_launch_templates"))["LaunchTemplates"] == []
    assert await ec2.error("describe_launch_template_versions", LaunchTemplateId=made) == (
        "InvalidLaunchTemplateId.NotFound",
        f"The specified launch template, with template ID {made}, does not exist.",
    )
