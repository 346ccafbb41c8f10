"""Containers whose process was made and never started: taken away, and not run for that."""

import asyncio
import os
import signal

import pytest
from conformance.runtime.runtime_box import traces, under_gvisor

from longshore.base.processes import command_lines

SAYS_SO = ("/bin/sh", "-c", "echo ran; exec sleep 100")
SECONDS = 30


@pytest.fixture
def made(monkeypatch):
    """Make a container's process and do not start it, as where a kill -9 comes between the two."""

    async def make(box):
        run = box.runtime._run

        async def run_sandbox_alone(container_id, isolation):
            if container_id == box.id:
                await run(container_id, isolation)

        with monkeypatch.context() as patched:
            patched.setattr(box.runtime, "_run", run_sandbox_alone)
            return await box.start(*SAYS_SO)

    return make


async def runs_once(box, container_id):
    """Start it, again where it was before; what it printed then."""
    await box.runtime.start(container_id)
    assert (await box.state(container_id)).status == "running"
    await box.kill(container_id)
    await box.runtime.remove_container(container_id)
    return box.printed(container_id)


async def test_container_that_was_never_started_is_removed_unrun(real, made, containerd):
    container_id = await made(real)
    async with asyncio.timeout(SECONDS):
        await real.runtime.remove_container(container_id)
    assert await real.state(container_id) is None
    assert real.printed(container_id) == ""
    assert traces(containerd, container_id) == []


async def test_container_that_was_made_is_started_after_another_look(real, made):
    container_id = await made(real)
    assert (await real.state(container_id)).status == "created"
    assert await runs_once(real, container_id) == "ran\n"


@under_gvisor
async def test_containerd_takes_away_what_it_was_told_to_make_no_more(real, made, containerd):
    """As it does itself where who asked for a container has gone before the answer."""
    container_id = await made(real)
    async with asyncio.timeout(SECONDS):
        await real.runtime._containerd.remove_task(container_id)
        assert await real.runtime._containerd.task(container_id) is None
    assert traces(containerd, container_id) == []
    assert await runs_once(real, container_id) == "ran\n"


@under_gvisor
async def test_container_that_was_never_started_goes_with_a_kernel_that_died(real, made):
    async with real.sandbox(hostname="lighthouse") as box:
        # The sandbox's kernel has to run before it can die.
        await box.start("/bin/sleep", "100")
        container_id = await made(box)
        for pid, words in command_lines():
            if words[0] == "runsc-sandbox" and box.id in words:
                os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(SECONDS):
            await box.runtime.remove_container(container_id)
        assert await box.state(container_id) is None
