"""What Amazon EC2 Auto Scaling keeps.

Records lie in the account and region that own them: groups are named by their name, their members
`<group>/<instance id>`, activities `<group>/<id>`, refreshes `<group>/<id>`, lifecycle hooks
`<group>:<name>`. Times are epoch seconds. Documents (`dict`) have the shapes of the API and are
never changed in place.

Writers: the API (and the controllers of what stands on groups, as EKS's node groups) writes
`AutoScalingGroup`, `LifecycleHook`, and of a `Member` what is asked of it and how its lifecycle
actions go; the group's controller the rest.
"""

from typing import Any

import msgspec

from longshore.model.arn import make_arn
from longshore.model.kind import Kind

Document = dict[str, Any]

ON_LAUNCH = "autoscaling:EC2_INSTANCE_LAUNCHING"
ON_TERMINATION = "autoscaling:EC2_INSTANCE_TERMINATING"
"""`LifecycleTransition` of hooks."""
PENDING = frozenset({"Pending", "Pending:Wait", "Pending:Proceed"})
TERMINATING = frozenset({"Terminating", "Terminating:Wait", "Terminating:Proceed"})
COUNTED = PENDING | {"InService"}
"""States of members that stand for desired capacity."""
MOST_WAITING_SECONDS = 172_800
"""48 hours ("LifecycleHook", Amazon EC2 Auto Scaling API Reference)."""


class GroupTag(msgspec.Struct, frozen=True):
    """A tag of a group; `propagate` gives it to the instances launched from then on."""

    key: str
    value: str = ""
    propagate: bool = False


class AutoScalingGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group as it is wanted.

    Instances are made of `launch_template` (a `LaunchTemplateSpecification`: `LaunchTemplateId`,
    `Version`) or of `mixed_instances` (a `MixedInstancesPolicy`), one of them.
    """

    name: str
    arn: str
    min_size: int
    max_size: int
    desired: int
    created_at: float
    launch_template: Document | None = None
    mixed_instances: Document | None = None
    subnets: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    """Availability Zones whose default subnets are used, where no subnets are given."""
    health_check_type: str = "EC2"
    health_check_grace_seconds: int = 0
    termination_policies: tuple[str, ...] = ("Default",)
    cooldown_seconds: int = 300
    protect_from_scale_in: bool = False
    capacity_rebalance: bool = False
    max_instance_lifetime: int = 0
    """Seconds; 0 for no limit."""
    maintenance_policy: Document | None = None
    suspended: tuple[tuple[str, str], ...] = ()
    """(process, reason)."""
    metrics: tuple[str, ...] = ()
    service_linked_role_arn: str = ""
    tags: tuple[GroupTag, ...] = ()
    default_warmup: int = -1
    """`DefaultInstanceWarmup` in seconds; -1 where there is none."""
    zone_distribution: str = "balanced-best-effort"
    """`CapacityDistributionStrategy`: whether another zone takes what one has no room for."""
    deletion_protection: str = "none"
    context: str = ""
    change: str = ""
    """What last changed the desired capacity, as a sentence of activities' causes; may be empty."""
    changed_at: float = 0.0
    deleted_at: float = 0.0
    """When its deletion was asked for; 0 while it is not."""


class LifecycleAction(msgspec.Struct, frozen=True, kw_only=True):
    """What one instance waits for, of one hook."""

    hook: str
    token: str
    """A UUID."""
    since: float
    heartbeat_at: float
    """When it began, or when its newest heartbeat came."""
    result: str = ""
    """CONTINUE or ABANDON once it has been completed."""


class LifecycleHook(msgspec.Struct, frozen=True, kw_only=True):
    """What instances of a group wait for when they are launched, or before they are terminated."""

    group: str
    name: str
    transition: str
    """`ON_LAUNCH` or `ON_TERMINATION`."""
    heartbeat_seconds: int = 3600
    default_result: str = "ABANDON"
    """CONTINUE or ABANDON: what becomes of an action that nobody completes in time."""
    metadata: str = ""

    @property
    def global_seconds(self) -> int:
        """For so long an instance waits at most, however often a heartbeat comes."""
        return min(MOST_WAITING_SECONDS, 100 * self.heartbeat_seconds)

    def deadline(self, action: LifecycleAction) -> float:
        """When the action times out; epoch seconds."""
        return min(action.heartbeat_at + self.heartbeat_seconds, action.since + self.global_seconds)


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """An instance of a group.

    `lifecycle` is one of `PENDING` or of `TERMINATING`, or InService, EnteringStandby, Standby or
    Detaching. `health` is Healthy or Unhealthy. `asked` is what the API wants of it: empty,
    `terminate`, `detach` or `standby`.
    """

    group: str
    instance_id: str
    instance_type: str
    zone: str
    launch_template: Document | None = None
    joined_at: float
    lifecycle: str = "Pending"
    health: str = "Healthy"
    protected: bool = False
    asked: str = ""
    replace: bool = True
    """Whether another one is to come for it when it is terminated as it was asked for."""
    cause: str = ""
    """Why it is to go, in the words of the activity."""
    in_service_at: float = 0.0
    """When it last became InService; 0 before."""
    instead_of: str = ""
    """The member that is to go once this one is ready; until then this one is beyond what is
    desired."""
    actions: tuple[LifecycleAction, ...] = ()
    """Lifecycle actions that it waits for, in Pending:Wait and Terminating:Wait."""
    done: tuple[str, ...] = ()
    """Names of hooks whose action is over before it is terminated: who asked for that has seen to
    it."""


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """A scaling activity, as DescribeScalingActivities shows it."""

    id: str
    group: str
    description: str
    cause: str
    started_at: float
    ended_at: float = 0.0
    status: str = "InProgress"
    """`ScalingActivityStatusCode`."""
    message: str = ""
    progress: int = 0
    details: str = ""
    instance_id: str = ""


class Refresh(msgspec.Struct, frozen=True, kw_only=True):
    """An instance refresh; `preferences` and `desired` (configuration) are the API's.

    `status` is Pending, InProgress, Successful, Failed, Cancelling, Cancelled, RollbackInProgress,
    RollbackSuccessful or RollbackFailed.
    """

    id: str
    group: str
    status: str = "Pending"
    reason: str = ""
    started_at: float
    ended_at: float = 0.0
    preferences: Document = {}
    desired: Document = {}
    before: Document = {}
    """What the group launched from when it began: a rollback goes back to it."""
    to_replace: tuple[str, ...] = ()
    """Instances that are still to be replaced."""
    total: int = 0
    strategy: str = "Rolling"
    moved_at: float = 0.0
    """When an instance was last replaced, or its replacements began; 0 before."""
    wait: bool = True
    """Whether a cancellation waits for the replacements that have begun."""
    rollback_at: float = 0.0
    """When its rollback began; 0 where none has."""
    rollback_reason: str = ""
    rolled_back_from: tuple[int, int] = (0, 0)
    """Per cent that were replaced, and instances that were left, when its rollback began."""

    @property
    def percentage(self) -> int:
        """How much of it has been done."""
        if self.status in {"Successful", "RollbackSuccessful"}:
            return 100
        done = self.total - len(self.to_replace)
        return done * 100 // self.total if self.total else 0


def rolled_back(refresh: Refresh, reason: str, now: float) -> Refresh:
    """The refresh as its rollback begins; the controller finds out what that is to replace."""
    return msgspec.structs.replace(
        refresh,
        status="RollbackInProgress",
        rollback_at=now,
        rollback_reason=reason,
        rolled_back_from=(refresh.percentage, len(refresh.to_replace)),
        moved_at=0.0,
    )


ACTIVE_REFRESHES = frozenset({"Pending", "InProgress", "Cancelling", "RollbackInProgress"})
"""States of refreshes that go on; a group has at most one such."""


def member_name(group: str, instance_id: str) -> str:
    """The name of a member's record; an activity's and a refresh's are made alike."""
    return f"{group}/{instance_id}"


def hook_name(group: str, name: str) -> str:
    """The name of a hook's record: slashes may be in both, a colon in none."""
    return f"{group}:{name}"


def is_suspended(group: AutoScalingGroup, process: str) -> bool:
    return any(name == process for name, _ in group.suspended)


def group_arn(region: str, account: str, group_id: str, name: str) -> str:
    """`group_id` is a UUID."""
    resource = f"autoScalingGroup:{group_id}:autoScalingGroupName/{name}"
    return make_arn("autoscaling", region, account, resource)


AUTO_SCALING_GROUP = Kind("autoscaling.group", AutoScalingGroup)
MEMBER = Kind(
    "autoscaling.member",
    Member,
    {"group": lambda value: [value.group], "instance": lambda value: [value.instance_id]},
)
ACTIVITY = Kind("autoscaling.activity", Activity, {"group": lambda value: [value.group]})
REFRESH = Kind("autoscaling.refresh", Refresh, {"group": lambda value: [value.group]})
LIFECYCLE_HOOK = Kind(
    "autoscaling.lifecycle-hook", LifecycleHook, {"group": lambda value: [value.group]}
)
