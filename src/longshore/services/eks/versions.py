"""The versions of Kubernetes that clusters may have."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from longshore.components.pins import KUBERNETES_RELEASES
from longshore.model import eks
from longshore.model.eks_platforms import PLATFORM
from longshore.services.eks.failures import invalid_parameter
from longshore.services.eks.pages import page
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import DescribeClusterVersionsRequestTypeDef

STATUS = "STANDARD_SUPPORT"
"""Of every version that there is. EKS spells it so in both members, whatever its model says."""
LARGEST = 9999


def minor_number(version: str) -> int:
    """35 of `1.35`."""
    return int(version.partition(".")[2])


NEWEST_FIRST = tuple(sorted(KUBERNETES_RELEASES, key=minor_number, reverse=True))


def checked_version(version: str | None, cluster: str) -> str:
    """The version asked for, the newest where none is; InvalidParameterException."""
    if version is None:
        return NEWEST_FIRST[0]
    if version not in KUBERNETES_RELEASES:
        raise invalid_parameter(f"unsupported Kubernetes version {version}", cluster)
    return version


def describe_cluster_versions(
    context: Context, request: "DescribeClusterVersionsRequestTypeDef"
) -> Response:
    """Dates are left out: those of AWS mean nothing here. A platform version is there once a
    cluster has been made of it. Without `includeAll` there is nothing else, either."""
    found = [version for version in NEWEST_FIRST if _is_wanted(version, request)]
    given, following = page(found, request, _descending)
    return {"clusterVersions": [_shape(context, version) for version in given], **following}


def _is_wanted(version: str, request: "DescribeClusterVersionsRequestTypeDef") -> bool:
    status = request.get("versionStatus") or request.get("status") or STATUS
    named = request.get("clusterVersions")
    return (
        request.get("clusterType", "eks") == "eks"
        and status.upper().replace("-", "_") == STATUS
        and (not named or version in named)
        and (not request.get("defaultOnly") or version == NEWEST_FIRST[0])
    )


def _descending(version: str) -> str:
    """A key for pages whose order is that of `NEWEST_FIRST`."""
    return f"{LARGEST - minor_number(version):04}"


def _shape(context: Context, version: str) -> dict[str, Any]:
    platform = context.tx.get(PLATFORM, eks.SYSTEM_ACCOUNT, "", version)
    known = {"defaultPlatformVersion": platform.value.name} if platform is not None else {}
    return {
        **known,
        "clusterVersion": version,
        "clusterType": "eks",
        "defaultVersion": version == NEWEST_FIRST[0],
        "status": STATUS,
        "versionStatus": STATUS,
        "kubernetesPatchVersion": KUBERNETES_RELEASES[version],
    }


OPERATIONS: Mapping[str, Operation] = {"DescribeClusterVersions": describe_cluster_versions}
