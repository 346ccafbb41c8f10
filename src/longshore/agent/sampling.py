"""Samples of what containers use, for the endpoints and for telemetry."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import msgspec

from longshore.agent.host import Host
from longshore.agent.records import ContainerRecord, TaskRecord
from longshore.fabric.counters import Counters, interface_counters
from longshore.fabric.names import namespace_path
from longshore.runtime.interface import Statistics

FRESH_SECONDS = 1.0
"""A sample younger than this is not taken anew, however often somebody asks."""
NANOSECONDS = 1_000_000_000
PROC_STAT = Path("/proc/stat")
COUNTED_MODES = 8
"""user to steal; guest time is part of user's ("/proc/stat", proc(5))."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One container at one moment, in epoch seconds; `networks` are its task's interfaces."""

    at: float
    usage: Statistics
    system_nanoseconds: int = 0
    """CPU time of the whole host, busy and idle."""
    networks: Mapping[str, Counters] = {}


class Sampler:
    """Keeps the last two samples of each container."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._kept: dict[str, tuple[Sample | None, Sample]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def latest(
        self, record: TaskRecord, container: ContainerRecord
    ) -> tuple[Sample | None, Sample] | None:
        """The sample before the last, and a fresh one; None where nothing of it runs."""
        async with self._locks[container.id]:
            kept = self._kept.get(container.id)
            now = self._host.clock.now()
            if kept is not None and 0 <= now - kept[1].at < FRESH_SECONDS:
                return kept
            sample = await self._take(record, container)
            if sample is None:
                self._kept.pop(container.id, None)
                return None
            self._kept[container.id] = (kept[1] if kept else None, sample)
            return self._kept[container.id]

    async def pair(
        self, record: TaskRecord, container: ContainerRecord
    ) -> tuple[Sample | None, Sample] | None:
        """The same, with two samples: the first time this takes a second, as `docker stats`."""
        found = await self.latest(record, container)
        if found is None or found[0] is not None:
            return found
        await self._host.clock.sleep(FRESH_SECONDS)
        return await self.latest(record, container)

    def keep_only(self, container_ids: set[str]) -> None:
        """Forget the others."""
        for gone in self._kept.keys() - container_ids:
            del self._kept[gone]
        for gone in self._locks.keys() - container_ids:
            if not self._locks[gone].locked():
                del self._locks[gone]

    async def _take(self, record: TaskRecord, container: ContainerRecord) -> Sample | None:
        usage = await self._host.runtime.statistics(container.id)
        if usage is None:
            return None
        namespace = namespace_of(self._host, record, container)
        networks: Mapping[str, Counters] = {}
        if namespace is not None:
            networks = await asyncio.to_thread(interface_counters, namespace)
        return Sample(
            at=self._host.clock.now(),
            usage=usage,
            system_nanoseconds=system_nanoseconds(PROC_STAT.read_text()),
            networks=networks,
        )


def namespace_of(host: Host, record: TaskRecord, container: ContainerRecord) -> Path | None:
    """The network namespace of a container, or of its whole task; None where it has none."""
    mode = record.task.network_mode or "bridge"
    if host.fabric is None or mode == "host":
        return None
    name = f"t-{container.id}"
    if mode == "awsvpc":
        interfaces = record.task.elastic_network_interfaces
        name = interfaces[0].ec2_id if interfaces else ""
    return namespace_path(host.installation.id, name) if name else None


def system_nanoseconds(text: str) -> int:
    """The first line of `/proc/stat`, in nanoseconds."""
    fields = text.partition("\n")[0].split()[1 : 1 + COUNTED_MODES]
    return sum(map(int, fields)) * (NANOSECONDS // os.sysconf("SC_CLK_TCK"))
