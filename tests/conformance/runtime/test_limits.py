"""What a container may use, what happens beyond that, and what is counted."""

import asyncio
import signal
import time
from pathlib import Path

from conformance.runtime.runtime_box import MIB, under_gvisor, under_runc

from longshore.runtime.interface import Limits, Mount
from longshore.testing.wait import eventually

GROW = "b=x; while [ ${#b} -lt 8000000 ]; do b=$b$b; done; while true; do a=$a$b; sleep 0.1; done"
"""A shell that takes 8 MiB more every tenth of a second."""


async def test_container_over_its_memory_is_killed_and_says_so_and_others_run_on(real):
    other = await real.start("/bin/sleep", "100", limits=Limits(memory=64 * MIB))
    container_id = await real.start("/bin/sh", "-c", GROW, limits=Limits(memory=48 * MIB))
    ended = await asyncio.wait_for(real.runtime.wait(container_id), 30)
    assert ended.code == 137
    assert ended.out_of_memory
    assert (await real.runtime.wait(container_id)).out_of_memory
    assert (await real.state(other)).status == "running"
    assert not (await real.kill(other)).out_of_memory


async def test_task_over_its_memory_names_the_container_that_grew(real):
    async with real.sandbox(limits=Limits(memory=160 * MIB)) as box:
        sidecar = await box.start("/bin/sleep", "100")
        container_id = await box.start("/bin/sh", "-c", GROW)
        waiting = asyncio.ensure_future(box.runtime.wait(sidecar))
        ended = await asyncio.wait_for(box.runtime.wait(container_id), 30)
        assert ended.out_of_memory
        await box.runtime.signal(sidecar, signal.SIGKILL)
        assert not (await waiting).out_of_memory
        assert not (await box.runtime.wait(sidecar)).out_of_memory


async def test_fork_bomb_is_contained_by_the_tasks_limit_of_processes(real):
    async with real.sandbox(limits=Limits(pids=400, memory=512 * MIB)) as box:
        bomb = await box.start("/bin/sh", "-c", "b() { b | b & }; b; sleep 100")
        box.made.append(bomb)
        began = time.monotonic()
        await box.runtime.remove_container(bomb)
        assert time.monotonic() - began < 10


async def test_processor_quota_of_the_task_is_kept(real):
    async with real.sandbox(limits=Limits(cpu_quota=0.25)) as box:
        container_id = await box.start("/bin/sh", "-c", "while true; do :; done")

        async def used():
            counted = await box.runtime.statistics(container_id)
            return counted.cpu_nanoseconds if counted is not None else 0

        began, first = time.monotonic(), await used()

        async def long_enough():
            return time.monotonic() - began > 1.5

        await eventually(long_enough)
        share = (await used() - first) / 1e9 / (time.monotonic() - began)
        assert share < 0.35


@under_gvisor
async def test_processor_quota_is_counted_in_short_periods_once_a_container_runs(real, containerd):
    async with real.sandbox(limits=Limits(cpu_quota=0.25)) as box:
        container_id = await box.start("/bin/sleep", "100")
        waiting = asyncio.ensure_future(box.runtime.wait(container_id))

        async def limit():
            return cpu_limit(containerd.top, box.id) == (25_000, 100_000)

        await eventually(limit)
        await box.kill(container_id)
        await waiting


def cpu_limit(top, sandbox_id):
    """Quota and period of a sandbox's cgroup, in microseconds."""
    unified = Path(f"/sys/fs/cgroup/{top}/{sandbox_id}/cpu.max")
    if unified.exists():
        return tuple(int(value) for value in unified.read_text().split())
    cgroup = Path(f"/sys/fs/cgroup/cpu/{top}/{sandbox_id}")
    return tuple(int((cgroup / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))


async def test_statistics_count_processor_time_memory_and_processes(real):
    command = "a=x; while [ ${#a} -lt 20000000 ]; do a=$a$a; done; while true; do :; done"
    container_id = await real.start("/bin/sh", "-c", command, limits=Limits(memory=256 * MIB))

    async def counted():
        found = await real.runtime.statistics(container_id)
        busy = found is not None and found.cpu_nanoseconds > 200_000_000
        return found if busy and found.memory_bytes > 20 * MIB else None

    found = await eventually(counted)
    assert found.memory_limit_bytes == 256 * MIB
    assert found.memory_bytes < 256 * MIB
    assert found.pids >= 1


async def test_statistics_of_a_container_that_is_not_there_are_none(real):
    assert await real.runtime.statistics("no-such-container") is None


@under_runc  # gVisor shows the task's memory as the machine's
async def test_container_sees_its_memory_limit_where_language_runtimes_look(real):
    files = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"
    printed, _ = await real.output(f"cat {files} 2>/dev/null", limits=Limits(memory=96 * MIB))
    assert int(printed) == 96 * MIB


FILL = "dd if=/dev/zero of={0}/file bs=1M count=48; wc -c < {0}/file; df -k {0} | tail -n 1"


@under_gvisor
async def test_container_may_write_to_its_file_system_what_its_task_may_store(real):
    async with real.sandbox(storage=32 * MIB) as box:
        printed, _ = await box.output("mkdir /data; " + FILL.format("/data"))
        again, _ = await box.output("dd if=/dev/zero of=/file bs=1M count=24")
    assert "No space left on device" in printed
    lines = printed.splitlines()
    assert 30 * MIB < int(lines[-2]) <= 32 * MIB
    assert lines[-1].split()[1] == str(32 * 1024)
    assert "24+0 records out" in again


@under_gvisor
async def test_volume_of_a_sandbox_holds_what_its_task_may_store_and_is_shared(real, tmp_path):
    volume = tmp_path / "volume"
    volume.mkdir()
    shared = Mount(target="/shared", source=str(volume))
    only_read = Mount(target="/shared", source=str(volume), read_only=True)
    async with real.sandbox(storage=32 * MIB, volumes=(volume,)) as box:
        printed, _ = await box.output(FILL.format("/shared"), mounts=(shared,))
        seen, _ = await box.output("wc -c < /shared/file; touch /shared/x", mounts=(only_read,))
        user, _ = await box.output("touch /shared/y", mounts=(shared,), user="1234")
        root, _ = await box.output(
            "rm /shared/file; echo kept > /shared/file; cat /shared/file", mounts=(shared,)
        )
    assert "No space left on device" in printed
    length = printed.splitlines()[-2]
    assert 30 * MIB < int(length) <= 32 * MIB
    assert seen.splitlines()[0] == length
    assert "Read-only file system" in seen
    assert "Permission denied" in user
    assert root == "kept"
