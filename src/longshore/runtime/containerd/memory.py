"""Memory of the containers of one gVisor sandbox, which have no cgroup of their own.

The kernel only bounds the sandbox, and kills all of it at once. So a container's own limit is
watched from here, and where the sandbox was killed, the container that used most is named.
"""

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from pathlib import Path

import grpc

from longshore.base.logs import logger
from longshore.runtime.containerd.api import Containerd
from longshore.runtime.containerd.cgroups import Cgroups
from longshore.runtime.containerd.generated import metrics_pb2
from longshore.runtime.interface import Statistics

LOOK_SECONDS = 0.2
ASK_SECONDS, ASK_AT_LEAST_EVERY = 0.2, 5.0
"""Asking about one container costs a process of some 30 ms: seldom, while nothing grows."""
CLOSE_TO_LIMIT = 0.5
GROWTH = 1.05

log = logger(__name__)


class MemoryWatch:
    """Who used too much is kept in `directory`, one file a container or sandbox."""

    def __init__(self, containerd: Containerd, cgroups: Cgroups, directory: Path) -> None:
        self._containerd = containerd
        self._cgroups = cgroups
        self._directory = directory
        self._used: dict[str, dict[str, int | None]] = {}
        """By sandbox and container; None for a container that has not told yet."""

    async def watch(self, container_id: str, sandbox_id: str, limit: int) -> None:
        """Kill the container once it uses more than `limit` bytes (0: no limit of its own)."""
        cgroup = self._cgroups.sandbox(sandbox_id)
        seen = self._used.setdefault(sandbox_id, {})
        seen[container_id] = None
        used, before, pause = 0, 0, ASK_SECONDS
        while used <= limit or not limit:
            await asyncio.sleep(LOOK_SECONDS)
            if self._is_calm(cgroup, limit):
                continue
            counted = await self.statistics(container_id)
            if counted is None:
                continue
            used = seen[container_id] = counted.memory_bytes
            if not limit or used <= limit:
                pause = (
                    ASK_SECONDS if used > before * GROWTH else min(2 * pause, ASK_AT_LEAST_EVERY)
                )
                before = used
                await asyncio.sleep(pause)
        log.info("a container uses too much memory", container=container_id, used=used, limit=limit)
        self._note(container_id, container_id)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self._containerd.kill(container_id, signal.SIGKILL, everything=True)

    def _is_calm(self, cgroup: str, limit: int) -> bool:
        """Whether the sandbox as a whole uses too little for anyone to be over a limit."""
        used, bound = self._cgroups.memory(cgroup)
        return not (limit and used > limit) and not (bound and used > bound * CLOSE_TO_LIMIT)

    async def statistics(self, container_id: str) -> Statistics | None:
        """What the sandbox counts for one of its containers."""
        try:
            found = await self._containerd.metrics(container_id)
        except grpc.aio.AioRpcError:
            return None
        if found is None:
            return None
        if found.type_url.endswith("v2.Metrics"):
            two = metrics_pb2.Version2.FromString(found.value)
            cpu, memory = two.cpu.usage_usec * 1000, two.memory.usage
            return _statistics(cpu, memory, two.pids.current)
        one = metrics_pb2.Version1.FromString(found.value)
        return _statistics(one.cpu.usage.total, one.memory.usage.usage, one.pids.current)

    def killed(self, container_id: str, sandbox_id: str) -> bool:
        """Whether this container's memory was why it ended."""
        if (self._directory / container_id).exists():
            return True
        cgroup = self._cgroups.sandbox(sandbox_id)
        if not self._cgroups.out_of_memory(cgroup):
            return False
        _, bound = self._cgroups.memory(cgroup)
        self._note(sandbox_id, who_filled(bound, self._used.get(sandbox_id, {})))
        # Where nobody was seen growing, all of them ended for the memory of their task.
        return (self._directory / sandbox_id).read_text() in {container_id, ""}

    def _note(self, name: str, container_id: str) -> None:
        """The first note counts."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), (self._directory / name).open("x") as file:
            file.write(container_id)

    def forget(self, name: str) -> None:
        """A container or a sandbox is gone."""
        (self._directory / name).unlink(missing_ok=True)
        self._used.pop(name, None)


def who_filled(bound: int, used: Mapping[str, int | None]) -> str:
    """The container that is most likely to have filled so many bytes; empty for nobody.

    It is the one that used most, unless one that has not told (None) must have used more.
    """
    known = {name: size for name, size in used.items() if size is not None}
    silent = [name for name, size in used.items() if size is None]
    most = max(known, key=lambda name: known[name], default="")
    if silent and bound - sum(known.values()) > known.get(most, 0):
        return silent[0] if len(silent) == 1 else ""
    return most


def _statistics(cpu: int, memory: int, pids: int) -> Statistics:
    return Statistics(cpu_nanoseconds=cpu, memory_bytes=memory, memory_limit_bytes=0, pids=pids)
