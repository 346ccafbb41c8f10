"""Samples as Docker's statistics ("ContainerStats", Docker Engine API v1.30): pure.

What the kernel was not asked is left out, never zero.
"""

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.agent.endpoints.documents import timestamp
from longshore.agent.sampling import Sample
from longshore.fabric.counters import Counters

NEVER = "0001-01-01T00:00:00Z"
"""Go's zero time, as Docker shows it."""


def docker_stats(
    identifier: str, name: str, before: Sample | None, sample: Sample
) -> dict[str, Any]:
    """One container's statistics, with the network rates that version 4 adds."""
    found: dict[str, Any] = {
        "read": timestamp(sample.at),
        "preread": timestamp(before.at) if before else NEVER,
        "pids_stats": {"current": sample.usage.pids},
        "num_procs": 0,
        "blkio_stats": {"io_service_bytes_recursive": _disk(sample)},
        "storage_stats": {},
        "cpu_stats": _cpu(sample),
        "precpu_stats": _cpu(before) if before else {},
        "memory_stats": {
            "usage": sample.usage.memory_bytes,
            "limit": sample.usage.memory_limit_bytes or _host_memory(),
        },
        "name": name,
        "id": identifier,
    }
    if sample.networks:
        found["networks"] = msgspec.to_builtins(sample.networks)
        if before is not None and before.networks:
            found["network_rate_stats"] = _rates(before, sample)
    return found


def _cpu(sample: Sample) -> dict[str, Any]:
    return {
        "cpu_usage": {"total_usage": sample.usage.cpu_nanoseconds},
        "system_cpu_usage": sample.system_nanoseconds,
        "online_cpus": os.cpu_count(),
    }


def _disk(sample: Sample) -> list[dict[str, Any]]:
    """All block devices together."""
    read, written = sample.usage.read_bytes, sample.usage.written_bytes
    values = {"Read": read, "Write": written, "Total": read + written}
    return [{"major": 0, "minor": 0, "op": op, "value": value} for op, value in values.items()]


def _rates(before: Sample, sample: Sample) -> dict[str, float]:
    seconds = max(sample.at - before.at, 1e-6)
    received, sent = total_bytes(sample.networks)
    received_before, sent_before = total_bytes(before.networks)
    return {
        "rx_bytes_per_sec": max(0, received - received_before) / seconds,
        "tx_bytes_per_sec": max(0, sent - sent_before) / seconds,
    }


def total_bytes(networks: Mapping[str, Counters]) -> tuple[int, int]:
    """Bytes received and sent by all interfaces."""
    return (
        sum(each.rx_bytes for each in networks.values()),
        sum(each.tx_bytes for each in networks.values()),
    )


def _host_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
