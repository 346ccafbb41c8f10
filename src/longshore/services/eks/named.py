"""What has tags, by ARN: clusters, connected ones too, access entries, node groups, Fargate
profiles, add-ons, associations, identity providers."""

from collections.abc import Mapping
from typing import Any

from longshore.model import eks
from longshore.model.arn import parse_arn
from longshore.model.eks_connected import CONNECTED_CLUSTER, ConnectedCluster
from longshore.model.eks_parts import (
    ADDON,
    FARGATE_PROFILE,
    IDENTITY_PROVIDER,
    NODEGROUP,
    POD_IDENTITY,
    Addon,
    FargateProfile,
    IdentityProvider,
    Nodegroup,
    PodIdentity,
    part_name,
)
from longshore.model.kind import Kind
from longshore.services.interface import Context

Named = (
    eks.Cluster
    | ConnectedCluster
    | eks.AccessEntry
    | Nodegroup
    | FargateProfile
    | Addon
    | IdentityProvider
    | PodIdentity
)
PARTS: Mapping[str, Kind[Any]] = {
    "addon": ADDON,
    "fargateprofile": FARGATE_PROFILE,
    "identityproviderconfig": IDENTITY_PROVIDER,
    "nodegroup": NODEGROUP,
}
"""Parts of clusters that have names, by their type of resource."""


def named_by_arn(context: Context, arn: str) -> Named | None:
    """What has this ARN, of the caller's account and region; or None."""
    parts = parse_arn(arn)
    if parts is None or (parts.account, parts.region) != (context.account, context.region):
        return None
    cluster, _, rest = parts.resource_id.partition("/")
    place = (parts.account, parts.region)
    if parts.resource_type == "cluster":
        record = context.tx.get(eks.CLUSTER, *place, cluster)
        if record is not None:
            return record.value if record.value.arn == arn else None
        other = context.tx.get(CONNECTED_CLUSTER, *place, cluster)
        return other.value if other is not None and other.value.arn == arn else None
    if parts.resource_type in PARTS:
        # Before the UUID with which each ends.
        name = part_name(cluster, rest.rpartition("/")[0].rpartition("/")[2])
        found = context.tx.get(PARTS[parts.resource_type], *place, name)
        return found.value if found is not None and found.value.arn == arn else None
    if parts.resource_type == "podidentityassociation":
        there = context.tx.scan(POD_IDENTITY, *place, prefix=part_name(cluster, ""))
        return next((each.value for each in there if each.value.arn == arn), None)
    entries = context.tx.scan(eks.ACCESS_ENTRY, *place, prefix=f"{cluster}/")
    return next((entry.value for entry in entries if entry.value.arn == arn), None)
