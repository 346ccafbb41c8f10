"""ACS, the command channel between ECS and its agents, as the Amazon ECS agent speaks it.

Structs are named as their frames' types; members are camelCase on the wire. What the protocol lacks
is in `own.py`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.nodeapi.frames import by_name
from longshore.nodeapi.own import (
    InstancesMessage,
    NetworkAckRequest,
    NetworkMessage,
    VolumesMessage,
    VolumesReport,
)


class Message(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What all messages and their parts have in common: camelCase, defaults left out."""


class RoleCredentials(Message, frozen=True, kw_only=True):
    """Temporary credentials of a task or execution role; `expiration` in RFC 3339."""

    credentials_id: str = ""
    role_arn: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""
    expiration: str = ""


class KeyValue(Message, frozen=True, kw_only=True):
    name: str = ""
    value: str = ""


class EnvironmentFile(Message, frozen=True, kw_only=True):
    value: str = ""
    type: str = "s3"


class Secret(Message, frozen=True, kw_only=True):
    """`provider` is `ssm` or `asm`; `target` `CONTAINER` or `LOG_DRIVER`."""

    name: str = ""
    value_from: str = ""
    provider: str = "ssm"
    region: str = ""
    type: str = "ENVIRONMENT_VARIABLE"
    target: str = "CONTAINER"
    container_path: str = ""


class PortMapping(Message, frozen=True, kw_only=True):
    container_port: int = 0
    container_port_range: str = ""
    host_port: int = 0
    protocol: str = "tcp"


class MountPoint(Message, frozen=True, kw_only=True):
    source_volume: str = ""
    container_path: str = ""
    read_only: bool = False


class VolumeFrom(Message, frozen=True, kw_only=True):
    source_container: str = ""
    read_only: bool = False


class DependsOn(Message, frozen=True, kw_only=True):
    """`condition` is START, COMPLETE, SUCCESS or HEALTHY."""

    container_name: str = ""
    condition: str = "START"


class RestartPolicy(Message, frozen=True, kw_only=True):
    """`restart_attempt_period` in seconds."""

    enabled: bool = False
    ignored_exit_codes: tuple[int, ...] = ()
    restart_attempt_period: int = 300


class EcrAuthData(Message, frozen=True, kw_only=True):
    registry_id: str = ""
    region: str = ""
    endpoint_override: str = ""
    use_execution_role: bool = True


class AsmAuthData(Message, frozen=True, kw_only=True):
    credentials_parameter: str = ""
    region: str = ""


class RegistryAuthentication(Message, frozen=True, kw_only=True):
    """`type` is `ecr` or `asm`."""

    type: str = "ecr"
    ecr_auth_data: EcrAuthData | None = None
    asm_auth_data: AsmAuthData | None = None


class DockerConfig(Message, frozen=True, kw_only=True):
    """`config` and `host_config` are Docker's JSON, as text."""

    config: str = ""
    host_config: str = ""
    version: str = ""


class ManagedAgent(Message, frozen=True, kw_only=True):
    name: str = ""
    properties: Mapping[str, str] = {}


class Container(Message, frozen=True, kw_only=True):
    """One container of a task. Times in seconds, memory in MiB, CPU in units of 1/1024 vCPU."""

    name: str
    image: str
    cpu: int = 0
    memory: int = 0
    essential: bool = True
    command: tuple[str, ...] = ()
    entry_point: tuple[str, ...] | None = None
    environment: Mapping[str, str] = {}
    environment_files: tuple[EnvironmentFile, ...] = ()
    secrets: tuple[Secret, ...] = ()
    port_mappings: tuple[PortMapping, ...] = ()
    mount_points: tuple[MountPoint, ...] = ()
    volumes_from: tuple[VolumeFrom, ...] = ()
    links: tuple[str, ...] = ()
    depends_on: tuple[DependsOn, ...] = ()
    health_check_type: str = ""
    start_timeout: int = 0
    stop_timeout: int = 0
    restart_policy: RestartPolicy | None = None
    managed_agents: tuple[ManagedAgent, ...] = ()
    registry_authentication: RegistryAuthentication | None = None
    logs_auth_strategy: str = ""
    container_arn: str = ""
    docker_config: DockerConfig = DockerConfig()
    overrides: str = ""


class HostVolume(Message, frozen=True, kw_only=True):
    source_path: str = ""


class DockerVolume(Message, frozen=True, kw_only=True):
    scope: str = "task"
    autoprovision: bool = False
    driver: str = "local"
    driver_opts: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}


class Volume(Message, frozen=True, kw_only=True):
    """`type` is `host`, `docker` or `efs`; a host volume without a path is an empty one."""

    name: str = ""
    type: str = "host"
    host: HostVolume | None = None
    docker_volume_configuration: DockerVolume | None = None


class Ipv4Address(Message, frozen=True, kw_only=True):
    primary: bool = True
    private_address: str = ""


class ElasticNetworkInterface(Message, frozen=True, kw_only=True):
    """`ec2_id` is the ENI's id; the gateway's address carries the subnet's prefix length."""

    attachment_arn: str = ""
    ec2_id: str = ""
    mac_address: str = ""
    ipv4_addresses: tuple[Ipv4Address, ...] = ()
    subnet_gateway_ipv4_address: str = ""
    domain_name_servers: tuple[str, ...] = ()
    domain_name: tuple[str, ...] = ()
    private_dns_name: str = ""


class Task(Message, frozen=True, kw_only=True):
    """One task. `cpu` in vCPUs, `memory` in MiB, `ephemeral_storage` (Fargate's alone) in GiB;
    `overrides` is JSON text that holds a command."""

    arn: str
    family: str = ""
    version: str = ""
    desired_status: str = "RUNNING"
    overrides: str = "{}"
    network_mode: str = ""
    cpu: float = 0.0
    memory: int = 0
    ephemeral_storage: int = 0
    pid_mode: str = ""
    ipc_mode: str = ""
    group: str = ""
    service_name: str = ""
    launch_type: str = ""
    role_credentials: RoleCredentials | None = None
    execution_role_credentials: RoleCredentials | None = None
    elastic_network_interfaces: tuple[ElasticNetworkInterface, ...] = ()
    volumes: tuple[Volume, ...] = ()
    containers: tuple[Container, ...] = ()
    associations: tuple[Mapping[str, Any], ...] = ()
    attachments: tuple[Mapping[str, Any], ...] = ()
    task_definition_account_id: str = ""
    task_cluster_arn: str = ""


class PayloadMessage(Message, frozen=True, kw_only=True):
    """Tasks to run or to stop; `generated_at` in epoch milliseconds."""

    message_id: str
    cluster_arn: str
    container_instance_arn: str
    seq_num: int = 0
    generated_at: int = 0
    tasks: tuple[Task, ...] = ()


class HeartbeatMessage(Message, frozen=True, kw_only=True):
    message_id: str
    healthy: bool = True


class IAMRoleCredentialsMessage(Message, frozen=True, kw_only=True):
    """`role_type` is `TaskApplication` or `TaskExecution`."""

    message_id: str
    task_arn: str
    role_type: str
    role_credentials: RoleCredentials


class ManifestTask(Message, frozen=True, kw_only=True):
    task_arn: str
    desired_status: str
    task_cluster_arn: str = ""


class TaskManifestMessage(Message, frozen=True, kw_only=True):
    """Every task that this instance is to run: what it runs besides, it asks about."""

    message_id: str
    cluster_arn: str
    container_instance_arn: str
    timeline: int
    tasks: tuple[ManifestTask, ...] = ()
    generated_at: int = 0


class TaskIdentifier(Message, frozen=True, kw_only=True):
    task_arn: str
    desired_status: str = "STOPPED"
    task_cluster_arn: str = ""


class TaskStopVerificationAck(Message, frozen=True, kw_only=True):
    """The tasks of the question that are to be stopped indeed."""

    message_id: str
    generated_at: int = 0
    stop_tasks: tuple[TaskIdentifier, ...] = ()


class AttachTaskNetworkInterfacesMessage(Message, frozen=True, kw_only=True):
    """`wait_timeout_ms`: how long the MAC may take to appear on the host."""

    message_id: str
    cluster_arn: str
    container_instance_arn: str
    task_arn: str
    task_cluster_arn: str = ""
    elastic_network_interfaces: tuple[ElasticNetworkInterface, ...] = ()
    wait_timeout_ms: int = 300_000
    generated_at: int = 0


class CloseMessage(Message, frozen=True, kw_only=True):
    message: str = ""


class ErrorMessage(Message, frozen=True, kw_only=True):
    message: str = ""


class AckRequest(Message, frozen=True, kw_only=True):
    """The agent has the message of this id."""

    cluster: str = ""
    container_instance: str = ""
    message_id: str


class NackRequest(Message, frozen=True, kw_only=True):
    cluster: str = ""
    container_instance: str = ""
    message_id: str
    reason: str = ""


class HeartbeatAckRequest(Message, frozen=True, kw_only=True):
    message_id: str


class IAMRoleCredentialsAckRequest(Message, frozen=True, kw_only=True):
    message_id: str
    credentials_id: str
    expiration: str = ""


class TaskStopVerificationMessage(Message, frozen=True, kw_only=True):
    """The agent's question: it runs these, and the manifest does not list them as RUNNING."""

    message_id: str
    stop_candidates: tuple[TaskIdentifier, ...] = ()


TO_AGENT = by_name(
    PayloadMessage,
    HeartbeatMessage,
    IAMRoleCredentialsMessage,
    TaskManifestMessage,
    TaskStopVerificationAck,
    AttachTaskNetworkInterfacesMessage,
    CloseMessage,
    ErrorMessage,
    NetworkMessage,
    InstancesMessage,
    VolumesMessage,
)
FROM_AGENT = by_name(
    AckRequest,
    NackRequest,
    HeartbeatAckRequest,
    IAMRoleCredentialsAckRequest,
    TaskStopVerificationMessage,
    NetworkAckRequest,
    VolumesReport,
)
