"""The containerd of an installation: its configuration, its command, its end."""

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from longshore.base.files import have_file
from longshore.base.installation import Installation
from longshore.base.processes import command_lines
from longshore.runtime.containerd.bundles import (
    RUNTIME_STATES,
    forget_ended_in_runsc,
    shim_sockets,
    unmount_below,
)
from longshore.runtime.containerd.cgroups import Cgroups

PLUGINS_LEFT_OUT = (
    "io.containerd.grpc.v1.cri",
    "io.containerd.cri.v1.images",
    "io.containerd.cri.v1.runtime",
    "io.containerd.podsandbox.controller.v1.podsandbox",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.tracing.processor.v1.otlp",
    "io.containerd.internal.v1.tracing",
    "io.containerd.nri.v1.nri",
)

TIMEOUTS = """\
  # A shim that does not answer in time when containerd starts is ended, with its whole sandbox.
  "io.containerd.timeout.shim.load" = "60s"
  "io.containerd.timeout.shim.cleanup" = "30s"
  "io.containerd.timeout.task.state" = "20s"
"""
GVISOR_SETTINGS = """\
[runsc_config]
# Shows what a container may use, and counts what it does use.
in-sandbox-cgroup = "v2"
# CAP_NET_RAW is among the capabilities that ECS leaves a container; the VPC checks addresses.
net-raw = "true"
"""


def socket_path(installation: Installation) -> Path:
    return installation.run_dir / "containerd.sock"


def namespace(installation: Installation) -> str:
    """containerd's own kind of namespace, which also names the shims' state."""
    return f"longshore-{installation.id}"


def directory(installation: Installation) -> Path:
    """What containerd and the runtime keep."""
    return installation.data_dir / "containerd"


def bundles(installation: Installation) -> Path:
    """containerd's directories of containers that have a process, each named as its container."""
    state = installation.run_dir / "containerd"
    return state / "io.containerd.runtime.v2.task" / namespace(installation)


def gvisor_settings(home: Path) -> Path:
    """The settings of gVisor's shim, as this version wants them; their path."""
    path = home / "gvisor.toml"
    have_file(path, GVISOR_SETTINGS.encode(), 0o644)
    return path


def prepare(installation: Installation, programs: Path) -> None:
    """What comes before each start: configuration, and what else containerd finds there.

    As soon as it starts, it takes away what has no shim any more.
    """
    write_configuration(installation, programs)
    forget_ended_in_runsc(namespace(installation))


def write_configuration(installation: Installation, programs: Path) -> Path:
    """containerd's configuration, version 3, apart from any other containerd on this machine."""
    home = directory(installation)
    home.mkdir(parents=True, exist_ok=True)
    installation.run_dir.mkdir(parents=True, exist_ok=True)
    left_out = ", ".join(f'"{name}"' for name in PLUGINS_LEFT_OUT)
    path = home / "config.toml"
    have_file(
        path,
        f"""version = 3
root = "{home / "root"}"
state = "{installation.run_dir / "containerd"}"
disabled_plugins = [{left_out}]
[grpc]
  address = "{socket_path(installation)}"
[ttrpc]
  address = "{socket_path(installation)}.ttrpc"
[timeouts]
{TIMEOUTS}""".encode(),
        0o644,
    )
    gvisor_settings(home)
    pause = home / "pause"
    for inside in (".", "proc", "dev"):
        (pause / inside).mkdir(exist_ok=True)
    have_file(pause / "pause", (programs / "pause").read_bytes(), 0o755)
    return path


def command(installation: Installation, programs: Path) -> list[str]:
    """What to run; `programs` is the folder of containerd, its shims, runc and runsc."""
    return [str(programs / "containerd"), "--config", str(directory(installation) / "config.toml")]


def environment(programs: Path) -> dict[str, str]:
    """containerd finds its shims, and they runc and runsc, on the PATH."""
    return {**os.environ, "PATH": f"{programs}:{os.environ.get('PATH', '/usr/sbin:/usr/bin')}"}


def destroy(installation: Installation) -> None:
    """Remove every container, shim, mount and cgroup of this installation; containerd has ended.

    Safe to repeat, and where nothing was ever made.
    """
    for pid in _processes(installation):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    cgroups = Cgroups(installation.id)
    cgroups.remove(cgroups.top)
    _remove_sockets(installation)
    unmount_below(installation.run_dir / "containerd")
    unmount_below(installation.data_dir)
    shutil.rmtree(installation.run_dir / "containerd", ignore_errors=True)
    for runtime in ("runc", "runsc"):
        state = RUNTIME_STATES / runtime / namespace(installation)
        unmount_below(state)
        shutil.rmtree(state, ignore_errors=True)
    home = directory(installation)
    for name in ("io.containerd.runtime.v2.task", "sandboxes"):
        shutil.rmtree(home / "root" / name, ignore_errors=True)
        shutil.rmtree(home / name, ignore_errors=True)


def _remove_sockets(installation: Installation) -> None:
    """Of the shims, which lie beside those of every other containerd."""
    for bundle in bundles(installation).glob("*"):
        for found in shim_sockets(bundle):
            Path(found).unlink(missing_ok=True)


def _processes(installation: Installation) -> Iterator[int]:
    """Shims, sandboxes and gofers: whoever was started with the namespace's name."""
    name = namespace(installation)
    for pid, words in command_lines():
        # The namespace itself, or a path that has it as a part.
        if pid != os.getpid() and any(name in word.split("/") for word in words):
            yield pid
