"""Access entries: what IAM users and roles are in a cluster.

The rules are those of "Create access entries" and "Update access entries", Amazon EKS User Guide.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import eks
from longshore.model.arn import make_arn
from longshore.services.eks.entry_checks import (
    NODE_TYPES,
    check_standard,
    check_type,
    check_username,
    checked_groups,
)
from longshore.services.eks.failures import in_use, invalid_parameter
from longshore.services.eks.pages import page
from longshore.services.eks.principals import Principal, existing_principal
from longshore.services.eks.records import (
    changeable_cluster,
    cluster_with_entries,
    digest,
    entry_of,
    put_entry,
)
from longshore.services.eks.roles import pass_role
from longshore.services.eks.tags import authorize_tags, checked_tags
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        CreateAccessEntryRequestTypeDef,
        DeleteAccessEntryRequestTypeDef,
        DescribeAccessEntryRequestTypeDef,
        ListAccessEntriesRequestTypeDef,
        UpdateAccessEntryRequestTypeDef,
    )

ADMINISTRATOR = f"{eks.POLICIES}AmazonEKSClusterAdminPolicy"


def create_access_entry(context: Context, request: "CreateAccessEntryRequestTypeDef") -> Response:
    cluster, principal_arn = request["clusterName"], request["principalArn"]
    changeable_cluster(context, cluster)
    check_type(request.get("type", "STANDARD"), cluster)
    principal = existing_principal(context, principal_arn, cluster)
    name = eks.entry_name(cluster, principal_arn)
    found = context.tx.get(eks.ACCESS_ENTRY, context.account, context.region, name)
    if found is not None:
        return {"accessEntry": _shape(_made_before(found.value, request))}
    entry = _entry(context, request, principal)
    authorize_tags(context, entry.arn, request)
    put_entry(context, entry)
    return {"accessEntry": _shape(entry)}


def _made_before(
    entry: eks.AccessEntry, request: "CreateAccessEntryRequestTypeDef"
) -> eks.AccessEntry:
    """The entry where the same call made it; ResourceInUseException where another one did."""
    token = request.get("clientRequestToken")
    if token and token == entry.client_token and entry.request == digest(request):
        return entry
    raise in_use(
        "The specified access entry resource is already in use on this cluster.", entry.cluster
    )


def _entry(
    context: Context, request: "CreateAccessEntryRequestTypeDef", principal: Principal
) -> eks.AccessEntry:
    cluster = request["clusterName"]
    entry = new_entry(context, cluster, principal)
    tags = checked_tags((), request.get("tags", {}), "InvalidParameterException")
    called = {"client_token": request.get("clientRequestToken", ""), "request": digest(request)}
    entry = msgspec.structs.replace(entry, tags=tags, **called)
    kind, groups = request.get("type", "STANDARD"), request.get("kubernetesGroups", ())
    if kind in NODE_TYPES:
        return _node_entry(context, msgspec.structs.replace(entry, type=kind), request, principal)
    username = request.get("username") or entry.username
    check_username(username, cluster)
    return msgspec.structs.replace(entry, username=username, groups=checked_groups(groups, cluster))


def _node_entry(
    context: Context,
    entry: eks.AccessEntry,
    request: "CreateAccessEntryRequestTypeDef",
    principal: Principal,
) -> eks.AccessEntry:
    """The entry of nodes' role: EKS says what it is in the cluster."""
    if request.get("kubernetesGroups") or request.get("username"):
        raise invalid_parameter(
            f"Groups and a username cannot be given with the type {entry.type}", entry.cluster
        )
    if principal.kind != "role" or principal.account != context.account:
        raise invalid_parameter(
            f"With the type {entry.type} the principalArn must be a role of the cluster's account",
            entry.cluster,
        )
    node = NODE_TYPES[entry.type]
    pass_role(context, principal.arn, node.service)
    return msgspec.structs.replace(entry, username=node.username, groups=node.groups)


def new_entry(context: Context, cluster: str, principal: Principal) -> eks.AccessEntry:
    """An entry of type STANDARD that allows nothing yet."""
    resource = f"{principal.kind}/{principal.account}/{principal.name}/{context.ids.uuid()}"
    return eks.AccessEntry(
        cluster=cluster,
        principal_arn=principal.arn,
        principal_id=principal.id,
        arn=make_arn("eks", context.region, context.account, f"access-entry/{cluster}/{resource}"),
        username=principal.username,
        created_at=context.now,
        modified_at=context.now,
    )


def write_administrator(context: Context, cluster: str, principal: Principal) -> None:
    """The entry of who made the cluster, which they may do all in."""
    policy = eks.AssociatedPolicy(
        arn=ADMINISTRATOR, associated_at=context.now, modified_at=context.now
    )
    entry = new_entry(context, cluster, principal)
    put_entry(context, msgspec.structs.replace(entry, policies=(policy,)))


def describe_access_entry(
    context: Context, request: "DescribeAccessEntryRequestTypeDef"
) -> Response:
    cluster_with_entries(context, request["clusterName"])
    entry = entry_of(context, request["clusterName"], request["principalArn"])
    return {"accessEntry": _shape(entry)}


def list_access_entries(context: Context, request: "ListAccessEntriesRequestTypeDef") -> Response:
    cluster_with_entries(context, request["clusterName"])
    found = entries_of(context, request["clusterName"])
    policy = request.get("associatedPolicyArn")
    if policy:
        found = [entry for entry in found if any(each.arn == policy for each in entry.policies)]
    given, following = page(found, request, lambda entry: entry.principal_arn)
    return {"accessEntries": [entry.principal_arn for entry in given], **following}


def entries_of(context: Context, cluster: str) -> Sequence[eks.AccessEntry]:
    """A cluster's entries, ordered by principal."""
    place = (context.account, context.region)
    records = context.tx.scan(eks.ACCESS_ENTRY, *place, prefix=f"{cluster}/")
    return [record.value for record in records]


def update_access_entry(context: Context, request: "UpdateAccessEntryRequestTypeDef") -> Response:
    """What is not given stays; groups that are given are all that there are then."""
    cluster = request["clusterName"]
    changeable_cluster(context, cluster)
    entry = entry_of(context, cluster, request["principalArn"])
    username = request.get("username") or entry.username
    if "username" in request:
        check_username(username, cluster)
    check_standard(entry)
    groups = checked_groups(request.get("kubernetesGroups", entry.groups), cluster)
    changed = msgspec.structs.replace(
        entry, username=username, groups=groups, modified_at=context.now
    )
    put_entry(context, changed)
    return {"accessEntry": _shape(changed)}


def delete_access_entry(context: Context, request: "DeleteAccessEntryRequestTypeDef") -> Response:
    cluster = request["clusterName"]
    changeable_cluster(context, cluster)
    entry = entry_of(context, cluster, request["principalArn"])
    name = eks.entry_name(cluster, entry.principal_arn)
    context.tx.delete(eks.ACCESS_ENTRY, context.account, context.region, name)
    return {}


def _shape(entry: eks.AccessEntry) -> dict[str, Any]:
    return {
        "clusterName": entry.cluster,
        "principalArn": entry.principal_arn,
        "kubernetesGroups": list(entry.groups),
        "accessEntryArn": entry.arn,
        "createdAt": entry.created_at,
        "modifiedAt": entry.modified_at,
        "tags": dict(entry.tags),
        "username": entry.username,
        "type": entry.type,
    }


OPERATIONS: Mapping[str, Operation] = {
    "CreateAccessEntry": create_access_entry,
    "DeleteAccessEntry": delete_access_entry,
    "DescribeAccessEntry": describe_access_entry,
    "ListAccessEntries": list_access_entries,
    "UpdateAccessEntry": update_access_entry,
}
