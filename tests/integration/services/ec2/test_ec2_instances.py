"""Instances, from launch to end, as boto3 sees them."""

import base64
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from longshore.instances import machine_images
from longshore.model.ecs import CONTAINER_INSTANCE
from longshore.model.iam import INSTANCE_PROFILE, ROLE, InstanceProfile, Role
from longshore.model.instances import INSTANCE_STATUS, InstanceStatus
from longshore.testing.hosts import add_host

if TYPE_CHECKING:
    from conftest import Ec2

ACCOUNT, REGION = PLACE = ("123456789012", "us-east-1")
BASE, NODE, *_ = machine_images(REGION)
PROFILE = f"arn:aws:iam::{ACCOUNT}:instance-profile/web"


@pytest.fixture(autouse=True)
async def host(ec2: "Ec2") -> None:
    await ec2.store.transact(lambda tx: add_host(tx, *PLACE))


async def launch(ec2: "Ec2", **request: Any) -> Any:
    """The first instance of a launch."""
    made = await ec2.call("run_instances", **asked(**request))
    return made["Instances"][0]


def asked(**request: Any) -> dict[str, Any]:
    return {
        "ImageId": BASE.id,
        "InstanceType": "t3.nano",
        "MinCount": 1,
        "MaxCount": 1,
        **request,
    }


async def be(ec2: "Ec2", instance_id: str, state: str, **fields: Any) -> None:
    """Have the controller's record say this."""
    status = InstanceStatus(state=state, **fields)
    await ec2.store.transact(lambda tx: tx.put(INSTANCE_STATUS, *PLACE, instance_id, status))


async def shown(ec2: "Ec2", instance_id: str) -> Any:
    found = await ec2.call("describe_instances", InstanceIds=[instance_id])
    return found["Reservations"][0]["Instances"][0]


async def add_profile(ec2: "Ec2") -> None:
    role = Role(name="web", path="/", id="AROA1", arn=f"arn:aws:iam::{ACCOUNT}:role/web",
                created_at=0.0, trust="{}")  # fmt: skip
    profile = InstanceProfile(
        name="web", path="/", id="AIPA1", arn=PROFILE, created_at=0.0, roles=("web",)
    )
    await ec2.store.transact(lambda tx: tx.put(ROLE, ACCOUNT, "", "web", role))
    await ec2.store.transact(lambda tx: tx.put(INSTANCE_PROFILE, ACCOUNT, "", "web", profile))


async def test_launched_instance_is_described_with_interface_volume_and_tags(ec2: "Ec2") -> None:
    await add_profile(ec2)
    made = await launch(
        ec2,
        IamInstanceProfile={"Name": "web"},
        TagSpecifications=[
            {"ResourceType": kind, "Tags": [{"Key": "Name", "Value": kind}]}
            for kind in ("instance", "volume", "network-interface")
        ],
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3"}}
        ],
        MetadataOptions={"HttpTokens": "optional"},
    )
    assert made["State"] == {"Code": 0, "Name": "pending"}
    assert made["Tags"] == [{"Key": "Name", "Value": "instance"}]
    assert made["MetadataOptions"]["HttpTokens"] == "optional"
    assert made["IamInstanceProfile"] == {"Arn": PROFILE, "Id": "AIPA1"}
    (network,) = made["NetworkInterfaces"]
    assert network["PrivateIpAddress"] == made["PrivateIpAddress"]
    assert made["PublicDnsName"].startswith("ec2-198-19-7-")
    assert network["Attachment"]["DeviceIndex"] == 0
    eni = (
        await ec2.call(
            "describe_network_interfaces",
            Filters=[{"Name": "attachment.instance-id", "Values": [made["InstanceId"]]}],
        )
    )["NetworkInterfaces"][0]
    assert eni["NetworkInterfaceId"] == network["NetworkInterfaceId"]
    assert eni["Status"] == "in-use" and eni["Attachment"]["DeleteOnTermination"]
    assert eni["TagSet"] == [{"Key": "Name", "Value": "network-interface"}]
    (volume,) = (await ec2.call("describe_volumes"))["Volumes"]
    assert volume["VolumeId"] == made["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert (volume["Size"], volume["Iops"]) == (20, 3000)
    assert volume["Tags"] == [{"Key": "Name", "Value": "volume"}]
    passed = [each for each in ec2.identity.asked if each[0] == "iam:PassRole"]
    assert [each[1] for each in passed] == [f"arn:aws:iam::{ACCOUNT}:role/web"]
    assert passed[0][2]["iam:PassedToService"] == "ec2.amazonaws.com"


async def test_interface_of_an_instance_keeps_subnet_group_and_itself_from_deletion(
    ec2: "Ec2",
) -> None:
    vpc = await ec2.vpc()
    subnet, group = await ec2.subnet(vpc), await ec2.group(vpc)
    made = await launch(ec2, SubnetId=subnet, SecurityGroupIds=[group])
    assert made["SecurityGroups"] == [{"GroupId": group, "GroupName": "web"}]
    assert "PublicIpAddress" not in made
    assert (await ec2.error("delete_subnet", SubnetId=subnet))[0] == "DependencyViolation"
    assert (await ec2.error("delete_security_group", GroupId=group))[0] == "DependencyViolation"
    eni = made["NetworkInterfaces"][0]["NetworkInterfaceId"]
    code, _ = await ec2.error("delete_network_interface", NetworkInterfaceId=eni)
    assert code == "InvalidParameterValue"


async def test_interface_is_told_to_outlive_its_instance(ec2: "Ec2") -> None:
    (network,) = (await launch(ec2))["NetworkInterfaces"]
    eni = {"NetworkInterfaceId": network["NetworkInterfaceId"]}
    kept = {"AttachmentId": network["Attachment"]["AttachmentId"], "DeleteOnTermination": False}
    await ec2.call("modify_network_interface_attribute", **eni, Attachment=kept)
    told = await ec2.call("describe_network_interface_attribute", **eni, Attribute="attachment")
    assert told["Attachment"]["DeleteOnTermination"] is False
    other = {**kept, "AttachmentId": "eni-attach-0"}
    code, _ = await ec2.error("modify_network_interface_attribute", **eni, Attachment=other)
    assert code == "InvalidAttachmentID.NotFound"


async def test_reservations_gather_what_was_launched_together(ec2: "Ec2") -> None:
    first = await ec2.call("run_instances", **asked(MaxCount=2))
    await launch(ec2)
    found = (await ec2.call("describe_instances"))["Reservations"]
    assert sorted(len(each["Instances"]) for each in found) == [1, 2]
    (again,) = [each for each in found if each["ReservationId"] == first["ReservationId"]]
    assert [each["AmiLaunchIndex"] for each in again["Instances"]] == [0, 1]
    assert again["OwnerId"] == ACCOUNT


async def test_instances_are_found_by_filters_and_in_pages(ec2: "Ec2") -> None:
    tagged = [{"ResourceType": "instance", "Tags": [{"Key": "stage", "Value": "test"}]}]
    made = await launch(ec2, TagSpecifications=tagged)
    await ec2.call("run_instances", **asked(MaxCount=5, InstanceType="t3.micro"))
    await be(ec2, made["InstanceId"], "running")
    for name, value in (
        ("tag:stage", "t*"),
        ("instance-state-name", "running"),
        ("instance-type", "*.nano"),
        ("private-ip-address", made["PrivateIpAddress"]),
        ("ip-address", made["PublicIpAddress"]),
        ("reservation-id", (await reservation(ec2, made))["ReservationId"]),
        ("network-interface.network-interface-id",
         made["NetworkInterfaces"][0]["NetworkInterfaceId"]),
    ):  # fmt: skip
        found = await ec2.call("describe_instances", Filters=[{"Name": name, "Values": [value]}])
        ids = [i["InstanceId"] for r in found["Reservations"] for i in r["Instances"]]
        assert ids == [made["InstanceId"]], name
    page = await ec2.call("describe_instances", MaxResults=5)
    rest = await ec2.call("describe_instances", MaxResults=5, NextToken=page["NextToken"])
    assert [len(each["Instances"]) for each in rest["Reservations"]] == [1]


async def reservation(ec2: "Ec2", made: Any) -> Any:
    found = await ec2.call("describe_instances", InstanceIds=[made["InstanceId"]])
    return found["Reservations"][0]


async def test_unknown_and_malformed_ids_get_the_errors_of_aws(ec2: "Ec2") -> None:
    nobody = ["i-" + digit * 17 for digit in "ab"]
    assert await ec2.error("describe_instances", InstanceIds=nobody) == (
        "InvalidInstanceID.NotFound",
        f"The instance IDs '{', '.join(nobody)}' do not exist",
    )
    for operation in ("start_instances", "stop_instances", "terminate_instances"):
        _, message = await ec2.error(operation, InstanceIds=nobody[:1])
        assert message == f"The instance ID '{nobody[0]}' does not exist"
        assert (await ec2.error(operation, InstanceIds=["web"]))[0] == "InvalidInstanceID.Malformed"


async def test_call_repeated_with_its_client_token_launches_once(ec2: "Ec2") -> None:
    made = [
        await ec2.call("run_instances", **asked(MaxCount=2, ClientToken="once")) for _ in range(2)
    ]
    assert made[0]["ReservationId"] == made[1]["ReservationId"]
    assert len(made[1]["Instances"]) == 2
    code, _ = await ec2.error("run_instances", **asked(ClientToken="once"))
    assert code == "IdempotentParameterMismatch"


async def test_dry_run_launches_nothing(ec2: "Ec2") -> None:
    assert (await ec2.error("run_instances", **asked(DryRun=True)))[0] == "DryRunOperation"
    assert (await ec2.call("describe_instances"))["Reservations"] == []


async def test_launch_without_capacity_says_so_and_leaves_nothing(ec2: "Ec2") -> None:
    code, message = await ec2.error("run_instances", **asked(InstanceType="m5.16xlarge"))
    assert code == "InsufficientInstanceCapacity"
    assert message.startswith("We currently do not have sufficient m5.16xlarge capacity")
    found = await ec2.call("describe_network_interfaces")
    assert found["NetworkInterfaces"] == []


async def test_instance_goes_through_its_states(ec2: "Ec2") -> None:
    instance = (await launch(ec2))["InstanceId"]
    ids = {"InstanceIds": [instance]}
    assert (await ec2.error("stop_instances", **ids))[0] == "IncorrectInstanceState"
    await be(ec2, instance, "running")
    await ec2.call("reboot_instances", **ids)
    stopping = (await ec2.call("stop_instances", **ids))["StoppingInstances"][0]
    assert (stopping["PreviousState"]["Name"], stopping["CurrentState"]["Name"]) == (
        "running",
        "stopping",
    )
    assert await ec2.error("start_instances", **ids) == (
        "IncorrectInstanceState",
        f"The instance '{instance}' is not in a state from which it can be started.",
    )
    await be(ec2, instance, "stopped")
    stopped = await shown(ec2, instance)
    assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert stopped["StateTransitionReason"].startswith("User initiated (20")
    starting = (await ec2.call("start_instances", **ids))["StartingInstances"][0]
    assert starting["CurrentState"] == {"Code": 0, "Name": "pending"}
    await be(ec2, instance, "running")
    assert "StateReason" not in await shown(ec2, instance)
    ending = (await ec2.call("terminate_instances", **ids))["TerminatingInstances"][0]
    assert ending["CurrentState"]["Name"] == "shutting-down"
    await be(ec2, instance, "terminated")
    again = (await ec2.call("terminate_instances", **ids))["TerminatingInstances"][0]
    assert again["PreviousState"] == again["CurrentState"] == {"Code": 48, "Name": "terminated"}
    gone = await shown(ec2, instance)
    assert gone["NetworkInterfaces"] == [] and "PrivateIpAddress" not in gone
    assert (await ec2.call("describe_volumes"))["Volumes"] == []
    assert (await ec2.error("start_instances", **ids))[0] == "IncorrectInstanceState"


async def test_stopped_instance_starts_only_where_there_is_room(ec2: "Ec2") -> None:
    instance = (await launch(ec2))["InstanceId"]
    await be(ec2, instance, "running")
    await ec2.call("stop_instances", InstanceIds=[instance])
    await be(ec2, instance, "stopped")
    (host,) = ec2.store.reader.scan(CONTAINER_INSTANCE)
    full = msgspec.structs.replace(host.value, memory=100)
    await ec2.store.transact(lambda tx: tx.put(CONTAINER_INSTANCE, *PLACE, host.key.name, full))
    code, _ = await ec2.error("start_instances", InstanceIds=[instance])
    assert code == "InsufficientInstanceCapacity"
    assert (await shown(ec2, instance))["State"]["Name"] == "stopped"


async def test_protected_instance_is_neither_stopped_nor_terminated(ec2: "Ec2") -> None:
    instance = (await launch(ec2, DisableApiTermination=True, DisableApiStop=True))["InstanceId"]
    await be(ec2, instance, "running")
    assert await ec2.error("terminate_instances", InstanceIds=[instance]) == (
        "OperationNotPermitted",
        f"The instance '{instance}' may not be terminated. Modify its 'disableApiTermination' "
        "instance attribute and try again.",
    )
    assert (await ec2.error("stop_instances", InstanceIds=[instance]))[0] == (
        "OperationNotPermitted"
    )
    await ec2.call(
        "modify_instance_attribute", InstanceId=instance, DisableApiTermination={"Value": False}
    )
    await ec2.call("terminate_instances", InstanceIds=[instance])


async def test_spot_instance_is_terminated_but_not_stopped(ec2: "Ec2") -> None:
    made = await launch(ec2, InstanceMarketOptions={"MarketType": "spot"})
    assert made["InstanceLifecycle"] == "spot"
    await be(ec2, made["InstanceId"], "running")
    code, _ = await ec2.error("stop_instances", InstanceIds=[made["InstanceId"]])
    assert code == "UnsupportedOperation"


async def test_status_checks_are_of_running_instances_unless_all_are_asked_for(
    ec2: "Ec2",
) -> None:
    made = await ec2.call("run_instances", **asked(MaxCount=3))
    running, impaired, waiting = (each["InstanceId"] for each in made["Instances"])
    await be(ec2, running, "running")
    await be(ec2, impaired, "running", impaired_since=1_700_000_000.0)
    found = (await ec2.call("describe_instance_status"))["InstanceStatuses"]
    assert {each["InstanceId"]: each["InstanceStatus"]["Status"] for each in found} == {
        running: "ok",
        impaired: "impaired",
    }
    ids = {"InstanceIds": [waiting]}
    assert (await ec2.call("describe_instance_status", **ids))["InstanceStatuses"] == []
    told = await ec2.call("describe_instance_status", **ids, IncludeAllInstances=True)
    assert told["InstanceStatuses"][0]["InstanceStatus"]["Status"] == "initializing"


ATTRIBUTES: list[tuple[str, str, Any]] = [
    ("disableApiTermination", "DisableApiTermination", {"Value": False}),
    ("instanceType", "InstanceType", {"Value": "t3.nano"}),
    ("instanceInitiatedShutdownBehavior", "InstanceInitiatedShutdownBehavior", {"Value": "stop"}),
    ("rootDeviceName", "RootDeviceName", {"Value": "/dev/xvda"}),
    ("sourceDestCheck", "SourceDestCheck", {"Value": True}),
    ("enaSupport", "EnaSupport", {"Value": True}),
    ("userData", "UserData", {"Value": base64.b64encode(b"#!/bin/sh").decode()}),
    ("kernel", "KernelId", {}),
    ("productCodes", "ProductCodes", []),
]


async def test_attributes_are_told_one_at_a_time(ec2: "Ec2") -> None:
    made = await launch(ec2, UserData="#!/bin/sh")
    for attribute, member, value in ATTRIBUTES:
        request = {"InstanceId": made["InstanceId"], "Attribute": attribute}
        assert (await ec2.call("describe_instance_attribute", **request))[member] == value
    request = {"InstanceId": made["InstanceId"], "Attribute": "groupSet"}
    told = await ec2.call("describe_instance_attribute", **request)
    assert told["Groups"] == made["SecurityGroups"]


async def test_attributes_change_and_some_of_a_stopped_instance_alone(ec2: "Ec2") -> None:
    made = await launch(ec2)
    one = {"InstanceId": made["InstanceId"]}
    group = await ec2.group(made["VpcId"])
    await ec2.call("modify_instance_attribute", **one, Groups=[group])
    await ec2.call("modify_instance_attribute", **one, SourceDestCheck={"Value": False})
    now = await shown(ec2, made["InstanceId"])
    assert (now["SecurityGroups"][0]["GroupId"], now["SourceDestCheck"]) == (group, False)
    await ec2.call("reset_instance_attribute", **one, Attribute="sourceDestCheck")
    assert (await shown(ec2, made["InstanceId"]))["SourceDestCheck"]
    change = {**one, "InstanceType": {"Value": "m5.large"}}
    assert await ec2.error("modify_instance_attribute", **change) == (
        "IncorrectInstanceState",
        f"The instance '{made['InstanceId']}' is not in the 'stopped' state.",
    )
    await be(ec2, made["InstanceId"], "running")
    await ec2.call("stop_instances", InstanceIds=[made["InstanceId"]])
    await be(ec2, made["InstanceId"], "stopped")
    await ec2.call("modify_instance_attribute", **change)
    await ec2.call("modify_instance_attribute", **one, UserData={"Value": b"echo"})
    await ec2.call("modify_instance_attribute", **one, Attribute="disableApiStop", Value="true")
    told = await ec2.call("describe_instance_attribute", **one, Attribute="userData")
    assert base64.b64decode(told["UserData"]["Value"]) == b"echo"
    now = await shown(ec2, made["InstanceId"])
    assert (now["InstanceType"], now["CpuOptions"]["CoreCount"]) == ("m5.large", 1)
    both = {**one, "EbsOptimized": {"Value": True}, "DisableApiStop": {"Value": True}}
    for request in (both, one):
        code, _ = await ec2.error("modify_instance_attribute", **request)
        assert code == "InvalidParameterCombination"


async def test_metadata_options_change_and_keep_what_is_not_named(ec2: "Ec2") -> None:
    instance = (await launch(ec2))["InstanceId"]
    changed = await ec2.call(
        "modify_instance_metadata_options", InstanceId=instance, HttpTokens="optional"
    )
    assert changed["InstanceMetadataOptions"]["State"] == "pending"
    now = (await shown(ec2, instance))["MetadataOptions"]
    assert now | {"State": "applied", "HttpTokens": "optional", "HttpPutResponseHopLimit": 2} == now


async def test_monitoring_and_credits_are_told(ec2: "Ec2") -> None:
    instance = (await launch(ec2, CreditSpecification={"CpuCredits": "standard"}))["InstanceId"]
    plain = (await launch(ec2, InstanceType="m5.large"))["InstanceId"]
    on = await ec2.call("monitor_instances", InstanceIds=[instance])
    assert on["InstanceMonitorings"][0]["Monitoring"] == {"State": "pending"}
    assert (await shown(ec2, instance))["Monitoring"] == {"State": "enabled"}
    off = await ec2.call("unmonitor_instances", InstanceIds=[instance])
    assert off["InstanceMonitorings"][0]["Monitoring"] == {"State": "disabling"}
    found = await ec2.call("describe_instance_credit_specifications")
    assert found["InstanceCreditSpecifications"] == [
        {"InstanceId": instance, "CpuCredits": "standard"}
    ]
    ids = [plain]
    code, _ = await ec2.error("describe_instance_credit_specifications", InstanceIds=ids)
    assert code == "InvalidParameterValue"


async def test_profile_of_a_running_instance_is_associated_replaced_and_taken_away(
    ec2: "Ec2",
) -> None:
    await add_profile(ec2)
    instance = (await launch(ec2))["InstanceId"]
    wanted = {"IamInstanceProfile": {"Name": "web"}}
    made = await ec2.call("associate_iam_instance_profile", InstanceId=instance, **wanted)
    first = made["IamInstanceProfileAssociation"]
    assert (first["State"], first["IamInstanceProfile"]["Arn"]) == ("associating", PROFILE)
    code, _ = await ec2.error("associate_iam_instance_profile", InstanceId=instance, **wanted)
    assert code == "IncorrectState"
    replaced = await ec2.call(
        "replace_iam_instance_profile_association",
        AssociationId=first["AssociationId"],
        **wanted,
    )
    second = replaced["IamInstanceProfileAssociation"]["AssociationId"]
    found = await ec2.call(
        "describe_iam_instance_profile_associations",
        Filters=[{"Name": "instance-id", "Values": [instance]}],
    )
    assert [each["AssociationId"] for each in found["IamInstanceProfileAssociations"]] == [second]
    await ec2.call("disassociate_iam_instance_profile", AssociationId=second)
    assert "IamInstanceProfile" not in await shown(ec2, instance)
    code, _ = await ec2.error("disassociate_iam_instance_profile", AssociationId=second)
    assert code == "InvalidAssociationID.NotFound"


async def test_elastic_address_is_associated_with_an_instance(ec2: "Ec2") -> None:
    instance = (await launch(ec2))["InstanceId"]
    allocation = (await ec2.call("allocate_address", Domain="vpc"))["AllocationId"]
    request = {"AllocationId": allocation, "InstanceId": instance}
    assert (await ec2.error("associate_address", **request))[0] == "InvalidInstanceID"
    await be(ec2, instance, "running")
    await ec2.call("associate_address", **request)
    (address,) = (await ec2.call("describe_addresses"))["Addresses"]
    assert address["InstanceId"] == instance
    assert (await shown(ec2, instance))["PublicIpAddress"] == address["PublicIp"]


async def test_interface_of_an_instance_has_as_many_addresses_as_its_type_allows(
    ec2: "Ec2",
) -> None:
    # Its type has two interfaces of two addresses each, whose second ones are all this one's.
    made = await launch(ec2)
    eni = made["NetworkInterfaces"][0]["NetworkInterfaceId"]
    await ec2.call(
        "assign_private_ip_addresses", NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=2
    )
    code, message = await ec2.error(
        "assign_private_ip_addresses", NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=1
    )
    assert code == "PrivateIpAddressLimitExceeded"
    assert message == "Number of private addresses will exceed limit of 3."


async def test_instances_and_volumes_are_tagged_and_untagged(ec2: "Ec2") -> None:
    made = await launch(ec2)
    volume = made["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    resources = [made["InstanceId"], volume]
    await ec2.call("create_tags", Resources=resources, Tags=[{"Key": "a", "Value": "1"}])
    found = (await ec2.call("describe_tags"))["Tags"]
    assert {(each["ResourceId"], each["ResourceType"]) for each in found} == {
        (made["InstanceId"], "instance"),
        (volume, "volume"),
    }
    assert (await shown(ec2, made["InstanceId"]))["Tags"] == [{"Key": "a", "Value": "1"}]
    await ec2.call("delete_tags", Resources=resources, Tags=[{"Key": "a"}])
    assert (await ec2.call("describe_tags"))["Tags"] == []
    reserved = [{"ResourceType": "instance", "Tags": [{"Key": "aws:x", "Value": "1"}]}]
    code, _ = await ec2.error("run_instances", **asked(TagSpecifications=reserved))
    assert code == "InvalidParameterValue"


async def test_iam_is_asked_for_all_that_a_launch_makes_and_uses(ec2: "Ec2") -> None:
    made = await launch(ec2)
    asked_ = {
        arn: conditions
        for action, arn, conditions in ec2.identity.asked
        if action == "ec2:RunInstances"
    }
    own = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
    assert set(asked_) == {
        f"{own}:instance/*",
        f"{own}:volume/*",
        f"{own}:network-interface/*",
        f"arn:aws:ec2:{REGION}::image/{BASE.id}",
        f"{own}:subnet/{made['SubnetId']}",
        f"{own}:security-group/{made['SecurityGroups'][0]['GroupId']}",
    }
    assert asked_[f"{own}:instance/*"]["ec2:InstanceType"] == "t3.nano"
    assert asked_[f"{own}:instance/*"]["ec2:MetadataHttpTokens"] == "required"
    assert asked_[f"arn:aws:ec2:{REGION}::image/{BASE.id}"]["ec2:Owner"] == [
        "amazon",
        "602401143452",
    ]
    ec2.identity.asked.clear()
    await ec2.call("terminate_instances", InstanceIds=[made["InstanceId"]])
    ((_, arn, conditions),) = ec2.identity.asked
    assert arn == f"{own}:instance/{made['InstanceId']}"
    assert conditions["ec2:InstanceType"] == "t3.nano"


async def test_images_are_found_by_owner_and_name(ec2: "Ec2") -> None:
    found = await ec2.call(
        "describe_images",
        Owners=["amazon"],
        Filters=[{"Name": "name", "Values": ["amazon-eks-node-al2023-x86_64-standard-1.35-v*"]}],
    )
    (image,) = found["Images"]
    assert (image["ImageId"], image["OwnerId"], image["Public"]) == (NODE.id, "602401143452", True)
    assert image["RootDeviceName"] == "/dev/xvda"
    assert (await ec2.call("describe_images", Owners=["self"]))["Images"] == []
    assert (await ec2.error("describe_images", ImageIds=["ami-0"])) == (
        "InvalidAMIID.NotFound",
        "The image id '[ami-0]' does not exist",
    )
    assert (await ec2.error("describe_images", ImageIds=["x"]))[0] == "InvalidAMIID.Malformed"
