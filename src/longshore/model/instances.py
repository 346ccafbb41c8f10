"""EC2 instances, and what they are made from.

Records lie in the account and region that own them, named by their id (`i-…`, `lt-…`). Times are
epoch seconds. Documents (`dict`) have the shapes of the API and are never changed in place.

Writers: the API and Auto Scaling write `Instance` (what is wanted of it), the instance's controller
`InstanceStatus` (what has become of it) and removes both when a terminated one is forgotten.
"""

from typing import Any

import msgspec

from longshore.model.kind import Kind

Tags = tuple[tuple[str, str], ...]
Document = dict[str, Any]

SYSTEM_CLUSTER = "ec2"
"""The ECS cluster, of Longshore's own account, that instances' tasks are in (decision 0106)."""
FORGET_SECONDS = 3600.0
"""A terminated instance can be described for an hour ("Instance lifecycle")."""
STATE_CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}
"""`InstanceState`: what each state's code is."""
ENDED = frozenset({"shutting-down", "terminated"})


class MetadataOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the instance's metadata answer ("Configure instance metadata options")."""

    endpoint: str = "enabled"
    tokens: str = "required"
    """`required` (IMDSv2 alone) or `optional`."""
    hop_limit: int = 2
    instance_tags: str = "disabled"


class Reason(msgspec.Struct, frozen=True):
    """A `StateReason`."""

    code: str
    message: str


class FargateNode(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine of Longshore's own account is for, which one pod of an EKS cluster has alone
    (docs/decisions/0111). `account` is the cluster's, and its interface's."""

    account: str
    cluster: str
    cluster_id: str
    profile: str
    """Name of the Fargate profile."""
    profile_arn: str
    role_arn: str
    """The pod execution role."""
    name: str
    """The node's, as `fargate-ip-10-0-1-2.eu-west-1.compute.internal`."""
    cpu: int
    """CPU units of the pod; `Instance.memory` has its memory."""
    namespace: str
    pod: str
    pod_uid: str


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """An instance as it is wanted. Its addresses and security groups are its interface's."""

    id: str
    reservation_id: str
    launch_index: int = 0
    image_id: str
    instance_type: str
    vcpus: int
    memory: int
    """MiB."""
    vpc_id: str
    subnet_id: str
    zone: str
    interface_id: str
    """Its primary interface, which its subnet's account and region own."""
    private_address: str
    """The primary interface's, also after that is gone."""
    launched_at: float
    key_name: str = ""
    public_key: str = ""
    """The key pair's, in OpenSSH's form; it stays where the key pair goes."""
    user_data: str = ""
    """Base64, as the API has it."""
    profile_arn: str = ""
    profile_id: str = ""
    profile_association_id: str = ""
    metadata: MetadataOptions = MetadataOptions()
    shutdown_behavior: str = "stop"
    """`stop` or `terminate`: what a shutdown from inside does."""
    termination_protection: bool = False
    stop_protection: bool = False
    detailed_monitoring: bool = False
    ebs_optimized: bool = False
    credits: str = ""
    """`standard` or `unlimited`; empty where the type has none."""
    spot: bool = False
    root_volume_id: str = ""
    root_volume_gib: int = 8
    root_volume: Document = {}
    """What was asked of it: `VolumeType`, `Iops`, `Throughput`."""
    volume_tags: Tags = ()
    public_address: bool = False
    """Whether it was launched with a public address, and gets one at each start."""
    client_token: str = ""
    tags: Tags = ()

    wanted: str = "running"
    """`running`, `stopped` or `terminated`."""
    wanted_at: float = 0.0
    reason: Reason | None = None
    """Why it is to be stopped or terminated."""
    reboots: int = 0
    """How often a reboot was asked for."""
    fargate: FargateNode | None = None
    """Where it is no EC2 instance of anybody's: what it is instead."""

    def interface_account(self, own: str) -> str:
        """The account of its interface; `own` is that of its record."""
        return self.fargate.account if self.fargate is not None else own


class InstanceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of an instance; without one it is pending."""

    state: str = "pending"
    """A key of `STATE_CODES`."""
    task_id: str = ""
    """The id of its newest task (`ecs.Task`, in the system account); empty before there is one."""
    boots: int = 0
    """How many tasks it has had."""
    reboots: int = 0
    """Of `Instance.reboots`, how many are done."""
    running_since: float = 0.0
    impaired_since: float = 0.0
    """Since when its status check fails; 0 while it does not."""
    changed_at: float = 0.0
    reason: Reason | None = None


def state_of(instance: Instance, status: InstanceStatus | None) -> str:
    """The state that the API shows: what is wanted shows before it has been begun."""
    state = status.state if status is not None else "pending"
    if state == "terminated":
        return state
    if instance.wanted == "terminated":
        return "shutting-down"
    if instance.wanted == "stopped" and state not in {"stopping", "stopped"}:
        return "stopping"
    if instance.wanted == "running" and state == "stopped":
        return "pending"
    return state


class LaunchTemplateVersion(msgspec.Struct, frozen=True, kw_only=True):
    """`data` is a `RequestLaunchTemplateData`."""

    number: int
    data: Document
    created_at: float
    created_by: str
    description: str = ""
    client_token: str = ""


class LaunchTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """Versions in the order in which they were made; numbers are never used twice."""

    id: str
    name: str
    created_at: float
    created_by: str
    versions: tuple[LaunchTemplateVersion, ...]
    latest: int = 1
    default: int = 1
    counted: int = 1
    """The highest number that a version has had."""
    client_token: str = ""
    tags: Tags = ()


INSTANCE = Kind(
    "ec2.instance",
    Instance,
    {
        "subnet": lambda value: [value.subnet_id],
        "interface": lambda value: [value.interface_id],
        "vpc": lambda value: [value.vpc_id],
        "reservation": lambda value: [value.reservation_id],
    },
)
INSTANCE_STATUS = Kind("ec2.instance-status", InstanceStatus)
LAUNCH_TEMPLATE = Kind("ec2.launch-template", LaunchTemplate, {"name": lambda value: [value.name]})
