"""What containers of one task share, and what tasks do not see of each other."""

import os
from pathlib import Path

from conformance.runtime.runtime_box import under_gvisor, under_runc

from longshore.testing.containerd import network_namespace
from longshore.testing.wait import eventually

SERVE = "while true; do echo hello | nc -l -p 7000; done"
ASK = "nc -w 1 127.0.0.1 7000 </dev/null"


def read(path):
    """A file that may go away."""
    try:
        return path.read_text()
    except OSError:
        return ""


async def asked(box):
    """What is answered on a sandbox's localhost."""
    printed, _ = await box.output(ASK)
    return printed


async def test_containers_of_one_sandbox_share_localhost(real):
    await real.start("/bin/sh", "-c", SERVE)

    async def answered():
        return await asked(real) == "hello"

    assert await eventually(answered)


async def test_containers_of_another_sandbox_have_another_localhost(real):
    await real.start("/bin/sh", "-c", SERVE)

    async def answered():
        return await asked(real) == "hello"

    await eventually(answered)
    with network_namespace(f"ls-other-{os.getpid()}") as namespace:
        async with real.sandbox(namespace=namespace) as other:
            assert "hello" not in await asked(other)


async def test_containers_see_only_their_own_processes_and_files(real):
    await real.start("/bin/sh", "-c", "touch /secret; exec sleep 4321")
    printed, _ = await real.output("ps -o args; ls /")
    assert "sleep 4321" not in printed
    assert "secret" not in printed.split()


async def test_gvisor_task_has_a_kernel_of_its_own_and_a_runc_task_the_machines(real):
    release, _ = await real.output("uname -r")
    assert (release == os.uname().release) is (real.isolation == "runc")


@under_gvisor  # runc has no sandbox process
async def test_containers_of_one_gvisor_task_share_one_sandbox_process(real):
    async with real.sandbox() as box:
        await box.start("/bin/sleep", "100")
        await box.start("/bin/sleep", "100")
        lines = [read(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert len([line for line in lines if line.startswith("runsc-sandbox") and box.id in line]) == 1


@under_runc  # each container has its own processes on gVisor
async def test_tasks_containers_share_processes_where_the_task_says_so(real):
    async with real.sandbox(pid_mode="task", ipc_mode="task") as box:
        await box.start("/bin/sleep", "4321")
        printed, _ = await box.output("ps -o args")
    assert "sleep 4321" in printed
