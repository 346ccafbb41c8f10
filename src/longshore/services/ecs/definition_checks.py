"""What RegisterTaskDefinition asks of the task as a whole, and for each launch type."""

import re
from collections.abc import Mapping
from typing import Any

from longshore.model.errors import AwsError
from longshore.model.fargate import FARGATE_SIZES
from longshore.scheduler.demand import cpu_units, mebibytes
from longshore.scheduler.query import QueryError, parse_query
from longshore.services.ecs.container_checks import (
    FARGATE_LOG_DRIVERS,
    check_containers,
    check_memory,
)
from longshore.services.ecs.naming import client_error, invalid

FAMILY = re.compile(r"[a-zA-Z0-9_-]{1,255}")
VOLUME = re.compile(r"[a-zA-Z0-9_.-]{1,255}")
ECR_HOST = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.")
EC2_CPU = (128, 196_608)
COMPATIBILITIES = frozenset({"EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"})
STORAGE = (21, 200)


def check_definition(definition: Mapping[str, Any]) -> None:
    """Raise AWS's ClientException or InvalidParameterException for what cannot be registered."""
    if not FAMILY.fullmatch(definition.get("family") or ""):
        raise client_error(
            "Invalid family. Up to 255 letters (uppercase and lowercase), numbers, underscores, "
            "and hyphens are allowed."
        )
    for compatibility in definition.get("requiresCompatibilities") or ():
        if compatibility not in COMPATIBILITIES:
            raise client_error(f"Invalid requires compatibility '{compatibility}'.")
    _check_size(definition)
    _check_volumes(definition)
    check_containers(definition)
    _check_limits(definition)
    _check_constraints(definition)
    if "FARGATE" in (definition.get("requiresCompatibilities") or ()):
        check_fargate(definition)


def _check_size(definition: Mapping[str, Any]) -> None:
    for name, read in (("cpu", cpu_units), ("memory", mebibytes)):
        text = definition.get(name)
        if not text:
            continue
        try:
            value = read(text)
        except ValueError as error:
            raise client_error(f"Invalid '{name}' setting for task.") from error
        if name == "cpu" and not EC2_CPU[0] <= value <= EC2_CPU[1]:
            raise client_error(f"Invalid 'cpu' setting for task. It must be at least {EC2_CPU[0]}.")
        if value < 1:
            raise client_error(f"Invalid '{name}' setting for task.")


def _check_volumes(definition: Mapping[str, Any]) -> None:
    names: set[str] = set()
    for volume in definition.get("volumes") or ():
        name = volume.get("name") or ""
        if not VOLUME.fullmatch(name):
            raise client_error(
                f"Invalid volume name '{name}'. Up to 255 letters (uppercase and lowercase), "
                "numbers, underscores, and hyphens are allowed."
            )
        if name in names:
            raise client_error(f"Volume names must be unique: '{name}' is used twice.")
        names.add(name)
        kinds = [member for member in volume if member.endswith("VolumeConfiguration")]
        if len(kinds) + bool((volume.get("host") or {}).get("sourcePath")) > 1:
            raise client_error(f"Volume '{name}' must have one configuration only.")
        path = (volume.get("host") or {}).get("sourcePath") or ""
        if path and not path.startswith("/") and "\\" not in path and ":" not in path:
            raise client_error(f"The host path of volume '{name}' must be absolute.")


def _check_limits(definition: Mapping[str, Any]) -> None:
    """Containers must fit into what the task states."""
    containers = definition["containerDefinitions"]
    if definition.get("memory"):
        total = mebibytes(definition["memory"])
        for container in containers:
            if (container.get("memory") or 0) > total:
                raise client_error(
                    f"The 'memory' setting for container '{container['name']}' is greater than for "
                    "the task."
                )
        if sum(c.get("memoryReservation") or 0 for c in containers) > total:
            raise client_error(
                "The total memory reservation of the containers should not be greater than the "
                "task's 'memory'."
            )
    if definition.get("cpu"):
        cpu = sum(c.get("cpu") or 0 for c in containers)
        if cpu > cpu_units(definition["cpu"]):
            raise client_error(
                "The total 'cpu' of the containers should not be greater than the task's 'cpu'."
            )


def _check_constraints(definition: Mapping[str, Any]) -> None:
    for constraint in definition.get("placementConstraints") or ():
        if constraint.get("type") != "memberOf":
            raise client_error("Invalid constraint type. Only memberOf is allowed.")
        check_expression(constraint.get("expression") or "")


def check_expression(expression: str) -> None:
    """InvalidParameterException where it is not in the cluster query language."""
    try:
        parse_query(expression)
    except QueryError as error:
        raise invalid(f"Invalid expression: {expression}") from error


def check_fargate(definition: Mapping[str, Any]) -> None:
    """What Fargate asks besides ("Task definition differences for Fargate")."""
    if definition.get("networkMode") != "awsvpc":
        raise client_error("Fargate only supports network mode ‘awsvpc’.")  # noqa: RUF001 - AWS's
    for name in ("cpu", "memory"):
        if not definition.get(name):
            raise client_error(f"Fargate requires that '{name}' be defined at the task level.")
    _check_fargate_size(definition)
    _check_unsupported(definition)
    for container in definition["containerDefinitions"]:
        _check_fargate_container(container, definition)


def _check_fargate_size(definition: Mapping[str, Any]) -> None:
    cpu, memory = cpu_units(definition["cpu"]), mebibytes(definition["memory"])
    if memory not in FARGATE_SIZES.get(cpu, frozenset()):
        raise client_error(
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See "
            "the Amazon ECS documentation for the valid values."
        )
    storage = (definition.get("ephemeralStorage") or {}).get("sizeInGiB")
    if storage is not None and not STORAGE[0] <= storage <= STORAGE[1]:
        raise client_error(
            f"Ephemeral storage must be between {STORAGE[0]} and {STORAGE[1]} GiB on Fargate."
        )


def check_sizes(definition: Mapping[str, Any], launch_type: str) -> None:
    """Task and containers fit together, as overrides may have changed them; raises as above."""
    _check_size(definition)
    for container in definition["containerDefinitions"]:
        check_memory(container, definition)
    _check_limits(definition)
    if launch_type == "FARGATE":
        _check_fargate_size(definition)


def _check_unsupported(definition: Mapping[str, Any]) -> None:
    if definition.get("placementConstraints"):
        raise client_error("Placement constraints are not supported with Fargate.")
    for mode in ("ipcMode", "inferenceAccelerators"):
        if definition.get(mode):
            raise client_error(f"Fargate compatible task definitions do not support {mode}")
    if definition.get("pidMode") == "host":
        raise client_error("Fargate compatible task definitions do not support pidMode 'host'")
    for volume in definition.get("volumes") or ():
        if volume.get("dockerVolumeConfiguration"):
            raise client_error("Fargate compatible task definitions do not support docker volumes")
        if (volume.get("host") or {}).get("sourcePath"):
            raise client_error("Fargate compatible task definitions do not support sourcePath")


UNSUPPORTED = ("links", "privileged", "disableNetworking", "dockerSecurityOptions", "extraHosts")
UNSUPPORTED_LINUX = ("devices", "sharedMemorySize", "tmpfs", "maxSwap", "swappiness")


def _check_fargate_container(container: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    for member in UNSUPPORTED:
        if container.get(member):
            raise client_error(f"Fargate compatible task definitions do not support {member}")
    linux = container.get("linuxParameters") or {}
    for member in UNSUPPORTED_LINUX:
        if linux.get(member):
            raise client_error(f"Fargate compatible task definitions do not support {member}")
    added = set((linux.get("capabilities") or {}).get("add") or ()) - {"SYS_PTRACE"}
    if added:
        raise client_error(
            f"Fargate compatible task definitions do not support capabilities: {sorted(added)}"
        )
    driver = (container.get("logConfiguration") or {}).get("logDriver")
    if driver and driver not in FARGATE_LOG_DRIVERS:
        raise client_error(
            f"Fargate compatible task definitions do not support log driver {driver}"
        )
    role = definition.get("executionRoleArn")
    if driver == "awslogs" and not role:
        raise client_error(
            "Fargate requires task definition to have execution role ARN to support log driver "
            "awslogs."
        )
    if ECR_HOST.match(container["image"]) and not role:
        raise client_error(
            "Fargate requires task definition to have execution role ARN to support ECR images."
        )
    if any(r.get("type") == "GPU" for r in container.get("resourceRequirements") or ()):
        raise client_error("Fargate compatible task definitions do not support GPU")


def compatibilities(definition: Mapping[str, Any]) -> tuple[str, ...]:
    """The launch types that a definition could be run with that `check_definition` let pass."""
    found = ["EC2"]
    if definition.get("networkMode") != "awsvpc":
        found.append("EXTERNAL")
    if "FARGATE" in (definition.get("requiresCompatibilities") or ()) or _fits_fargate(definition):
        found.append("FARGATE")
    return tuple(found)


def _fits_fargate(definition: Mapping[str, Any]) -> bool:
    try:
        check_fargate(definition)
    except AwsError:
        return False
    return True
