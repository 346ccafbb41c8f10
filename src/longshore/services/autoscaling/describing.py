"""DescribeAutoScalingGroups and DescribeAutoScalingInstances."""

from collections.abc import Mapping
from typing import Any

from longshore.model.auto_scaling import AUTO_SCALING_GROUP, MEMBER, AutoScalingGroup, Member
from longshore.model.ec2 import SUBNET
from longshore.services.autoscaling.failures import invalid
from longshore.services.autoscaling.pages import page
from longshore.services.autoscaling.records import find_group, members_of, some
from longshore.services.autoscaling.tags import tag_shapes
from longshore.services.interface import Context, Operation, Response
from longshore.vpc.zones import zone_id

Document = Mapping[str, Any]

MOST_INSTANCES = 50


def member_shape(member: Member) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "InstanceId": member.instance_id,
        "InstanceType": member.instance_type,
        "AvailabilityZone": member.zone,
        "AvailabilityZoneId": zone_id(member.zone),
        "LifecycleState": member.lifecycle,
        "HealthStatus": member.health,
        "ProtectedFromScaleIn": member.protected,
    }
    if member.launch_template:
        shape["LaunchTemplate"] = dict(member.launch_template)
    return shape


def zones_of(context: Context, group: AutoScalingGroup) -> list[str]:
    records = (
        context.tx.get(SUBNET, context.account, context.region, each) for each in group.subnets
    )
    return sorted({*group.zones, *(record.value.zone for record in records if record is not None)})


def group_shape(context: Context, group: AutoScalingGroup, members: bool) -> dict[str, Any]:
    zones = zones_of(context, group)
    shape: dict[str, Any] = {
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "MinSize": group.min_size,
        "MaxSize": group.max_size,
        "DesiredCapacity": group.desired,
        "DefaultCooldown": group.cooldown_seconds,
        "AvailabilityZones": zones,
        "AvailabilityZoneIds": [zone_id(zone) for zone in zones],
        "LoadBalancerNames": [],
        "TargetGroupARNs": [],
        "HealthCheckType": group.health_check_type,
        "HealthCheckGracePeriod": group.health_check_grace_seconds,
        "CreatedTime": group.created_at,
        "SuspendedProcesses": [
            {"ProcessName": process, "SuspensionReason": reason}
            for process, reason in group.suspended
        ],
        "VPCZoneIdentifier": ",".join(group.subnets),
        "EnabledMetrics": [],
        "Tags": tag_shapes(group),
        "TerminationPolicies": list(group.termination_policies),
        "NewInstancesProtectedFromScaleIn": group.protect_from_scale_in,
        "ServiceLinkedRoleARN": group.service_linked_role_arn,
        "CapacityRebalance": group.capacity_rebalance,
        "TrafficSources": [],
        "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": group.zone_distribution},
        "DeletionProtection": group.deletion_protection,
    }
    if members:
        shape["Instances"] = [member_shape(each) for each in members_of(context, group)]
    return shape | _optional(group)


def _optional(group: AutoScalingGroup) -> dict[str, Any]:
    """Members that are only there where they say something."""
    warmup = group.default_warmup if group.default_warmup >= 0 else None
    told = {
        "Context": group.context or None,
        "DefaultInstanceWarmup": warmup,
        "InstanceMaintenancePolicy": group.maintenance_policy,
        "LaunchTemplate": group.launch_template,
        "MaxInstanceLifetime": group.max_instance_lifetime or None,
        "MixedInstancesPolicy": group.mixed_instances,
        "Status": "Delete in progress" if group.deleted_at else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def describe_groups(context: Context, request: Document) -> Response:
    names = some(request.get("AutoScalingGroupNames"))
    filters = request.get("Filters") or ()
    for each in filters:
        _check_filter(each)
    if names:
        found = [group for group in (find_group(context, name) for name in names) if group]
        groups = sorted(found, key=lambda group: group.name)
    else:
        records = context.tx.scan(AUTO_SCALING_GROUP, context.account, context.region)
        groups = [record.value for record in records]
    chosen = [group for group in groups if all(_passes(group, each) for each in filters)]
    given, token = page(chosen, request, lambda group: group.name)
    members = bool(request.get("IncludeInstances", True))
    return {
        "AutoScalingGroups": [group_shape(context, group, members) for group in given],
        **token,
    }


def _check_filter(given: Document) -> None:
    name = given.get("Name") or ""
    if name not in {"tag-key", "tag-value"} and not name.startswith("tag:"):
        raise invalid(
            f"Filter type {name} is not correct. Allowed Filter types are: tag-key, tag-value, "
            "tag:<key>"
        )


def _passes(group: AutoScalingGroup, given: Document) -> bool:
    name, values = given["Name"], given.get("Values") or ()
    if name == "tag-key":
        return any(tag.key in values for tag in group.tags)
    if name == "tag-value":
        return any(tag.value in values for tag in group.tags)
    key = name.removeprefix("tag:")
    return any(tag.key == key and tag.value in values for tag in group.tags)


def describe_instances(context: Context, request: Document) -> Response:
    """Members that are asked for and are in no group are left out."""
    wanted = set(request.get("InstanceIds") or ())
    records = context.tx.scan(MEMBER, context.account, context.region)
    members = [
        record.value for record in records if not wanted or record.value.instance_id in wanted
    ]
    members.sort(key=lambda member: member.instance_id)
    given, token = page(
        members,
        request,
        lambda member: member.instance_id,
        usual=MOST_INSTANCES,
        most=MOST_INSTANCES,
    )
    shapes = [{**member_shape(member), "AutoScalingGroupName": member.group} for member in given]
    return {"AutoScalingInstances": shapes, **token}


OPERATIONS: Mapping[str, Operation] = {
    "DescribeAutoScalingGroups": describe_groups,
    "DescribeAutoScalingInstances": describe_instances,
}
