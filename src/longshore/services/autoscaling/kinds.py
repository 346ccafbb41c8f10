"""What types of processes, policies, adjustments, notifications and metrics Auto Scaling knows."""

from collections.abc import Mapping
from typing import Any

from longshore.model.auto_scaling import AUTO_SCALING_GROUP
from longshore.services.interface import Context, Operation, Response

PROCESSES = (
    "AZRebalance",
    "AddToLoadBalancer",
    "AlarmNotification",
    "HealthCheck",
    "InstanceRefresh",
    "Launch",
    "ReplaceUnhealthy",
    "ScheduledActions",
    "Terminate",
)
TERMINATION_POLICIES = (
    "AllocationStrategy",
    "ClosestToNextInstanceHour",
    "Default",
    "NewestInstance",
    "OldestInstance",
    "OldestLaunchConfiguration",
    "OldestLaunchTemplate",
)
ADJUSTMENTS = ("ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity")
NOTIFICATIONS = (
    "autoscaling:EC2_INSTANCE_LAUNCH",
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
    "autoscaling:EC2_INSTANCE_TERMINATE",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
    "autoscaling:TEST_NOTIFICATION",
)
METRICS = (
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupInServiceCapacity",
    "GroupPendingInstances",
    "GroupPendingCapacity",
    "GroupTerminatingInstances",
    "GroupTerminatingCapacity",
    "GroupStandbyInstances",
    "GroupStandbyCapacity",
    "GroupTotalInstances",
    "GroupTotalCapacity",
)
MOST_GROUPS = 500
MOST_LAUNCH_CONFIGURATIONS = 200
"""AWS's default quotas ("Quotas for Auto Scaling resources and groups")."""


def describe_account_limits(context: Context, request: Any) -> Response:
    groups = context.tx.scan(AUTO_SCALING_GROUP, context.account, context.region)
    return {
        "MaxNumberOfAutoScalingGroups": MOST_GROUPS,
        "MaxNumberOfLaunchConfigurations": MOST_LAUNCH_CONFIGURATIONS,
        "NumberOfAutoScalingGroups": len(groups),
        "NumberOfLaunchConfigurations": 0,
    }


def describe_adjustment_types(context: Context, request: Any) -> Response:
    return {"AdjustmentTypes": [{"AdjustmentType": each} for each in ADJUSTMENTS]}


def describe_notification_types(context: Context, request: Any) -> Response:
    return {"AutoScalingNotificationTypes": list(NOTIFICATIONS)}


def describe_metric_collection_types(context: Context, request: Any) -> Response:
    return {
        "Metrics": [{"Metric": each} for each in METRICS],
        "Granularities": [{"Granularity": "1Minute"}],
    }


def describe_scaling_process_types(context: Context, request: Any) -> Response:
    return {"Processes": [{"ProcessName": each} for each in PROCESSES]}


def describe_termination_policy_types(context: Context, request: Any) -> Response:
    return {"TerminationPolicyTypes": list(TERMINATION_POLICIES)}


OPERATIONS: Mapping[str, Operation] = {
    "DescribeAccountLimits": describe_account_limits,
    "DescribeAdjustmentTypes": describe_adjustment_types,
    "DescribeAutoScalingNotificationTypes": describe_notification_types,
    "DescribeMetricCollectionTypes": describe_metric_collection_types,
    "DescribeScalingProcessTypes": describe_scaling_process_types,
    "DescribeTerminationPolicyTypes": describe_termination_policy_types,
}
