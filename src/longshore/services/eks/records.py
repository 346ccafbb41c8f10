"""Clusters, their updates and access entries, or EKS's errors that there are none."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.model import eks
from longshore.model.eks_connected import CONNECTED_CLUSTER, ConnectedCluster
from longshore.services.eks.failures import invalid_request, not_found
from longshore.services.eks.principals import check_format
from longshore.services.interface import Context

API_MODES = ("API", "API_AND_CONFIG_MAP")
"""Authentication modes of clusters that have access entries."""
CLUSTER_ITSELF = ("", "")
"""The subject of a cluster's own updates."""


def cluster_named(context: Context, name: str) -> eks.Cluster:
    """One of EKS's own: those of elsewhere can be looked at, and do nothing."""
    record = context.tx.get(eks.CLUSTER, context.account, context.region, name)
    if record is None and connected_cluster(context, name) is not None:
        raise invalid_request(
            f"The operation is not supported for the connected cluster {name}", name
        )
    if record is None:
        raise not_found(f"No cluster found for name: {name}.", name)
    return record.value


def connected_cluster(context: Context, name: str) -> ConnectedCluster | None:
    record = context.tx.get(CONNECTED_CLUSTER, context.account, context.region, name)
    return record.value if record is not None else None


def status_of(context: Context, cluster: eks.Cluster) -> eks.ClusterStatus | None:
    """What its controller says of it; None while nothing, or of an earlier one of its name."""
    place = (context.account, context.region, cluster.name)
    record = context.tx.get(eks.CLUSTER_STATUS, *place)
    return record.value if record is not None and record.value.id == cluster.id else None


def running_version(cluster: eks.Cluster, status: eks.ClusterStatus | None) -> str:
    """The minor version that runs; the one asked for while none does."""
    return (status.version if status is not None else "") or cluster.version


def updates_of(
    context: Context, cluster: str, subject: tuple[str, str] = CLUSTER_ITSELF
) -> list[eks.Update]:
    """Those of the cluster itself, or of a part of it (`Update.subject`)."""
    place = (context.account, context.region)
    records = context.tx.scan(eks.UPDATE, *place, prefix=eks.update_name(cluster, ""))
    return [record.value for record in records if record.value.subject == subject]


def update_in_progress(
    context: Context, cluster: str, subject: tuple[str, str] = CLUSTER_ITSELF
) -> eks.Update | None:
    updates = updates_of(context, cluster, subject)
    return next((update for update in updates if update.status == "InProgress"), None)


def cluster_with_entries(context: Context, name: str) -> eks.Cluster:
    """The cluster; InvalidRequestException where its mode knows no access entries."""
    cluster = cluster_named(context, name)
    if cluster.authentication_mode not in API_MODES:
        raise invalid_request(
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to"
            " perform this operation.",
            name,
        )
    return cluster


def changeable_cluster(context: Context, name: str) -> eks.Cluster:
    """The same, and InvalidRequestException where it is being deleted."""
    cluster = cluster_with_entries(context, name)
    if cluster.deleted_at:
        raise invalid_request(f"Cluster '{name}' is not in ACTIVE status", name)
    return cluster


def entry_of(context: Context, cluster: str, principal_arn: str) -> eks.AccessEntry:
    check_format(principal_arn, cluster)
    name = eks.entry_name(cluster, principal_arn)
    record = context.tx.get(eks.ACCESS_ENTRY, context.account, context.region, name)
    if record is None:
        raise not_found(
            "The specified principalArn could not be found. You can view your available access"
            " entries with 'list-access-entries'.",
            cluster,
        )
    return record.value


def put_entry(context: Context, entry: eks.AccessEntry) -> None:
    name = eks.entry_name(entry.cluster, entry.principal_arn)
    context.tx.put(eks.ACCESS_ENTRY, context.account, context.region, name, entry)


def digest(request: Mapping[str, Any]) -> str:
    """What tells a request from another one with the same client token."""
    return hashlib.sha256(msgspec.json.encode(request, order="deterministic")).hexdigest()
