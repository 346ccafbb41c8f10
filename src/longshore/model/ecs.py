"""What ECS keeps.

Records lie in the account and region that own them. Clusters are named by their name, task
definitions `<family>:<revision, nine digits>`, tasks, services and container instances
`<cluster>/<id or name>`. Documents (`dict`) have the shapes of the API and are never changed in
place. CPU is in units of 1/1024 vCPU, memory in MiB, times in epoch seconds (0: not yet).

Writers: of a `Task`, RunTask (or the service's controller) writes what it is made with; StopTask,
services and the lifecycle write `desired_status` and `stop`, once; the placement controller
`placement`; the agent's reports `reported` and `containers`; the lifecycle controller the rest.
Of a service, the API writes `Service`, the deployment controller `ServiceStatus`.
"""

from typing import Any

import msgspec

from longshore.model.kind import Kind

Tags = tuple[tuple[str, str], ...]
Document = dict[str, Any]

CLIENT_TOKEN_SECONDS = 86_400.0
"""For so long a client token is remembered."""
ZONES_ATTRIBUTE = "longshore.zones"
ZONE_ATTRIBUTE = "ecs.availability-zone"


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is ACTIVE or INACTIVE (deleted, still described for a while)."""

    name: str
    arn: str
    status: str = "ACTIVE"
    settings: tuple[Document, ...] = ({"name": "containerInsights", "value": "disabled"},)
    configuration: Document = {}
    capacity_providers: tuple[str, ...] = ()
    default_strategy: tuple[Document, ...] = ()
    service_connect_defaults: Document = {}
    tags: Tags = ()


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """How far a family's revisions have counted; numbers are never used twice."""

    name: str
    last_revision: int


class TaskDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """`document` is the task definition as DescribeTaskDefinition shows it, less what is here.

    `status` is ACTIVE, INACTIVE or DELETE_IN_PROGRESS.
    """

    arn: str
    family: str
    revision: int
    document: Document
    compatibilities: tuple[str, ...]
    requires_attributes: tuple[str, ...]
    status: str = "ACTIVE"
    registered_at: float = 0.0
    registered_by: str = ""
    deregistered_at: float = 0.0
    delete_requested_at: float = 0.0
    tags: Tags = ()


class ContainerInstance(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is ACTIVE, DRAINING or INACTIVE. `host` and `zones` are set for our own agents'.

    `attributes` are the agent's (name, value or None), `custom_attributes` PutAttributes'.
    """

    id: str
    arn: str
    cluster: str
    cpu: int
    memory: int
    tcp_ports: tuple[int, ...] = ()
    udp_ports: tuple[int, ...] = ()
    attributes: tuple[tuple[str, str | None], ...] = ()
    custom_attributes: tuple[tuple[str, str | None], ...] = ()
    version_info: Document = {}
    status: str = "ACTIVE"
    ec2_instance_id: str = ""
    host: str = ""
    zones: tuple[str, ...] = ()
    registered_at: float = 0.0
    tags: Tags = ()


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a container instance's agent is there; named by the instance's ARN, in no account."""

    connected: bool
    since: float


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What one task holds of a container instance, and where its record is.

    Of a Fargate task, `cpu` is what it weighs (see `scheduler.demand`).
    """

    account: str
    region: str
    name: str
    cpu: int
    memory: int
    tcp_ports: tuple[int, ...] = ()
    udp_ports: tuple[int, ...] = ()
    group: str = ""


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """All claims on one container instance, by task ARN; named by the instance's ARN."""

    claims: dict[str, Claim] = {}


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """Why a task is to end: `code` is a stopCode, `reason` the stoppedReason."""

    code: str
    reason: str
    at: float


class TaskInterface(msgspec.Struct, frozen=True):
    """An ENI that is there before the task and after it, of this account."""

    account: str
    id: str


class TaskNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """awsvpcConfiguration; `public` None means what the subnet says."""

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...] = ()
    public: bool | None = None
    beside: tuple[TaskInterface, ...] = ()
    """Further ENIs, of other VPCs, that the task has beside its own (docs/decisions/0107)."""


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where a task is: the instance, the AZ, and the ENI with its attachment.

    `account` is the ENI's where that is not the task's own: `Task.interface`.
    """

    instance_arn: str
    zone: str
    host: str = ""
    eni_id: str = ""
    attachment_id: str = ""
    subnet_id: str = ""
    mac: str = ""
    private_address: str = ""
    account: str = ""


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent said of the whole task: `status` is empty, PENDING, RUNNING or STOPPED."""

    status: str = ""
    reason: str = ""
    attached: bool = False
    pull_started_at: float = 0.0
    pull_stopped_at: float = 0.0
    execution_stopped_at: float = 0.0
    at: float = 0.0


class ContainerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One container of a task."""

    id: str
    name: str
    image: str
    cpu: str = "0"
    memory: str = ""
    memory_reservation: str = ""
    essential: bool = True
    image_digest: str = ""
    runtime_id: str = ""
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str = ""
    health: str = "UNKNOWN"
    bindings: tuple[Document, ...] = ()


class Task(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    arn: str
    cluster: str
    cluster_arn: str
    definition_arn: str
    created_at: float
    launch_type: str
    """FARGATE, EC2 or EXTERNAL."""
    network_mode: str
    cpu: int = 0
    """What the placement reckons with."""
    memory: int = 0
    tcp_ports: tuple[int, ...] = ()
    udp_ports: tuple[int, ...] = ()
    cpu_text: str = ""
    """As DescribeTasks shows it; empty where the definition has no task-level CPU."""
    memory_text: str = ""
    group: str = ""
    service: str = ""
    deployment_id: str = ""
    started_by: str = ""
    capacity_provider: str = ""
    platform_version: str = ""
    platform_family: str = ""
    overrides: Document = {}
    network: TaskNetwork | None = None
    interface: TaskInterface | None = None
    """Of a task that is an EC2 instance (docs/decisions/0106): instead of one of its own."""
    constraints: tuple[Document, ...] = ()
    instance_arn: str = ""
    """Chosen by RunTask or StartTask (launch type EC2); empty for Fargate."""
    task_role_arn: str = ""
    execution_role_arn: str = ""
    task_credentials_id: str = ""
    execution_credentials_id: str = ""
    ephemeral_storage: int = 0
    """GiB."""
    execute_command: bool = False
    tags: Tags = ()
    protected_until: float = 0.0

    desired_status: str = "RUNNING"
    stop: Stop | None = None
    placement: Placement | None = None
    containers: tuple[ContainerStatus, ...] = ()
    reported: Reported = Reported()

    last_status: str = "PROVISIONING"
    started_at: float = 0.0
    stopping_at: float = 0.0
    stopped_at: float = 0.0
    version: int = 1

    @property
    def name(self) -> str:
        return f"{self.cluster}/{self.id}"

    @property
    def health(self) -> str:
        """Of the essential containers that have a health check."""
        states = {c.health for c in self.containers if c.essential}
        if "UNHEALTHY" in states:
            return "UNHEALTHY"
        return "HEALTHY" if "HEALTHY" in states and states <= {"HEALTHY"} else "UNKNOWN"


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """What one rollout of a service is to run. The last of a service is PRIMARY."""

    id: str
    definition_arn: str
    created_at: float
    launch_type: str = ""
    strategy: tuple[Document, ...] = ()
    platform_version: str = ""
    network: TaskNetwork | None = None


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is ACTIVE, DRAINING or INACTIVE."""

    name: str
    arn: str
    cluster: str
    cluster_arn: str
    desired_count: int
    created_at: float
    created_by: str
    deployments: tuple[Deployment, ...]
    status: str = "ACTIVE"
    scheduling: str = "REPLICA"
    minimum_percent: int = 100
    maximum_percent: int = 200
    circuit_breaker: bool = False
    rollback: bool = False
    grace_seconds: int = 0
    constraints: tuple[Document, ...] = ()
    placement_strategy: tuple[Document, ...] = ()
    propagate_tags: str = "NONE"
    managed_tags: bool = False
    execute_command: bool = False
    rebalancing: str = "DISABLED"
    tags: Tags = ()


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How one deployment goes; `retry_at` is when a failing one may start tasks again."""

    deployment_id: str
    rollout_state: str = "IN_PROGRESS"
    reason: str = ""
    updated_at: float = 0.0
    failed_tasks: int = 0
    consecutive_failures: int = 0
    retry_at: float = 0.0
    counted: tuple[str, ...] = ()
    """Ids of the dead tasks that are in the counts already."""


class ServiceEvent(msgspec.Struct, frozen=True):
    id: str
    at: float
    message: str


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Named as the service; events newest first, a hundred at most."""

    progress: tuple[Progress, ...] = ()
    events: tuple[ServiceEvent, ...] = ()
    steady: bool = False


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """An account setting, named `<principal ARN, or "default">/<setting>`."""

    name: str
    value: str
    principal_arn: str


class ClientToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a call with this client token made; named `<operation>/<token>`."""

    request: str
    """Digest of the request's other members."""
    arns: tuple[str, ...]
    at: float


CLUSTER = Kind("ecs.cluster", Cluster)
FAMILY = Kind("ecs.family", Family)
TASK_DEFINITION = Kind("ecs.task-definition", TaskDefinition)


def definition_name(family: str, revision: int) -> str:
    """The name of a task definition's record; names sort as revisions do."""
    return f"{family}:{revision:09d}"


def definition_of_arn(arn: str) -> str:
    """The name of the record of the task definition with this ARN."""
    family, _, revision = arn.rpartition("/")[2].partition(":")
    return definition_name(family, int(revision))


CONTAINER_INSTANCE = Kind(
    "ecs.container-instance",
    ContainerInstance,
    {"cluster": lambda value: [value.cluster] if value.status != "INACTIVE" else []},
)
CONNECTION = Kind("ecs.connection", Connection)
RESERVATION = Kind("ecs.reservation", Reservation)
BEGINNING = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})


def task_states(task: Task) -> list[str]:
    """Its cluster and its state, also with its launch type: what clusters count tasks by.

    What begins to run is PENDING; what is STOPPED is not counted.
    """
    if task.last_status == "STOPPED":
        return []
    state = "PENDING" if task.last_status in BEGINNING else task.last_status
    return [f"{task.cluster}/{state}", f"{task.cluster}/{state}/{task.launch_type}"]


def service_states(service: Service) -> list[str]:
    """Its cluster and status, also with the launch type of its newest deployment."""
    status, kind = service.status, service.deployments[-1].launch_type
    return [f"{service.cluster}/{status}", f"{service.cluster}/{status}/{kind}"]


TASK = Kind(
    "ecs.task",
    Task,
    {
        "service": lambda value: [f"{value.cluster}/{value.service}"] if value.service else [],
        "eni": lambda value: (
            [value.placement.eni_id] if value.placement and value.placement.eni_id else []
        ),
        "state": task_states,
    },
)
SERVICE = Kind("ecs.service", Service, {"state": service_states})
SERVICE_STATUS = Kind("ecs.service-status", ServiceStatus)
SETTING = Kind("ecs.setting", Setting)
CLIENT_TOKEN = Kind("ecs.client-token", ClientToken)
