"""What CreateCluster can be asked for that is not built: it answers 501 rather than do less."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from longshore.model.errors import not_built
from longshore.services.interface import Context

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import CreateClusterRequestTypeDef

Asked = Callable[[Any], bool]


def member(request: Any, *path: str) -> Any:
    """The member of a member; None where any of them is absent."""
    for name in path:
        request = (request or {}).get(name)
    return request


def _has(*path: str) -> Asked:
    return lambda request: bool(member(request, *path))


def _is_other(usual: str, *path: str) -> Asked:
    return lambda request: member(request, *path) not in {None, usual}


UNBUILT: Mapping[str, Asked] = {
    "clusters on Outposts": _has("outpostConfig"),
    "hybrid nodes": _has("remoteNetworkConfig"),
    "EKS Auto Mode's compute": _has("computeConfig", "enabled"),
    "EKS Auto Mode's block storage": _has("storageConfig", "blockStorage", "enabled"),
    "EKS Auto Mode's load balancing": _has(
        "kubernetesNetworkConfig", "elasticLoadBalancing", "enabled"
    ),
    "EKS's Gateway API": _has("kubernetesNetworkConfig", "elasticLoadBalancing", "gatewayApi"),
    "zonal shifts of clusters": _has("zonalShiftConfig", "enabled"),
    "clusters with IPv6 addresses": _is_other("ipv4", "kubernetesNetworkConfig", "ipFamily"),
    "provisioned control planes": _is_other("standard", "controlPlaneScalingConfig", "tier"),
    "options of clusters' API servers": _has("kubeApiServerConfig"),
    "options of clusters' schedulers": _has("kubeSchedulerConfig"),
    "options of clusters' controller managers": _has("kubeControllerManagerConfig"),
    "control planes whose egress the customer routes": _is_other(
        "AWS_MANAGED", "resourcesVpcConfig", "controlPlaneEgressMode"
    ),
}
"""What it is, and whether a request asks for it."""


def check_built(context: Context, request: "CreateClusterRequestTypeDef") -> None:
    """NotImplemented where the request asks for what there is not."""
    if context.installation.runtime == "simulated":
        raise not_built("EKS with simulated containers")
    for what, asked in UNBUILT.items():
        if asked(request):
            raise not_built(what)
