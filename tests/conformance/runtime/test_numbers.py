"""The kernel gives pids again: who has the number of a process that ended is left alone."""

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from longshore.base.processes import command_lines
from longshore.runtime.interface import SandboxSpec
from longshore.testing.wait import eventually

LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
"""The number before the one that is tried first for the next process (proc(5))."""
ATTEMPTS = 100


class Life:
    """A sandbox with one container, and the numbers of all the processes that they have."""

    def __init__(self, box, containerd):
        self._box = box
        self._containerd = containerd
        self._sandbox_id, self._container_id = box.new_id("sandbox"), box.new_id()

    async def begin(self):
        await self._box.runtime.create_sandbox(
            SandboxSpec(
                id=self._sandbox_id, isolation=self._box.isolation, namespace=self._box.namespace
            )
        )
        ids = {"id": self._container_id, "sandbox_id": self._sandbox_id}
        await self._box.start("/bin/sleep", "100", **ids)
        first = (await self._box.state(self._container_id)).pid
        self._names = dict(self._lines())
        self.numbers = {*self._names, *([first] if self._box.isolation == "runc" else [])}

    def _lines(self):
        for pid, words in command_lines():
            line = " ".join(words)
            if self._sandbox_id in line or self._container_id in line:
                yield pid, line

    async def end_container(self):
        await self._box.kill(self._container_id)

    async def end_kernel(self):
        """As the kernel's out-of-memory killer does; with runc, all but the shim."""
        for number in self.numbers:
            if "shim" not in self._names.get(number, ""):
                self._kill(number)
        await self._box.runtime.wait(self._container_id)

    async def end_all(self):
        """As where the machine started again, and /run is not of this start alone."""
        self._containerd.kill()
        for number in self.numbers:
            self._kill(number)

    def _kill(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)

    async def ended(self):
        """The numbers that are free, once there are some."""

        async def some():
            return [each for each in self.numbers if not Path(f"/proc/{each}").exists()]

        return await eventually(some)

    async def remove(self):
        if not self._containerd.runs():
            await asyncio.to_thread(self._containerd.start)
        await self._box.runtime.remove_sandbox(self._sandbox_id)
        assert not list(self._lines())


@contextlib.contextmanager
def others(numbers):
    """Processes that sleep and have these numbers."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(_other(number)) for number in numbers]


@contextlib.contextmanager
def _other(number):
    for _ in range(ATTEMPTS):
        LAST_PID.write_text(str(number - 1))
        process = subprocess.Popen(["sleep", "1000"])
        try:
            if process.pid == number:
                yield process
                return
        finally:
            process.kill()
            process.wait()
    raise AssertionError(f"no process got the number {number}")


@pytest.mark.parametrize("end", ["end_container", "end_kernel", "end_all"])
async def test_who_has_the_number_of_a_process_that_ended_is_left_alone(real, containerd, end):
    life = Life(real, containerd)
    await life.begin()
    await getattr(life, end)()
    with others(await life.ended()) as strangers:
        await life.remove()
        assert [stranger.poll() for stranger in strangers] == [None] * len(strangers)
