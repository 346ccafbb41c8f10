"""Fargate profiles, or EKS's errors that there are none; as the API shows them."""

from typing import Any

from longshore.model.eks_parts import (
    FARGATE_PROFILE,
    FARGATE_PROFILE_STATUS,
    FargateProfile,
    FargateProfileStatus,
    FargateSelector,
    part_name,
)
from longshore.services.eks.failures import about, not_found
from longshore.services.eks.view import issue_shape
from longshore.services.interface import Context


def profile_named(context: Context, cluster: str, name: str) -> FargateProfile:
    place = (context.account, context.region)
    record = context.tx.get(FARGATE_PROFILE, *place, part_name(cluster, name))
    if record is None:
        raise not_found(f"No Fargate Profile found with name: {name}.", cluster)
    return record.value


def profiles_of(context: Context, cluster: str) -> list[FargateProfile]:
    """A cluster's, ordered by name."""
    place = (context.account, context.region)
    records = context.tx.scan(FARGATE_PROFILE, *place, prefix=part_name(cluster, ""))
    return [record.value for record in records]


def shown_status(context: Context, profile: FargateProfile) -> str:
    """A status of `FargateProfileStatus`."""
    if profile.deleted_at:
        return "DELETING"
    status = _status(context, profile)
    return status.status if status is not None else "CREATING"


def _status(context: Context, profile: FargateProfile) -> FargateProfileStatus | None:
    """What its controller says of it; None while nothing, or of an earlier one of its name."""
    name = part_name(profile.cluster, profile.name)
    record = context.tx.get(FARGATE_PROFILE_STATUS, context.account, context.region, name)
    return record.value if record is not None and record.value.id == profile.id else None


def profile_shape(context: Context, profile: FargateProfile) -> dict[str, Any]:
    """A `FargateProfile`."""
    status = _status(context, profile)
    return {
        "fargateProfileName": profile.name,
        "fargateProfileArn": profile.arn,
        "clusterName": profile.cluster,
        "createdAt": profile.created_at,
        "podExecutionRoleArn": profile.role_arn,
        "subnets": list(profile.subnets),
        "selectors": [_selector_shape(selector) for selector in profile.selectors],
        "status": shown_status(context, profile),
        "tags": dict(profile.tags),
        "health": {
            "issues": [
                issue_shape(issue) for issue in (status.issues if status is not None else ())
            ]
        },
    }


def _selector_shape(selector: FargateSelector) -> dict[str, Any]:
    labels = {"labels": dict(selector.labels)} if selector.labels else {}
    return {"namespace": selector.namespace, **labels}


about_profile = about("fargateProfileName")
"""Decorates operations on one of these."""
