"""The parts of a container that travel as Docker's own JSON (`Config` and `HostConfig`)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.model.ecs import Task
from longshore.nodeapi import acs

NANOSECONDS = 1_000_000_000
MIB = 1024 * 1024
API_VERSION = "1.21"

Container = Mapping[str, Any]


def docker_config(container: Container, task: Task, region: str) -> acs.DockerConfig:
    """The container's `dockerConfig`; what is not stated is left out."""
    config = {key: value for key, value in _config(container).items() if value}
    host = {key: value for key, value in _host(container, task, region).items() if value}
    return acs.DockerConfig(
        config=msgspec.json.encode(config).decode(),
        host_config=msgspec.json.encode(host).decode(),
        version=API_VERSION,
    )


def _config(container: Container) -> dict[str, Any]:
    return {
        "User": container.get("user"),
        "WorkingDir": container.get("workingDirectory"),
        "Hostname": container.get("hostname"),
        "Labels": container.get("dockerLabels"),
        "Healthcheck": _health(container.get("healthCheck")),
        "Tty": container.get("pseudoTerminal"),
        "OpenStdin": container.get("interactive"),
        "NetworkDisabled": container.get("disableNetworking"),
    }


def _health(check: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Docker's, in nanoseconds, with ECS's defaults ("HealthCheck", API Reference)."""
    if check is None:
        return None
    return {
        "Test": check["command"],
        "Interval": (check.get("interval") or 30) * NANOSECONDS,
        "Timeout": (check.get("timeout") or 5) * NANOSECONDS,
        "Retries": check.get("retries") or 3,
        "StartPeriod": (check.get("startPeriod") or 0) * NANOSECONDS,
    }


def _host(container: Container, task: Task, region: str) -> dict[str, Any]:
    linux = container.get("linuxParameters") or {}
    capabilities = linux.get("capabilities") or {}
    return {
        "NetworkMode": "host" if task.network_mode == "host" else "",
        "Privileged": container.get("privileged"),
        "CapAdd": capabilities.get("add"),
        "CapDrop": capabilities.get("drop"),
        "Ulimits": [
            {"Name": each["name"], "Soft": each["softLimit"], "Hard": each["hardLimit"]}
            for each in container.get("ulimits") or ()
        ],
        "LogConfig": _log(container, task, region),
        "MemoryReservation": (container.get("memoryReservation") or 0) * MIB,
        **_memory(container, linux),
        "Init": linux.get("initProcessEnabled"),
        "ShmSize": (linux.get("sharedMemorySize") or 0) * MIB,
        "Tmpfs": {
            each["containerPath"]: ",".join(
                [*(each.get("mountOptions") or ()), f"size={each['size']}m"]
            )
            for each in linux.get("tmpfs") or ()
        },
        "Devices": [_device(each) for each in linux.get("devices") or ()],
        "Sysctls": {
            each["namespace"]: each.get("value") or ""
            for each in container.get("systemControls") or ()
        },
        "Dns": container.get("dnsServers"),
        "DnsSearch": container.get("dnsSearchDomains"),
        "ExtraHosts": [
            f"{each['hostname']}:{each['ipAddress']}" for each in container.get("extraHosts") or ()
        ],
        "ReadonlyRootfs": container.get("readonlyRootFilesystem"),
        "SecurityOpt": container.get("dockerSecurityOptions"),
    }


def _memory(container: Container, linux: Mapping[str, Any]) -> dict[str, Any]:
    """Swap in bytes, on top of the container's memory as Docker counts it."""
    swap = linux.get("maxSwap")
    if swap is None:
        return {}
    return {
        "MemorySwap": ((container.get("memory") or 0) + swap) * MIB,
        "MemorySwappiness": linux.get("swappiness"),
    }


def _device(device: Mapping[str, Any]) -> dict[str, str]:
    letters = {"read": "r", "write": "w", "mknod": "m"}
    permissions = device.get("permissions") or ("read", "write", "mknod")
    return {
        "PathOnHost": device["hostPath"],
        "PathInContainer": device.get("containerPath") or device["hostPath"],
        "CgroupPermissions": "".join(letters[each] for each in permissions),
    }


def _log(container: Container, task: Task, region: str) -> dict[str, Any] | None:
    """With awslogs the stream is named here: `prefix/container/task id` ("awslogs log driver")."""
    log = container.get("logConfiguration")
    if log is None:
        return None
    options = dict(log.get("options") or {})
    if log["logDriver"] == "awslogs":
        prefix = options.pop("awslogs-stream-prefix", "")
        options.setdefault("awslogs-region", region)
        if prefix and "awslogs-stream" not in options:
            options["awslogs-stream"] = f"{prefix}/{container['name']}/{task.id}"
    return {"Type": log["logDriver"], "Config": options}
