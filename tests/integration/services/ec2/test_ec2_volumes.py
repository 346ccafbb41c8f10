"""Volumes and snapshots as boto3 sees them; the test plays their host's agent."""

from typing import TYPE_CHECKING, Any

import pytest

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.controllers.interface import Surroundings
from longshore.controllers.session.volumes import host_volumes, record_volumes
from longshore.controllers.volume import volume_controllers
from longshore.instances import machine_images
from longshore.model.instances import INSTANCE_STATUS, InstanceStatus
from longshore.model.volumes import VOLUME
from longshore.nodeapi.own import ReportedSnapshot, ReportedVolume, VolumesReport
from longshore.testing.hosts import add_host

if TYPE_CHECKING:
    from conftest import Ec2

PLACE = ("123456789012", "us-east-1")
ZONE = "us-east-1a"
TAGS = [{"Key": "CSIVolumeName", "Value": "pvc-1"}]


@pytest.fixture(autouse=True)
async def host(ec2: "Ec2") -> None:
    await ec2.store.transact(lambda tx: add_host(tx, *PLACE))


async def obey(ec2: "Ec2", *, busy: bool = False) -> None:
    """Have the host do all that it is told, report it, and the controllers follow."""
    told = host_volumes(ec2.store.reader, "host")
    volumes = [
        ReportedVolume(id=each.id, gone=True)
        if each.deleted
        else ReportedVolume(
            id=each.id, size=each.size, instance_id=each.instance_id, device=each.device,
            revision=each.revision, busy=busy,
        )
        for each in told.volumes
    ]  # fmt: skip
    snapshots = [
        ReportedSnapshot(id=each.id, stored=4096, gone=each.deleted) for each in told.snapshots
    ]
    report = VolumesReport(volumes=tuple(volumes), snapshots=tuple(snapshots))
    await record_volumes(ec2.store, "host", report, 100.0)
    surroundings = Surroundings(
        store=ec2.store, clock=SystemClock(), ids=RandomIds(), installation=ec2.installation
    )
    for controller in volume_controllers(surroundings):
        for key in list(controller.every_key(ec2.store.reader)):
            await controller.reconcile(key)


async def volume(ec2: "Ec2", **asked: Any) -> str:
    """An available volume."""
    request = {"AvailabilityZone": ZONE, "Size": 1, "VolumeType": "gp3", **asked}
    made = await ec2.call("create_volume", **request)
    await obey(ec2)
    return str(made["VolumeId"])


async def instance(ec2: "Ec2", **asked: Any) -> str:
    """A running instance."""
    made = await ec2.call(
        "run_instances",
        ImageId=machine_images("us-east-1")[0].id,
        InstanceType="t3.nano",
        MinCount=1,
        MaxCount=1,
        **{"Placement": {"AvailabilityZone": ZONE}, **asked},
    )
    instance_id = str(made["Instances"][0]["InstanceId"])
    await be(ec2, instance_id, "running")
    return instance_id


async def be(ec2: "Ec2", instance_id: str, state: str) -> None:
    status = InstanceStatus(state=state)
    await ec2.store.transact(lambda tx: tx.put(INSTANCE_STATUS, *PLACE, instance_id, status))


async def shown(ec2: "Ec2", volume_id: str) -> Any:
    return (await ec2.call("describe_volumes", VolumeIds=[volume_id]))["Volumes"][0]


async def attach(ec2: "Ec2", volume_id: str, instance_id: str, device: str = "/dev/sdf") -> Any:
    return await ec2.call(
        "attach_volume", VolumeId=volume_id, InstanceId=instance_id, Device=device
    )


async def test_a_volume_is_created_with_what_was_asked_of_it(ec2: "Ec2") -> None:
    made = await ec2.call(
        "create_volume",
        AvailabilityZone=ZONE,
        Size=10,
        VolumeType="gp3",
        Iops=4000,
        Throughput=200,
        TagSpecifications=[{"ResourceType": "volume", "Tags": TAGS}],
    )
    assert (made["State"], made["Size"], made["SnapshotId"]) == ("creating", 10, "")
    assert (made["Iops"], made["Throughput"]) == (4000, 200)
    await obey(ec2)
    by_tag = await ec2.call(
        "describe_volumes", Filters=[{"Name": "tag:CSIVolumeName", "Values": ["pvc-1"]}]
    )
    (found,) = by_tag["Volumes"]
    assert (found["VolumeId"], found["State"]) == (made["VolumeId"], "available")
    assert (found["AvailabilityZone"], found["Attachments"]) == (ZONE, [])
    assert found["Tags"] == TAGS


async def test_the_same_client_token_gives_the_same_volume(ec2: "Ec2") -> None:
    first = await volume(ec2, ClientToken="one")
    assert await volume(ec2, ClientToken="one") == first
    code, _ = await ec2.error(
        "create_volume", AvailabilityZone=ZONE, Size=2, VolumeType="gp3", ClientToken="one"
    )
    assert code == "IdempotentParameterMismatch"


async def test_a_volume_can_be_asked_for_by_the_zones_id(ec2: "Ec2") -> None:
    made = await ec2.call("create_volume", AvailabilityZoneId="use1-az2", Size=1)
    assert (made["AvailabilityZone"], made["VolumeType"]) == ("us-east-1b", "gp2")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"AvailabilityZone": "us-east-1z"}, "InvalidZone.NotFound"),
        ({"AvailabilityZone": "eu-west-1a"}, "InvalidZone.NotFound"),
        ({"AvailabilityZone": ZONE, "AvailabilityZoneId": "use1-az1"},
         "InvalidParameterCombination"),
        ({"AvailabilityZone": ""}, "MissingParameter"),
        ({"Size": 0}, "InvalidParameterValue"),
        ({"Size": -1}, "InvalidParameterValue"),
        ({"VolumeType": "nvme"}, "InvalidParameterValue"),
        ({"SnapshotId": "snap-0123456789abcdef0"}, "InvalidSnapshot.NotFound"),
        ({"SnapshotId": "../../etc/passwd"}, "InvalidParameterValue"),
        ({"Encrypted": True}, "NotImplemented"),
        ({"MultiAttachEnabled": True}, "NotImplemented"),
        ({"TagSpecifications": [{"ResourceType": "snapshot", "Tags": TAGS}]},
         "InvalidParameterValue"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_and_makes_nothing(
    ec2: "Ec2", asked: dict[str, Any], code: str
) -> None:
    request = {"AvailabilityZone": ZONE, "Size": 1, "VolumeType": "gp3", **asked}
    assert (await ec2.error("create_volume", **request))[0] == code
    assert not list(ec2.store.reader.scan(VOLUME))


async def test_a_dry_run_of_a_creation_tells_limits_and_makes_nothing(ec2: "Ec2") -> None:
    asked = {"AvailabilityZone": ZONE, "Size": 4, "VolumeType": "io2", "DryRun": True}
    code, message = await ec2.error("create_volume", **asked, Iops=2**31 - 1)
    assert code == "InvalidParameterValue"
    assert message.endswith("too high; maximum is 256000.")
    assert (await ec2.error("create_volume", **asked, Iops=100))[0] == "DryRunOperation"
    assert not list(ec2.store.reader.scan(VOLUME))


async def test_a_volume_is_attached_shown_and_detached(ec2: "Ec2") -> None:
    disk, machine = await volume(ec2), await instance(ec2)
    told = await attach(ec2, disk, machine)
    assert (told["State"], told["Device"], told["InstanceId"]) == ("attaching", "/dev/sdf", machine)
    assert (await shown(ec2, disk))["State"] == "in-use"
    await obey(ec2)
    assert (await shown(ec2, disk))["Attachments"][0]["State"] == "attached"
    described = await ec2.call("describe_instances", InstanceIds=[machine])
    mapped = described["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
    assert [each["DeviceName"] for each in mapped] == ["/dev/xvda", "/dev/sdf"]
    assert (mapped[1]["Ebs"]["VolumeId"], mapped[1]["Ebs"]["Status"]) == (disk, "attached")
    assert mapped[1]["Ebs"]["DeleteOnTermination"] is False
    told = await ec2.call("detach_volume", VolumeId=disk)
    assert told["State"] == "detaching"
    await obey(ec2)
    found = await shown(ec2, disk)
    assert (found["State"], found["Attachments"]) == ("available", [])


async def test_a_volume_that_is_in_use_inside_is_busy(ec2: "Ec2") -> None:
    disk, machine = await volume(ec2), await instance(ec2)
    await attach(ec2, disk, machine)
    await obey(ec2)
    await ec2.call("detach_volume", VolumeId=disk)
    (told,) = host_volumes(ec2.store.reader, "host").volumes
    still = ReportedVolume(
        id=disk, size=1, instance_id=machine, device="/dev/sdf", busy=True, revision=told.revision
    )
    await record_volumes(ec2.store, "host", VolumesReport(volumes=(still,)), 100.0)
    assert (await shown(ec2, disk))["Attachments"][0]["State"] == "busy"


async def test_attachments_that_cannot_be_are_refused(ec2: "Ec2") -> None:
    disk, other, machine = await volume(ec2), await volume(ec2), await instance(ec2)
    await attach(ec2, disk, machine)

    async def refused(**asked: Any) -> str:
        request = {"VolumeId": other, "InstanceId": machine, "Device": "/dev/sdg", **asked}
        return (await ec2.error("attach_volume", **request))[0]

    assert await refused(VolumeId=disk) == "VolumeInUse"
    assert await refused(VolumeId="vol-0123456789abcdef0") == "InvalidVolume.NotFound"
    assert await refused(VolumeId="vol-../../x") == "InvalidParameterValue"
    assert await refused(InstanceId="i-0123456789abcdef0") == "InvalidInstanceID.NotFound"
    for device in ("/dev/sdf", "/dev/xvdf", "/dev/xvda", "/dev/sda1", "/dev/../etc/x", "sdf", ""):
        assert await refused(Device=device) == "InvalidParameterValue", device
    far = await volume(ec2, AvailabilityZone="us-east-1b")
    assert await refused(VolumeId=far) == "InvalidVolume.ZoneMismatch"
    fresh = (await ec2.call("create_volume", AvailabilityZone=ZONE, Size=1))["VolumeId"]
    assert await refused(VolumeId=fresh) == "IncorrectState"
    await be(ec2, machine, "pending")
    assert await refused() == "IncorrectState"
    _, message = await ec2.error(
        "attach_volume", VolumeId=other, InstanceId=await instance(ec2), Device="/dev/xvda"
    )
    assert message.endswith("already in use")


async def test_an_instance_has_no_more_volumes_than_its_type_allows(ec2: "Ec2") -> None:
    machine = await instance(ec2)
    names = [f"/dev/xvdb{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    for name in names:
        await attach(ec2, await volume(ec2), machine, name)
    code, _ = await ec2.error(
        "attach_volume", VolumeId=await volume(ec2), InstanceId=machine, Device="/dev/xvdca"
    )
    assert code == "AttachmentLimitExceeded"


async def test_detachments_that_cannot_be_are_refused(ec2: "Ec2") -> None:
    disk, machine = await volume(ec2), await instance(ec2)
    assert (await ec2.error("detach_volume", VolumeId=disk))[0] == "IncorrectState"
    await attach(ec2, disk, machine)
    code, _ = await ec2.error("detach_volume", VolumeId=disk, InstanceId="i-0123456789abcdef0")
    assert code == "InvalidAttachment.NotFound"
    code, _ = await ec2.error("detach_volume", VolumeId=disk, Device="/dev/sdg")
    assert code == "InvalidAttachment.NotFound"
    volumes = (await ec2.call("describe_volumes"))["Volumes"]
    (root,) = [each["VolumeId"] for each in volumes if each["VolumeId"] != disk]
    assert (await ec2.error("detach_volume", VolumeId=root))[0] == "OperationNotPermitted"
    assert (await ec2.error("delete_volume", VolumeId=root))[0] == "VolumeInUse"


async def test_a_volume_attached_to_a_stopped_instance_is_attached_at_once(ec2: "Ec2") -> None:
    disk, machine = await volume(ec2), await instance(ec2)
    await ec2.call("stop_instances", InstanceIds=[machine])
    await be(ec2, machine, "stopped")
    assert (await attach(ec2, disk, machine))["State"] == "attached"


async def test_a_launch_makes_and_attaches_data_volumes(ec2: "Ec2") -> None:
    machine = await instance(
        ec2,
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2}},
            {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": False}},
        ],
        TagSpecifications=[{"ResourceType": "volume", "Tags": TAGS}],
    )
    await obey(ec2)
    found = (await ec2.call("describe_volumes", Filters=[
        {"Name": "attachment.instance-id", "Values": [machine]},
        {"Name": "attachment.status", "Values": ["attached"]},
    ]))["Volumes"]  # fmt: skip
    shapes = {each["Attachments"][0]["Device"]: each for each in found}
    assert {name: each["Size"] for name, each in shapes.items()} == {
        "/dev/xvda": 8,
        "/dev/sdf": 2,
        "/dev/sdg": 1,
    }
    assert all(each["Tags"] == TAGS for each in found)
    going = {"DeviceName": "/dev/sdg", "Ebs": {"DeleteOnTermination": True}}
    staying = {"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": False}}
    for mapping in (going, staying):
        await ec2.call(
            "modify_instance_attribute", InstanceId=machine, BlockDeviceMappings=[mapping]
        )
    code, _ = await ec2.error(
        "modify_instance_attribute",
        InstanceId=machine,
        BlockDeviceMappings=[{**going, "DeviceName": "/dev/sdh"}],
    )
    assert code == "InvalidInstanceAttributeValue"
    data = (await ec2.call("get_launch_template_data", InstanceId=machine))["LaunchTemplateData"]
    assert {each["DeviceName"]: each["Ebs"]["VolumeSize"] for each in data["BlockDeviceMappings"]
            } == {"/dev/xvda": 8, "/dev/sdf": 2, "/dev/sdg": 1}  # fmt: skip
    await ec2.call("terminate_instances", InstanceIds=[machine])
    await be(ec2, machine, "terminated")
    await obey(ec2)
    await obey(ec2)
    (left,) = (await ec2.call("describe_volumes"))["Volumes"]
    assert (left["Size"], left["State"], left["Attachments"]) == (2, "available", [])


async def test_a_deleted_volume_goes_once_its_file_has(ec2: "Ec2") -> None:
    disk = await volume(ec2)
    await ec2.call("delete_volume", VolumeId=disk)
    assert (await shown(ec2, disk))["State"] == "deleting"
    assert (await ec2.error("delete_volume", VolumeId=disk))[0] == "InvalidVolume.NotFound"
    await obey(ec2)
    code, _ = await ec2.error("describe_volumes", VolumeIds=[disk])
    assert code == "InvalidVolume.NotFound"


async def test_a_volume_grows_and_never_shrinks(ec2: "Ec2") -> None:
    disk = await volume(ec2, Size=5)
    code, _ = await ec2.error("describe_volumes_modifications", VolumeIds=[disk])
    assert code == "InvalidVolumeModification.NotFound"
    code, message = await ec2.error("modify_volume", VolumeId=disk, Size=4)
    assert (code, message) == (
        "InvalidParameterValue",
        "New size cannot be smaller than existing size",
    )
    told = (await ec2.call("modify_volume", VolumeId=disk, Size=6))["VolumeModification"]
    assert (told["ModificationState"], told["OriginalSize"], told["TargetSize"]) == (
        "modifying",
        5,
        6,
    )
    assert (await shown(ec2, disk))["Size"] == 5
    assert (await ec2.error("modify_volume", VolumeId=disk, Size=7))[0] == (
        "IncorrectModificationState"
    )
    await obey(ec2)
    assert (await shown(ec2, disk))["Size"] == 6
    found = await ec2.call("describe_volumes_modifications", VolumeIds=[disk])
    (told,) = found["VolumesModifications"]
    assert (told["ModificationState"], told["Progress"]) == ("completed", 100)
    assert told["EndTime"] >= told["StartTime"]


async def test_a_volume_becomes_another_type(ec2: "Ec2") -> None:
    disk = await volume(ec2, VolumeType="gp2", Size=100)
    told = await ec2.call("modify_volume", VolumeId=disk, VolumeType="io2")
    assert told["VolumeModification"]["TargetIops"] == 3000
    await ec2.call("modify_volume", VolumeId=disk, VolumeType="gp3", Throughput=250)
    found = await shown(ec2, disk)
    assert (found["VolumeType"], found["Iops"], found["Throughput"]) == ("gp3", 3000, 250)
    code, _ = await ec2.error("modify_volume", VolumeId=disk, VolumeType="gp2", Iops=3000)
    assert code == "InvalidParameterCombination"
    assert (await ec2.error("modify_volume", VolumeId=disk))[0] == "InvalidParameterCombination"


async def test_a_volume_begins_as_a_snapshot(ec2: "Ec2") -> None:
    disk = await volume(ec2, Size=3)
    made = await ec2.call(
        "create_snapshot",
        VolumeId=disk,
        Description="before",
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": TAGS}],
    )
    assert (made["State"], made["VolumeSize"], made["Tags"]) == ("pending", 3, TAGS)
    snapshot = made["SnapshotId"]
    asked = {"AvailabilityZone": "us-east-1b", "SnapshotId": snapshot, "VolumeType": "gp3"}
    assert (await ec2.error("create_volume", **asked))[0] == "IncorrectState"
    await obey(ec2)
    by_tag = await ec2.call(
        "describe_snapshots", Filters=[{"Name": "tag:CSIVolumeName", "Values": ["pvc-1"]}]
    )
    (found,) = by_tag["Snapshots"]
    assert (found["State"], found["Progress"], found["OwnerId"]) == ("completed", "100%", PLACE[0])
    assert (await ec2.error("create_volume", **asked, Size=2))[0] == "InvalidParameterValue"
    copy = await ec2.call("create_volume", **asked)
    assert (copy["Size"], copy["SnapshotId"]) == (3, snapshot)


async def test_a_deleted_snapshot_is_gone_at_once(ec2: "Ec2") -> None:
    disk = await volume(ec2)
    snapshot = (await ec2.call("create_snapshot", VolumeId=disk))["SnapshotId"]
    await obey(ec2)
    await ec2.call("delete_snapshot", SnapshotId=snapshot)
    for operation, asked in (
        ("describe_snapshots", {"SnapshotIds": [snapshot]}),
        ("delete_snapshot", {"SnapshotId": snapshot}),
        ("create_volume", {"AvailabilityZone": ZONE, "SnapshotId": snapshot}),
        ("create_tags", {"Resources": [snapshot], "Tags": TAGS}),
    ):
        assert (await ec2.error(operation, **asked))[0] == "InvalidSnapshot.NotFound"


async def test_others_snapshots_are_not_there(ec2: "Ec2") -> None:
    snapshot = (await ec2.call("create_snapshot", VolumeId=await volume(ec2)))["SnapshotId"]
    for owner in ("self", PLACE[0]):
        found = (await ec2.call("describe_snapshots", OwnerIds=[owner]))["Snapshots"]
        assert [each["SnapshotId"] for each in found] == [snapshot]
    assert not (await ec2.call("describe_snapshots", OwnerIds=["amazon"]))["Snapshots"]


async def test_volumes_and_snapshots_are_tagged_and_listed(ec2: "Ec2") -> None:
    disk = await volume(ec2)
    snapshot = (await ec2.call("create_snapshot", VolumeId=disk))["SnapshotId"]
    await ec2.call("create_tags", Resources=[disk, snapshot], Tags=TAGS)
    found = (await ec2.call("describe_tags"))["Tags"]
    assert {each["ResourceType"] for each in found} == {"volume", "snapshot"}
    await ec2.call("delete_tags", Resources=[disk], Tags=TAGS)
    assert (await shown(ec2, disk)).get("Tags", []) == []
    code, _ = await ec2.error("create_tags", Resources=["vol-0123456789abcdef0"], Tags=TAGS)
    assert code == "InvalidVolume.NotFound"


async def test_volumes_are_paged_and_have_a_status(ec2: "Ec2") -> None:
    disks = sorted([await volume(ec2) for _ in range(6)])
    first = await ec2.call("describe_volumes", MaxResults=5)
    rest = await ec2.call("describe_volumes", MaxResults=5, NextToken=first["NextToken"])
    assert [each["VolumeId"] for each in first["Volumes"] + rest["Volumes"]] == disks
    told = (await ec2.call("describe_volume_status", VolumeIds=[disks[0]]))["VolumeStatuses"]
    assert told[0]["VolumeStatus"]["Status"] == "ok"
    await ec2.call("modify_volume_attribute", VolumeId=disks[0], AutoEnableIO={"Value": True})
    told = await ec2.call("describe_volume_attribute", VolumeId=disks[0], Attribute="autoEnableIO")
    assert told["AutoEnableIO"] == {"Value": True}


async def test_iam_is_asked_for_what_a_call_touches(ec2: "Ec2") -> None:
    disk, machine = await volume(ec2, Size=2), await instance(ec2)
    arn = f"arn:aws:ec2:us-east-1:{PLACE[0]}"
    ec2.identity.asked.clear()
    await attach(ec2, disk, machine)
    snapshot = (await ec2.call("create_snapshot", VolumeId=disk))["SnapshotId"]
    await obey(ec2)
    await ec2.call(
        "create_volume", AvailabilityZone=ZONE, SnapshotId=snapshot, Size=2, VolumeType="gp3",
        TagSpecifications=[{"ResourceType": "volume", "Tags": TAGS}],
    )  # fmt: skip
    asked = {(action, resource): conditions for action, resource, conditions in ec2.identity.asked}
    assert ("ec2:AttachVolume", f"{arn}:instance/{machine}") in asked
    assert asked["ec2:AttachVolume", f"{arn}:volume/{disk}"]["ec2:VolumeSize"] == "2"
    assert ("ec2:CreateSnapshot", "arn:aws:ec2:us-east-1::snapshot/*") in asked
    source = asked["ec2:CreateVolume", f"arn:aws:ec2:us-east-1::snapshot/{snapshot}"]
    assert source["ec2:ParentVolume"] == f"{arn}:volume/{disk}"
    made = asked["ec2:CreateVolume", f"{arn}:volume/*"]
    assert made["ec2:VolumeType"] == "gp3"
    assert made["aws:RequestTag/CSIVolumeName"] == "pvc-1"
    tagged = asked["ec2:CreateTags", f"{arn}:volume/*"]
    assert tagged["ec2:CreateAction"] == "CreateVolume"
