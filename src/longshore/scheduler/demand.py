"""What a task asks of the instance that it runs on."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from longshore.model.ecs import Document, Task
from longshore.model.eks import SYSTEM_ACCOUNT

FARGATE_CPU_OVERCOMMIT = 4
"""A vCPU of a host carries this many vCPUs of Fargate tasks and of EC2 instances; memory is never
promised twice."""
QUANTITY = re.compile(r"(?P<number>\d{1,12}(\.\d{1,6})?|\.\d{1,6})\s*(?P<unit>[a-z]*)", re.ASCII)
QUANTITIES = 256
"""Quantities that are kept with what they are: most definitions have one of a few."""
OVERRIDABLE = ("cpu", "memory", "ephemeralStorage", "taskRoleArn", "executionRoleArn")
"""What overrides may change of a task as a whole (`TaskOverride`)."""
LEAST_MEMORY = 4
"""MiB: the least that a container can be given ("Container definition parameters")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """CPU units, MiB, host ports; attributes that the instance must have; constraints."""

    cpu: int = 0
    memory: int = 0
    tcp_ports: tuple[int, ...] = ()
    udp_ports: tuple[int, ...] = ()
    attributes: tuple[str, ...] = ()
    constraints: tuple[Mapping[str, Any], ...] = ()
    group: str = ""
    zone: str = ""
    """The AZ that it must be in; empty for any."""


def demand_of(task: Task, attributes: Iterable[str] = (), zone: str = "") -> Demand:
    """A task's demand."""
    return Demand(
        cpu=weighed_cpu(task),
        memory=task.memory,
        tcp_ports=task.tcp_ports,
        udp_ports=task.udp_ports,
        attributes=tuple(attributes),
        constraints=task.constraints,
        group=task.group,
        zone=zone,
    )


def weighed_cpu(task: Task) -> int:
    """What a task's CPU takes from a host: that of Fargate's tasks and of EC2 instances is weighed
    by `FARGATE_CPU_OVERCOMMIT`, control planes are promised none."""
    if task.interface is None and f":{SYSTEM_ACCOUNT}:" in task.arn:
        return 0
    weighed = task.launch_type == "FARGATE" or task.interface is not None
    return -(-task.cpu // FARGATE_CPU_OVERCOMMIT) if weighed else task.cpu


def overridden(document: Document, overrides: Document) -> Document:
    """A definition as a task of it has it: what is not overridden stays as it was."""
    changed = {o.get("name"): o for o in overrides.get("containerOverrides") or ()}
    task = {name: overrides[name] for name in OVERRIDABLE if overrides.get(name)}
    containers = [{**c, **changed.get(c["name"], {})} for c in document["containerDefinitions"]]
    return {**document, **task, "containerDefinitions": containers}


def task_size(document: Document) -> tuple[int, int]:
    """CPU units and MiB of a task: its own where stated, else its containers' together."""
    cpu, memory = document.get("cpu"), document.get("memory")
    containers = document["containerDefinitions"]
    return (
        cpu_units(cpu) if cpu else sum(c.get("cpu") or 0 for c in containers),
        mebibytes(memory) if memory else sum(map(_container_memory, containers)),
    )


def _container_memory(container: Mapping[str, Any]) -> int:
    return int(container.get("memoryReservation") or container.get("memory") or LEAST_MEMORY)


def host_ports(document: Document) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Fixed host ports, TCP and UDP, that the task takes from its instance."""
    if document.get("networkMode") == "awsvpc":
        return (), ()
    ports: dict[str, list[int]] = {"tcp": [], "udp": []}
    for container in document["containerDefinitions"]:
        for mapping in container.get("portMappings", ()):
            port = mapping.get("hostPort") or 0
            if not port and document.get("networkMode") == "host":
                port = mapping.get("containerPort") or 0
            if port:
                ports[mapping.get("protocol", "tcp")].append(port)
    return tuple(ports["tcp"]), tuple(ports["udp"])


@lru_cache(QUANTITIES)
def cpu_units(text: str) -> int:
    """`1024` or `1 vCPU` in CPU units; ValueError where it is neither."""
    return _quantity(text, {"vcpu": 1024})


@lru_cache(QUANTITIES)
def mebibytes(text: str) -> int:
    """`512`, `1GB` or `1 GB` in MiB; ValueError where it is neither."""
    return _quantity(text, {"gb": 1024, "mb": 1})


def _quantity(text: str, units: Mapping[str, int]) -> int:
    found = QUANTITY.fullmatch(str(text).strip().lower())
    if found is None or found["unit"] not in {"", *units}:
        raise ValueError(f"not a quantity: {text!r}")
    number, unit = found["number"], found["unit"]
    return round(float(number) * units[unit]) if unit else int(number)
