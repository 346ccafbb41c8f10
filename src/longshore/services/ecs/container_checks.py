"""What RegisterTaskDefinition asks of each container ("Task definition parameters")."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from longshore.services.ecs.naming import client_error, invalid

NAME = re.compile(r"[a-zA-Z0-9_-]{1,255}")
LEAST_MEMORY = 6
"""MiB ("memory": the Docker daemon reserves a minimum of 6 MiB)."""
ULIMITS = frozenset(
    (
        *("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile"),
        *("nproc", "rss", "rtprio", "rttime", "sigpending", "stack"),
    )
)
LOG_DRIVERS = frozenset(
    ["json-file", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "awsfirelens"]
)
FARGATE_LOG_DRIVERS = frozenset({"awslogs", "splunk", "awsfirelens"})
HEALTH_RANGES = {
    "interval": (5, 300),
    "timeout": (2, 120),
    "retries": (1, 10),
    "startPeriod": (0, 300),
}
DEPENDENCY_CONDITIONS = frozenset({"START", "COMPLETE", "SUCCESS", "HEALTHY"})
LONGEST_STOP_TIMEOUT = 120

Document = Mapping[str, Any]
Check = Callable[[Document, Document], None]
"""A check of one container in its task definition; raises AwsError."""


def check_containers(definition: Document) -> None:
    """Every check on every container, then those between containers."""
    containers = definition.get("containerDefinitions") or ()
    if not containers:
        raise client_error("Container list cannot be empty.")
    names: set[str] = set()
    for container in containers:
        for check in CHECKS:
            check(container, definition)
        if container["name"] in names:
            raise client_error("Container names within a task definition must be unique.")
        names.add(container["name"])
    if not any(container.get("essential", True) for container in containers):
        raise client_error("Task definition must contain at least one essential container.")
    _check_references(containers, names)
    _check_cycles(containers)


def _check_name(container: Document, definition: Document) -> None:
    if not container.get("name"):
        raise client_error("Container.name should not be null or empty.")
    if not NAME.fullmatch(container["name"]):
        raise client_error(
            "Container.name contains invalid characters. Up to 255 letters (uppercase and "
            "lowercase), numbers, underscores, and hyphens are allowed."
        )
    image = container.get("image") or ""
    if not image:
        raise client_error("Container.image should not be null or empty.")
    if len(image) > 255 or re.search(r"\s", image):
        raise client_error("Container.image contains invalid characters.")


def check_memory(container: Document, definition: Document) -> None:
    """Its limits, which the task's memory stands in for."""
    name = container["name"]
    hard, soft = container.get("memory"), container.get("memoryReservation")
    if hard is None and soft is None and not definition.get("memory"):
        raise client_error(
            f"Invalid setting for container '{name}'. At least one of 'memory' or "
            "'memoryReservation' must be specified."
        )
    for setting, value in (("memory", hard), ("memoryReservation", soft)):
        if value is not None and value < LEAST_MEMORY:
            raise client_error(
                f"Invalid setting for container '{name}'. "
                f"'{setting}' must be greater than or equal to {LEAST_MEMORY}."
            )
    if hard is not None and soft is not None and soft > hard:
        raise client_error(
            f"Invalid setting for container '{name}'. "
            "'memory' must be greater than or equal to 'memoryReservation'."
        )
    if (container.get("cpu") or 0) < 0:
        raise client_error(f"Invalid setting for container '{name}'. 'cpu' must not be negative.")


def _check_ports(container: Document, definition: Document) -> None:
    mode = definition.get("networkMode") or "bridge"
    # Published definitions for EC2 have other host ports with awsvpc; there they mean nothing.
    strict = mode == "host" or "FARGATE" in (definition.get("requiresCompatibilities") or ())
    seen: set[tuple[str, int]] = set()
    names: set[str] = set()
    for mapping in container.get("portMappings") or ():
        port, host = mapping.get("containerPort"), mapping.get("hostPort")
        _check_port_numbers(mapping, port, host)
        if strict and mode in {"awsvpc", "host"} and host not in {None, 0, port}:
            raise client_error(
                f"When networkMode={mode}, the host ports and container ports in port mappings "
                "must match."
            )
        key = (mapping.get("protocol") or "tcp", host or 0)
        if host and key in seen:
            raise client_error(
                f"The same host port {host} is mapped more than once in the container "
                f"'{container['name']}'."
            )
        seen.add(key)
        name = mapping.get("name")
        if name in names:
            raise client_error(f"Port mapping names must be unique. '{name}' is used twice.")
        names |= {name} if name else set()


def _check_port_numbers(mapping: Document, port: int | None, host: int | None) -> None:
    if mapping.get("containerPortRange"):
        if port is not None or host is not None:
            raise client_error(
                "containerPortRange cannot be specified together with containerPort or hostPort."
            )
        return
    if port is None or not 1 <= port <= 65535:
        raise client_error("Invalid 'containerPort' setting for container.")
    if host is not None and not 0 <= host <= 65535:
        raise client_error("Invalid 'hostPort' setting for container.")


def _check_mounts(container: Document, definition: Document) -> None:
    volumes = {volume.get("name") for volume in definition.get("volumes") or ()}
    paths: set[str] = set()
    for mount in container.get("mountPoints") or ():
        source, path = mount.get("sourceVolume") or "", mount.get("containerPath") or ""
        if source not in volumes:
            raise client_error(f"Unknown volume '{source}'.")
        if not path:
            raise client_error("Mount point container path should not be null or empty.")
        if path in paths:
            raise client_error(f"Duplicate mount point '{path}'.")
        paths.add(path)


def _check_ulimits(container: Document, definition: Document) -> None:
    for limit in container.get("ulimits") or ():
        if limit.get("name") not in ULIMITS:
            raise client_error(f"Invalid ulimit name '{limit.get('name')}'.")
        soft, hard = limit["softLimit"], limit["hardLimit"]
        if hard != -1 and (soft > hard or soft == -1):
            raise client_error(
                f"Ulimit '{limit['name']}': the soft limit must not be over the hard limit."
            )


def _check_health(container: Document, definition: Document) -> None:
    health = container.get("healthCheck")
    if health is None:
        return
    command = health.get("command") or []
    if not command:
        raise client_error("Container health check command should not be null or empty.")
    if command[0] not in {"CMD", "CMD-SHELL", "NONE"}:
        raise client_error("Container health check command must begin with CMD, CMD-SHELL or NONE.")
    for name, (low, high) in HEALTH_RANGES.items():
        value = health.get(name)
        if value is not None and not low <= value <= high:
            raise client_error(
                f"Invalid 'healthCheck.{name}' setting for container '{container['name']}'. "
                f"It must be between {low} and {high}."
            )


def _check_log(container: Document, definition: Document) -> None:
    log = container.get("logConfiguration")
    if log is None:
        return
    driver, options = log.get("logDriver"), log.get("options") or {}
    if driver not in LOG_DRIVERS:
        raise client_error(f"Unknown log driver '{driver}'.")
    if driver == "awslogs":
        for option in ("awslogs-group", "awslogs-region"):
            if not options.get(option):
                raise client_error(f"Log driver awslogs requires options: {option}")


def _check_secrets(container: Document, definition: Document) -> None:
    log = container.get("logConfiguration") or {}
    secrets = [*(container.get("secrets") or ()), *(log.get("secretOptions") or ())]
    names = [variable.get("name") for variable in container.get("environment") or ()]
    for secret in secrets:
        if not secret.get("name") or not secret.get("valueFrom"):
            raise client_error("Secret name and valueFrom should not be null or empty.")
    for secret in container.get("secrets") or ():
        if secret["name"] in names:
            raise client_error(
                "The secret name must be unique and not shared with any new or existing "
                f"environment variables set on the container, such as '{secret['name']}'."
            )
    if secrets and not definition.get("executionRoleArn"):
        raise client_error(
            "When you are specifying container secrets, you must also specify a value for "
            "'executionRoleArn'."
        )


def _check_environment(container: Document, definition: Document) -> None:
    for file in container.get("environmentFiles") or ():
        if not file["value"].endswith(".env"):
            raise client_error("Environment files must have the .env file extension.")


def _check_stop_timeout(container: Document, definition: Document) -> None:
    stop = container.get("stopTimeout")
    fargate = "FARGATE" in (definition.get("requiresCompatibilities") or ())
    if stop is not None and (stop < 0 or (fargate and stop > LONGEST_STOP_TIMEOUT)):
        raise client_error(
            f"Invalid 'stopTimeout' setting for container '{container['name']}'. "
            f"It must be between 0 and {LONGEST_STOP_TIMEOUT}."
        )


def _check_links(container: Document, definition: Document) -> None:
    mode = definition.get("networkMode") or "bridge"
    if container.get("links") and mode != "bridge":
        raise client_error(f"Links are not supported when networkMode={mode}.")
    if container.get("hostname") and mode == "awsvpc":
        raise client_error("The hostname parameter is not supported when networkMode=awsvpc.")


def _check_restart(container: Document, definition: Document) -> None:
    policy = container.get("restartPolicy")
    if policy is None:
        return
    period = policy.get("restartAttemptPeriod")
    if period is not None and not 60 <= period <= 1800:
        raise client_error("restartAttemptPeriod must be between 60 and 1800 seconds.")
    if len(policy.get("ignoredExitCodes") or ()) > 50:
        raise client_error("A maximum of 50 ignored exit codes can be specified.")


CHECKS: tuple[Check, ...] = (
    _check_name,
    check_memory,
    _check_ports,
    _check_mounts,
    _check_ulimits,
    _check_health,
    _check_log,
    _check_secrets,
    _check_environment,
    _check_stop_timeout,
    _check_links,
    _check_restart,
)


def _check_references(containers: Any, names: set[str]) -> None:
    health = {c["name"]: c.get("healthCheck") for c in containers}
    for container in containers:
        for source in container.get("volumesFrom") or ():
            if source.get("sourceContainer") not in names - {container["name"]}:
                raise client_error(
                    f"Unknown container '{source.get('sourceContainer')}' in volumesFrom."
                )
        for link in container.get("links") or ():
            if link.partition(":")[0] not in names:
                raise client_error(f"Unknown container '{link.partition(':')[0]}' in links.")
        for dependency in container.get("dependsOn") or ():
            _check_dependency(container, dependency, health)


def _check_dependency(container: Document, dependency: Document, health: Document) -> None:
    other, condition = dependency["containerName"], dependency["condition"]
    if other == container["name"]:
        raise client_error(f"Container '{other}' cannot depend on itself.")
    if other not in health:
        raise client_error(
            f"Container '{container['name']}' depends on container '{other}', which does not exist."
        )
    if condition not in DEPENDENCY_CONDITIONS:
        raise invalid(f"Unknown container dependency condition '{condition}'.")
    if condition == "HEALTHY" and not health[other]:
        raise client_error(
            f"Container '{container['name']}' requires container '{other}' to be HEALTHY, "
            "but it has no health check."
        )


def _check_cycles(containers: Any) -> None:
    """Links and volumesFrom order containers as dependsOn does."""
    waits = {
        c["name"]: {d["containerName"] for d in c.get("dependsOn") or ()}
        | {source["sourceContainer"] for source in c.get("volumesFrom") or ()}
        | {link.partition(":")[0] for link in c.get("links") or ()}
        for c in containers
    }
    while waits:
        free = {name for name, others in waits.items() if not others & waits.keys()}
        if not free:
            raise client_error(
                "Container dependencies form a cycle: " + ", ".join(sorted(waits)) + "."
            )
        waits = {name: others for name, others in waits.items() if name not in free}
