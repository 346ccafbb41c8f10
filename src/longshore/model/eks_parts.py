"""What EKS's clusters have: node groups, Fargate profiles, add-ons, pod identity associations,
identity providers.

Records lie in the account and region of their cluster, named `<cluster>/<name>`; updates of them
`<cluster>/<id>` with the cluster's own (`eks.Update`). Times are epoch seconds. Documents (`dict`)
have the shapes of the API and are never changed in place.

Writers: the API writes `Nodegroup` and `Addon`, their controllers `NodegroupStatus` and
`AddonStatus`, and remove all of a part once its deletion is through.
"""

from typing import Any

import msgspec

from longshore.model.arn import make_arn
from longshore.model.eks import Issue
from longshore.model.kind import Kind

Tags = tuple[tuple[str, str], ...]
Document = dict[str, Any]


class Taint(msgspec.Struct, frozen=True):
    """`effect` is NO_SCHEDULE, NO_EXECUTE or PREFER_NO_SCHEDULE."""

    key: str
    value: str
    effect: str


class Nodegroup(msgspec.Struct, frozen=True, kw_only=True):
    """A managed node group as it is asked for."""

    cluster: str
    name: str
    arn: str
    id: str
    """A UUID, with which its ARN ends: what tells it from an earlier one of the same name."""
    version: str
    """Minor version of Kubernetes; of a custom AMI empty."""
    release_version: str
    """`<version>.<patch>-<date>`; of a custom AMI its image id."""
    created_at: float
    modified_at: float
    node_role: str
    subnets: tuple[str, ...]
    min_size: int
    max_size: int
    desired_size: int
    instance_types: tuple[str, ...] = ()
    """Empty where the launch template says."""
    ami_type: str = "AL2023_x86_64_STANDARD"
    capacity_type: str = "ON_DEMAND"
    disk_size: int = 20
    """GiB; 0 where the launch template says."""
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[Taint, ...] = ()
    launch_template: Document | None = None
    """The user's own: `id`, `name`, `version` (a number, as text)."""
    remote_access: Document | None = None
    max_unavailable: int = 1
    max_unavailable_percentage: int = 0
    """One of the two is not 0."""
    update_strategy: str = "DEFAULT"
    force_update: bool = False
    """Of the newest update: whether PodDisruptionBudgets may hold it up."""
    repair: Document = {}
    client_token: str = ""
    request: str = ""
    """As a cluster's."""
    tags: Tags = ()
    deleted_at: float = 0.0
    """When its deletion was asked for; 0 while it is not."""


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """A node whose pods are asked to leave, before its instance is terminated."""

    instance_id: str
    node: str
    since: float
    forced: bool = False
    """Whether pods that would not leave were deleted."""


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """How far an update of a node group's version is ("Understand each phase of node updates").

    `phase` is ScaleUp, Upgrade, or Failed; `desired` and `maximum` are what its Auto Scaling group
    had before, `since` when the last step forward was made.
    """

    update: str
    """The id of the update."""
    desired: int
    maximum: int
    since: float
    phase: str = "ScaleUp"
    drains: tuple[Drain, ...] = ()


class NodegroupStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of a node group. `status` is CREATING, ACTIVE, UPDATING, DELETING,
    CREATE_FAILED, DELETE_FAILED or DEGRADED; without a record it is CREATING."""

    id: str
    """The node group's `id`."""
    status: str = "CREATING"
    group: str = ""
    """Name of its Auto Scaling group; empty before there is one."""
    launch_template_id: str = ""
    """The launch template made for it."""
    version: str = ""
    release_version: str = ""
    """What its nodes run, once all do."""
    issues: tuple[Issue, ...] = ()
    software: str = ""
    """A digest of what says what nodes run: version, release, the user's template."""
    template_version: int = 0
    """The version of the launch template that was made last; 0 before any was."""
    current: int = 0
    """Nodes launched from earlier versions than this run something else."""
    access_entry: str = ""
    """ARN of the access entry that was made for its node role, by it or another node group."""
    rollout: Rollout | None = None
    """The newest update of its version, until it has succeeded."""
    repairs: tuple[Drain, ...] = ()
    """Nodes that are being replaced because they are not ready."""
    shrinking: tuple[Drain, ...] = ()
    """Nodes that go because the node group is to have fewer."""


class Addon(msgspec.Struct, frozen=True, kw_only=True):
    """A managed add-on as it is asked for."""

    cluster: str
    name: str
    arn: str
    id: str
    """A UUID, with which its ARN ends."""
    version: str
    """As `v1.35.4-eksbuild.1`."""
    created_at: float
    modified_at: float
    resolve_conflicts: str = "NONE"
    """Of the newest change: NONE, OVERWRITE or PRESERVE."""
    service_account_role_arn: str = ""
    configuration_values: str = ""
    """JSON or YAML, as given."""
    client_token: str = ""
    request: str = ""
    tags: Tags = ()
    deleted_at: float = 0.0
    preserve: bool = False
    """Of its deletion: whether what it installed stays."""


class AddonStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of an add-on. `status` is CREATING, ACTIVE, CREATE_FAILED, UPDATING,
    UPDATE_FAILED, DELETING, DELETE_FAILED or DEGRADED; without a record it is CREATING."""

    id: str
    status: str = "CREATING"
    version: str = ""
    """What is installed; empty before anything is."""
    applied: float = 0.0
    """The `modified_at` of the change that was applied last, or that could not be."""
    unready_since: float = 0.0
    """Since when its pods do not all run; 0 while they do."""
    issues: tuple[Issue, ...] = ()


class PodIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """An association of EKS Pod Identity: the role of the pods of one service account.

    Its record is named `<cluster>/<namespace>/<service account>`, since there is only one for each.
    The API writes it; what is an add-on's, the add-on's controller removes.
    """

    cluster: str
    namespace: str
    service_account: str
    arn: str
    id: str
    """`a-` and 17 lower-case letters and digits."""
    role_arn: str
    owner_arn: str = ""
    """Of the add-on that it was made with, and changes and goes with."""
    disable_session_tags: bool = False
    policy: str = ""
    """What sessions of the role are narrowed to (JSON); empty where they are not."""
    created_at: float
    modified_at: float
    client_token: str = ""
    request: str = ""
    tags: Tags = ()


class FargateSelector(msgspec.Struct, frozen=True):
    """Which pods are meant; the namespace, and labels' keys and values, may have `*` and `?`."""

    namespace: str
    labels: tuple[tuple[str, str], ...] = ()


class FargateProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A Fargate profile as it is asked for; nothing of it changes but its tags."""

    cluster: str
    name: str
    arn: str
    id: str
    """A UUID, with which its ARN ends."""
    created_at: float
    role_arn: str
    """The pod execution role."""
    subnets: tuple[str, ...]
    selectors: tuple[FargateSelector, ...]
    client_token: str = ""
    request: str = ""
    tags: Tags = ()
    deleted_at: float = 0.0


class FargateProfileStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of a Fargate profile. `status` is CREATING, ACTIVE, CREATE_FAILED or
    DELETE_FAILED; without a record it is CREATING."""

    id: str
    status: str = "CREATING"
    access_entry: str = ""
    """ARN of the access entry that was made for its role, by it or another profile."""
    issues: tuple[Issue, ...] = ()


class IdentityProvider(msgspec.Struct, frozen=True, kw_only=True):
    """An OpenID Connect provider whose users a cluster lets in, as it is asked for; a cluster has
    one at most. Its controller removes it once it is `deleted_at`."""

    cluster: str
    name: str
    arn: str
    id: str
    """A UUID, with which its ARN ends."""
    issuer: str
    """An https URL: `iss` of its tokens, to the letter."""
    client_id: str
    """What must be among their `aud`."""
    username_claim: str = "sub"
    username_prefix: str = ""
    """Empty for the usual one, `-` for none."""
    groups_claim: str = ""
    groups_prefix: str = ""
    required_claims: tuple[tuple[str, str], ...] = ()
    tags: Tags = ()
    deleted_at: float = 0.0


def part_name(cluster: str, name: str) -> str:
    """The name of the record of a cluster's node group or add-on."""
    return f"{cluster}/{name}"


def nodegroup_arn(region: str, account: str, cluster: str, name: str, part_id: str) -> str:
    return make_arn("eks", region, account, f"nodegroup/{cluster}/{name}/{part_id}")


def addon_arn(region: str, account: str, cluster: str, name: str, part_id: str) -> str:
    return make_arn("eks", region, account, f"addon/{cluster}/{name}/{part_id}")


def fargate_profile_arn(region: str, account: str, cluster: str, name: str, part_id: str) -> str:
    return make_arn("eks", region, account, f"fargateprofile/{cluster}/{name}/{part_id}")


def pod_identity_name(namespace: str, service_account: str) -> str:
    """The name of an association within its cluster (`part_name`)."""
    return f"{namespace}/{service_account}"


def pod_identity_arn(region: str, account: str, cluster: str, part_id: str) -> str:
    return make_arn("eks", region, account, f"podidentityassociation/{cluster}/{part_id}")


def identity_provider_arn(region: str, account: str, cluster: str, name: str, part_id: str) -> str:
    resource = f"identityproviderconfig/{cluster}/oidc/{name}/{part_id}"
    return make_arn("eks", region, account, resource)


NODEGROUP = Kind("eks.nodegroup", Nodegroup)
NODEGROUP_STATUS = Kind("eks.nodegroup-status", NodegroupStatus)
ADDON = Kind("eks.addon", Addon)
ADDON_STATUS = Kind("eks.addon-status", AddonStatus)
FARGATE_PROFILE = Kind("eks.fargate-profile", FargateProfile)
FARGATE_PROFILE_STATUS = Kind("eks.fargate-profile-status", FargateProfileStatus)
POD_IDENTITY = Kind("eks.pod-identity-association", PodIdentity)
IDENTITY_PROVIDER = Kind("eks.identity-provider", IdentityProvider)
