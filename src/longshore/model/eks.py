"""What EKS keeps.

Records lie in the account and region that own them. Clusters and their statuses are named by the
cluster's name, access entries `<cluster>/<ARN of the principal>`, updates `<cluster>/<id>`. Times
are epoch seconds.

Writers: the API writes `Cluster` and `AccessEntry` and makes an `Update`; the cluster's controller
writes `ClusterStatus` and what becomes of an `Update`, and removes all of a cluster once its
deletion is through.
"""

import hashlib

import msgspec

from longshore.model.arn import make_arn
from longshore.model.kind import Kind

Tags = tuple[tuple[str, str], ...]

SYSTEM_ACCOUNT = "000000000001"
"""Longshore's own account, in which clusters' control planes run (docs/decisions/0103)."""
IMAGES_ACCOUNT = "602401143452"
"""The account whose registry has EKS's own images, as on AWS."""
POLICIES = "arn:aws:eks::aws:cluster-access-policy/"
"""What the ARNs of access policies begin with."""
ACCESS_POLICIES = (
    "AmazonEKSAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSSecretReaderPolicy",
    "AmazonEKSViewPolicy",
)
"""Names of the access policies that there are, in order."""
ASSOCIATE_ENCRYPTION = "AssociateEncryptionConfig"
"""The type of update by which a cluster gets a KMS key."""
ASSOCIATE_IDENTITY_PROVIDER = "AssociateIdentityProviderConfig"
DISASSOCIATE_IDENTITY_PROVIDER = "DisassociateIdentityProviderConfig"
"""The types by which it gets a provider of its users' identities, and loses it."""
LOG_STREAMS = {
    "api": "kube-apiserver",
    "audit": "kube-apiserver-audit",
    "authenticator": "authenticator",
    "controllerManager": "kube-controller-manager",
    "scheduler": "kube-scheduler",
}
"""Types of a control plane's logs, and what the names of their log streams begin with ("View the
control plane logs", Amazon EKS User Guide)."""


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster as it is asked for.

    `id` is what tells it from an earlier one of the same name: 32 capital hexadecimal digits, which
    its endpoint and its OIDC issuer begin with. `created_by` is the ARN of the IAM user or role
    that made it (a role's, not its session's).
    """

    name: str
    arn: str
    id: str
    version: str
    """Minor version of Kubernetes, as `1.35`."""
    role_arn: str
    created_at: float
    created_by: str
    vpc_id: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...] = ()
    public_access: bool = True
    private_access: bool = False
    public_cidrs: tuple[str, ...] = ("0.0.0.0/0",)
    service_cidr: str
    authentication_mode: str = "CONFIG_MAP"
    """API, API_AND_CONFIG_MAP or CONFIG_MAP."""
    bootstrap_admin: bool = True
    """Whether who made it is its administrator."""
    support_type: str = "EXTENDED"
    self_managed_addons: bool = True
    """Whether it begins with CoreDNS and kube-proxy, which then are its owner's to look after."""
    deletion_protection: bool = False
    encryption_key: str = ""
    """ARN of the KMS key that its secrets are encrypted with; empty where they are not."""
    log_types: tuple[str, ...] = ()
    """Keys of `LOG_STREAMS`, in their order: what of its control plane is logged."""
    client_token: str = ""
    request: str = ""
    """A digest of the request that made it: another one with the same token is refused."""
    tags: Tags = ()
    deleted_at: float = 0.0
    """When its deletion was asked for; 0 while it is not."""


class Issue(msgspec.Struct, frozen=True):
    """One of a cluster's health issues: a code of `ClusterIssueCode`, and what it is about."""

    code: str
    message: str
    resources: tuple[str, ...] = ()


class ClusterStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of a cluster. `status` is CREATING, ACTIVE or FAILED."""

    id: str
    """The cluster's `id`: a status is no other's."""
    status: str = "CREATING"
    version: str = ""
    """The minor version that runs; empty until one does."""
    endpoint: str = ""
    """URL of the API server; empty until it answers."""
    authority: str = ""
    """The certificate (PEM) that the endpoint's own is checked by."""
    issuer: str = ""
    """URL of the OIDC issuer of service accounts' tokens."""
    token_key: str = ""
    """The public key (PEM) that service accounts' tokens are verified with."""
    platform_version: str = ""
    security_group: str = ""
    """The cluster security group, in the user's VPC."""
    sealed_keys: str = ""
    """`longshore.kubernetes.Keys`, sealed for the cluster's ARN and id."""
    webhook_digest: str = ""
    """SHA-256 of what its API server says to `longshore.authenticator`, in hexadecimal digits."""
    bootstrapped: bool = False
    """Whether it has had its self-managed add-ons; the add-ons' controller writes it."""
    encryption_key: str = ""
    """ARN of the KMS key that the API server encrypts secrets with; empty where it does not."""
    rewritten_key: str = ""
    """The key that all secrets have been written with; `controllers/eks_encryption` writes it."""
    issues: tuple[Issue, ...] = ()


class AssociatedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """An access policy of an access entry; without namespaces it is good for the whole cluster."""

    arn: str
    namespaces: tuple[str, ...] = ()
    """Names, which may have `*` in them."""
    associated_at: float
    modified_at: float


class AccessEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What an IAM user or role is in a cluster.

    `username` may have `{{SessionName}}` and `{{SessionNameRaw}}` in it. `principal_id` is the
    unique id of the user or role when the entry was made: another one of the same ARN is not meant.
    """

    cluster: str
    principal_arn: str
    principal_id: str
    arn: str
    type: str = "STANDARD"
    username: str
    groups: tuple[str, ...] = ()
    policies: tuple[AssociatedPolicy, ...] = ()
    created_at: float
    modified_at: float
    client_token: str = ""
    request: str = ""
    """As a cluster's."""
    tags: Tags = ()


class UpdateError(msgspec.Struct, frozen=True):
    """Why an update failed: a code of `ErrorCode`."""

    code: str
    message: str
    resources: tuple[str, ...] = ()


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a cluster or of a part of it, which its record has in it from the first on.

    `status` is InProgress, Successful or Failed; `params` are (type, value) as the API shows them.
    """

    cluster: str
    nodegroup: str = ""
    addon: str = ""
    """Name of the node group or add-on that is changed; without either the cluster itself is."""
    id: str
    type: str
    params: tuple[tuple[str, str], ...]
    created_at: float
    status: str = "InProgress"
    errors: tuple[UpdateError, ...] = ()
    client_token: str = ""
    request: str = ""
    """As a cluster's."""

    @property
    def subject(self) -> tuple[str, str]:
        """(node group, add-on): what of the cluster is changed."""
        return self.nodegroup, self.addon


def cluster_arn(region: str, account: str, name: str) -> str:
    return make_arn("eks", region, account, f"cluster/{name}")


def log_group(cluster: str) -> str:
    """The log group of a cluster's control plane, in the cluster's account and region."""
    return f"/aws/eks/{cluster}/cluster"


def log_stream(cluster: Cluster, kind: str) -> str:
    """The log stream of one of the `LOG_STREAMS`; another cluster of the same name has another."""
    return f"{LOG_STREAMS[kind]}-{cluster.id.lower()}"


def encryption_grant(cluster: Cluster) -> str:
    """The id of the grant by which the cluster's role uses its `encryption_key`."""
    return hashlib.sha256(f"{cluster.arn}/{cluster.id}".encode()).hexdigest()


def update_name(cluster: str, update_id: str) -> str:
    """The name of an update's record."""
    return f"{cluster}/{update_id}"


def entry_name(cluster: str, principal_arn: str) -> str:
    """The name of an access entry's record."""
    return f"{cluster}/{principal_arn}"


CLUSTER = Kind("eks.cluster", Cluster)
CLUSTER_STATUS = Kind("eks.cluster-status", ClusterStatus)
ACCESS_ENTRY = Kind("eks.access-entry", AccessEntry)
UPDATE = Kind("eks.update", Update)
