"""Volumes and snapshots by their controllers: detached, taken back, removed."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.base.ids import SeededIds
from longshore.base.installation import Installation
from longshore.controllers.interface import Surroundings
from longshore.controllers.session.volumes import host_volumes, record_volumes
from longshore.controllers.volume import volume_controllers
from longshore.controllers.volume.steps import next_volume
from longshore.model.host import HOST, Host
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, Instance, InstanceStatus
from longshore.model.volumes import (
    SNAPSHOT,
    VOLUME,
    VOLUME_STATUS,
    Attachment,
    Modification,
    Performance,
    Snapshot,
    Volume,
    VolumeStatus,
    attachment_state,
    volume_state,
)
from longshore.nodeapi.own import ReportedSnapshot, ReportedVolume, VolumesReport
from longshore.testing.clock import FakeClock
from longshore.testing.memory_store import MemoryStore

PLACE = ("123456789012", "us-east-1")
SMALL, LARGE = Performance(size=1, type="gp3"), Performance(size=2, type="gp3")
INSIDE = Attachment(instance_id="i-1", device="/dev/sdf", at=1.0)
VOLUME_1 = Volume(id="vol-1", zone="us-east-1b", performance=SMALL, created_at=0.0)
MACHINE = Instance(
    id="i-1", reservation_id="r-1", image_id="ami-1", instance_type="t3.nano", vcpus=2,
    memory=512, vpc_id="vpc-1", subnet_id="subnet-1", zone="us-east-1b", interface_id="eni-1",
    private_address="10.0.0.5", launched_at=0.0,
)  # fmt: skip
STATUSES = st.none() | st.builds(
    VolumeStatus,
    size=st.integers(0, 2),
    error=st.sampled_from(("", "no room")),
    instance_id=st.sampled_from(("", "i-1")),
    gone=st.booleans(),
    revision=st.integers(0, 2),
)
VOLUMES = st.builds(
    Volume,
    id=st.just("vol-1"),
    zone=st.just("us-east-1a"),
    performance=st.just(LARGE),
    created_at=st.just(0.0),
    revision=st.integers(0, 2),
    attachment=st.none()
    | st.builds(
        Attachment,
        instance_id=st.just("i-1"),
        device=st.just("/dev/sdf"),
        at=st.just(0.0),
        delete_on_termination=st.booleans(),
        detaching=st.booleans(),
    ),
    modification=st.none() | st.just(Modification(at=0.0, original=SMALL, target=LARGE)),
    deleted=st.booleans(),
)


@given(VOLUMES, STATUSES, st.booleans())
def test_an_attachment_ends_when_the_volume_has_left_and_not_before(volume, status, ended):
    after = next_volume(volume, status, instance_ended=ended)
    if after is None or volume.attachment is None or after.attachment is not None:
        return
    left = status is not None and status.revision == volume.revision and not status.instance_id
    failed = status is not None and status.error and not status.size
    assert ended or failed or (volume.attachment.detaching and left)


@given(VOLUMES, STATUSES, st.booleans())
def test_a_volume_is_forgotten_only_when_its_file_is_gone(volume, status, ended):
    after = next_volume(volume, status, instance_ended=ended)
    gone = status is not None and status.gone
    assert (after is None) == (volume.deleted and gone)


@given(VOLUMES, STATUSES, st.booleans())
def test_a_volume_comes_to_rest(volume, status, ended):
    after = next_volume(volume, status, instance_ended=ended)
    for _ in range(3):
        before, after = after, after and next_volume(after, status, instance_ended=False)
    assert after == before


def test_an_attachment_that_goes_with_its_instance_takes_the_volume_along():
    bound = msgspec.structs.replace(INSIDE, delete_on_termination=True)
    volume = msgspec.structs.replace(VOLUME_1, attachment=bound)
    after = next_volume(volume, VolumeStatus(size=1), instance_ended=True)
    assert after is not None
    assert after.deleted
    assert after.attachment is None


def test_a_modification_that_the_host_has_no_room_for_is_taken_back():
    wanted = Modification(at=1.0, original=SMALL, target=LARGE)
    volume = msgspec.structs.replace(VOLUME_1, performance=LARGE, modification=wanted, revision=3)
    status = VolumeStatus(size=1, error="no room", revision=3)
    after = next_volume(volume, status, instance_ended=False)
    assert after is not None
    assert after.performance == SMALL
    assert after.modification is not None
    assert after.modification.failure == "no room"


class World:
    """A store with a host that stands in for two AZs, and the controllers."""

    def __init__(self, tmp_path):
        self.store, clock = MemoryStore(), FakeClock(100.0)
        surroundings = Surroundings(
            store=self.store,
            clock=clock,
            ids=SeededIds(),
            installation=Installation(data_dir=tmp_path),
        )
        self.controllers = volume_controllers(surroundings)

    async def put(self, kind, value):
        await self.store.transact(lambda tx: tx.put(kind, *PLACE, value.id, value))

    async def report(self, *volumes, snapshots=()):
        told = VolumesReport(volumes=volumes, snapshots=snapshots)
        await record_volumes(self.store, "host-1", told, 100.0)
        await self.settle()

    async def settle(self):
        for controller in self.controllers:
            for key in list(controller.every_key(self.store.reader)):
                await controller.reconcile(key)

    def volume(self, name="vol-1"):
        record = self.store.reader.get(VOLUME, *PLACE, name)
        return record.value if record is not None else None

    def state(self):
        status = self.store.reader.get(VOLUME_STATUS, *PLACE, "vol-1")
        return volume_state(self.volume(), status.value if status is not None else None)


@pytest.fixture
async def world(tmp_path):
    made = World(tmp_path)
    host = Host(
        id="host-1",
        container_instance_arn="arn:host",
        zones=("us-east-1a", "us-east-1b"),
        cpu=2048,
        memory=4096,
    )
    await made.store.transact(lambda tx: tx.put(HOST, "", "", host.id, host))
    await made.put(INSTANCE, MACHINE)
    await made.put(VOLUME, VOLUME_1)
    return made


async def test_a_host_is_told_of_the_volumes_of_its_zones_alone(world):
    elsewhere = msgspec.structs.replace(VOLUME_1, id="vol-2", zone="us-east-1c")
    await world.put(VOLUME, elsewhere)
    told = host_volumes(world.store.reader, "host-1")
    assert [each.id for each in told.volumes] == ["vol-1"]
    assert not host_volumes(world.store.reader, "host-2").volumes


async def test_a_volume_is_told_with_the_instance_that_it_is_to_be_in(world):
    await world.put(VOLUME, msgspec.structs.replace(VOLUME_1, attachment=INSIDE))
    (told,) = host_volumes(world.store.reader, "host-1").volumes
    assert (told.instance_id, told.interface_id, told.device) == ("i-1", "eni-1", "/dev/sdf")
    leaving = msgspec.structs.replace(INSIDE, detaching=True, forced=True)
    await world.put(VOLUME, msgspec.structs.replace(VOLUME_1, attachment=leaving))
    (told,) = host_volumes(world.store.reader, "host-1").volumes
    assert (told.instance_id, told.forced) == ("", True)


async def test_a_volume_is_available_once_its_host_has_it(world):
    assert world.state() == "creating"
    await world.report(ReportedVolume(id="vol-1", size=1))
    assert world.state() == "available"


async def test_a_volume_that_cannot_be_made_stays_in_error_and_is_not_asked_for_again(world):
    await world.report(ReportedVolume(id="vol-1", error="too large"))
    await world.report()
    assert world.state() == "error"
    assert not host_volumes(world.store.reader, "host-1").volumes


async def test_a_report_of_before_the_detachment_does_not_end_it(world):
    leaving = msgspec.structs.replace(INSIDE, detaching=True)
    volume = msgspec.structs.replace(VOLUME_1, attachment=leaving, revision=2)
    await world.put(VOLUME, volume)
    await world.report(ReportedVolume(id="vol-1", size=1, revision=1))
    assert world.volume().attachment is not None
    await world.report(ReportedVolume(id="vol-1", size=1, revision=2))
    assert world.volume().attachment is None


async def test_a_reboot_of_its_instance_does_not_show(world):
    def shown():
        status = world.store.reader.get(VOLUME_STATUS, *PLACE, "vol-1").value
        return attachment_state(world.volume(), INSIDE, status, instance_runs=True)

    inside = msgspec.structs.replace(VOLUME_1, attachment=INSIDE, revision=1)
    await world.put(VOLUME, inside)
    await world.report(ReportedVolume(id="vol-1", size=1))
    assert shown() == "attaching"
    place = {"instance_id": "i-1", "device": "/dev/sdf"}
    await world.report(ReportedVolume(id="vol-1", size=1, revision=1, **place))
    await world.report(ReportedVolume(id="vol-1", size=1, revision=1))
    assert shown() == "attached"
    await world.put(VOLUME, msgspec.structs.replace(inside, revision=2))
    assert shown() == "attaching"


async def test_a_deleted_volume_is_forgotten_when_its_file_is_gone(world):
    await world.report(ReportedVolume(id="vol-1", size=1))
    await world.put(VOLUME, msgspec.structs.replace(VOLUME_1, deleted=True))
    await world.report(ReportedVolume(id="vol-1", size=1))
    assert world.state() == "deleting"
    await world.report()
    assert world.state() == "deleting"
    (told,) = host_volumes(world.store.reader, "host-1").volumes
    assert told.deleted
    await world.report(ReportedVolume(id="vol-1", gone=True))
    assert world.volume() is None
    assert world.store.reader.get(VOLUME_STATUS, *PLACE, "vol-1") is None


async def test_a_terminated_instance_lets_its_volumes_go(world):
    await world.put(VOLUME, msgspec.structs.replace(VOLUME_1, attachment=INSIDE))
    await world.settle()
    assert world.volume().attachment is not None
    status = InstanceStatus(state="terminated")
    await world.store.transact(lambda tx: tx.put(INSTANCE_STATUS, *PLACE, "i-1", status))
    await world.settle()
    assert world.volume().attachment is None


async def test_a_deleted_snapshot_stays_while_a_volume_is_to_be_made_of_it(world):
    snapshot = Snapshot(
        id="snap-1", volume_id="vol-1", volume_size=1, zone="us-east-1b", started_at=0.0,
        deleted=True,
    )  # fmt: skip
    await world.put(SNAPSHOT, snapshot)
    await world.put(VOLUME, msgspec.structs.replace(VOLUME_1, snapshot_id="snap-1"))
    await world.settle()
    (told,) = host_volumes(world.store.reader, "host-1").snapshots
    assert not told.deleted
    await world.report(
        ReportedVolume(id="vol-1", size=1), snapshots=(ReportedSnapshot(id="snap-1"),)
    )
    (told,) = host_volumes(world.store.reader, "host-1").snapshots
    assert told.deleted
    await world.report(snapshots=(ReportedSnapshot(id="snap-1", gone=True),))
    assert not host_volumes(world.store.reader, "host-1").snapshots


async def test_a_host_that_is_connected_has_the_volumes(world):
    later = Host(
        id="host-2", container_instance_arn="arn:2", zones=("us-east-1b",), cpu=1, memory=1,
        connected=True,
    )  # fmt: skip
    await world.store.transact(lambda tx: tx.put(HOST, "", "", later.id, later))
    assert not host_volumes(world.store.reader, "host-1").volumes
    assert host_volumes(world.store.reader, "host-2").volumes
