"""Clusters: to make, describe, list and delete them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import eks
from longshore.model.eks_connected import CONNECTED_CLUSTER
from longshore.model.eks_platforms import FAILED, PATCH
from longshore.services.eks.connected import connected_shape
from longshore.services.eks.encryption import given_key, grant_to_cluster
from longshore.services.eks.entries import write_administrator
from longshore.services.eks.failures import (
    in_use,
    invalid_parameter,
    invalid_request,
    limit_exceeded,
)
from longshore.services.eks.fargate_records import profiles_of
from longshore.services.eks.logging import enabled_types
from longshore.services.eks.network import checked_network
from longshore.services.eks.nodegroup_records import nodegroups_of
from longshore.services.eks.pages import page
from longshore.services.eks.principals import caller
from longshore.services.eks.records import (
    API_MODES,
    cluster_named,
    connected_cluster,
    digest,
    status_of,
    update_in_progress,
)
from longshore.services.eks.requests import made_by
from longshore.services.eks.roles import EKS_SERVICE, check_trust, pass_role
from longshore.services.eks.tags import authorize_tags, checked_tags
from longshore.services.eks.unbuilt import check_built
from longshore.services.eks.versions import checked_version
from longshore.services.eks.view import cluster_shape, issue_shape, status_shown
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        CreateClusterRequestTypeDef,
        DeleteClusterRequestTypeDef,
        DescribeClusterRequestTypeDef,
        ListClustersRequestTypeDef,
    )

MOST_CLUSTERS = 100
"""In a region ("Amazon EKS service quotas", EKS User Guide)."""
ID_DIGITS = 32


def create_cluster(context: Context, request: "CreateClusterRequestTypeDef") -> Response:
    check_built(context, request)
    made = _made_before(context, request)
    if made is None:
        made = _cluster(context, request)
        context.tx.create(eks.CLUSTER, context.account, context.region, made.name, made)
        grant_to_cluster(context, made)
        creator = caller(context)
        if made.bootstrap_admin and made.authentication_mode in API_MODES and creator:
            write_administrator(context, made.name, creator)
    shape = _shape(context, made)
    # The other operations do not show it (API_CreateCluster and API_DescribeCluster, examples).
    return {"cluster": {**shape, "clientRequestToken": made.client_token}}


def _made_before(context: Context, request: "CreateClusterRequestTypeDef") -> eks.Cluster | None:
    """The cluster that the same call made; InvalidParameterException where another one did."""
    records = context.tx.scan(eks.CLUSTER, context.account, context.region)
    clusters = [record.value for record in records]
    made = made_by(clusters, request, request["name"])
    if made is not None:
        return made
    connected = connected_cluster(context, request["name"]) is not None
    if connected or any(cluster.name == request["name"] for cluster in clusters):
        raise in_use(f"Cluster already exists with name: {request['name']}", request["name"])
    if len(clusters) >= MOST_CLUSTERS:
        raise limit_exceeded(
            f"The limit of {MOST_CLUSTERS} clusters in a region is reached", request["name"]
        )
    return None


def _cluster(context: Context, request: "CreateClusterRequestTypeDef") -> eks.Cluster:
    name, role_arn = request["name"], request["roleArn"]
    arn = eks.cluster_arn(context.region, context.account, name)
    pass_role(context, role_arn, EKS_SERVICE)
    authorize_tags(context, arn, request)
    check_trust(context, role_arn, name, arn)
    access = request.get("accessConfig", {})
    mode = access.get("authenticationMode", "CONFIG_MAP")
    bootstrap = access.get("bootstrapClusterCreatorAdminPermissions", True)
    if mode == "CONFIG_MAP" and not bootstrap:
        raise invalid_parameter(
            "bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is"
            " set to CONFIG_MAP",
            name,
        )
    creator = caller(context)
    return eks.Cluster(
        name=name,
        arn=arn,
        id=context.ids.hex(ID_DIGITS).upper(),
        version=checked_version(request.get("version"), name),
        role_arn=role_arn,
        created_at=context.now,
        created_by=creator.arn if creator is not None else context.principal.arn,
        **checked_network(context, request)._asdict(),
        authentication_mode=mode,
        bootstrap_admin=bootstrap,
        support_type=request.get("upgradePolicy", {}).get("supportType", "EXTENDED"),
        self_managed_addons=request.get("bootstrapSelfManagedAddons", True),
        deletion_protection=request.get("deletionProtection", False),
        encryption_key=given_key(context, request.get("encryptionConfig"), name),
        log_types=enabled_types((), request.get("logging", {}), name),
        client_token=request.get("clientRequestToken", ""),
        request=digest(request),
        tags=checked_tags((), request.get("tags", {}), "InvalidParameterException"),
    )


def describe_cluster(context: Context, request: "DescribeClusterRequestTypeDef") -> Response:
    connected = connected_cluster(context, request["name"])
    if connected is not None:
        return {"cluster": connected_shape(connected)}
    return {"cluster": _shape(context, cluster_named(context, request["name"]))}


def list_clusters(context: Context, request: "ListClustersRequestTypeDef") -> Response:
    """Connected clusters of elsewhere too where `include` asks for them."""
    place, include = (context.account, context.region), request.get("include") or ()
    if any(each != "all" for each in include):
        raise invalid_parameter("The parameter include can only have the value all")
    names = [record.value.name for record in context.tx.scan(eks.CLUSTER, *place)]
    if include:
        names += [record.value.name for record in context.tx.scan(CONNECTED_CLUSTER, *place)]
    given, following = page(sorted(names), request, lambda name: name)
    return {"clusters": list(given), **following}


def delete_cluster(context: Context, request: "DeleteClusterRequestTypeDef") -> Response:
    """Only an active cluster is protected ("Protect EKS clusters from accidental deletion")."""
    name = request["name"]
    cluster = cluster_named(context, name)
    if cluster.deleted_at:
        raise in_use(f"Cluster {name} is already being deleted", name)
    _check_no_nodegroups(context, name)
    updating = update_in_progress(context, name) is not None
    status = status_shown(cluster, status_of(context, cluster), updating=updating)
    if status == "UPDATING":
        raise in_use(
            f"Cannot delete because cluster {name} currently has an update in progress", name
        )
    if cluster.deletion_protection and status == "ACTIVE":
        raise invalid_request(
            f"Cluster {name} cannot be deleted because deletion protection is enabled", name
        )
    deleted = msgspec.structs.replace(cluster, deleted_at=context.now)
    context.tx.put(eks.CLUSTER, context.account, context.region, name, deleted)
    return {"cluster": _shape(context, deleted)}


def _check_no_nodegroups(context: Context, cluster: str) -> None:
    nodegroups = nodegroups_of(context, cluster)
    if nodegroups:
        error = in_use("Cluster has nodegroups attached", cluster)
        error.members = {**error.members, "nodegroupName": nodegroups[0].name}
        raise error
    if profiles_of(context, cluster):
        raise in_use("Cluster has Fargate profiles attached", cluster)


def _shape(context: Context, cluster: eks.Cluster) -> dict[str, Any]:
    updating = update_in_progress(context, cluster.name) is not None
    shape = cluster_shape(cluster, status_of(context, cluster), updating=updating)
    failed = _failed_patch(context, cluster)
    if failed is not None and "health" in shape:
        shape["health"]["issues"].append(issue_shape(failed))
    return shape


def _failed_patch(context: Context, cluster: eks.Cluster) -> eks.Issue | None:
    """Why its control plane is not of the newest platform version, where it could not be."""
    record = context.tx.get(PATCH, context.account, context.region, cluster.name)
    if record is None or (record.value.id, record.value.state) != (cluster.id, FAILED):
        return None
    patch = record.value
    said = f"The control plane could not be brought to platform version {patch.platform}"
    why = f": {patch.reason}" if patch.reason else ""
    return eks.Issue("Other", f"{said}, and stays at {patch.before}{why}", (cluster.arn,))


OPERATIONS: Mapping[str, Operation] = {
    "CreateCluster": create_cluster,
    "DeleteCluster": delete_cluster,
    "DescribeCluster": describe_cluster,
    "ListClusters": list_clusters,
}
