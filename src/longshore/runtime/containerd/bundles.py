"""What a killed containerd or shim left of a container that nobody knows any more."""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from longshore.base.files import have_file
from longshore.base.processes import command_line, command_lines, start_ticks

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


def forget_ended_in_runsc(namespace: str, container_id: str = "*") -> None:
    """Take the numbers of processes that have ended out of runsc's state of a container.

    `runsc delete` kills the gofer and the sandbox by the numbers that they had, and waits until
    nobody has them (gVisor's `Container.stop`, `Sandbox.destroy`); others may have them by then.
    """
    states = RUNTIME_STATES / "runsc" / namespace
    for path in states.glob(f"{container_id}_sandbox:*.state"):
        # A command that hangs has the lock: what asks for deletion ends it, and tries again.
        gone_or_hung = contextlib.suppress(FileNotFoundError, BlockingIOError)
        with gone_or_hung, _locked(path.with_suffix(".lock")):
            state = json.loads(path.read_text())
            places = ((state, "goferPid"), (state.get("sandbox") or {}, "pid"))
            if any([_forget_ended(process, key) for process, key in places]):
                have_file(path, json.dumps(state).encode(), 0o640)


def _forget_ended(state: dict[str, Any], key: str) -> bool:
    """Whether the number was there, of a process of gVisor's that is not."""
    if not (pid := state.get(key)):
        return False
    words = command_line(pid)
    if words and RUNSC.match(words[0]) and any(state["id"] in word for word in words):
        return False
    state[key] = 0
    return True


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """While no command of runsc has the state: each has it for moments, but for one that hangs.

    FileNotFoundError where there is no such state, and BlockingIOError while it is not free.
    """
    with path.open("rb") as file:
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_SECONDS)
        yield


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
