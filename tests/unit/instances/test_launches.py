"""Launching and ending instances, over a store in memory."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.base.ids import SeededIds
from longshore.base.installation import Installation
from longshore.instances import (
    Around,
    give_up_interface,
    give_up_public_address,
    machine_image,
    machine_images,
    public_parameters,
    reboot_instance,
    role_of,
    run_instances,
    start_instance,
    stop_instance,
    terminate_instance,
)
from longshore.instances.capacity import Room, how_many
from longshore.instances.templates import merge
from longshore.instances.types import instance_types
from longshore.model.ec2 import ADDRESS_CLAIM, NETWORK_INTERFACE, SUBNET
from longshore.model.errors import AwsError
from longshore.model.iam import INSTANCE_PROFILE, ROLE, InstanceProfile, Role
from longshore.model.instances import (
    INSTANCE,
    LAUNCH_TEMPLATE,
    STATE_CODES,
    Instance,
    InstanceStatus,
    LaunchTemplate,
    LaunchTemplateVersion,
    Reason,
    state_of,
)
from longshore.model.ssm import PARAMETER, Parameter, ParameterVersion
from longshore.store.interface import Transaction
from longshore.testing.hosts import add_host
from longshore.testing.memory_store import MemoryStore
from longshore.vpc import create_default_vpc, create_network_interface

PLACE = ("123456789012", "us-east-1")
BASE, NODE, *_ = machine_images("us-east-1")
R = TypeVar("R")


class Room1:
    """A store with a default VPC and a host, and how to act in it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.around = Around(
            account=PLACE[0],
            region=PLACE[1],
            now=1000.0,
            ids=SeededIds(1),
            installation=Installation(data_dir=Path("/nowhere"), public_pool="198.18.5.0/24"),
            principal_arn="arn:aws:iam::123456789012:root",
        )

    def do(self, work: Callable[[Transaction], R]) -> R:
        return asyncio.run(self.store.transact(work))

    def run(self, **request: Any) -> tuple[Instance, ...]:
        asked = {"ImageId": BASE.id, "InstanceType": "t3.micro", **request}
        return self.do(lambda tx: run_instances(tx, self.around, asked))

    def refused(self, **request: Any) -> str:
        """The code that a launch fails with; nothing of it is left."""
        before = self.store.revision
        with pytest.raises(AwsError) as caught:
            self.run(**request)
        assert self.store.revision == before
        return caught.value.code

    def eni(self, instance: Instance) -> Any:
        record = self.store.reader.get(NETWORK_INTERFACE, *PLACE, instance.interface_id)
        return None if record is None else record.value

    def kept(self, instance: Instance) -> Instance:
        record = self.store.reader.get(INSTANCE, *PLACE, instance.id)
        assert record is not None
        instance: Instance = record.value
        return instance


@pytest.fixture
def ec2() -> Iterator[Room1]:
    room = Room1()
    room.do(lambda tx: create_default_vpc(tx, *PLACE, room.around.ids))
    room.do(lambda tx: add_host(tx, *PLACE))
    yield room


def subnets(ec2: Room1) -> list[Any]:
    return [record.value for record in ec2.store.reader.scan(SUBNET, *PLACE)]


def test_launch_writes_instance_and_interface_that_no_host_has_yet(ec2: Room1) -> None:
    one, two = ec2.run(MinCount=1, MaxCount=2)
    eni = ec2.eni(one)
    assert (eni.status, eni.instance_id, eni.host) == ("in-use", one.id, "")
    assert eni.attachment_id and eni.delete_on_termination
    assert (one.private_address, one.public_address) == (eni.private_address, True)
    assert (one.vcpus, one.memory, one.credits) == (2, 1024, "unlimited")
    assert (one.reservation_id, [one.launch_index, two.launch_index]) == (
        two.reservation_id,
        [0, 1],
    )
    assert one.zone == two.zone == "us-east-1a"


def test_as_many_are_launched_as_find_room_and_the_waiting_count(ec2: Room1) -> None:
    ec2.do(lambda tx: add_host(tx, *PLACE, memory=5 * 1024))
    assert len(ec2.run(MinCount=1, MaxCount=3)) == 3
    assert len(ec2.run(MinCount=1, MaxCount=3)) == 2
    with pytest.raises(AwsError) as caught:
        ec2.run()
    assert (caught.value.code, caught.value.status) == ("InsufficientInstanceCapacity", 500)
    assert "us-east-1a" in caught.value.message


def test_launch_without_room_for_the_fewest_leaves_nothing(ec2: Room1) -> None:
    assert ec2.refused(InstanceType="m5.16xlarge") == "InsufficientInstanceCapacity"
    assert ec2.refused(MinCount=100, MaxCount=100) == "InsufficientInstanceCapacity"


@given(
    st.lists(st.tuples(st.integers(0, 8192), st.integers(0, 32_768)), max_size=4),
    st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8192)), max_size=4),
    st.integers(1, 8),
    st.integers(1, 8192),
)
def test_room_is_never_promised_twice(
    hosts: list[tuple[int, int]], waiting: list[tuple[int, int]], vcpus: int, memory: int
) -> None:
    instances = [
        msgspec.structs.replace(INSTANCE_VALUE, vcpus=each[0], memory=each[1]) for each in waiting
    ]
    alone = how_many([Room(*host) for host in hosts], (), vcpus, memory)
    behind = how_many([Room(*host) for host in hosts], instances, vcpus, memory)
    assert 0 <= behind <= alone
    assert alone * memory <= sum(host[1] for host in hosts)


INSTANCE_VALUE = Instance(
    id="i-0",
    reservation_id="r-0",
    image_id=BASE.id,
    instance_type="t3.micro",
    vcpus=2,
    memory=1024,
    vpc_id="vpc-0",
    subnet_id="subnet-0",
    zone="us-east-1a",
    interface_id="eni-0",
    private_address="10.0.0.4",
    launched_at=0.0,
)


@given(
    st.sampled_from(["running", "stopped", "terminated"]),
    st.none() | st.sampled_from(sorted(STATE_CODES)),
)
def test_state_shows_what_is_wanted_before_it_is_begun(wanted: str, state: str | None) -> None:
    status = InstanceStatus(state=state) if state is not None else None
    shown = state_of(msgspec.structs.replace(INSTANCE_VALUE, wanted=wanted), status)
    assert shown in STATE_CODES
    if state == "terminated":
        assert shown == "terminated"
    elif wanted == "terminated":
        assert shown == "shutting-down"
    elif wanted == "stopped":
        assert shown in {"stopping", "stopped", "shutting-down"}
    else:
        assert shown != "stopped"


Parameters = st.dictionaries(
    st.sampled_from(["ImageId", "InstanceType", "KeyName", "UserData", "EbsOptimized"]),
    st.text(max_size=3),
)
Tagged = st.lists(
    st.fixed_dictionaries(
        {
            "ResourceType": st.sampled_from(["instance", "volume"]),
            "Tags": st.dictionaries(st.sampled_from("abc"), st.text(max_size=2)).map(
                lambda tags: [{"Key": k, "Value": v} for k, v in tags.items()]
            ),
        }
    ),
    max_size=3,
)


def tags(specifications: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    return {
        (each["ResourceType"], tag["Key"]): tag["Value"]
        for each in specifications
        for tag in each["Tags"]
    }


@given(Parameters, Tagged, Parameters, Tagged)
def test_request_goes_before_its_template_and_tags_are_joined(
    data: dict[str, str],
    template_tags: list[dict[str, Any]],
    request: dict[str, str],
    own_tags: list[dict[str, Any]],
) -> None:
    merged = merge(
        {**data, "TagSpecifications": template_tags}, {**request, "TagSpecifications": own_tags}
    )
    assert {name: merged[name] for name in request} == request
    assert {name: merged[name] for name in data.keys() - request.keys()} == {
        name: data[name] for name in data.keys() - request.keys()
    }
    expected = tags(template_tags) | tags(own_tags)
    if template_tags or own_tags:
        assert tags(merged["TagSpecifications"]) == expected


def test_block_devices_are_joined_by_name() -> None:
    merged = merge(
        {"BlockDeviceMappings": [{"DeviceName": "a", "Ebs": {}}, {"DeviceName": "b"}]},
        {"BlockDeviceMappings": [{"DeviceName": "a", "Ebs": {"VolumeSize": 9}}]},
    )
    assert merged["BlockDeviceMappings"] == [
        {"DeviceName": "a", "Ebs": {"VolumeSize": 9}},
        {"DeviceName": "b"},
    ]


def template(ec2: Room1, *documents: dict[str, Any], default: int = 1) -> None:
    versions = tuple(
        LaunchTemplateVersion(number=number, data=data, created_at=0.0, created_by="me")
        for number, data in enumerate(documents, 1)
    )
    made = LaunchTemplate(
        id="lt-1",
        name="web",
        created_at=0.0,
        created_by="me",
        versions=versions,
        latest=len(versions),
        default=default,
    )
    ec2.do(lambda tx: tx.put(LAUNCH_TEMPLATE, *PLACE, made.id, made))


@pytest.mark.parametrize(
    ("version", "kind"),
    [("$Latest", "t3.small"), ("$Default", "t3.nano"), ("2", "t3.small"), (None, "t3.nano")],
)
def test_template_gives_what_the_request_does_not_say(
    ec2: Room1, version: str | None, kind: str
) -> None:
    template(ec2, {"ImageId": NODE.id, "InstanceType": "t3.nano"}, {"InstanceType": "t3.small"})
    named = {"LaunchTemplateName": "web", **({"Version": version} if version else {})}
    asked = {"ImageId": BASE.id, "LaunchTemplate": named}
    (made,) = ec2.do(lambda tx: run_instances(tx, ec2.around, asked))
    assert (made.image_id, made.instance_type) == (BASE.id, kind)
    assert dict(made.tags) == {
        "aws:ec2launchtemplate:id": "lt-1",
        "aws:ec2launchtemplate:version": "2" if kind == "t3.small" else "1",
    }


def test_group_chooses_the_subnet_of_its_templates_interface(ec2: Room1) -> None:
    network = [{"DeviceIndex": 0, "AssociatePublicIpAddress": False}]
    template(ec2, {"NetworkInterfaces": network})
    wanted = subnets(ec2)[2]
    (made,) = ec2.run(LaunchTemplate={"LaunchTemplateId": "lt-1"}, SubnetId=wanted.id)
    assert (made.subnet_id, made.zone, made.public_address) == (wanted.id, wanted.zone, False)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"ImageId": ""}, "MissingParameter"),
        ({"ImageId": "linux"}, "InvalidAMIID.Malformed"),
        ({"ImageId": "ami-0"}, "InvalidAMIID.NotFound"),
        ({"ImageId": "resolve:ssm:/none"}, "SsmInvalidParameter"),
        ({"InstanceType": "t9.huge"}, "InvalidParameterValue"),
        ({"InstanceType": "t4g.micro"}, "InvalidParameterValue"),
        ({"KeyName": "none"}, "InvalidKeyPair.NotFound"),
        ({"SubnetId": "subnet-0"}, "InvalidSubnetID.NotFound"),
        ({"SecurityGroupIds": ["sg-0"]}, "InvalidGroup.NotFound"),
        ({"SecurityGroups": ["none"]}, "InvalidGroup.NotFound"),
        ({"IamInstanceProfile": {"Name": "none"}}, "InvalidParameterValue"),
        ({"IamInstanceProfile": {"Name": "a", "Arn": "b"}}, "InvalidParameterCombination"),
        ({"UserData": "!"}, "InvalidUserData.Malformed"),
        ({"UserData": base64.b64encode(b"x" * 16_385).decode()}, "InvalidParameterValue"),
        ({"MetadataOptions": {"HttpPutResponseHopLimit": 65}}, "InvalidParameterValue"),
        ({"MinCount": 2, "MaxCount": 1}, "InvalidParameterValue"),
        ({"MinCount": 0}, "InvalidParameterValue"),
        ({"PrivateIpAddress": "172.31.0.9", "MaxCount": 2}, "InvalidParameterCombination"),
        ({"PrivateIpAddress": "172.31.0.1"}, "InvalidParameterValue"),
        ({"Placement": {"AvailabilityZone": "us-east-1z"}}, "InvalidParameterValue"),
        ({"Placement": {"GroupName": "close"}}, "NotImplemented"),
        ({"InstanceInitiatedShutdownBehavior": "sleep"}, "InvalidParameterValue"),
        ({"LaunchTemplate": {"LaunchTemplateName": "x"}},
         "InvalidLaunchTemplateName.NotFoundException"),
        ({"LaunchTemplate": {"LaunchTemplateId": "lt-0"}}, "InvalidLaunchTemplateId.NotFound"),
        ({"InstanceMarketOptions": {"MarketType": "capacity-block"}}, "NotImplemented"),
        ({"CpuOptions": {"CoreCount": 1}}, "NotImplemented"),
        ({"EnclaveOptions": {"Enabled": True}}, "NotImplemented"),
        ({"NetworkInterfaces": [{"DeviceIndex": 1}]}, "InvalidParameterCombination"),
        ({"NetworkInterfaces": [{"DeviceIndex": 0}, {"DeviceIndex": 1}]}, "NotImplemented"),
        ({"NetworkInterfaces": [{"DeviceIndex": 0, "SecondaryPrivateIpAddressCount": 2}]},
         "PrivateIpAddressLimitExceeded"),
        ({"NetworkInterfaces": [{"NetworkInterfaceId": "eni-0"}]},
         "InvalidNetworkInterfaceID.NotFound"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "Ebs": {}}]}, "MissingParameter"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}]},
         "NotImplemented"),
        ({"BlockDeviceMappings": [{"DeviceName": "/etc/sdb", "Ebs": {"VolumeSize": 1}}]},
         "InvalidBlockDeviceMapping"),
        ({"BlockDeviceMappings": [{"DeviceName": each, "Ebs": {"VolumeSize": 1}}
                                  for each in ("/dev/sdb", "/dev/xvdb")]},
         "InvalidBlockDeviceMapping"),
        ({"BlockDeviceMappings": [{"DeviceName": f"/dev/xvdb{each}", "Ebs": {"VolumeSize": 1}}
                                  for each in "abcdefghijklmnopqrstuvwxyz"]
          + [{"DeviceName": "/dev/xvdca", "Ebs": {"VolumeSize": 1}}]},
         "AttachmentLimitExceeded"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "Ebs": {"SnapshotId": "snap-0"}}]},
         "InvalidSnapshot.NotFound"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/sdb",
                                   "Ebs": {"VolumeSize": 4, "VolumeType": "io2"}}]},
         "InvalidParameterCombination"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}]},
         "InvalidBlockDeviceMapping"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}]},
         "NotImplemented"),
    ],
)  # fmt: skip
def test_bad_launches_are_refused_whole(ec2: Room1, request_: dict[str, Any], code: str) -> None:
    assert ec2.refused(**request_) == code


def test_harmless_members_are_taken(ec2: Room1) -> None:
    (made,) = ec2.run(
        EnclaveOptions={"Enabled": False},
        CapacityReservationSpecification={"CapacityReservationPreference": "none"},
        MaintenanceOptions={"AutoRecovery": "default"},
        Placement={"Tenancy": "default", "AvailabilityZone": "us-east-1b"},
        Ipv6AddressCount=0,
        InstanceMarketOptions={"MarketType": "spot"},
    )
    assert (made.zone, made.spot) == ("us-east-1b", True)


def profile(ec2: Room1, *roles: str) -> InstanceProfile:
    made = InstanceProfile(
        name="Nodes",
        path="/",
        id="AIPA1",
        arn="arn:aws:iam::123456789012:instance-profile/Nodes",
        created_at=0.0,
        roles=roles,
    )
    role = Role(
        name="Worker", path="/", id="AROA1", arn="arn:aws:iam::123456789012:role/Worker",
        created_at=0.0, trust="{}",
    )  # fmt: skip
    ec2.do(lambda tx: tx.put(INSTANCE_PROFILE, PLACE[0], "", "nodes", made))
    ec2.do(lambda tx: tx.put(ROLE, PLACE[0], "", "worker", role))
    return made


def test_instance_has_the_role_of_its_profile(ec2: Room1) -> None:
    made = profile(ec2, "Worker")
    for given_ in ({"Name": "Nodes"}, {"Arn": made.arn}):
        (instance,) = ec2.run(IamInstanceProfile=given_)
        assert (instance.profile_arn, instance.profile_id) == (made.arn, made.id)
        assert instance.profile_association_id.startswith("iip-assoc-")
    role = role_of(ec2.store.reader, PLACE[0], made.arn)
    assert role is not None and role.name == "Worker"
    assert role_of(ec2.store.reader, PLACE[0], made.arn + "2") is None


def test_profile_without_a_role_is_refused(ec2: Room1) -> None:
    made = profile(ec2)
    assert ec2.refused(IamInstanceProfile={"Arn": made.arn}) == "InvalidParameterValue"
    assert role_of(ec2.store.reader, PLACE[0], made.arn) is None


def test_image_is_named_by_a_parameter_of_aws_or_ones_own(ec2: Room1) -> None:
    own = Parameter(
        name="/image",
        versions=tuple(
            ParameterVersion(
                number=number, value=image.id, type="String", modified_at=0.0, modified_by="",
                labels=(label,),
            )
            for number, (image, label) in enumerate(((BASE, "old"), (NODE, "new")), 1)
        ),
    )  # fmt: skip
    ec2.do(lambda tx: tx.put(PARAMETER, *PLACE, "/image", own))
    eks = "/aws/service/eks/optimized-ami/1.35/amazon-linux-2023/x86_64/standard/recommended"
    for name, image in (
        ("/image", NODE),
        ("/image:1", BASE),
        ("/image:old", BASE),
        (f"{eks}/image_id", NODE),
        ("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64", BASE),
    ):
        (made,) = ec2.run(ImageId=f"resolve:ssm:{name}", InstanceType="t3.nano")
        assert made.image_id == image.id
    told = public_parameters("us-east-1")
    assert told[f"{eks}/release_version"].startswith("1.35.")
    assert told[f"{eks}/image_name"] == NODE.name


def test_images_of_regions_differ_and_stay_the_same() -> None:
    assert {i.id for i in machine_images("us-east-1")}.isdisjoint(
        i.id for i in machine_images("eu-west-1")
    )
    assert machine_image("us-east-1", NODE.id) == NODE and NODE.kubernetes == "1.35"
    assert machine_image("eu-west-1", NODE.id) is None
    assert BASE.kubernetes == BASE.release_version == ""


def test_interface_that_is_there_is_taken_and_outlives_its_instance(ec2: Room1) -> None:
    eni = ec2.do(
        lambda tx: create_network_interface(
            tx,
            ec2.around.ids,
            0.0,
            account=PLACE[0],
            region=PLACE[1],
            subnet_id=subnets(ec2)[1].id,
            assign_public_ip=False,
            installation=ec2.around.installation,
        )
    )
    network = [{"DeviceIndex": 0, "NetworkInterfaceId": eni.id}]
    (made,) = ec2.run(NetworkInterfaces=network)
    assert (made.interface_id, made.private_address) == (eni.id, eni.private_address)
    assert ec2.refused(NetworkInterfaces=network) == "InvalidNetworkInterface.InUse"
    ec2.do(lambda tx: give_up_interface(tx, *PLACE, made))
    kept = ec2.eni(made)
    assert (kept.status, kept.instance_id, kept.attachment_id) == ("available", "", "")


def test_interface_goes_with_its_instance_and_frees_its_addresses(ec2: Room1) -> None:
    claims = len(ec2.store.reader.scan(ADDRESS_CLAIM))
    (made,) = ec2.run()
    for _ in range(2):
        ec2.do(lambda tx: give_up_interface(tx, *PLACE, made))
    assert ec2.eni(made) is None
    assert len(ec2.store.reader.scan(ADDRESS_CLAIM)) == claims


def test_stopped_instance_gives_up_its_public_address_and_gets_one_at_its_start(
    ec2: Room1,
) -> None:
    (made,) = ec2.run()
    ec2.do(lambda tx: stop_instance(tx, ec2.around, made.id))
    ec2.do(lambda tx: give_up_public_address(tx, *PLACE, made))
    assert ec2.eni(made).public_address == ""
    later = replace(ec2.around, now=2000.0)
    ec2.do(lambda tx: start_instance(tx, later, made.id))
    assert ec2.eni(made).public_address
    assert (ec2.kept(made).wanted, ec2.kept(made).launched_at) == ("running", 2000.0)


def test_terminated_instance_is_not_started_stopped_or_rebooted(ec2: Room1) -> None:
    (made,) = ec2.run()
    ec2.do(lambda tx: reboot_instance(tx, ec2.around, made.id))
    assert ec2.kept(made).reboots == 1
    why = Reason(code="Server.SpotInstanceTermination", message="gone")
    ended = ec2.do(lambda tx: terminate_instance(tx, ec2.around, made.id, why))
    assert ended is not None and (ended.wanted, ended.reason) == ("terminated", why)
    assert ec2.do(lambda tx: start_instance(tx, ec2.around, made.id)) is None
    assert ec2.do(lambda tx: stop_instance(tx, ec2.around, made.id)) is None
    assert ec2.do(lambda tx: reboot_instance(tx, ec2.around, made.id)) is None
    again = ec2.do(lambda tx: terminate_instance(tx, ec2.around, made.id))
    assert again == ended
    assert ec2.do(lambda tx: terminate_instance(tx, ec2.around, "i-0")) is None


def test_types_have_what_their_names_say() -> None:
    types = instance_types()
    assert (types["m5.large"].vcpus, types["m5.large"].memory) == (2, 8192)
    assert types["t2.micro"].credits == "standard" and types["m5.large"].credits == ""
