"""The installed components work together: containerd runs runc's and gVisor's containers here."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from longshore.components import locate
from longshore.testing.wait import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")

CONTAINERD = """\
version = 3
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{folder}/containerd.sock"
[ttrpc]
  address = "{folder}/containerd.ttrpc"
"""
RUNSC = """\
binary_name = "{runsc}"
root = "{folder}/runsc"
grouping = true
[runsc_config]
  platform = "systrap"
"""
APPLETS = ("sh", "sleep", "uname", "cat")


class Containerd:
    """A containerd with everything in one folder, spoken to through ctr."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        runsc = locate("runsc")
        (folder / "config.toml").write_text(CONTAINERD.format(folder=folder))
        (folder / "runsc.toml").write_text(RUNSC.format(folder=folder, runsc=runsc))
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [locate("containerd"), "--config", folder / "config.toml"],
            stdout=self.log,
            stderr=self.log,
            env={**os.environ, "PATH": f"{runsc.parent}:{os.environ['PATH']}"},
        )
        wait_until(lambda: self.ctr("version", check=False).returncode == 0, 20)

    def ctr(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [locate("ctr"), "--address", self.folder / "containerd.sock", *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0 or not check, done
        return done

    def root(self, name: str) -> str:
        """A root file system of busybox; gVisor wants one of its own for each container."""
        folder = self.folder / "roots" / name
        for path in ("bin", "proc", "tmp"):
            (folder / path).mkdir(parents=True)
        shutil.copy(shutil.which("busybox"), folder / "bin/busybox")
        for applet in APPLETS:
            (folder / "bin" / applet).symlink_to("busybox")
        return str(folder)

    def run_sandboxed(self, name: str, sandbox: str, *command: str) -> None:
        kind = "sandbox" if name == sandbox else "container"
        self.ctr(
            *("run", "--detach", "--rootfs"),
            *("--runtime", "io.containerd.runsc.v1"),
            *("--runtime-config-path", str(self.folder / "runsc.toml")),
            *("--annotation", f"io.kubernetes.cri.container-type={kind}"),
            *("--annotation", f"io.kubernetes.cri.sandbox-id={sandbox}"),
            *(self.root(name), name, *command),
        )

    def output(self, name: str, *command: str) -> str:
        return self.ctr("tasks", "exec", "--exec-id", f"{name}-look", name, *command).stdout

    def remove(self, name: str) -> None:
        self.ctr("tasks", "kill", "--signal", "SIGKILL", name, check=False)
        wait_until(lambda: self.ctr("tasks", "rm", name, check=False).returncode == 0)
        self.ctr("containers", "rm", name)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            if (mount := line.split()[1]).startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", mount], check=True)


@pytest.fixture(scope="module")
def containerd():
    # A short path: sockets' names have at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="longshore-components-"))
    running = Containerd(folder)
    yield running
    running.end()
    shutil.rmtree(folder)


def test_runc_container_has_the_machines_kernel(containerd):
    run = ("run", "--rm", "--runtime", "io.containerd.longshore.v2", "--rootfs")
    told = containerd.ctr(*run, containerd.root("r"), "r", "/bin/uname", "-r")
    assert told.stdout.strip() == os.uname().release


def test_gvisor_containers_of_one_sandbox_share_a_kernel_that_is_not_the_machines(containerd):
    containerd.run_sandboxed("first", "first", "/bin/sleep", "60")
    containerd.run_sandboxed("second", "first", "/bin/sleep", "60")
    try:
        kernel = containerd.output("second", "/bin/uname", "-r").strip()
        pids = [line.split()[1] for line in containerd.ctr("tasks", "ls").stdout.splitlines()[1:]]
    finally:
        containerd.remove("second")
        containerd.remove("first")
    assert kernel != os.uname().release
    assert len(set(pids)) == 1, "two sandbox processes"
