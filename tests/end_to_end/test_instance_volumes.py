"""EBS volumes as users have them: disks that outlive instances, grow, and are copied."""

import subprocess
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from end_to_end.kills import await_whole, kill, patiently
from end_to_end.machines import SERVE, Machine, first_process

from longshore.testing.wait import wait_until

SOON_SECONDS = 60
GIB = 2**30


class Disk:
    """A data volume, and the words that its tests need."""

    def __init__(self, cloud, zone, **asked):
        self.ec2 = cloud.ec2
        self.data_dir = Path(cloud.longshore.data_dir)
        asked = {"Size": 1, **asked}
        made = self.ec2.create_volume(AvailabilityZone=zone, VolumeType="gp3", **asked)
        self.id = made["VolumeId"]
        self.await_state("available")

    def describe(self):
        return patiently(self.ec2.describe_volumes, VolumeIds=[self.id])["Volumes"][0]

    def await_state(self, state):
        wait_until(lambda: self.describe()["State"] == state, SOON_SECONDS, f"{self.id} {state}")

    @property
    def attachment(self):
        found = self.describe()["Attachments"]
        return found[0]["State"] if found else "detached"

    def attach(self, machine, device):
        self.ec2.attach_volume(VolumeId=self.id, InstanceId=machine.id, Device=device)
        self.await_attachment("attached")

    def detach(self, **asked):
        self.ec2.detach_volume(VolumeId=self.id, **asked)
        self.await_attachment("detached")

    def await_attachment(self, state):
        wait_until(lambda: self.attachment == state, SOON_SECONDS, f"{self.id} is {state}")

    def delete(self):
        self.ec2.delete_volume(VolumeId=self.id)
        wait_until(lambda: self.gone, SOON_SECONDS, f"{self.id} is gone")

    @property
    def gone(self):
        try:
            self.describe()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidVolume.NotFound"
            return True
        return False

    @property
    def file(self):
        return self.data_dir / "volumes" / self.id

    @property
    def devices(self):
        """The loop devices of its file."""
        told = subprocess.run(
            ["losetup", "--noheadings", "--output", "NAME", "--associated", str(self.file)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        return told.split()


@pytest.fixture(scope="module")
def machines(cloud):
    """Two instances in one Availability Zone."""
    pair = [Machine(cloud), Machine(cloud)]
    for each in pair:
        each.await_state("running").await_answer()
    assert len({each.describe()["SubnetId"] for each in pair}) == 1
    yield pair
    cloud.ec2.terminate_instances(InstanceIds=[each.id for each in pair])


@pytest.fixture(scope="module")
def zone(machines):
    return machines[0].describe()["Placement"]["AvailabilityZone"]


@pytest.fixture(scope="module")
def disk(cloud, zone):
    """A volume with a file system and a word on it, which each test leaves detached."""
    return Disk(cloud, zone)


def mounted(machine, device, script):
    """What the script prints, run where the device's file system is mounted."""
    return machine.run(
        f"set -e; mkdir -p /data; mount -t ext2 {device} /data; "
        f"cd /data; {script}; cd /; umount /data"
    )


def test_what_is_written_to_a_volume_in_one_instance_is_there_in_another(machines, disk):
    one, other = machines
    disk.attach(one, "/dev/xvdba")
    one.run("mke2fs /dev/xvdba")
    assert mounted(one, "/dev/xvdba", "echo kept >word") == ""
    disk.detach()
    assert one.run("ls /dev/xvdba 2>&1 || true").endswith("No such file or directory\n")
    disk.attach(other, "/dev/sdf")
    assert mounted(other, "/dev/sdf", "cat word") == "kept\n"
    assert mounted(other, "/dev/xvdf", "cat word") == "kept\n"
    mapped = {each["DeviceName"]: each["Ebs"] for each in other.describe()["BlockDeviceMappings"]}
    assert mapped["/dev/sdf"]["VolumeId"] == disk.id
    link = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{disk.id.replace('-', '')}"
    assert other.run(f"readlink -f {link}") == "/dev/xvdf\n"
    disk.detach()
    assert disk.devices == []


def test_a_volume_is_in_one_instance_at_a_time(cloud, machines, disk):
    one, other = machines
    disk.attach(one, "/dev/xvdba")
    with pytest.raises(ClientError, match="VolumeInUse"):
        cloud.ec2.attach_volume(VolumeId=disk.id, InstanceId=other.id, Device="/dev/xvdba")
    with pytest.raises(ClientError, match="VolumeInUse"):
        cloud.ec2.delete_volume(VolumeId=disk.id)
    disk.detach()


def test_a_mounted_volume_stays_until_it_is_unmounted(cloud, machines, disk):
    one = machines[0]
    disk.attach(one, "/dev/xvdba")
    one.run("mkdir -p /data && mount -t ext2 /dev/xvdba /data")
    cloud.ec2.detach_volume(VolumeId=disk.id)
    disk.await_attachment("busy")
    assert one.run("cat /data/word") == "kept\n"
    one.run("umount /data")
    disk.await_attachment("detached")
    assert disk.devices == []


def test_it_grows_while_it_is_in_use(cloud, machines, disk):
    one = machines[0]
    disk.attach(one, "/dev/xvdba")
    cloud.ec2.modify_volume(VolumeId=disk.id, Size=2)

    def grown():
        asked = cloud.ec2.describe_volumes_modifications(VolumeIds=[disk.id])
        return asked["VolumesModifications"][0]["ModificationState"] == "completed"

    wait_until(grown, SOON_SECONDS, "it has grown")
    assert int(one.run("blockdev --getsize64 /dev/xvdba")) == 2 * GIB
    assert disk.describe()["Size"] == 2
    disk.detach()


def test_a_snapshot_holds_what_was_there_when_it_was_made(cloud, machines, zone, disk):
    one = machines[0]
    disk.attach(one, "/dev/xvdba")
    one.run("mkdir -p /data && mount -t ext2 /dev/xvdba /data && sync")
    snapshot = cloud.ec2.create_snapshot(VolumeId=disk.id)["SnapshotId"]

    def completed():
        found = cloud.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
        return found["State"] == "completed"

    wait_until(completed, SOON_SECONDS, "the snapshot is completed")
    one.run("echo later >/data/word && umount /data")
    disk.detach()
    copy = Disk(cloud, zone, SnapshotId=snapshot, Size=3)
    copy.attach(one, "/dev/xvdbb")
    assert mounted(one, "/dev/xvdbb", "cat word") == "kept\n"
    copy.detach()
    cloud.ec2.delete_snapshot(SnapshotId=snapshot)
    kept = disk.data_dir / "snapshots" / snapshot
    wait_until(lambda: not kept.exists(), SOON_SECONDS, "the snapshot's file is gone")
    copy.delete()
    assert not copy.file.exists()


def test_an_instance_has_its_volumes_again_after_a_stop_and_a_reboot(cloud, machines, disk):
    one = machines[0]
    disk.attach(one, "/dev/xvdba")
    before = first_process(one.id)
    cloud.ec2.reboot_instances(InstanceIds=[one.id])
    wait_until(lambda: first_process(one.id) not in {None, before}, SOON_SECONDS, "a new init")
    one.await_answer()
    wait_until(lambda: "word" in mounted(one, "/dev/xvdba", "ls"), SOON_SECONDS, "it is there")
    cloud.ec2.stop_instances(InstanceIds=[one.id])
    one.await_state("stopped")
    assert disk.attachment == "attached"
    cloud.ec2.start_instances(InstanceIds=[one.id])
    one.await_state("running").await_answer()
    wait_until(lambda: "word" in mounted(one, "/dev/xvdba", "ls"), SOON_SECONDS, "it is there")
    disk.detach()


def test_attached_volumes_outlive_longshores_own_processes(cloud, machines, disk):
    one = machines[0]
    disk.attach(one, "/dev/xvdba")
    one.run("mkdir -p /data && mount -t ext2 /dev/xvdba /data")
    before = disk.devices
    for process in ("agent", "control-plane"):
        kill(cloud.longshore, process)
    await_whole(cloud)
    one.run("echo written >/data/meanwhile && sync")
    assert disk.attachment == "attached"
    assert disk.devices == before
    assert one.run("cat /data/meanwhile") == "written\n"
    one.run("umount /data")
    disk.detach()
    assert disk.devices == []


def test_a_volume_that_is_forced_out_is_cut_off(cloud, machines, zone):
    one, other = machines
    torn = Disk(cloud, zone)
    torn.attach(one, "/dev/xvdbc")
    one.run("mke2fs /dev/xvdbc && mkdir -p /torn && mount -t ext4 /dev/xvdbc /torn")
    torn.detach(Force=True)
    torn.attach(other, "/dev/xvdbc")
    assert "error" in one.run("echo lost >/torn/word; sync /torn/word; cat /torn/word").lower()
    one.run("umount /torn")
    torn.detach()
    torn.delete()
    assert torn.devices == []


def test_an_instance_boots_with_its_volumes_and_leaves_those_that_do_not_go_with_it(cloud, zone):
    ending = Machine(
        cloud,
        Placement={"AvailabilityZone": zone},
        UserData=SERVE.replace("echo ran", "ls /dev/xvdg >/root/seen; echo ran"),
        BlockDeviceMappings=[{"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 1}}],
    )
    ending.await_state("running").await_answer()
    assert ending.run("cat /root/seen") == "/dev/xvdg\n"
    mapped = {each["DeviceName"]: each["Ebs"] for each in ending.describe()["BlockDeviceMappings"]}
    going = mapped["/dev/sdg"]["VolumeId"]
    left = Disk(cloud, zone)
    left.attach(ending, "/dev/xvdba")
    cloud.ec2.terminate_instances(InstanceIds=[ending.id])
    ending.await_state("terminated")
    left.await_state("available")
    wait_until(lambda: left.devices == [], SOON_SECONDS, "its device is gone")
    left.delete()
    file = left.data_dir / "volumes" / going
    wait_until(lambda: not file.exists(), SOON_SECONDS, "the volume went with its instance")


def test_a_volume_larger_than_the_disk_is_in_error(cloud, zone):
    made = cloud.ec2.create_volume(AvailabilityZone=zone, VolumeType="gp3", Size=65_536)

    def state():
        return cloud.ec2.describe_volumes(VolumeIds=[made["VolumeId"]])["Volumes"][0]["State"]

    wait_until(lambda: state() == "error", SOON_SECONDS, "it is in error")
    cloud.ec2.delete_volume(VolumeId=made["VolumeId"])


def test_a_deleted_volume_leaves_nothing(disk):
    assert disk.file.exists()
    disk.delete()
    assert not disk.file.exists()
    assert disk.devices == []
