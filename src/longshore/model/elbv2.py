"""What Elastic Load Balancing (version 2) keeps: Network Load Balancers and what they forward to.

Records lie in the account and region that own them, each named by what its ARN ends with after the
type: load balancers `net/<name>/<id>`, listeners `net/<name>/<id>/<listener id>`, target groups
`<name>/<id>`. Times are epoch seconds. Attributes are those that were set; what the others are is
in `LOAD_BALANCER_ATTRIBUTES`, `TARGET_GROUP_ATTRIBUTES` and `LISTENER_ATTRIBUTES`.

Writers: the API and EKS's loop write load balancers, listeners and target groups (what is wanted);
the load balancers' controller writes `LoadBalancerStatus` and `TargetHealth`, takes targets out of
their groups once they have drained, and removes what is left of a deleted load balancer.
"""

import msgspec

from longshore.model.arn import make_arn
from longshore.model.kind import Kind

Tags = tuple[tuple[str, str], ...]
Attributes = dict[str, str]

SYSTEM_CLUSTER = "elb"
"""The ECS cluster, of Longshore's own account, that load balancers' tasks are in."""
INTERFACE_TYPE = "network_load_balancer"
"""Of the interfaces of load balancers; one without security groups lets everything pass."""
LOAD_BALANCER_ATTRIBUTES = {
    "deletion_protection.enabled": "false",
    "load_balancing.cross_zone.enabled": "false",
}
TARGET_GROUP_ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": "300",
    "preserve_client_ip.enabled": "false",
    "proxy_protocol_v2.enabled": "false",
    "stickiness.enabled": "false",
    "stickiness.type": "source_ip",
}
LISTENER_ATTRIBUTES = {"tcp.idle_timeout.seconds": "350"}


class LoadBalancer(msgspec.Struct, frozen=True, kw_only=True):
    """A Network Load Balancer as it is wanted: one interface in each of its subnets."""

    arn: str
    name: str
    id: str
    """Sixteen hexadecimal digits, as in its ARN."""
    dns_name: str
    scheme: str
    """`internet-facing` or `internal`."""
    vpc_id: str
    subnets: tuple[str, ...]
    """One in each of its Availability Zones."""
    addresses: tuple[tuple[str, str], ...] = ()
    """Private addresses that were chosen, by subnet."""
    security_groups: tuple[str, ...] = ()
    """None: everything passes."""
    attributes: Attributes = {}
    created_at: float
    tags: Tags = ()
    deleted_at: float = 0.0


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What a load balancer has in one of its subnets."""

    subnet_id: str
    zone: str
    interface_id: str
    private_address: str
    public_address: str = ""
    task_id: str = ""
    """Of its newest task, in the system account."""
    boots: int = 0
    """How many tasks it has had."""
    ready: bool = False
    """Whether it has answered with its newest configuration since that task began."""


class LoadBalancerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of a load balancer; named as it is."""

    state: str = "provisioning"
    """`provisioning`, `active`, `active_impaired` or `failed`."""
    reason: str = ""
    nodes: tuple[Node, ...] = ()


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A port of a load balancer, and the target group that its connections go to."""

    arn: str
    id: str
    load_balancer: str
    """The name of its record."""
    port: int
    protocol: str = "TCP"
    target_group: str
    """The name of its record."""
    attributes: Attributes = {}
    tags: Tags = ()


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """How targets are asked whether they are well; times in seconds."""

    protocol: str = "TCP"
    """TCP, HTTP or HTTPS."""
    port: str = "traffic-port"
    interval: int = 30
    timeout: int = 10
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    path: str = ""
    codes: str = ""
    """Of HTTP, as `200,300-399`."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """An instance or an address, with a port."""

    id: str
    port: int
    zone: str = ""
    """That was given, `all` for an address outside of the VPC; empty where it is looked up."""
    registered_at: float
    deregistered_at: float = 0.0

    @property
    def key(self) -> str:
        return f"{self.id}:{self.port}"


class TargetGroup(msgspec.Struct, frozen=True, kw_only=True):
    arn: str
    name: str
    id: str
    protocol: str = "TCP"
    port: int
    vpc_id: str
    target_type: str = "instance"
    """`instance` or `ip`."""
    health_check: HealthCheck = HealthCheck()
    attributes: Attributes = {}
    targets: tuple[Target, ...] = ()
    tags: Tags = ()


class Health(msgspec.Struct, frozen=True):
    """A `TargetHealth`; `reason` and `description` are empty for a healthy target."""

    state: str
    reason: str = ""
    description: str = ""


class TargetHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the targets of a group are, by their keys; named as the group."""

    targets: dict[str, Health] = {}


def load_balancer_name(name: str, load_balancer_id: str) -> str:
    """The name of a load balancer's record."""
    return f"net/{name}/{load_balancer_id}"


def target_group_name(name: str, group_id: str) -> str:
    """The name of a target group's record."""
    return f"{name}/{group_id}"


def elb_arn(region: str, account: str, kind: str, name: str) -> str:
    """The ARN of what has this name; `kind` is `loadbalancer`, `listener` or `targetgroup`."""
    return make_arn("elasticloadbalancing", region, account, f"{kind}/{name}")


def record_of(arn: str) -> tuple[str, str]:
    """(kind, name of the record) of an ARN; empty where it is none of these resources'."""
    resource = arn.split(":", 5)[-1] if arn.count(":") >= 5 else ""
    kind, _, name = resource.partition("/")
    return (kind, name) if kind in {"loadbalancer", "listener", "targetgroup"} else ("", "")


LOAD_BALANCER = Kind("elbv2.load-balancer", LoadBalancer, {"name": lambda value: [value.name]})
LOAD_BALANCER_STATUS = Kind("elbv2.load-balancer-status", LoadBalancerStatus)
LISTENER = Kind(
    "elbv2.listener",
    Listener,
    {
        "load-balancer": lambda value: [value.load_balancer],
        "target-group": lambda value: [value.target_group],
    },
)
TARGET_GROUP = Kind("elbv2.target-group", TargetGroup, {"name": lambda value: [value.name]})
TARGET_HEALTH = Kind("elbv2.target-health", TargetHealth)
