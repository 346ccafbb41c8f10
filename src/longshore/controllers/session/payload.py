"""A task as an agent is told of it; pure."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from longshore.controllers.session.docker import docker_config
from longshore.model.ec2 import NetworkInterface
from longshore.model.ecs import ContainerStatus, Placement, Task, TaskDefinition
from longshore.nodeapi import acs
from longshore.scheduler.demand import LEAST_MEMORY
from longshore.vpc.zones import private_dns_name, private_domain

ECR_IMAGE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.")


@dataclass(frozen=True, slots=True)
class Beside:
    """A further ENI of a task, and the range of its subnet."""

    interface: NetworkInterface
    subnet_cidr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrounding:
    """What a payload needs to know besides the task: its region, subnet and resolver."""

    account: str
    region: str
    subnet_cidr: str = ""
    resolver: str = ""
    endpoint: str = ""
    beside: tuple[Beside, ...] = ()


def task_message(
    task: Task,
    definition: TaskDefinition,
    around: Surrounding,
    credentials: acs.RoleCredentials | None,
    execution_credentials: acs.RoleCredentials | None,
) -> acs.Task:
    """The task with all that its agent needs to run it."""
    document = definition.document
    stated = task.launch_type == "FARGATE" or document.get("cpu")
    bounded = task.launch_type == "FARGATE" or document.get("memory")
    statuses = {each.name: each for each in task.containers}
    return acs.Task(
        arn=task.arn,
        family=definition.family,
        version=str(definition.revision),
        desired_status=task.desired_status,
        network_mode=task.network_mode,
        cpu=task.cpu / 1024 if stated else 0.0,
        memory=task.memory if bounded else 0,
        ephemeral_storage=task.ephemeral_storage,
        pid_mode=document.get("pidMode") or "",
        ipc_mode=document.get("ipcMode") or "",
        group=task.group,
        service_name=task.service,
        launch_type=task.launch_type,
        role_credentials=credentials,
        execution_role_credentials=execution_credentials,
        elastic_network_interfaces=_interfaces(task, around),
        volumes=tuple(_volume(volume) for volume in document.get("volumes") or ()),
        containers=tuple(
            _container(each, statuses[each["name"]], task, around, bool(bounded))
            for each in document["containerDefinitions"]
        ),
        task_definition_account_id=around.account,
        task_cluster_arn=task.cluster_arn,
    )


def stop_message(task: Task) -> acs.Task:
    """All that a stop takes."""
    family, _, version = task.definition_arn.rpartition("/")[2].partition(":")
    return acs.Task(
        arn=task.arn,
        family=family,
        version=version,
        desired_status="STOPPED",
        task_cluster_arn=task.cluster_arn,
    )


def _interfaces(task: Task, around: Surrounding) -> tuple[acs.ElasticNetworkInterface, ...]:
    """The task's own first."""
    place = task.placement
    if place is None or not place.eni_id:
        return ()
    return (_interface(place, around), *map(_further, around.beside))


def _interface(place: Placement, around: Surrounding) -> acs.ElasticNetworkInterface:
    subnet = ipaddress.IPv4Network(around.subnet_cidr)
    head = f"arn:aws:ecs:{around.region}:{around.account}:attachment"
    return acs.ElasticNetworkInterface(
        attachment_arn=f"{head}/{place.attachment_id}",
        ec2_id=place.eni_id,
        mac_address=place.mac,
        ipv4_addresses=(acs.Ipv4Address(private_address=place.private_address),),
        subnet_gateway_ipv4_address=f"{subnet[1]}/{subnet.prefixlen}",
        domain_name_servers=(around.resolver,) if around.resolver else (),
        domain_name=(private_domain(around.region),),
        private_dns_name=private_dns_name(place.private_address, around.region),
    )


def _further(beside: Beside) -> acs.ElasticNetworkInterface:
    """What is no attachment of the task's, and gives it neither resolver nor name."""
    subnet = ipaddress.IPv4Network(beside.subnet_cidr)
    return acs.ElasticNetworkInterface(
        ec2_id=beside.interface.id,
        mac_address=beside.interface.mac,
        ipv4_addresses=(acs.Ipv4Address(private_address=beside.interface.private_address),),
        subnet_gateway_ipv4_address=f"{subnet[1]}/{subnet.prefixlen}",
    )


def _volume(volume: Mapping[str, Any]) -> acs.Volume:
    docker = volume.get("dockerVolumeConfiguration")
    if docker is not None:
        return acs.Volume(
            name=volume["name"],
            type="docker",
            docker_volume_configuration=acs.DockerVolume(
                scope=docker.get("scope") or "task",
                autoprovision=bool(docker.get("autoprovision")),
                driver=docker.get("driver") or "local",
                driver_opts=docker.get("driverOpts") or {},
                labels=docker.get("labels") or {},
            ),
        )
    if volume.get("efsVolumeConfiguration"):
        return acs.Volume(name=volume["name"], type="efs")
    path = (volume.get("host") or {}).get("sourcePath") or ""
    return acs.Volume(name=volume["name"], host=acs.HostVolume(source_path=path))


def _override(task: Task, name: str) -> Mapping[str, Any]:
    overrides: Iterable[Mapping[str, Any]] = task.overrides.get("containerOverrides") or ()
    return next((each for each in overrides if each.get("name") == name), {})


def _container(
    container: Mapping[str, Any],
    status: ContainerStatus,
    task: Task,
    around: Surrounding,
    bounded: bool,
) -> acs.Container:
    override = _override(task, container["name"])
    merged = {**container, **{key: value for key, value in override.items() if value}}
    soft = merged.get("memoryReservation") or 0
    least = 0 if bounded or soft else LEAST_MEMORY
    return acs.Container(
        name=container["name"],
        image=container["image"],
        cpu=merged.get("cpu") or 0,
        memory=merged.get("memory") or least,
        essential=container.get("essential", True),
        command=tuple(merged.get("command") or ()),
        entry_point=tuple(container["entryPoint"]) if container.get("entryPoint") else None,
        environment=_environment(container, override),
        environment_files=tuple(
            acs.EnvironmentFile(value=file["value"], type=file.get("type") or "s3")
            for file in merged.get("environmentFiles") or ()
        ),
        secrets=_secrets(container, around),
        port_mappings=tuple(map(_port, container.get("portMappings") or ())),
        mount_points=tuple(
            acs.MountPoint(
                source_volume=mount.get("sourceVolume") or "",
                container_path=mount.get("containerPath") or "",
                read_only=bool(mount.get("readOnly")),
            )
            for mount in container.get("mountPoints") or ()
        ),
        volumes_from=tuple(
            acs.VolumeFrom(
                source_container=source.get("sourceContainer") or "",
                read_only=bool(source.get("readOnly")),
            )
            for source in container.get("volumesFrom") or ()
        ),
        links=tuple(container.get("links") or ()),
        depends_on=tuple(
            acs.DependsOn(container_name=each["containerName"], condition=each["condition"])
            for each in container.get("dependsOn") or ()
        ),
        health_check_type="docker" if container.get("healthCheck") else "",
        start_timeout=container.get("startTimeout") or 0,
        stop_timeout=container.get("stopTimeout") or 0,
        restart_policy=_restart(container.get("restartPolicy")),
        registry_authentication=_registry(container, task, around),
        container_arn=status.id,
        docker_config=docker_config({**container, "memoryReservation": soft}, task, around.region),
    )


def _environment(container: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, str]:
    pairs = [*(container.get("environment") or ()), *(override.get("environment") or ())]
    return {pair["name"]: pair.get("value") or "" for pair in pairs if pair.get("name")}


def _secrets(container: Mapping[str, Any], around: Surrounding) -> tuple[acs.Secret, ...]:
    log = container.get("logConfiguration") or {}
    return (
        *(_secret(each, around, "CONTAINER") for each in container.get("secrets") or ()),
        *(_secret(each, around, "LOG_DRIVER") for each in log.get("secretOptions") or ()),
    )


def _secret(secret: Mapping[str, Any], around: Surrounding, target: str) -> acs.Secret:
    source = secret["valueFrom"]
    parts = source.split(":")
    return acs.Secret(
        name=secret["name"],
        value_from=source,
        provider="asm" if ":secretsmanager:" in source else "ssm",
        region=parts[3] if len(parts) > 5 else around.region,
        type="ENVIRONMENT_VARIABLE" if target == "CONTAINER" else "BOOTSTRAP",
        target=target,
    )


def _port(mapping: Mapping[str, Any]) -> acs.PortMapping:
    return acs.PortMapping(
        container_port=mapping.get("containerPort") or 0,
        container_port_range=mapping.get("containerPortRange") or "",
        host_port=mapping.get("hostPort") or 0,
        protocol=mapping.get("protocol") or "tcp",
    )


def _restart(policy: Mapping[str, Any] | None) -> acs.RestartPolicy | None:
    if policy is None:
        return None
    return acs.RestartPolicy(
        enabled=bool(policy.get("enabled")),
        ignored_exit_codes=tuple(policy.get("ignoredExitCodes") or ()),
        restart_attempt_period=policy.get("restartAttemptPeriod") or 300,
    )


def _registry(
    container: Mapping[str, Any], task: Task, around: Surrounding
) -> acs.RegistryAuthentication | None:
    secret = (container.get("repositoryCredentials") or {}).get("credentialsParameter")
    if secret:
        data = acs.AsmAuthData(credentials_parameter=secret, region=around.region)
        return acs.RegistryAuthentication(type="asm", asm_auth_data=data)
    match = ECR_IMAGE.match(container["image"])
    if match is None:
        return None
    return acs.RegistryAuthentication(
        type="ecr",
        ecr_auth_data=acs.EcrAuthData(
            registry_id=match[1],
            region=match[2],
            endpoint_override=around.endpoint,
            use_execution_role=bool(task.execution_role_arn),
        ),
    )
