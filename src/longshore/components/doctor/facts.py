"""Looking at the machine: facts without a verdict."""

import ctypes
import errno
import os
import platform
import shutil
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

CAP_SYS_RESOURCE = 24
CAP_SYS_ADMIN = 21
CAP_NET_ADMIN = 12
CGROUP_ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "memory", "pids")
STA_UNSYNC = 0x40
TIMEX_WORDS = 64
"""`struct timex` has 208 bytes on 64-bit Linux; its field `status` is the 11th 32-bit word."""
TIMEX_STATUS = 10


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes; `ports_taken` are those asked about that something listens on."""

    root: bool = True
    capabilities: frozenset[int] = frozenset({CAP_SYS_RESOURCE, CAP_SYS_ADMIN, CAP_NET_ADMIN})
    architecture: str = "x86_64"
    kernel: str = "6.1.0"
    cgroup_version: int = 2
    controllers: frozenset[str] = frozenset(CONTROLLERS)
    cgroup_writable: bool = True
    cgroup_busy: bool = False
    """Whether processes in the top cgroup keep it from giving those below controllers (v2)."""
    ports: tuple[int, ...] = (4566, 4567, 4568)
    ports_taken: tuple[int, ...] = ()
    running_here: bool = False
    """Whether the data directory's own Longshore is up."""
    disk_path: Path = Path("/var/lib")
    disk_free: int = 1 << 40
    memory: int = 1 << 34
    clock_synchronised: bool | None = True
    """None where the kernel does not say."""
    now: float = 0.0
    newest_file: float = 0.0
    """When Longshore's newest file was written: the clock must not be before it."""


def gather(data_dir: Path, ports: Sequence[int], address: str) -> Machine:
    """This machine as it is now."""
    cgroup_version, controllers = cgroups(Path("/proc/self/mounts").read_text())
    disk_path = next(path for path in (data_dir, *data_dir.parents) if path.is_dir())
    return Machine(
        root=os.geteuid() == 0,
        capabilities=capabilities(Path("/proc/self/status").read_text()),
        architecture=platform.machine(),
        kernel=platform.release(),
        cgroup_version=cgroup_version,
        controllers=controllers,
        cgroup_writable=_can_make_cgroup(cgroup_version),
        cgroup_busy=cgroup_version == 2 and not can_hand_down(CGROUP_ROOT),
        ports=tuple(ports),
        ports_taken=tuple(port for port in ports if _taken(address, port)),
        running_here=_running(data_dir),
        disk_path=disk_path,
        disk_free=shutil.disk_usage(disk_path).free,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        clock_synchronised=_synchronised(),
        now=time.time(),
        newest_file=max(path.stat().st_mtime for path in Path(__file__).parents[1].rglob("*.py")),
    )


def capabilities(status: str) -> frozenset[int]:
    """Numbers of the effective capabilities in the text of /proc/<pid>/status."""
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    bits = int(line.split()[1], 16)
    return frozenset(number for number in range(64) if bits >> number & 1)


def cgroups(mounts: str) -> tuple[int, frozenset[str]]:
    """The cgroup version (0 for none) that manages resources, and its controllers.

    In the hybrid layout controllers are v1's, whatever the empty v2 hierarchy beside them says.
    """
    fields = [line.split() for line in mounts.splitlines()]
    first = [options for _, _, kind, options, *_ in fields if kind == "cgroup"]
    controllers = frozenset(",".join(first).split(",")) & {*CONTROLLERS}
    if controllers:
        return 1, controllers
    if any(kind == "cgroup2" for _, _, kind, *_ in fields):
        try:
            listed = (CGROUP_ROOT / "cgroup.controllers").read_text().split()
        except OSError:
            listed = []
        return 2, frozenset(listed)
    return 0, frozenset()


def _can_make_cgroup(version: int) -> bool:
    parent = CGROUP_ROOT if version == 2 else CGROUP_ROOT / "memory"
    probe = parent / f"longshore-doctor-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    return True


def can_hand_down(top: Path) -> bool:
    """Whether cgroups below `top` can have controllers (v2); what was not on is off again."""
    control = top / "cgroup.subtree_control"
    try:
        missing = [name for name in CONTROLLERS if name not in control.read_text().split()]
        if missing:
            _switch(control, "+", missing)
            _switch(control, "-", missing)
    except OSError as error:
        # Any other error is another lack, and told as that.
        return error.errno != errno.EBUSY
    return True


def _switch(control: Path, sign: str, names: Sequence[str]) -> None:
    control.write_text(" ".join(f"{sign}{name}" for name in names))


def _taken(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


def _running(data_dir: Path) -> bool:
    """The supervisor's pid file has its pid and the time it started at (see main/supervisor.py)."""
    try:
        pid = int((data_dir / "run" / "supervisor.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return False
    return Path(f"/proc/{pid}").exists()


def _synchronised() -> bool | None:
    """adjtimex(2) only reads where no mode is set."""
    timex = (ctypes.c_uint32 * TIMEX_WORDS)()
    if ctypes.CDLL(None).adjtimex(timex) < 0:
        return None
    return not timex[TIMEX_STATUS] & STA_UNSYNC
