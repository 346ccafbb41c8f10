"""Clusters: to make, describe, list and delete them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import eks
from longshore.services.eks.entries import write_administrator
from longshore.services.eks.failures import (
    in_use,
    invalid_parameter,
    invalid_request,
    limit_exceeded,
    token_reused,
)
from longshore.services.eks.fargate_records import profiles_of
from longshore.services.eks.network import checked_network
from longshore.services.eks.nodegroup_records import nodegroups_of
from longshore.services.eks.pages import page
from longshore.services.eks.principals import caller
from longshore.services.eks.records import (
    API_MODES,
    cluster_named,
    digest,
    status_of,
    update_in_progress,
)
from longshore.services.eks.roles import EKS_SERVICE, check_trust, pass_role
from longshore.services.eks.tags import authorize_tags, checked_tags
from longshore.services.eks.unbuilt import check_built
from longshore.services.eks.versions import checked_version
from longshore.services.eks.view import cluster_shape, status_shown
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
        creator = caller(context)
        if made.bootstrap_admin and made.authentication_mode in API_MODES and creator:
            write_administrator(context, made.name, creator)
    shape = _shape(context, made)
    # The other operations do not show it (API_CreateCluster and API_DescribeCluster, examples).
    return {"cluster": {**shape, "clientRequestToken": made.client_token}}


def _made_before(context: Context, request: "CreateClusterRequestTypeDef") -> eks.Cluster | None:
    """The cluster that the same call made; InvalidParameterException where another one did."""
    token = request.get("clientRequestToken")
    records = context.tx.scan(eks.CLUSTER, context.account, context.region)
    clusters = [record.value for record in records]
    for cluster in clusters:
        if token and cluster.client_token == token and not cluster.deleted_at:
            if cluster.request == digest(request):
                return cluster
            raise token_reused(request["name"])
    if any(cluster.name == request["name"] for cluster in clusters):
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
        client_token=request.get("clientRequestToken", ""),
        request=digest(request),
        tags=checked_tags((), request.get("tags", {}), "InvalidParameterException"),
    )


def describe_cluster(context: Context, request: "DescribeClusterRequestTypeDef") -> Response:
    return {"cluster": _shape(context, cluster_named(context, request["name"]))}


def list_clusters(context: Context, request: "ListClustersRequestTypeDef") -> Response:
    """Connected clusters of elsewhere, which `include` asks for, do not exist here."""
    records = context.tx.scan(eks.CLUSTER, context.account, context.region)
    given, following = page([record.value.name for record in records], request, lambda name: name)
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
    return cluster_shape(cluster, status_of(context, cluster), updating=updating)


OPERATIONS: Mapping[str, Operation] = {
    "CreateCluster": create_cluster,
    "DeleteCluster": delete_cluster,
    "DescribeCluster": describe_cluster,
    "ListClusters": list_clusters,
}
