"""How the host makes itself known: RegisterContainerInstance, with what it has and can do."""

import itertools
import os
import platform
from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.agent.host import Host
from longshore.awsapi.client import Client
from longshore.base.files import replace_file
from longshore.base.logs import logger
from longshore.model.ecs import ZONE_ATTRIBUTE
from longshore.model.errors import AwsError
from longshore.nodeapi.own import HOST_ATTRIBUTE

FILE_NAME = "host.json"
MIB = 2**20
MEMORY_OF_THE_HOST = 512
"""MiB kept for the host itself (what `ECS_RESERVED_MEMORY` is to the Amazon ECS agent)."""
MEMORY_SHARE = 0.1
"""Never more than this part of a small machine's memory."""
HOST_PORTS = ("22", "2375", "2376", "51678", "51679")
"""Ports that no task may have, as the Amazon ECS agent registers them."""
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
DOCKER = "com.amazonaws.ecs.capability."
OWN = "ecs.capability."
CAPABILITIES = (
    *(f"{DOCKER}docker-remote-api.1.{minor}" for minor in range(17, 45)),
    *(f"{DOCKER}logging-driver.{driver}" for driver in ("awslogs", "json-file", "none")),
    *(
        DOCKER + name
        for name in (
            "ecr-auth",
            "privileged-container",
            "task-iam-role",
            "task-iam-role-network-host",
        )
    ),
    *(
        OWN + name
        for name in (
            "container-health-check",
            "container-ordering",
            "container-restart-policy",
            "docker-plugin.local",
            "ecr-endpoint",
            "execution-role-awslogs",
            "execution-role-ecr-pull",
            "full-sync",
            "increased-task-cpu-limit",
            "network.container-port-range",
            "pid-ipc-namespace-sharing",
            "private-registry-authentication.secretsmanager",
            "secrets.asm.bootstrap.log-driver",
            "secrets.asm.environment-variables",
            "secrets.ssm.bootstrap.log-driver",
            "secrets.ssm.environment-variables",
            "task-cpu-mem-limit",
            "task-eni",
        )
    ),
)

log = logger(__name__)


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who this host is, in `<home>/host.json`; it stays the same for as long as the data does."""

    host_id: str
    instance_arn: str = ""
    zone: str = ""
    """The Availability Zone that ECS put the container instance in."""


def load_identity(host: Host) -> Identity:
    """What was kept, or a new identity."""
    try:
        return msgspec.json.decode((host.home / FILE_NAME).read_bytes(), type=Identity)
    except (FileNotFoundError, msgspec.DecodeError):
        identity = Identity(host_id=f"host-{host.ids.hex(17)}")
        _keep(host, identity)
        return identity


def _keep(host: Host, identity: Identity) -> None:
    host.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(host.home / FILE_NAME, msgspec.json.encode(identity))


async def register(host: Host, identity: Identity) -> Identity:
    """Register until it works; the identity with the container instance's ARN and zone."""
    for attempt in itertools.count():
        try:
            async with host.client() as client:
                reply = await _register(client, host, identity)
            break
        except (AwsError, OSError) as error:
            log.info("registration will be tried again", error=str(error))
            if isinstance(error, AwsError) and error.code == "ClientException":
                # The instance was deregistered: the next registration is a new one.
                identity = msgspec.structs.replace(identity, instance_arn="")
            await host.clock.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
    instance = reply["containerInstance"]
    arn = str(instance["containerInstanceArn"])
    registered = msgspec.structs.replace(identity, instance_arn=arn, zone=_zone(instance))
    if registered != identity:
        _keep(host, registered)
    log.info("host registered", container_instance_arn=arn)
    return registered


def _zone(instance: Mapping[str, Any]) -> str:
    found = {each["name"]: each.get("value") for each in instance.get("attributes") or ()}
    return found.get(ZONE_ATTRIBUTE) or ""


async def _register(client: Client, host: Host, identity: Identity) -> dict[str, Any]:
    request: dict[str, Any] = {
        "cluster": host.cluster,
        "totalResources": resources(),
        "attributes": attributes(identity.host_id),
        "versionInfo": {"agentVersion": "1.105.1", "dockerVersion": "containerd"},
    }
    if identity.instance_arn:
        request["containerInstanceArn"] = identity.instance_arn
    return await client.call("ecs", "RegisterContainerInstance", request)


def resources() -> list[dict[str, Any]]:
    """What this machine has for tasks: CPU in units of 1/1024 vCPU, memory in MiB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB
    own = min(MEMORY_OF_THE_HOST, int(memory * MEMORY_SHARE))
    return [
        {"name": "CPU", "type": "INTEGER", "integerValue": (os.cpu_count() or 1) * 1024},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": memory - own},
        {"name": "PORTS", "type": "STRINGSET", "stringSetValue": list(HOST_PORTS)},
        {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []},
    ]


def attributes(host_id: str) -> list[dict[str, str]]:
    """What the agent can do ("Amazon ECS container instance attributes")."""
    machine = platform.machine()
    return [
        *({"name": name} for name in CAPABILITIES),
        {"name": "ecs.os-type", "value": "linux"},
        {"name": "ecs.os-family", "value": "LINUX"},
        {"name": "ecs.cpu-architecture", "value": ARCHITECTURES.get(machine, machine)},
        {"name": HOST_ATTRIBUTE, "value": host_id},
    ]
