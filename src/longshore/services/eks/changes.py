"""What updates make of a cluster: the rules of UpdateClusterConfig and UpdateClusterVersion.

("Configure endpoint access", "Change authentication mode to use access entries", "View current
cluster upgrade policy", "Update existing cluster to new Kubernetes version" and "Rollback cluster
to previous Kubernetes version", Amazon EKS User Guide.)
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from longshore.components.pins import KUBERNETES_RELEASES
from longshore.model import eks
from longshore.model.eks_insights import VERSION_UPDATES
from longshore.model.errors import not_built
from longshore.services.eks.failures import invalid_parameter, invalid_request
from longshore.services.eks.logging import enabled_types
from longshore.services.eks.network import check_reachable, checked_public_cidrs
from longshore.services.eks.records import running_version
from longshore.services.eks.unbuilt import member
from longshore.services.eks.versions import checked_version, minor_number

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import UpdateClusterConfigRequestTypeDef

Path = tuple[str, ...]
UPGRADE, ROLLBACK = VERSION_UPDATES
LEAST_MINUTES, MOST_MINUTES = 120, 10_080
CONFIG: Mapping[str, tuple[Path, ...]] = {
    "AccessConfigUpdate": (("accessConfig", "authenticationMode"),),
    "AutoModeUpdate": (("computeConfig",), ("kubernetesNetworkConfig",), ("storageConfig",)),
    "ControlPlaneComponentConfigUpdate": (
        ("kubeApiServerConfig",),
        ("kubeControllerManagerConfig",),
        ("kubeSchedulerConfig",),
    ),
    "ControlPlaneEgressUpdate": (("resourcesVpcConfig", "controlPlaneEgressMode"),),
    "ControlPlaneScalingConfigUpdate": (("controlPlaneScalingConfig",),),
    "DeletionProtectionUpdate": (("deletionProtection",),),
    "EndpointAccessUpdate": (
        ("resourcesVpcConfig", "endpointPrivateAccess"),
        ("resourcesVpcConfig", "endpointPublicAccess"),
        ("resourcesVpcConfig", "publicAccessCidrs"),
    ),
    "LoggingUpdate": (("logging", "clusterLogging"),),
    "RemoteNetworkConfigUpdate": (("remoteNetworkConfig",),),
    "UpgradePolicyUpdate": (("upgradePolicy", "supportType"),),
    "VpcConfigUpdate": (
        ("resourcesVpcConfig", "securityGroupIds"),
        ("resourcesVpcConfig", "subnetIds"),
    ),
    "ZonalShiftConfigUpdate": (("zonalShiftConfig",),),
}
"""Types of updates, and the members of UpdateClusterConfig that ask for them."""
UNBUILT: Mapping[str, str] = {
    "AutoModeUpdate": "updates of EKS Auto Mode",
    "ControlPlaneComponentConfigUpdate": "options of clusters' control planes",
    "ControlPlaneEgressUpdate": "control planes whose egress the customer routes",
    "ControlPlaneScalingConfigUpdate": "provisioned control planes",
    "RemoteNetworkConfigUpdate": "hybrid nodes",
    "ZonalShiftConfigUpdate": "zonal shifts of clusters",
}
NEXT_MODE = {"CONFIG_MAP": "API_AND_CONFIG_MAP", "API_AND_CONFIG_MAP": "API"}
"""What a cluster's authentication mode may become."""


class Change(NamedTuple):
    """The cluster as it is to be, and the (type, value) that the update shows of it."""

    cluster: eks.Cluster
    params: tuple[tuple[str, str], ...]


def config_type(request: "UpdateClusterConfigRequestTypeDef") -> str:
    """The type of update that it asks for; NotImplemented, InvalidParameterException."""
    asked = [
        kind
        for kind, paths in CONFIG.items()
        if any(member(request, *path) is not None for path in paths)
    ]
    if not asked:
        raise invalid_parameter("Invalid type for cluster update.", request["name"])
    if len(asked) > 1:
        raise invalid_parameter("Only one type of update can be allowed.", request["name"])
    if asked[0] in UNBUILT:
        raise not_built(UNBUILT[asked[0]])
    return asked[0]


def version_type(cluster: eks.Cluster, status: eks.ClusterStatus | None, wanted: str) -> str:
    """The type of update that leads to this minor version."""
    back = wanted in KUBERNETES_RELEASES and minor_number(wanted) < minor_number(
        running_version(cluster, status)
    )
    return ROLLBACK if back else UPGRADE


def version_change(
    cluster: eks.Cluster, status: eks.ClusterStatus | None, version: str | None, before: str
) -> Change:
    """From minor version to minor version, none left out; back to the one `before` alone, which is
    empty where there is no way back."""
    runs, wanted = running_version(cluster, status), checked_version(version, cluster.name)
    step = minor_number(wanted) - minor_number(runs)
    if step not in {1, -1}:
        raise invalid_parameter(
            f"Unsupported Kubernetes minor version update from {runs} to {wanted}", cluster.name
        )
    if step == -1 and wanted != before:
        raise invalid_request(
            f"Cluster {cluster.name} cannot be rolled back from {runs} to {wanted}: it was not"
            " upgraded from there within the last 7 days",
            cluster.name,
        )
    platform = status.platform_version if status is not None else ""
    params = (("Version", wanted), ("PlatformVersion", platform))
    return Change(msgspec.structs.replace(cluster, version=wanted), params)


def check_rollback_config(request: Any, kind: str) -> None:
    """InvalidParameterException unless it is one, of a rollback: how long nodes of EKS Auto Mode
    may take. There are none here, so that it changes nothing (`RollbackConfig`)."""
    config = request.get("rollbackConfig")
    if config is None:
        return
    if kind != ROLLBACK:
        raise invalid_parameter("rollbackConfig is for version rollbacks alone", request["name"])
    minutes = config.get("timeoutMinutes", LEAST_MINUTES)
    if not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        raise invalid_parameter(
            f"timeoutMinutes must be between {LEAST_MINUTES} and {MOST_MINUTES}, not {minutes}",
            request["name"],
        )


def _endpoint_access(cluster: eks.Cluster, request: Any) -> Change:
    """What is not given stays; without any CIDR the endpoint is reached from everywhere."""
    asked = request["resourcesVpcConfig"]
    private = asked.get("endpointPrivateAccess", cluster.private_access)
    public = asked.get("endpointPublicAccess", cluster.public_access)
    check_reachable(public, private, cluster.name)
    cidrs = cluster.public_cidrs
    if "publicAccessCidrs" in asked:
        cidrs = checked_public_cidrs(asked["publicAccessCidrs"], cluster.name)
    before = (cluster.private_access, cluster.public_access, set(cluster.public_cidrs))
    if (private, public, set(cidrs)) == before:
        # The blank before the first comma is EKS's.
        raise _unchanged(
            cluster,
            f"endpointPrivateAccess: {_json(private)} , endpointPublicAccess: {_json(public)}, and"
            f" Public Endpoint Restrictions: [{', '.join(cluster.public_cidrs)}]",
        )
    params = (
        ("EndpointPublicAccess", _json(public)),
        ("EndpointPrivateAccess", _json(private)),
        ("PublicAccessCidrs", _json(cidrs)),
    )
    changed = msgspec.structs.replace(
        cluster, private_access=private, public_access=public, public_cidrs=cidrs
    )
    return Change(changed, params)


def _logging(cluster: eks.Cluster, request: Any) -> Change:
    asked = request["logging"]
    types = enabled_types(cluster.log_types, asked, cluster.name)
    if types == cluster.log_types:
        raise invalid_parameter("No changes needed for the logging config provided", cluster.name)
    changed = msgspec.structs.replace(cluster, log_types=types)
    return Change(changed, (("ClusterLogging", _json(asked)),))


def _access_config(cluster: eks.Cluster, request: Any) -> Change:
    """Towards access entries, one step at a time."""
    mode, wanted = cluster.authentication_mode, request["accessConfig"]["authenticationMode"]
    if NEXT_MODE.get(mode) != wanted:
        raise invalid_parameter(
            f"Unsupported authentication mode update from {mode} to {wanted}", cluster.name
        )
    changed = msgspec.structs.replace(cluster, authentication_mode=wanted)
    return Change(changed, (("AuthenticationMode", _json(wanted)),))


def _upgrade_policy(cluster: eks.Cluster, request: Any) -> Change:
    wanted = request["upgradePolicy"]["supportType"]
    if wanted == cluster.support_type:
        raise _unchanged(cluster, f"supportType: {wanted}")
    changed = msgspec.structs.replace(cluster, support_type=wanted)
    return Change(changed, (("UpgradePolicy", _json({"supportType": wanted})),))


def _deletion_protection(cluster: eks.Cluster, request: Any) -> Change:
    wanted = request["deletionProtection"]
    if wanted == cluster.deletion_protection:
        raise _unchanged(cluster, f"deletionProtection: {_json(wanted)}")
    changed = msgspec.structs.replace(cluster, deletion_protection=wanted)
    return Change(changed, (("DeletionProtection", _json(wanted)),))


def _unchanged(cluster: eks.Cluster, configuration: str) -> Exception:
    message = f"Cluster is already at the desired configuration with {configuration}"
    return invalid_parameter(message, cluster.name)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


CONFIG_CHANGES: Mapping[str, Callable[[eks.Cluster, Any], Change]] = {
    "AccessConfigUpdate": _access_config,
    "DeletionProtectionUpdate": _deletion_protection,
    "EndpointAccessUpdate": _endpoint_access,
    "LoggingUpdate": _logging,
    "UpgradePolicyUpdate": _upgrade_policy,
}
"""What the types that are built make of a cluster; InvalidParameterException where nothing."""
