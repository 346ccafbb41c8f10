"""The cgroups of sandboxes, on version 1 and version 2 of the kernel's interface."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from longshore.runtime.interface import Limits, RuntimeFailure, Statistics

ROOT = Path("/sys/fs/cgroup")
VERSION_1 = ("cpu", "cpuacct", "memory", "pids", "freezer", "devices", "blkio", "systemd")
VERSION_2 = ("cpu", "memory", "pids")
CPU_PERIOD = 100_000
LEAVE_SECONDS = 5.0
NO_LIMIT = 2**60
"""Version 1 says a number of this size where there is no limit."""


class Cgroups:
    """Cgroups below `/longshore-<installation id>`; paths are relative to the hierarchies."""

    def __init__(self, installation_id: str, root: Path = ROOT) -> None:
        self.top = f"/longshore-{installation_id}"
        self._root = root
        self.version = 2 if (root / "cgroup.controllers").exists() else 1

    def sandbox(self, sandbox_id: str) -> str:
        return f"{self.top}/{sandbox_id}"

    def make(self, path: str, limits: Limits) -> None:
        """A cgroup with these limits; nothing changes where it is there with the same.

        Raises RuntimeFailure where the kernel does not let it have them.
        """
        if self.version == 2:
            self._make_unified(path, limits)
            return
        for name, values in _version_1_limits(limits).items():
            directory = self._directory(name, path)
            directory.mkdir(parents=True, exist_ok=True)
            for file, value in values.items():
                _write(directory / file, value)

    def _make_unified(self, path: str, limits: Limits) -> None:
        directory = self._root
        for part in path.strip("/").split("/"):
            _hand_down(directory)
            directory /= part
            directory.mkdir(exist_ok=True)
        _hand_down(directory)
        for file, value in _version_2_limits(limits).items():
            _write(directory / file, value)

    def limit_cpu(self, path: str, quota: float) -> None:
        """Let a cgroup use `quota` vCPUs, counted in the usual short periods."""
        microseconds = int(quota * CPU_PERIOD)
        if self.version == 2:
            _write(self._root / path.strip("/") / "cpu.max", f"{microseconds} {CPU_PERIOD}")
            return
        directory = self._directory("cpu", path)
        # The quota first: the other way round it would be a larger one for a moment.
        _write(directory / "cpu.cfs_quota_us", str(microseconds))
        _write(directory / "cpu.cfs_period_us", str(CPU_PERIOD))

    def lift_cpu_limit(self, path: str) -> None:
        """Let what is to die there die at once; nothing happens where there is no such cgroup."""
        if self.version == 2:
            _write(self._root / path.strip("/") / "cpu.max", "max")
        else:
            _write(self._directory("cpu", path) / "cpu.cfs_quota_us", "-1")

    def remove(self, path: str) -> None:
        """Kill what is left inside and remove the cgroup with those below it."""
        for directory in self._directories(path):
            _remove_tree(directory)

    def out_of_memory(self, path: str) -> bool:
        """Whether the kernel has killed something in this cgroup for its memory."""
        if self.version == 2:
            events = _fields(self._root / path.strip("/") / "memory.events")
        else:
            events = _fields(self._directory("memory", path) / "memory.oom_control")
        return int(events.get("oom_kill", "0")) > 0

    def memory(self, path: str) -> tuple[int, int]:
        """Bytes in use and their limit (0: none) of a cgroup; zeros where it is gone."""
        if self.version == 2:
            directory, names = self._root / path.strip("/"), ("memory.current", "memory.max")
        else:
            directory = self._directory("memory", path)
            names = ("memory.usage_in_bytes", "memory.limit_in_bytes")
        try:
            used, limit = ((directory / name).read_text().strip() for name in names)
        except OSError:
            return 0, 0
        return int(used), 0 if limit == "max" or int(limit) >= NO_LIMIT else int(limit)

    def statistics(self, path: str) -> Statistics | None:
        """Counters of a cgroup; None where it is gone."""
        try:
            read = self._statistics_2 if self.version == 2 else self._statistics_1
            return read(path)
        except (OSError, ValueError):
            return None

    def _statistics_1(self, path: str) -> Statistics:
        memory = self._directory("memory", path)
        inactive = int(_fields(memory / "memory.stat").get("total_inactive_file", "0"))
        usage = int((memory / "memory.usage_in_bytes").read_text())
        read, written = _block_bytes(self._directory("blkio", path))
        return Statistics(
            cpu_nanoseconds=int((self._directory("cpuacct", path) / "cpuacct.usage").read_text()),
            memory_bytes=max(0, usage - inactive),
            memory_limit_bytes=self.memory(path)[1],
            read_bytes=read,
            written_bytes=written,
            pids=int((self._directory("pids", path) / "pids.current").read_text()),
        )

    def _statistics_2(self, path: str) -> Statistics:
        directory = self._root / path.strip("/")
        inactive = int(_fields(directory / "memory.stat").get("inactive_file", "0"))
        read, written = _block_bytes_2(directory)
        return Statistics(
            cpu_nanoseconds=int(_fields(directory / "cpu.stat").get("usage_usec", "0")) * 1000,
            memory_bytes=max(0, int((directory / "memory.current").read_text()) - inactive),
            memory_limit_bytes=self.memory(path)[1],
            read_bytes=read,
            written_bytes=written,
            pids=int((directory / "pids.current").read_text()),
        )

    def _directory(self, controller: str, path: str) -> Path:
        return self._root / controller / path.strip("/")

    def _directories(self, path: str) -> Iterator[Path]:
        if self.version == 2:
            yield self._root / path.strip("/")
            return
        hierarchies = [*VERSION_1, "cpuset", "unified", "hugetlb", "net_cls", "perf_event"]
        for name in hierarchies:
            directory = self._directory(name, path)
            if directory.is_dir():
                yield directory


def _version_1_limits(limits: Limits) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {name: {} for name in VERSION_1}
    if limits.memory:
        found["memory"]["memory.limit_in_bytes"] = str(limits.memory)
    if limits.cpu_shares:
        found["cpu"]["cpu.shares"] = str(max(2, limits.cpu_shares))
    if limits.cpu_quota:
        found["cpu"]["cpu.cfs_period_us"] = str(CPU_PERIOD)
        found["cpu"]["cpu.cfs_quota_us"] = str(int(limits.cpu_quota * CPU_PERIOD))
    if limits.pids:
        found["pids"]["pids.max"] = str(limits.pids)
    return found


def _version_2_limits(limits: Limits) -> dict[str, str]:
    found = {}
    if limits.memory:
        found["memory.max"] = str(limits.memory)
        found["memory.swap.max"] = "0"
    if limits.cpu_shares:
        # The kernel's own conversion from shares (2 to 262144) to weight (1 to 10000).
        weight = 1 + (max(2, limits.cpu_shares) - 2) * 9999 // 262142
        found["cpu.weight"] = str(weight)
    if limits.cpu_quota:
        found["cpu.max"] = f"{int(limits.cpu_quota * CPU_PERIOD)} {CPU_PERIOD}"
    if limits.pids:
        found["pids.max"] = str(limits.pids)
    return found


def _hand_down(directory: Path) -> None:
    """Let the cgroups below `directory` have limits, and counters of block devices where it has."""
    try:
        _require(directory / "cgroup.subtree_control", " ".join(f"+{name}" for name in VERSION_2))
    except OSError as error:
        # EBUSY where processes lie in it: not in the kernel's own root, but in a container's.
        raise RuntimeFailure(
            "ResourceInitializationError",
            f"cgroup: {directory} gives no controllers ({', '.join(VERSION_2)}) to those below "
            f"it ({error.strerror}); `longshore doctor` says what mends it",
        ) from error
    with contextlib.suppress(OSError):
        _require(directory / "cgroup.subtree_control", "+io")


def _write(path: Path, value: str) -> None:
    """Nothing is written where the kernel has no such file."""
    with contextlib.suppress(FileNotFoundError):
        _require(path, value)


def _require(path: Path, value: str) -> None:
    # Not to be created: that is refused with EACCES, which says nothing of what is lacking.
    with open(os.open(path, os.O_WRONLY | os.O_TRUNC), "w") as file:
        file.write(value)


def _fields(path: Path) -> dict[str, str]:
    """Lines of `name value`; empty where there is no such file."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    # A block device without counters has a line of its name alone.
    return dict(line.split(maxsplit=1) for line in lines if " " in line.strip())


def _block_bytes(directory: Path) -> tuple[int, int]:
    """Bytes read and written by block devices."""
    totals = {"Read": 0, "Write": 0}
    for line in (directory / "blkio.throttle.io_service_bytes").read_text().splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1] in totals:
            totals[parts[1]] += int(parts[2])
    return totals["Read"], totals["Write"]


def _block_bytes_2(directory: Path) -> tuple[int, int]:
    """The same on version 2, of lines `8:0 rbytes=1 wbytes=2 …`; zeros without controller."""
    totals = {"rbytes": 0, "wbytes": 0}
    for counters in _fields(directory / "io.stat").values():
        for counter in counters.split():
            name, _, value = counter.partition("=")
            if name in totals:
                totals[name] += int(value)
    return totals["rbytes"], totals["wbytes"]


def _remove_tree(directory: Path) -> None:
    if not directory.is_dir():
        return
    with contextlib.suppress(FileNotFoundError):
        for child in list(directory.iterdir()):
            if child.is_dir():
                _remove_tree(child)
    deadline = time.monotonic() + LEAVE_SECONDS
    while directory.is_dir():
        try:
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            _kill_inside(directory)
            time.sleep(0.01)


def _kill_inside(directory: Path) -> None:
    # A cgroup that is gone meanwhile holds nobody.
    with contextlib.suppress(FileNotFoundError):
        for pid in (directory / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
