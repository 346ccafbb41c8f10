"""Node groups and their statuses, or EKS's errors that there are none; as the API shows them."""

from collections.abc import Mapping
from typing import Any

from longshore.model import eks
from longshore.model.auto_scaling import AUTO_SCALING_GROUP
from longshore.model.eks_parts import (
    NODEGROUP,
    NODEGROUP_STATUS,
    Nodegroup,
    NodegroupStatus,
    part_name,
)
from longshore.services.eks.failures import about, invalid_parameter, not_found
from longshore.services.eks.nodegroup_checks import Scaling
from longshore.services.eks.records import update_in_progress
from longshore.services.eks.view import issue_shape
from longshore.services.interface import Context

CUSTOM = "CUSTOM"
"""The type of images that are a launch template's."""


def nodegroup_named(context: Context, cluster: str, name: str) -> Nodegroup:
    record = context.tx.get(NODEGROUP, context.account, context.region, part_name(cluster, name))
    if record is None:
        raise not_found(f"No node group found for name: {name}.", cluster)
    return record.value


def nodegroups_of(context: Context, cluster: str) -> list[Nodegroup]:
    """A cluster's, ordered by name."""
    place = (context.account, context.region)
    records = context.tx.scan(NODEGROUP, *place, prefix=part_name(cluster, ""))
    return [record.value for record in records]


def check_nodegroups(context: Context, cluster: str, runs: str, wanted: str) -> None:
    """InvalidParameterException unless all run the cluster's own minor version before it goes on
    ("UpdateClusterVersion", Amazon EKS API Reference). Of custom images the version is not known.
    """
    other = [
        each.name
        for each in nodegroups_of(context, cluster)
        if each.ami_type != CUSTOM and _runs(context, each) != runs
    ]
    if other:
        raise invalid_parameter(
            f"Nodegroups {', '.join(other)} must be updated to match cluster version {runs} before"
            f" updating cluster version to {wanted}",
            cluster,
        )


def _runs(context: Context, nodegroup: Nodegroup) -> str:
    status = nodegroup_status(context, nodegroup)
    return (status.version if status is not None else "") or nodegroup.version


def nodegroup_status(context: Context, nodegroup: Nodegroup) -> NodegroupStatus | None:
    """What its controller says of it; None while nothing, or of an earlier one of its name."""
    name = part_name(nodegroup.cluster, nodegroup.name)
    record = context.tx.get(NODEGROUP_STATUS, context.account, context.region, name)
    return record.value if record is not None and record.value.id == nodegroup.id else None


def nodegroup_update(context: Context, nodegroup: Nodegroup) -> eks.Update | None:
    """The one that is in progress."""
    return update_in_progress(context, nodegroup.cluster, (nodegroup.name, ""))


def shown_status(context: Context, nodegroup: Nodegroup, status: NodegroupStatus | None) -> str:
    said = status.status if status is not None else "CREATING"
    if nodegroup.deleted_at:
        return said if said == "DELETE_FAILED" else "DELETING"
    updating = said in {"ACTIVE", "DEGRADED"} and nodegroup_update(context, nodegroup) is not None
    return "UPDATING" if updating else said


def current_scaling(
    context: Context, nodegroup: Nodegroup, status: NodegroupStatus | None
) -> Scaling:
    """As its Auto Scaling group has it, which others (the Cluster Autoscaler) change too; as it
    was asked for while an update changes that."""
    asked = Scaling(nodegroup.min_size, nodegroup.max_size, nodegroup.desired_size)
    if status is None or not status.group or nodegroup_update(context, nodegroup) is not None:
        return asked
    place = (context.account, context.region)
    group = context.tx.get(AUTO_SCALING_GROUP, *place, status.group)
    return asked._replace(desired=group.value.desired) if group is not None else asked


def nodegroup_shape(context: Context, nodegroup: Nodegroup) -> dict[str, Any]:
    """A `Nodegroup`; versions are those that nodes run."""
    status = nodegroup_status(context, nodegroup)
    scaling = current_scaling(context, nodegroup, status)
    version = (status.version if status is not None else "") or nodegroup.version
    release = (status.release_version if status is not None else "") or nodegroup.release_version
    shape: dict[str, Any] = {
        "nodegroupName": nodegroup.name,
        "nodegroupArn": nodegroup.arn,
        "clusterName": nodegroup.cluster,
        "version": version,
        "releaseVersion": release,
        "createdAt": nodegroup.created_at,
        "modifiedAt": nodegroup.modified_at,
        "status": shown_status(context, nodegroup, status),
        "capacityType": nodegroup.capacity_type,
        "scalingConfig": {
            "minSize": scaling.least,
            "maxSize": scaling.most,
            "desiredSize": scaling.desired,
        },
        "instanceTypes": list(nodegroup.instance_types),
        "subnets": list(nodegroup.subnets),
        "amiType": nodegroup.ami_type,
        "nodeRole": nodegroup.node_role,
        "labels": dict(nodegroup.labels),
        "taints": [taint_shape(taint) for taint in nodegroup.taints],
        "diskSize": nodegroup.disk_size,
        "health": {"issues": _issues(status)},
        "updateConfig": update_config_shape(nodegroup),
        "nodeRepairConfig": nodegroup.repair,
        "launchTemplate": nodegroup.launch_template,
        "tags": dict(nodegroup.tags),
    }
    if status is not None and status.group:
        shape["resources"] = {"autoScalingGroups": [{"name": status.group}]}
    kept = {"health", "labels", "tags"}
    return {key: value for key, value in shape.items() if value or key in kept}


def update_config_shape(nodegroup: Nodegroup) -> dict[str, Any]:
    number = (
        {"maxUnavailablePercentage": nodegroup.max_unavailable_percentage}
        if nodegroup.max_unavailable_percentage
        else {"maxUnavailable": nodegroup.max_unavailable}
    )
    return {**number, "updateStrategy": nodegroup.update_strategy}


def taint_shape(taint: Any) -> dict[str, str]:
    shape = {"key": taint.key, "value": taint.value, "effect": taint.effect}
    return {key: value for key, value in shape.items() if value}


def _issues(status: NodegroupStatus | None) -> list[Mapping[str, Any]]:
    issues = status.issues if status is not None else ()
    return [issue_shape(issue) for issue in issues]


about_nodegroup = about("nodegroupName")
"""Decorates operations on one of these."""
