"""The agent capabilities that a task definition needs (`requiresAttributes`)."""

from collections.abc import Iterator, Mapping
from typing import Any

from longshore.services.ecs.definition_checks import ECR_HOST

Document = Mapping[str, Any]
DOCKER = "com.amazonaws.ecs.capability."
OWN = "ecs.capability."


def required_attributes(definition: Document) -> tuple[str, ...]:
    """Attribute names, in order, each once ("Container agent capabilities", agent's sources)."""
    names = [*_of_task(definition)]
    for container in definition["containerDefinitions"]:
        names += _of_container(container, definition)
    return tuple(dict.fromkeys(names))


def _of_task(definition: Document) -> Iterator[str]:
    if definition.get("taskRoleArn"):
        host = definition.get("networkMode") == "host"
        yield DOCKER + ("task-iam-role-network-host" if host else "task-iam-role")
    if definition.get("networkMode") == "awsvpc":
        yield OWN + "task-eni"
    if definition.get("pidMode") or definition.get("ipcMode"):
        yield OWN + "pid-ipc-namespace-sharing"
    if definition.get("cpu") or definition.get("memory"):
        yield OWN + "task-cpu-mem-limit"
    for volume in definition.get("volumes") or ():
        if volume.get("efsVolumeConfiguration"):
            yield OWN + "efs"
        driver = (volume.get("dockerVolumeConfiguration") or {}).get("driver")
        if driver:
            yield OWN + f"docker-plugin.{driver}"


def _of_container(container: Document, definition: Document) -> Iterator[str]:
    if container.get("privileged"):
        yield DOCKER + "privileged-container"
    yield from _of_image(container, definition)
    yield from _of_log(container.get("logConfiguration") or {}, definition)
    for secret in container.get("secrets") or ():
        kind = "asm" if ":secretsmanager:" in secret["valueFrom"] else "ssm"
        yield OWN + f"secrets.{kind}.environment-variables"
    if container.get("healthCheck"):
        yield OWN + "container-health-check"
    if container.get("dependsOn"):
        yield OWN + "container-ordering"
    if (container.get("restartPolicy") or {}).get("enabled"):
        yield OWN + "container-restart-policy"
    if container.get("environmentFiles"):
        yield OWN + "env-files.s3"
    firelens = container.get("firelensConfiguration")
    if firelens:
        yield OWN + f"firelens.{firelens['type']}"
    if any(mapping.get("containerPortRange") for mapping in container.get("portMappings") or ()):
        yield OWN + "network.container-port-range"


def _of_image(container: Document, definition: Document) -> Iterator[str]:
    if ECR_HOST.match(container["image"]):
        yield DOCKER + "ecr-auth"
        if definition.get("executionRoleArn"):
            yield OWN + "execution-role-ecr-pull"
    if container.get("repositoryCredentials"):
        yield OWN + "private-registry-authentication.secretsmanager"


def _of_log(log: Document, definition: Document) -> Iterator[str]:
    driver = log.get("logDriver")
    if driver:
        yield DOCKER + f"logging-driver.{driver}"
    if driver == "awslogs" and definition.get("executionRoleArn"):
        yield OWN + "execution-role-awslogs"
    for secret in log.get("secretOptions") or ():
        kind = "asm" if ":secretsmanager:" in secret["valueFrom"] else "ssm"
        yield OWN + f"secrets.{kind}.bootstrap.log-driver"
