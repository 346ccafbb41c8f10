"""One containerd, and one sandbox of each isolation, for all tests: each has its own containers."""

import asyncio
import contextlib
import os

import pytest
from conformance.runtime.runtime_box import CONTAINERD_HOSTS, Box

from longshore.base.clock import SystemClock
from longshore.runtime.containerd.runtime import ContainerdRuntime
from longshore.runtime.interface import SandboxSpec
from longshore.runtime.simulated import SimulatedRuntime
from longshore.testing.containerd import network_namespace, running_containerd
from longshore.testing.images import busybox_files

APPLETS = (
    "cat",
    "chmod",
    "chown",
    "dd",
    "df",
    "echo",
    "false",
    "grep",
    "head",
    "hostname",
    "id",
    "kill",
    "ln",
    "ls",
    "mkdir",
    "mount",
    "nc",
    "ping",
    "ps",
    "readlink",
    "sed",
    "sh",
    "sleep",
    "sort",
    "sysctl",
    "tail",
    "touch",
    "true",
    "umount",
    "uname",
    "wc",
    "yes",
)
PASSWD = b"root:x:0:0::/:/bin/sh\nkeeper:x:1234:56::/:/bin/sh\n"
GROUP = b"root:x:0:\nharbour:x:56:\npilots:x:77:keeper\n"


@pytest.fixture(scope="session")
def containerd(tmp_path_factory):
    with running_containerd(tmp_path_factory.mktemp("containerd")) as running:
        files = {**busybox_files(*APPLETS), "etc/passwd": PASSWD, "etc/group": GROUP}
        running.import_image("box", files, {"Cmd": ["/bin/sh"], "Env": ["HARBOUR=yes"]})
        yield running


@pytest.fixture(scope="session")
def namespace():
    with network_namespace(f"ls-test-{os.getpid()}") as path:
        yield path


@pytest.fixture(scope="session")
def sandboxes(containerd, namespace):
    """The ids of a running sandbox of each isolation."""

    async def make():
        async with opened(containerd) as runtime:
            for isolation in ("runc", "gvisor"):
                await runtime.create_sandbox(
                    SandboxSpec(
                        id=f"shared-{isolation}",
                        isolation=isolation,
                        namespace=namespace,
                        hostname="lighthouse",
                    )
                )

    async def remove():
        async with opened(containerd) as runtime:
            for isolation in ("runc", "gvisor"):
                await runtime.remove_sandbox(f"shared-{isolation}")

    asyncio.run(make())
    yield
    asyncio.run(remove())


@contextlib.asynccontextmanager
async def opened(containerd):
    runtime = ContainerdRuntime(containerd.installation, CONTAINERD_HOSTS)
    try:
        yield runtime
    finally:
        await runtime.close()


@pytest.fixture(params=["runc", "gvisor"])
async def real(request, containerd, sandboxes, namespace, tmp_path):
    """A real runtime and its shared sandbox."""
    async with opened(containerd) as runtime:
        box = Box(runtime, request.param, f"shared-{request.param}", namespace, tmp_path)
        yield box
        await box.clean()


@pytest.fixture(params=["runc", "gvisor", "simulated"])
async def box(request, containerd, sandboxes, namespace, tmp_path):
    """Any runtime with a sandbox."""
    if request.param != "simulated":
        async with opened(containerd) as runtime:
            box = Box(runtime, request.param, f"shared-{request.param}", namespace, tmp_path)
            yield box
            await box.clean()
        return
    runtime = SimulatedRuntime(SystemClock())
    await runtime.pull("box", None)
    box = Box(runtime, "simulated", "shared-simulated", namespace, tmp_path)
    await runtime.create_sandbox(
        SandboxSpec(id="shared-simulated", isolation="runc", namespace=None)
    )
    yield box
    await runtime.close()
