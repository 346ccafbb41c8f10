"""Volumes on real loop devices, in played instances: processes with a /dev of their own."""

import asyncio
import contextlib
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.agent.endpoints.agent_host import make_engine, make_host

from longshore.agent.volumes import loops, mounts, nodes, work
from longshore.agent.volumes.copying import Cancelled, copy_file, make_empty
from longshore.agent.volumes.keeper import VolumeKeeper
from longshore.agent.volumes.places import Places, release_all
from longshore.agent.volumes.plan import GIB
from longshore.base.clock import SystemClock
from longshore.nodeapi.own import (
    HostSnapshot,
    HostVolume,
    ReportedVolume,
    VolumesMessage,
    VolumesReport,
)
from longshore.testing.wait import eventually

ONE, OTHER = f"vol-{1:017x}", f"vol-{2:017x}"
SNAPSHOT = f"snap-{1:017x}"
SECONDS = 20
MIB = 2**20
BECOME = "mount -t tmpfs none /dev && mount -t tmpfs none /mnt && echo ready && exec sleep 600"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="loop devices need root")


class Machine:
    """A mount namespace, as an instance has one."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", BECOME], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def run(self, script: str) -> str:
        command = ["nsenter", "-m", "-t", str(self.process.pid), "sh", "-ec", script]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def end(self) -> None:
        """Safe to repeat."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Agent:
    """A keeper that can be killed; `machines` are the instances that run, by id."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.machines: dict[str, Machine] = {}
        self.places = Places(data_dir)
        self._task: asyncio.Task[None] | None = None
        self.begin()

    def begin(self) -> None:
        host = make_host(self.data_dir, SystemClock())
        self.keeper = VolumeKeeper(host, make_engine(host))
        # In the place of containerd, which has the instances' processes.
        self.keeper._running = self._running  # type: ignore[method-assign]
        self._task = asyncio.create_task(self.keeper.run())

    async def _running(self) -> dict[str, int]:
        return {name: each.process.pid for name, each in self.machines.items()}

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def want(self, *volumes: HostVolume, snapshots: tuple[HostSnapshot, ...] = ()) -> None:
        self.keeper.offer(VolumesMessage(message_id="m", volumes=volumes, snapshots=snapshots))

    async def until(self, condition: Any) -> VolumesReport:
        """The first report of which this is true."""
        async with asyncio.timeout(SECONDS):
            async for report in self.keeper.reports():
                if condition(report):
                    return report
        raise AssertionError

    async def have(self, *wanted: HostVolume) -> None:
        """Want these and wait until they are all as wanted."""
        self.want(*wanted)
        await self.until(lambda report: _as_wanted(report, wanted))

    def devices(self) -> list[loops.Loop]:
        return [each for each in loops.loops_below(self.places.volumes) if not each.dying]


def _as_wanted(report: VolumesReport, wanted: tuple[HostVolume, ...]) -> bool:
    found = {
        each.id: (each.size, each.instance_id, each.device, each.revision)
        for each in report.volumes
    }
    return found == {
        each.id: (each.size, each.instance_id, each.device, each.revision) for each in wanted
    }


def volume(volume_id: str = ONE, size: int = 1, **fields: Any) -> HostVolume:
    return HostVolume(id=volume_id, size=size, **fields)


def inside(instance_id: str, device: str = "/dev/xvdba", **fields: Any) -> HostVolume:
    return volume(instance_id=instance_id, device=device, **fields)


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Agent]:
    made = Agent(tmp_path)
    yield made
    await made.stop()
    for machine in made.machines.values():
        machine.end()
    release_all(make_host(tmp_path, SystemClock()).installation)


@pytest.fixture
def machine(agent: Agent) -> Iterator[Machine]:
    agent.machines["i-1"] = Machine()
    return agent.machines["i-1"]


async def test_a_volume_is_a_sparse_file(agent: Agent) -> None:
    await agent.have(volume(size=8))
    file = agent.places.volume(ONE)
    assert file.stat().st_size == 8 * GIB
    assert file.stat().st_blocks == 0
    assert file.stat().st_mode & 0o777 == 0o600


async def test_nothing_is_done_before_the_control_plane_has_spoken(agent: Agent) -> None:
    await agent.have(volume())
    await agent.stop()
    draft = agent.places.volumes / f"{OTHER}.new"
    draft.touch()
    agent.begin()
    # The agent is at work: what was half-made goes, what is whole stays.
    await eventually(lambda: asyncio.to_thread(lambda: not draft.exists()), SECONDS)
    assert agent.places.volume(ONE).exists()


async def test_its_device_is_in_the_instance_under_every_name(
    agent: Agent, machine: Machine
) -> None:
    await agent.have(inside("i-1", "/dev/sdf"))
    (loop,) = agent.devices()
    numbers = machine.run("stat -c %t:%T /dev/xvdf").strip()
    assert numbers == f"{loops.MAJOR:x}:{loop.number:x}"
    assert machine.run("readlink /dev/sdf").strip() == "xvdf"
    link = f"/dev/disk/by-id/{nodes.by_id(ONE)}"
    assert machine.run(f"readlink -f {link}").strip() == "/dev/xvdf"
    assert int(machine.run("blockdev --getsize64 /dev/sdf")) == GIB


async def test_what_one_instance_wrote_another_reads(agent: Agent, machine: Machine) -> None:
    await agent.have(inside("i-1"))
    machine.run("mkfs.ext4 -q /dev/xvdba; mount /dev/xvdba /mnt; echo kept >/mnt/word; umount /mnt")
    agent.machines["i-2"] = Machine()
    await agent.have(inside("i-2", "/dev/xvdbb", revision=1))
    assert machine.run("ls /dev").split() == ["disk"]
    read = agent.machines["i-2"].run("mount /dev/xvdbb /mnt; cat /mnt/word; umount /mnt")
    assert read == "kept\n"


async def test_it_grows_while_it_is_mounted(agent: Agent, machine: Machine) -> None:
    await agent.have(inside("i-1"))
    machine.run("mkfs.ext4 -q /dev/xvdba; mount /dev/xvdba /mnt")
    await agent.have(inside("i-1", size=2, revision=1))
    assert int(machine.run("blockdev --getsize64 /dev/xvdba")) == 2 * GIB
    # Unmounted: while it is mounted ext4 wants CAP_SYS_RESOURCE, which not every root has.
    machine.run(
        "umount /mnt; e2fsck -fp /dev/xvdba; resize2fs /dev/xvdba 2>&1; mount /dev/xvdba /mnt"
    )
    blocks = machine.run("stat -f -c '%b %S' /mnt; umount /mnt").split()
    assert int(blocks[0]) * int(blocks[1]) > 1.8 * GIB


async def test_a_mounted_volume_is_busy_until_it_is_unmounted(
    agent: Agent, machine: Machine
) -> None:
    await agent.have(inside("i-1"))
    machine.run("mkfs.ext4 -q /dev/xvdba; mount /dev/xvdba /mnt")
    agent.want(volume(revision=1))
    report = await agent.until(lambda said: said.volumes[0].revision == 1)
    assert report.volumes[0].busy
    assert report.volumes[0].instance_id == "i-1"
    machine.run("echo on >/mnt/word; umount /mnt")
    await agent.have(volume(revision=1))
    assert agent.devices() == []


async def test_a_forced_detachment_cuts_a_mounted_volume_off(
    agent: Agent, machine: Machine
) -> None:
    await agent.have(inside("i-1"))
    machine.run("mkfs.ext4 -q /dev/xvdba; mount /dev/xvdba /mnt")
    await agent.have(volume(forced=True, revision=1))
    assert agent.devices() == []
    with pytest.raises(subprocess.CalledProcessError):
        machine.run("echo lost >/mnt/word && sync -f /mnt/word")
    agent.machines["i-2"] = Machine()
    await agent.have(inside("i-2", revision=2))
    agent.machines["i-2"].run("mount /dev/xvdba /mnt; test ! -s /mnt/word; umount /mnt")
    machine.run("umount /mnt")


async def test_a_killed_agent_finds_everything_as_it_was(agent: Agent, machine: Machine) -> None:
    await agent.have(inside("i-1"))
    machine.run("mkfs.ext4 -q /dev/xvdba; mount /dev/xvdba /mnt; echo kept >/mnt/word")
    before = agent.devices()
    await agent.stop()
    agent.begin()
    await agent.have(inside("i-1"))
    assert agent.devices() == before
    assert machine.run("cat /mnt/word; umount /mnt") == "kept\n"


async def test_an_instance_that_starts_again_has_its_volumes(
    agent: Agent, machine: Machine
) -> None:
    await agent.have(inside("i-1"))
    machine.end()
    del agent.machines["i-1"]
    agent.want(inside("i-1", revision=1))
    await agent.until(lambda said: not said.volumes[0].instance_id)
    agent.machines["i-1"] = Machine()
    await agent.have(inside("i-1", revision=2))
    assert "xvdba" in agent.machines["i-1"].run("ls /dev")


async def test_what_is_deleted_leaves_nothing(agent: Agent, machine: Machine) -> None:
    await agent.have(inside("i-1"), volume(OTHER))
    agent.want(volume(deleted=True), volume(OTHER, deleted=True))
    await agent.until(lambda said: [each.gone for each in said.volumes] == [True, True])
    assert agent.devices() == []
    assert list(agent.places.volumes.iterdir()) == []
    assert machine.run("ls /dev/disk/by-id") == ""


async def test_what_it_is_not_told_of_it_leaves_alone(agent: Agent, machine: Machine) -> None:
    await agent.have(inside("i-1"), volume(OTHER))
    await agent.have(volume(OTHER))
    assert len(agent.devices()) == 1
    assert agent.places.volume(ONE).exists()


async def test_a_file_that_was_lost_is_not_made_anew(agent: Agent) -> None:
    await agent.have(volume())
    agent.places.volume(ONE).unlink()
    agent.want(volume(made=True))
    report = await agent.until(lambda said: said.volumes[0].error)
    assert "is gone" in report.volumes[0].error
    assert not agent.places.volume(ONE).exists()


async def test_the_end_of_an_installation_lets_every_device_go(
    agent: Agent, machine: Machine
) -> None:
    await agent.have(inside("i-1"))
    machine.run("mkfs.ext4 -q /dev/xvdba; mount /dev/xvdba /mnt")
    await agent.stop()
    release_all(make_host(agent.data_dir, SystemClock()).installation)
    assert agent.devices() == []
    (dying,) = loops.loops_below(agent.places.volumes)
    machine.end()
    await eventually(lambda: asyncio.to_thread(lambda: not _is_bound(dying)), SECONDS)


async def test_devices_are_known_where_the_data_directory_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").symlink_to("elsewhere")
    agent = Agent(tmp_path / "data")
    agent.machines["i-1"] = Machine()
    try:
        await agent.have(inside("i-1"))
        assert len(agent.devices()) == 1
    finally:
        await agent.stop()
        agent.machines["i-1"].end()
        release_all(make_host(agent.data_dir, SystemClock()).installation)
    assert agent.devices() == []


async def test_it_is_stopped_in_the_middle_of_its_work(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(*_: Any) -> None:
        begun.set()
        may_end.wait(SECONDS)

    monkeypatch.setattr(work, "make_volume", slow)
    agent.want(volume())
    assert await asyncio.to_thread(begun.wait, SECONDS)
    running = agent._task
    assert running is not None
    running.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await running


def _is_bound(loop: loops.Loop) -> bool:
    return (loops.BLOCKS / f"loop{loop.number}" / "loop").exists()


async def test_a_volume_that_the_disk_could_never_hold_is_refused(agent: Agent) -> None:
    agent.want(volume(size=65_536))
    report = await agent.until(lambda said: said.volumes)
    assert report.volumes[0].size == 0
    assert "larger than the host's disk" in report.volumes[0].error
    assert list(agent.places.volumes.iterdir()) == []


async def test_a_volume_that_cannot_grow_stays_as_it_is(agent: Agent) -> None:
    await agent.have(volume())
    agent.want(volume(size=65_536, revision=1))
    report = await agent.until(lambda said: said.volumes[0].error)
    assert (report.volumes[0].size, report.volumes[0].revision) == (1, 1)
    await agent.have(volume(revision=2))


async def test_a_snapshot_is_of_one_moment_of_a_mounted_file_system(
    agent: Agent, machine: Machine
) -> None:
    await agent.have(inside("i-1"))
    machine.run("mkfs.ext4 -q /dev/xvdba; mount /dev/xvdba /mnt")
    # Never synced by its writer: the snapshot has it all the same.
    machine.run("echo before >/mnt/word")
    wanted = HostSnapshot(id=SNAPSHOT, volume_id=ONE)
    agent.want(inside("i-1"), snapshots=(wanted,))
    await agent.until(lambda said: said.snapshots)
    machine.run("echo after >/mnt/word; umount /mnt")
    copy = volume(OTHER, snapshot_id=SNAPSHOT, instance_id="i-1", device="/dev/xvdbb", size=2)
    agent.want(inside("i-1"), copy, snapshots=(wanted,))
    await agent.until(lambda said: ReportedVolume(
        id=OTHER, size=2, instance_id="i-1", device="/dev/xvdbb") in said.volumes)  # fmt: skip
    assert machine.run("e2fsck -fn /dev/xvdbb >/dev/null; mount /dev/xvdbb /mnt; cat /mnt/word; "
                       "umount /mnt") == "before\n"  # fmt: skip
    assert not list(agent.places.snapshots.glob("*.frozen"))
    gone = HostSnapshot(id=SNAPSHOT, volume_id=ONE, deleted=True)
    agent.want(inside("i-1"), copy, snapshots=(gone,))
    await agent.until(lambda said: said.snapshots[0].gone)
    assert not agent.places.snapshot(SNAPSHOT).exists()


async def test_a_deleted_volume_stays_until_its_snapshot_is_made(agent: Agent) -> None:
    await agent.have(volume())
    agent.places.volume(ONE).write_bytes(b"word")
    os.truncate(agent.places.volume(ONE), GIB)
    agent.want(volume(deleted=True), snapshots=(HostSnapshot(id=SNAPSHOT, volume_id=ONE),))
    await agent.until(lambda said: said.snapshots and said.volumes[0].gone)
    with agent.places.snapshot(SNAPSHOT).open("rb") as file:
        assert file.read(4) == b"word"


def test_a_file_system_that_a_killed_agent_held_still_goes_on(tmp_path: Path) -> None:
    places, mount = Places(tmp_path), tmp_path / "mount"
    mount.mkdir()
    places.have()
    make_empty(places.volume(ONE), 64 * MIB)
    loops.bind(places.volume(ONE))
    (loop,) = loops.loops_below(places.volumes)
    subprocess.run(["mkfs.ext4", "-q", loop.path], check=True)
    subprocess.run(["mount", loop.path, str(mount)], check=True)
    try:
        subprocess.run(["fsfreeze", "--freeze", str(mount)], check=True)
        (places.snapshots / f"{SNAPSHOT}{work.FROZEN}").write_text(ONE)
        work.begin(places)
        (mount / "word").write_text("goes on")
        assert not list(places.snapshots.iterdir())
    finally:
        mounts.thaw(loop.rdev)
        subprocess.run(["umount", str(mount)], check=True)
        loops.unbind(loop)


def test_a_copy_is_as_sparse_as_what_it_is_of(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    make_empty(source, GIB)
    with source.open("r+b") as file:
        file.seek(512 * MIB)
        file.write(b"x" * MIB)
    copy_file(source, target, 2 * GIB, lambda: False)
    assert target.stat().st_size == 2 * GIB
    assert target.stat().st_blocks * 512 <= 2 * MIB
    with target.open("rb") as file:
        file.seek(512 * MIB - 1)
        assert file.read(3) == b"\0xx"


def test_a_copy_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * MIB)
    with pytest.raises(Cancelled):
        copy_file(source, tmp_path / "target", MIB, lambda: True)
    assert [each.name for each in tmp_path.iterdir()] == ["source"]


def test_links_that_an_instance_laid_lead_nowhere(tmp_path: Path) -> None:
    machine = Machine()
    try:
        machine.run(f"ln -s {tmp_path} /dev/disk; ln -s {tmp_path}/node /dev/xvdf")
        with nodes.devices_of(machine.process.pid) as devices, contextlib.suppress(OSError):
            nodes.make_nodes(devices, "/dev/sdf", ONE, os.makedev(7, 200))
        assert list(tmp_path.iterdir()) == []
    finally:
        machine.end()


@pytest.mark.parametrize("name", ["../../etc/passwd", "vol-1", "vol-0123456789abcdef0/x", ""])
def test_what_is_no_id_is_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no id"):
        Places(tmp_path).volume(name)
