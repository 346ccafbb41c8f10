"""What has tags, by ARN: clusters, connected ones too, access entries, node groups, Fargate
profiles, add-ons, associations."""

from longshore.model import eks
from longshore.model.arn import parse_arn
from longshore.model.eks_connected import CONNECTED_CLUSTER, ConnectedCluster
from longshore.model.eks_parts import (
    ADDON,
    FARGATE_PROFILE,
    NODEGROUP,
    POD_IDENTITY,
    Addon,
    FargateProfile,
    Nodegroup,
    PodIdentity,
    part_name,
)
from longshore.services.interface import Context

Named = (
    eks.Cluster
    | ConnectedCluster
    | eks.AccessEntry
    | Nodegroup
    | FargateProfile
    | Addon
    | PodIdentity
)


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
    if parts.resource_type == "nodegroup":
        name = part_name(cluster, rest.partition("/")[0])
        found = context.tx.get(NODEGROUP, *place, name)
        return found.value if found is not None and found.value.arn == arn else None
    if parts.resource_type == "fargateprofile":
        name = part_name(cluster, rest.partition("/")[0])
        profile = context.tx.get(FARGATE_PROFILE, *place, name)
        return profile.value if profile is not None and profile.value.arn == arn else None
    if parts.resource_type == "addon":
        name = part_name(cluster, rest.partition("/")[0])
        addon = context.tx.get(ADDON, *place, name)
        return addon.value if addon is not None and addon.value.arn == arn else None
    if parts.resource_type == "podidentityassociation":
        there = context.tx.scan(POD_IDENTITY, *place, prefix=part_name(cluster, ""))
        return next((each.value for each in there if each.value.arn == arn), None)
    entries = context.tx.scan(eks.ACCESS_ENTRY, *place, prefix=f"{cluster}/")
    return next((entry.value for entry in entries if entry.value.arn == arn), None)
