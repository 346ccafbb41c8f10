"""kill -9 of containerd at any time, adoption, and what is left behind: nothing."""

import asyncio
import fcntl
import json
import os
import secrets
import signal
from pathlib import Path

import pytest
from conformance.runtime.runtime_box import (
    CONTAINERD_HOSTS,
    Box,
    traces,
    under_gvisor,
    under_runc,
)

from longshore.base.processes import command_lines, start_ticks
from longshore.components import locate
from longshore.runtime.containerd import api, bundles, daemon, processes
from longshore.runtime.containerd.bundles import RUNTIME_STATES
from longshore.runtime.containerd.runtime import ContainerdRuntime
from longshore.runtime.interface import RuntimeFailure, SandboxSpec
from longshore.testing.containerd import running_containerd
from longshore.testing.images import busybox_files
from longshore.testing.wait import eventually


def seconds_of_sleep():
    """A time that names the process which sleeps so long."""
    return str(10**9 + secrets.randbelow(10**9))


async def test_removed_task_leaves_no_process_mount_or_cgroup(real, containerd):
    long = seconds_of_sleep()
    async with real.sandbox() as box:
        container_id = await box.start("/bin/sh", "-c", f"sleep {long} & sleep {long}", init=True)
        assert traces(containerd, box.id, container_id, long)
    assert traces(containerd, box.id, container_id, long) == []


async def test_containers_outlive_the_runtime_and_are_adopted_by_a_new_one(real, containerd):
    container_id = await real.start("/bin/sleep", "100")
    before = await real.state(container_id)
    other = ContainerdRuntime(containerd.installation, CONTAINERD_HOSTS)
    waiting = asyncio.ensure_future(other.wait(container_id))
    assert before in await other.containers()
    await real.runtime.signal(container_id, signal.SIGKILL)
    assert (await waiting).code == 137
    await other.close()


@under_runc
async def test_directory_of_a_snapshot_that_was_never_noted_is_no_obstacle(real, containerd):
    """As a containerd leaves it that was killed between the two."""
    home = daemon.directory(containerd.installation) / "root"
    snapshots = home / "io.containerd.snapshotter.v1.overlayfs" / "snapshots"
    newest = max(int(path.name) for path in snapshots.iterdir() if path.name.isdigit())
    for number in range(newest + 1, newest + 20):
        (snapshots / str(number) / "fs").mkdir(parents=True)
    assert (await real.output("touch /made && echo made"))[0] == "made"


@pytest.mark.parametrize("name", ["{}", ".{}"], ids=["not known", "half deleted"])
async def test_directory_of_a_bundle_that_was_left_is_no_obstacle(real, containerd, name):
    """As a containerd leaves it that was killed while it made or deleted one."""
    sandbox_id, container_id = real.new_id("sandbox"), real.new_id()
    ids = (sandbox_id, container_id) if real.isolation == "gvisor" else (container_id,)
    left = [daemon.bundles(containerd.installation) / name.format(each) for each in ids]
    for directory in left:
        (directory / "rootfs").mkdir(parents=True)
    for _ in range(2):
        assert await live(real, sandbox_id, container_id) == 137
        await real.runtime.remove_sandbox(sandbox_id)
    assert not any(directory.exists() for directory in left)
    assert traces(containerd, sandbox_id, container_id) == []


async def test_containerd_that_died_before_its_shim_ran_is_no_obstacle(real, containerd, tmp_path):
    """The shim finds nobody who reads its log, and to open that waits for a reader."""
    due = tmp_path / "due"
    for name in ("containerd-shim-runsc-v1", "containerd-shim-longshore-v2"):
        program = tmp_path / name
        kill = f'case "$*" in *start) rm {due} 2> /dev/null && kill -9 $PPID;; esac'
        program.write_text(f'#!/bin/sh\n{kill}\nexec {locate(name)} "$@"\n')
        program.chmod(0o755)
    containerd.kill()
    await asyncio.to_thread(containerd.start, tmp_path)
    due.touch()

    async def started_again():
        await asyncio.to_thread(containerd.ended)
        await asyncio.to_thread(containerd.start)

    sandbox_id, container_id = real.new_id("sandbox"), real.new_id()
    async with asyncio.timeout(60):
        done, _ = await asyncio.gather(live(real, sandbox_id, container_id), started_again())
    assert done == 137
    await real.runtime.remove_sandbox(sandbox_id)
    assert traces(containerd, sandbox_id, container_id) == []


@under_runc
async def test_container_that_runc_alone_knows_is_no_obstacle(real, containerd):
    """As a shim leaves it that was killed while it made one; its process is ended, no other."""
    container_id, other = real.new_id(), await asyncio.create_subprocess_exec("sleep", "100")
    waiting = await asyncio.create_subprocess_exec("sleep", "100")
    left = RUNTIME_STATES / "runc" / daemon.namespace(containerd.installation)
    for pid, start in ((other.pid, 1), (waiting.pid, start_ticks(waiting.pid))):
        (left / container_id).mkdir(parents=True)
        state = {"init_process_pid": pid, "init_process_start": start}
        (left / container_id / "state.json").write_text(json.dumps(state))
        await real.start("/bin/sleep", "100", id=container_id)
        await real.runtime.signal(container_id, signal.SIGKILL)
        await real.runtime.wait(container_id)
        await real.runtime.remove_container(container_id)
    assert await waiting.wait() == -signal.SIGKILL
    assert other.returncode is None
    other.kill()
    await other.wait()


async def test_wait_goes_on_through_the_death_of_containerd(real, containerd):
    ticking = "while true; do echo tick; sleep 0.05; done"
    running = await real.start("/bin/sh", "-c", ticking)
    ending = await real.start("/bin/sh", "-c", "while [ ! -e /end ]; do sleep 0.02; done; exit 5")
    before = await real.state(running)
    waiting = [asyncio.ensure_future(real.runtime.wait(each)) for each in (running, ending)]
    await real.runtime.execute(ending, ["/bin/true"], 10)
    containerd.kill()
    size = len(real.printed(running))

    async def prints_on():
        return len(real.printed(running)) > size

    assert await eventually(prints_on)
    assert not any(task.done() for task in waiting)
    await asyncio.to_thread(containerd.start)
    assert await real.state(running) == before
    await real.runtime.execute(ending, ["/bin/touch", "/end"], 10)
    assert (await waiting[1]).code == 5
    await real.runtime.signal(running, signal.SIGKILL)
    assert (await waiting[0]).code == 137


async def test_container_that_ended_while_containerd_was_dead_tells_its_exit(real, containerd):
    container_id = await real.start("/bin/sh", "-c", "sleep 0.3; exit 6")
    waiting = asyncio.ensure_future(real.runtime.wait(container_id))
    state = await real.state(container_id)
    containerd.kill()

    async def has_ended():
        status = Path(f"/proc/{state.pid}/stat")
        return real.isolation == "gvisor" or not status.exists()

    await eventually(has_ended)
    await asyncio.to_thread(containerd.start)
    assert (await asyncio.wait_for(waiting, 20)).code == 6


async def live(box, sandbox_id, container_id):
    """A whole life of a task of one container; its exit code."""
    await box.runtime.create_sandbox(
        SandboxSpec(id=sandbox_id, isolation=box.isolation, namespace=box.namespace)
    )
    await box.start("/bin/sleep", "100", id=container_id, sandbox_id=sandbox_id)
    await box.runtime.signal(container_id, signal.SIGKILL)
    ended = await asyncio.wait_for(box.runtime.wait(container_id), 30)
    return ended.code


async def killed_after(containerd, steps):
    """Kill containerd, and start it again, once the event loop has turned some times."""
    for _ in range(steps):
        await asyncio.to_thread(os.sched_yield)
    containerd.kill()
    await asyncio.to_thread(containerd.start)


@pytest.mark.parametrize("steps", [10, 100, 250, 500])
async def test_kill_at_any_moment_leaves_a_task_that_can_be_removed_and_made_again(
    real, containerd, steps
):
    sandbox_id, container_id = real.new_id("sandbox"), real.new_id()
    done, _ = await asyncio.gather(
        live(real, sandbox_id, container_id),
        killed_after(containerd, steps),
        return_exceptions=True,
    )
    assert done == 137 or isinstance(done, RuntimeFailure)
    await real.runtime.remove_sandbox(sandbox_id)
    assert traces(containerd, sandbox_id, container_id) == []
    assert await live(real, sandbox_id, container_id) == 137
    await real.runtime.remove_sandbox(sandbox_id)
    assert traces(containerd, sandbox_id, container_id) == []


async def test_shim_that_answers_nothing_keeps_no_task_from_being_removed(
    real, containerd, monkeypatch
):
    monkeypatch.setattr(api, "GET_SECONDS", 1.0)
    long = seconds_of_sleep()
    async with real.sandbox() as box:
        container_id = await box.start("/bin/sleep", long)
        shims = [
            pid
            for pid, words in command_lines()
            if "containerd-shim" in words[0] and {box.id, container_id} & set(words)
        ]
        assert shims
        for pid in shims:
            os.kill(pid, signal.SIGSTOP)
    assert traces(containerd, box.id, container_id, long) == []


async def test_two_installations_do_not_touch_each_other_and_destroy_leaves_nothing(
    real, containerd, tmp_path
):
    kept = await real.start("/bin/sleep", "100")
    with running_containerd(tmp_path / "other") as second:
        second.import_image("box", busybox_files("sleep"), {})
        runtime = ContainerdRuntime(second.installation, CONTAINERD_HOSTS)
        await runtime.image("box")
        box = Box(runtime, real.isolation, real.id, real.namespace, real.directory)
        await runtime.create_sandbox(
            SandboxSpec(id=real.id, isolation=real.isolation, namespace=real.namespace)
        )
        long = seconds_of_sleep()
        await box.start("/bin/sleep", long, id=kept, log_directory=tmp_path / "logs")
        await runtime.close()
        name = daemon.namespace(second.installation)
    assert traces(second, name, second.top, long, str(tmp_path / "other")) == []
    assert not list(Path("/run/containerd").glob(f"*/{name}"))
    assert (await real.state(kept)).status == "running"
    assert (await real.kill(kept)).code == 137


class Hanging:
    """Keeps gVisor from making a container or sandbox until the command for it is ended."""

    def __init__(self, containerd, monkeypatch):
        self._states = RUNTIME_STATES / "runsc" / daemon.namespace(containerd.installation)
        self._monkeypatch = monkeypatch

    def hold(self, container_id, sandbox_id):
        """Hold the lock that it takes first (`StateFile.lockPath`, runsc/container)."""
        self._states.mkdir(parents=True, exist_ok=True)
        lock = (self._states / f"{container_id}_sandbox:{sandbox_id}.lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        end_commands = bundles.end_commands

        def end(container_id):
            end_commands(container_id)
            lock.close()

        self._monkeypatch.setattr(bundles, "end_commands", end)
        self._monkeypatch.setattr(processes, "CREATE_SECONDS", 1.0)
        return lock


@pytest.fixture
def hanging(containerd, monkeypatch):
    return Hanging(containerd, monkeypatch)


@under_gvisor
async def test_container_whose_making_hangs_is_made_again(real, containerd, hanging):
    container_id = real.new_id()
    lock = hanging.hold(container_id, real.id)
    await real.start("/bin/sleep", "100", id=container_id)
    assert lock.closed
    assert (await real.kill(container_id)).code == 137
    await real.runtime.remove_container(container_id)
    assert traces(containerd, container_id) == []


@under_gvisor
async def test_kernel_whose_making_hangs_is_made_again(real, containerd, hanging):
    sandbox_id, container_id = real.new_id("sandbox"), real.new_id()
    lock = hanging.hold(sandbox_id, sandbox_id)
    assert await live(real, sandbox_id, container_id) == 137
    assert lock.closed
    await real.runtime.remove_sandbox(sandbox_id)
    assert traces(containerd, sandbox_id, container_id) == []
