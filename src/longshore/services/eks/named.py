"""Clusters and access entries by ARN."""

from longshore.model import eks
from longshore.model.arn import parse_arn
from longshore.services.interface import Context


def named_by_arn(context: Context, arn: str) -> eks.Cluster | eks.AccessEntry | None:
    """The cluster or access entry of this ARN, of the caller's account and region; or None."""
    parts = parse_arn(arn)
    if parts is None or (parts.account, parts.region) != (context.account, context.region):
        return None
    cluster = parts.resource_id.partition("/")[0]
    if parts.resource_type == "cluster":
        record = context.tx.get(eks.CLUSTER, parts.account, parts.region, cluster)
        return record.value if record is not None and record.value.arn == arn else None
    entries = context.tx.scan(eks.ACCESS_ENTRY, parts.account, parts.region, prefix=f"{cluster}/")
    return next((entry.value for entry in entries if entry.value.arn == arn), None)
