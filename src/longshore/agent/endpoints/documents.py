"""Task and container metadata as JSON documents: pure.

Members are those of "Amazon ECS task metadata endpoint version 4" and "… version 3"; what has no
value is left out.
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from longshore.agent.docker import config_of, host_config_of
from longshore.agent.plan import check_command, labels
from longshore.agent.records import ContainerRecord, TaskRecord
from longshore.nodeapi import acs

Document = dict[str, Any]

NOT_IN_VERSION_3 = frozenset(
    {
        "VPCID",
        "ServiceName",
        "ClockDrift",
        "FaultInjectionEnabled",
        "ContainerARN",
        "LogDriver",
        "LogOptions",
        "RestartCount",
    }
)
V3_NETWORK = ("NetworkMode", "IPv4Addresses")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a document tells of the host: its zone, the ENI's VPC, and by container id where
    containers are on the bridge."""

    zone: str = ""
    vpc_id: str = ""
    bridge_addresses: Mapping[str, str] = field(default_factory=dict)


def task_document(record: TaskRecord, around: Surroundings) -> Document:
    """Version 4's `/task`; its clock drift and tags are added by who knows them."""
    task = record.task
    fargate = task.launch_type == "FARGATE"
    return _stated(
        {
            "Cluster": task.task_cluster_arn if fargate else _name(task.task_cluster_arn),
            "TaskARN": task.arn,
            "Family": task.family,
            "Revision": task.version,
            "DesiredStatus": record.desired,
            "KnownStatus": _known_status(record),
            "Limits": _stated({"CPU": task.cpu, "Memory": task.memory}),
            "PullStartedAt": timestamp(record.pull_started_at),
            "PullStoppedAt": timestamp(record.pull_stopped_at),
            "ExecutionStoppedAt": timestamp(record.execution_stopped_at),
            "AvailabilityZone": around.zone,
            "LaunchType": task.launch_type,
            "VPCID": "" if fargate else around.vpc_id,
            "ServiceName": "" if fargate else task.service_name,
            "Containers": [
                container_document(record, container, around)
                for container in record.containers.values()
            ],
        }
    ) | {"FaultInjectionEnabled": False}


def container_document(
    record: TaskRecord, container: ContainerRecord, around: Surroundings
) -> Document:
    """Version 4's document of one container."""
    stated = next(each for each in record.task.containers if each.name == container.name)
    found = _stated(
        {
            "DockerId": container.id,
            "Name": container.name,
            "DockerName": docker_name(record.task, container),
            "Image": stated.image,
            "ImageID": container.image_digest,
            "Ports": _ports(record.task, stated, container),
            "Labels": labels(record.task, stated),
            "DesiredStatus": record.desired,
            "KnownStatus": _container_status(record, container),
            "Limits": _stated({"CPU": stated.cpu, "Memory": stated.memory}),
            "CreatedAt": timestamp(container.created_at),
            "StartedAt": timestamp(container.started_at),
            "FinishedAt": timestamp(container.finished_at),
            "Type": "NORMAL",
            "Health": _health(stated, container),
            "Volumes": _volumes(record.task, stated),
            "ContainerARN": stated.container_arn,
            "Networks": [_network(record.task, container, around)],
        }
    )
    if container.exit_code is not None:
        found["ExitCode"] = container.exit_code
    if stated.restart_policy is not None and stated.restart_policy.enabled:
        found["RestartCount"] = container.restarts
    return found | _log(stated)


def version_3(document: Document) -> Document:
    """A version 4 document of a task or container, as version 3 shows it."""
    found = {name: value for name, value in document.items() if name not in NOT_IN_VERSION_3}
    if "Containers" in document:
        found["Containers"] = [version_3(each) for each in document["Containers"]]
    if "Networks" in document:
        found["Networks"] = [
            {name: network[name] for name in V3_NETWORK} for network in document["Networks"]
        ]
    return found


def docker_name(task: acs.Task, container: ContainerRecord) -> str:
    """The definition's name on Fargate, else one that no other container of the host has."""
    if task.launch_type == "FARGATE":
        return container.name
    mark = hashlib.sha256(container.id.encode()).hexdigest()[:20]
    return f"ecs-{task.family}-{task.version}-{container.name}-{mark}"


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, with microseconds; empty for 0, which stands for never."""
    if not seconds:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def association_names(task: acs.Task, container: str, kind: str) -> list[str]:
    """Names of a container's associations of one type (`elastic-inference`)."""
    return [str(each.get("name")) for each in _associations(task, container, kind)]


def association_value(task: acs.Task, container: str, kind: str, name: str) -> str | None:
    """What an association says, as the payload has it; None where there is no such one."""
    for each in _associations(task, container, kind):
        if each.get("name") == name:
            return str((each.get("content") or {}).get("value") or "")
    return None


def _associations(task: acs.Task, container: str, kind: str) -> Iterable[Mapping[str, Any]]:
    return (
        each
        for each in task.associations
        if each.get("type") == kind and container in (each.get("containers") or ())
    )


def _stated(members: Mapping[str, Any]) -> Document:
    return {name: value for name, value in members.items() if value not in ("", 0, None, [], {})}


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _known_status(record: TaskRecord) -> str:
    """Amazon's agent knows steps between PENDING and RUNNING."""
    if record.status != "PENDING":
        return record.status
    if any(container.created_at for container in record.containers.values()):
        return "CREATED"
    return "PULLED" if record.pull_stopped_at else "NONE"


def _container_status(record: TaskRecord, container: ContainerRecord) -> str:
    if container.status != "PENDING":
        return container.status
    if container.created_at:
        return "CREATED"
    return "PULLED" if record.pull_stopped_at else "NONE"


def _health(stated: acs.Container, container: ContainerRecord) -> Document:
    check = config_of(stated).healthcheck
    if check is None or not check_command(check.test):
        return {}
    return _stated({"status": container.health, "statusSince": timestamp(container.health_since)})


def _ports(task: acs.Task, stated: acs.Container, container: ContainerRecord) -> list[Document]:
    if container.bindings:
        return [
            {
                "ContainerPort": binding["containerPort"],
                "Protocol": binding["protocol"],
                "HostPort": binding["hostPort"],
                "HostIp": binding["bindIP"],
            }
            for binding in container.bindings
        ]
    return [
        {"ContainerPort": port.container_port, "Protocol": port.protocol}
        | ({"HostPort": port.container_port} if task.network_mode == "awsvpc" else {})
        for port in stated.port_mappings
        if port.container_port
    ]


def _volumes(task: acs.Task, stated: acs.Container) -> list[Document]:
    sources = {
        volume.name: volume.host.source_path if volume.host else "" for volume in task.volumes
    }
    return [
        _stated(
            {
                "DockerName": "" if sources.get(point.source_volume) else point.source_volume,
                "Source": sources.get(point.source_volume, ""),
                "Destination": point.container_path,
            }
        )
        for point in stated.mount_points
    ]


def _log(stated: acs.Container) -> Document:
    config = host_config_of(stated).log_config
    return _stated({"LogDriver": config.type, "LogOptions": dict(config.config or {})})


def _network(task: acs.Task, container: ContainerRecord, around: Surroundings) -> Document:
    mode = task.network_mode or "bridge"
    if mode != "awsvpc" or not task.elastic_network_interfaces:
        address = around.bridge_addresses.get(container.id)
        return {"NetworkMode": mode, "IPv4Addresses": [address] if address else []}
    interface = task.elastic_network_interfaces[0]
    return {
        "NetworkMode": mode,
        "IPv4Addresses": [each.private_address for each in interface.ipv4_addresses],
        "AttachmentIndex": 0,
        **_stated(
            {
                "MACAddress": interface.mac_address,
                "IPv4SubnetCIDRBlock": _subnet(interface.subnet_gateway_ipv4_address),
                "DomainNameServers": list(interface.domain_name_servers),
                "DomainNameSearchList": list(interface.domain_name),
                "PrivateDNSName": interface.private_dns_name,
                "SubnetGatewayIpv4Address": interface.subnet_gateway_ipv4_address,
            }
        ),
    }


def _subnet(gateway: str) -> str:
    """The subnet of `10.0.1.1/24`."""
    return str(ipaddress.ip_interface(gateway).network) if "/" in gateway else ""
