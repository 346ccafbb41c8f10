"""What a killed containerd or shim left of a container that nobody knows any more."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from longshore.base.processes import command_lines, start_ticks

IN_THE_WAY = re.compile(
    r"mkdir (?P<directory>/.+/io\.containerd\.runtime\.v2\.task/[^/]+/[^/]+): file exists"
)
KNOWN = re.compile("container with given ID already exists")
"""runc's words for a state directory of the container."""
SHIM_SOCKET = re.compile(r"unix://(/run/containerd/s/[0-9a-f]+)")
RUNSC = re.compile(r"(.*/)?runsc(-sandbox|-gofer)?$")
RUNTIME_STATES = Path("/run/containerd")
"""containerd's shims have their runtimes keep their states here: `<runtime>/<namespace>/<id>`."""
LOOK_SECONDS = 0.05
SETTLE_SECONDS = 2.0
"""How long a creation that was given up may take to undo what it made."""


def in_the_way(reason: str) -> Path | None:
    """The directory that containerd names where it cannot make a bundle for one that is there."""
    found = IN_THE_WAY.search(reason)
    return Path(found["directory"]) if found else None


def is_known_to_runc(reason: str) -> bool:
    """Whether runc says that it has the container already."""
    return KNOWN.search(reason) is not None


def forget_in_runc(namespace: str, container_id: str) -> None:
    """Take away runc's state of a container, and the process that it names."""
    state = RUNTIME_STATES / "runc" / namespace / container_id
    with contextlib.suppress(OSError, ValueError, KeyError):
        found = json.loads((state / "state.json").read_text())
        pid = int(found["init_process_pid"])
        # Its start tells it from another process that has the number now.
        if start_ticks(pid) == found["init_process_start"]:
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(state, ignore_errors=True)


def end_commands(container_id: str) -> None:
    """SIGKILL what gVisor runs for a container or sandbox, its kernel among it, but not the shim.

    A command of runsc that hangs keeps the shim from answering anything.
    """
    for pid, words in command_lines():
        if container_id in words and RUNSC.match(words[0]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def end_shim(bundle: Path) -> None:
    """SIGKILL the shim that serves the container of this bundle, and with it all it serves.

    containerd takes away what a dead shim leaves. Only for a shim that answers nothing, and has
    nothing left that it may be waiting for.
    """
    # Imported here: it is wanted once in a blue moon.
    import psutil

    paths = shim_sockets(bundle)
    for socket in psutil.net_connections("unix"):
        if str(socket.laddr) in paths and socket.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(socket.pid, signal.SIGKILL)


def shim_sockets(bundle: Path) -> set[str]:
    """Paths of the sockets that the shim of this bundle's container listens on."""
    found: set[str] = set()
    for name in ("address", "bootstrap.json"):
        with contextlib.suppress(OSError):
            found.update(SHIM_SOCKET.findall((bundle / name).read_text()))
    return found


async def clear(bundle: Path) -> None:
    """Have the directory of a container that containerd knows no process of be gone."""
    for _ in range(round(SETTLE_SECONDS / LOOK_SECONDS)):
        if not bundle.exists():
            return
        await asyncio.sleep(LOOK_SECONDS)
    await asyncio.to_thread(_remove, bundle)


def _remove(bundle: Path) -> None:
    unmount_below(bundle)
    if _mounts_below(bundle):
        return
    # containerd deletes a bundle under this name; one whose deletion was cut short keeps every
    # later bundle of the container from being deleted.
    half_deleted = bundle.with_name(f".{bundle.name}")
    for directory in (half_deleted, bundle):
        shutil.rmtree(directory, ignore_errors=True)


def unmount_below(path: Path) -> None:
    """Let go of every mount on a path and below it, innermost first, also where it is in use."""
    for target in sorted(_mounts_below(path), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", target], check=False, capture_output=True)


def _mounts_below(path: Path) -> list[str]:
    mounts = [
        line.split()[4].replace("\\040", " ")
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
    ]
    return [target for target in mounts if Path(target).is_relative_to(path)]
