"""Updates of clusters: to ask for one; and to see what becomes of it, also of their parts' updates.

A cluster, and each of its parts, has one at a time. What it is to be is in its record at once; its
controller makes it so, and says whether the update succeeded.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from longshore.model import eks
from longshore.model.eks_insights import version_before
from longshore.services.eks.addon_records import addon_named
from longshore.services.eks.changes import (
    CONFIG_CHANGES,
    UPGRADE,
    Change,
    check_rollback_config,
    config_type,
    version_change,
    version_type,
)
from longshore.services.eks.entries import write_administrator
from longshore.services.eks.failures import in_use, invalid_request, not_found
from longshore.services.eks.insights import check_ready
from longshore.services.eks.nodegroup_records import check_nodegroups, nodegroup_named
from longshore.services.eks.pages import page
from longshore.services.eks.principals import known_principal
from longshore.services.eks.records import (
    API_MODES,
    CLUSTER_ITSELF,
    cluster_named,
    digest,
    running_version,
    status_of,
    update_in_progress,
    updates_of,
)
from longshore.services.eks.requests import check_active, made_by
from longshore.services.eks.vpc_changes import vpc_change
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        CancelUpdateRequestTypeDef,
        DescribeUpdateRequestTypeDef,
        ListUpdatesRequestTypeDef,
        UpdateClusterConfigRequestTypeDef,
        UpdateClusterVersionRequestTypeDef,
    )

ABSENT: Mapping[str, str] = {
    "capabilityName": "No capability found for name: {name}.",
}
"""What else has updates, of which there is none here, and EKS's words for that."""
Params = tuple[tuple[str, str], ...]
END_OF_TIME = 1e10


def update_cluster_version(
    context: Context, request: "UpdateClusterVersionRequestTypeDef"
) -> Response:
    """Insights of errors stand in the way, unless it is forced."""
    wanted = request["version"]
    cluster = cluster_named(context, request["name"])
    kind = version_type(cluster, status_of(context, cluster), wanted)
    check_rollback_config(request, kind)

    def change(cluster: eks.Cluster) -> Change:
        status = status_of(context, cluster)
        runs, updates = running_version(cluster, status), updates_of(context, cluster.name)
        before = version_before(updates, runs, context.now)
        found = version_change(cluster, status, wanted, before)
        if kind == UPGRADE:
            check_nodegroups(context, cluster.name, runs, wanted)
        if not request.get("force"):
            check_ready(context, cluster, kind, wanted)
        return found

    return change_cluster(context, request, kind, change)


def cancel_update(context: Context, request: "CancelUpdateRequestTypeDef") -> Response:
    """Only rollbacks of EKS Auto Mode clusters are cancelled on EKS, and only while their nodes go
    back: there are none of them here ("CancelUpdate", Amazon EKS API Reference)."""
    cluster, update_id = cluster_named(context, request["name"]).name, request["updateId"]
    update = _named_update(context, cluster, update_id)
    if update.status != "InProgress":
        raise invalid_request(f"Update {update_id} is not in progress", cluster)
    raise invalid_request(f"Updates of type {update.type} cannot be cancelled here", cluster)


def update_cluster_config(
    context: Context, request: "UpdateClusterConfigRequestTypeDef"
) -> Response:
    kind = config_type(request)

    def change(cluster: eks.Cluster) -> Change:
        if kind == "VpcConfigUpdate":
            return vpc_change(context, cluster, request)
        return CONFIG_CHANGES[kind](cluster, request)

    return change_cluster(context, request, kind, change)


def change_cluster(
    context: Context, request: Any, kind: str, change_of: Callable[[eks.Cluster], Change]
) -> Response:
    cluster = cluster_named(context, request["name"])
    update = made_before(context, cluster.name, CLUSTER_ITSELF, request)
    if update is None:
        _check_free(context, cluster, kind)
        change = change_of(cluster)
        update = begin(context, cluster.name, CLUSTER_ITSELF, request, kind, change.params)
        context.tx.put(eks.CLUSTER, context.account, context.region, cluster.name, change.cluster)
        if cluster.authentication_mode not in API_MODES:
            _have_administrator(context, change.cluster)
    return {"update": update_shape(update)}


def made_before(
    context: Context, cluster: str, subject: tuple[str, str], request: Any
) -> eks.Update | None:
    """The update that the same call made; InvalidParameterException where another one did."""
    return made_by(updates_of(context, cluster, subject), request, cluster)


def _check_free(context: Context, cluster: eks.Cluster, kind: str) -> None:
    name, other = cluster.name, update_in_progress(context, cluster.name)
    if other is not None:
        raise in_use(
            f"Cannot {kind} because cluster {name} currently has update {other.id} in progress",
            name,
        )
    check_active(context, cluster)


def begin(
    context: Context,
    cluster: str,
    subject: tuple[str, str],
    request: Any,
    kind: str,
    params: Params,
) -> eks.Update:
    """An update of the cluster or of a part of it (`Update.subject`), in progress from now on."""
    nodegroup, addon = subject
    update = eks.Update(
        cluster=cluster,
        nodegroup=nodegroup,
        addon=addon,
        id=context.ids.uuid(),
        type=kind,
        params=params,
        created_at=context.now,
        client_token=request.get("clientRequestToken", ""),
        request=digest(request),
    )
    name = eks.update_name(update.cluster, update.id)
    context.tx.create(eks.UPDATE, context.account, context.region, name, update)
    return update


def _have_administrator(context: Context, cluster: eks.Cluster) -> None:
    """Who made the cluster gets an entry with the first access entries.

    ("Grant IAM users access to Kubernetes with EKS access entries", Amazon EKS User Guide.)
    """
    if cluster.authentication_mode not in API_MODES or not cluster.bootstrap_admin:
        return
    creator = known_principal(context, cluster.created_by, cluster.name)
    if creator is not None:
        write_administrator(context, cluster.name, creator)


def describe_update(context: Context, request: "DescribeUpdateRequestTypeDef") -> Response:
    subject = _subject(context, request)
    cluster, update_id = request["name"], request["updateId"]
    update = _named_update(context, cluster, update_id)
    if update.subject != subject:
        raise not_found(f"No update found for ID: {update_id}", cluster)
    return {"update": update_shape(update)}


def _named_update(context: Context, cluster: str, update_id: str) -> eks.Update:
    name = eks.update_name(cluster, update_id)
    record = context.tx.get(eks.UPDATE, context.account, context.region, name)
    if record is None:
        raise not_found(f"No update found for ID: {update_id}", cluster)
    return record.value


def list_updates(context: Context, request: "ListUpdatesRequestTypeDef") -> Response:
    """Newest first; EKS promises no order."""
    subject = _subject(context, request)
    found = sorted(updates_of(context, request["name"], subject), key=_age)
    given, following = page(found, request, _age)
    return {"updateIds": [update.id for update in given], **following}


def _subject(context: Context, request: Any) -> tuple[str, str]:
    """Whose updates are meant (`Update.subject`); ResourceNotFoundException unless it is there."""
    cluster = cluster_named(context, request["name"]).name
    for what, message in ABSENT.items():
        if request.get(what):
            raise not_found(message.format(name=request[what], cluster=cluster), cluster)
    if request.get("nodegroupName"):
        return nodegroup_named(context, cluster, request["nodegroupName"]).name, ""
    if request.get("addonName"):
        return "", addon_named(context, cluster, request["addonName"]).name
    return CLUSTER_ITSELF


def _age(update: eks.Update) -> str:
    return f"{END_OF_TIME - update.created_at:018.6f}/{update.id}"


def update_shape(update: eks.Update) -> dict[str, Any]:
    return {
        "id": update.id,
        "status": update.status,
        "type": update.type,
        "params": [{"type": kind, "value": value} for kind, value in update.params],
        "createdAt": update.created_at,
        "errors": [
            {
                "errorCode": error.code,
                "errorMessage": error.message,
                "resourceIds": list(error.resources),
            }
            for error in update.errors
        ],
    }


OPERATIONS: Mapping[str, Operation] = {
    "CancelUpdate": cancel_update,
    "DescribeUpdate": describe_update,
    "ListUpdates": list_updates,
    "UpdateClusterConfig": update_cluster_config,
    "UpdateClusterVersion": update_cluster_version,
}
