"""What a container prints while the disk of its log files has no room."""

import asyncio
import os

from longshore.testing.disks import mount_tmpfs, small_disk
from longshore.testing.wait import eventually

LINES = 60_000
SMALL, LARGE = "64k", "8m"
"""Bytes of the disk: less than the lines and all that pipes and shims hold, and more than them."""
ALL = "".join(f"{number:6}\tharbour\n" for number in range(1, LINES + 1))
DONE_SECONDS = 20


def printing(lines):
    return "/bin/sh", "-c", f"yes harbour | head -n {lines} | cat -n"


async def filled(path):
    async def is_full():
        return os.statvfs(path).f_bavail == 0

    assert await eventually(is_full)


async def test_output_waits_for_room_and_nothing_of_it_is_lost_or_told_twice(
    real, containerd, tmp_path
):
    with small_disk(tmp_path / "disk", SMALL) as logs:
        container_id = await real.start(*printing(LINES), log_directory=logs)
        await filled(logs)
        containerd.kill()
        await asyncio.to_thread(containerd.start)
        assert (await real.state(container_id)).status == "running"
        mount_tmpfs(logs, f"remount,size={LARGE}")
        async with asyncio.timeout(DONE_SECONDS):
            assert (await real.runtime.wait(container_id)).code == 0
        await real.runtime.remove_container(container_id)
        assert (logs / "stdout").read_text() == ALL


async def test_container_that_ends_without_room_for_its_last_lines_can_be_removed(real, tmp_path):
    with small_disk(tmp_path / "disk", SMALL) as logs:
        container_id = await real.start(*printing(LINES), log_directory=logs)
        await filled(logs)
        await real.kill(container_id)
        async with asyncio.timeout(DONE_SECONDS):
            await real.runtime.remove_container(container_id)
        kept = (logs / "stdout").read_text()
        assert kept
        assert ALL.startswith(kept)
