"""A runtime with one sandbox, and the containers that a test starts in it."""

import contextlib
import os
import secrets
import signal
import subprocess
from pathlib import Path

import pytest

from longshore.base.processes import command_lines
from longshore.runtime.interface import ContainerSpec, SandboxSpec

CONTAINERD_HOSTS = Path("/etc/containerd/certs.d")
MIB = 2**20

under_runc = pytest.mark.parametrize("real", ["runc"], indirect=True)
under_gvisor = pytest.mark.parametrize("real", ["gvisor"], indirect=True)
"""Of tests of what only one isolation has."""


def traces(containerd, *names):
    """Processes, mounts and cgroups that carry one of the names."""
    lines = [" ".join(words) for pid, words in command_lines() if pid != os.getpid()]
    found = [line for line in lines for name in names if name in line]
    mounts = Path("/proc/mounts").read_text().splitlines()
    found += [line for line in mounts for name in names if name in line]
    # Not `Path.glob`: it fails where others' directories go meanwhile.
    path = f"*/{containerd.top}*"
    cgroups = subprocess.run(
        ["find", "/sys/fs/cgroup", "-type", "d", "-path", path],
        check=False,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [*found, *(path for path in cgroups for name in names if name in path)]


class Box:
    """`isolation` is `runc`, `gvisor` or `simulated`."""

    def __init__(self, runtime, isolation, sandbox_id, namespace, directory):
        self.runtime = runtime
        self.isolation = isolation
        self.id = sandbox_id
        self.namespace = namespace
        self.directory = directory
        self.made = []

    def new_id(self, kind="container"):
        """One that no other test, worker or broken-off run has."""
        return f"{kind}-{secrets.token_hex(8)}"

    def spec(self, *arguments, **further):
        container_id = further.pop("id", None) or self.new_id()
        return ContainerSpec(
            **{
                "id": container_id,
                "sandbox_id": self.id,
                "image": "box",
                "arguments": arguments,
                "log_directory": self.directory / container_id,
                **further,
            }
        )

    async def create(self, *arguments, **further):
        spec = self.spec(*arguments, **further)
        self.made.append(spec.id)
        await self.runtime.create_container(spec)
        return spec.id

    async def start(self, *arguments, **further):
        container_id = await self.create(*arguments, **further)
        await self.runtime.start(container_id)
        return container_id

    def printed(self, container_id, stream="stdout"):
        return (self.directory / container_id / stream).read_text()

    async def output(self, command, **further):
        """What a shell command prints on both streams, and its exit."""
        container_id = await self.start("/bin/sh", "-c", f"exec 2>&1; {command}", **further)
        ended = await self.runtime.wait(container_id)
        await self.runtime.remove_container(container_id)
        return self.printed(container_id).strip(), ended

    async def state(self, container_id):
        found = [s for s in await self.runtime.containers() if s.id == container_id]
        return found[0] if found else None

    async def kill(self, container_id):
        await self.runtime.signal(container_id, signal.SIGKILL)
        return await self.runtime.wait(container_id)

    async def clean(self):
        for container_id in self.made:
            await self.runtime.remove_container(container_id)

    @contextlib.asynccontextmanager
    async def sandbox(self, namespace=None, **further):
        """Another sandbox of the same runtime, removed afterwards."""
        sandbox_id = self.new_id("sandbox")
        spec = SandboxSpec(
            id=sandbox_id,
            isolation=self.isolation,
            namespace=namespace or self.namespace,
            **further,
        )
        await self.runtime.create_sandbox(spec)
        try:
            yield Box(self.runtime, self.isolation, sandbox_id, self.namespace, self.directory)
        finally:
            await self.runtime.remove_sandbox(sandbox_id)
