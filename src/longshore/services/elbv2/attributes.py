"""Attributes of load balancers, target groups and listeners, described and modified."""

from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.model.elbv2 import (
    LISTENER_ATTRIBUTES,
    LOAD_BALANCER_ATTRIBUTES,
    TARGET_GROUP_ATTRIBUTES,
)
from longshore.services.elbv2.checks import BOOLEANS, Allowed, changed_attributes
from longshore.services.elbv2.records import (
    listener_of,
    load_balancer_of,
    put_listener,
    put_load_balancer,
    put_target_group,
    target_group_of,
)
from longshore.services.elbv2.view import attribute_shapes
from longshore.services.interface import Context, Operation, Response

Request = Mapping[str, Any]

OF_LOAD_BALANCERS: Allowed = dict.fromkeys(LOAD_BALANCER_ATTRIBUTES, BOOLEANS)
UNBUILT_OF_LOAD_BALANCERS = {
    "access_logs.s3.bucket": "",
    "access_logs.s3.enabled": "false",
    "access_logs.s3.prefix": "",
    "dns_record.client_routing_policy": "any_availability_zone",
    "ipv6.deny_all_igw_traffic": "false",
    "zonal_shift.config.enabled": "false",
}
OF_TARGET_GROUPS: Allowed = {
    "deregistration_delay.timeout_seconds": range(3601),
    "proxy_protocol_v2.enabled": BOOLEANS,
    "stickiness.enabled": BOOLEANS,
    "stickiness.type": ["source_ip"],
}
UNBUILT_OF_TARGET_GROUPS = {
    "deregistration_delay.connection_termination.enabled": "false",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "preserve_client_ip.enabled": "false",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
    "target_health_state.unhealthy.connection_termination.enabled": "false",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
}
OF_LISTENERS: Allowed = {"tcp.idle_timeout.seconds": range(60, 6001)}


def describe_of_load_balancer(context: Context, request: Request) -> Response:
    found = load_balancer_of(context, request["LoadBalancerArn"])
    values = {**UNBUILT_OF_LOAD_BALANCERS, **LOAD_BALANCER_ATTRIBUTES, **found.attributes}
    return {"Attributes": attribute_shapes(values)}


def modify_of_load_balancer(context: Context, request: Request) -> Response:
    found = load_balancer_of(context, request["LoadBalancerArn"])
    fresh = changed_attributes(
        found.attributes, request["Attributes"], OF_LOAD_BALANCERS, UNBUILT_OF_LOAD_BALANCERS
    )
    put_load_balancer(context, msgspec.structs.replace(found, attributes=fresh))
    return describe_of_load_balancer(context, request)


def describe_of_target_group(context: Context, request: Request) -> Response:
    found = target_group_of(context, request["TargetGroupArn"])
    values = {**UNBUILT_OF_TARGET_GROUPS, **TARGET_GROUP_ATTRIBUTES, **found.attributes}
    return {"Attributes": attribute_shapes(values)}


def modify_of_target_group(context: Context, request: Request) -> Response:
    found = target_group_of(context, request["TargetGroupArn"])
    fresh = changed_attributes(
        found.attributes, request["Attributes"], OF_TARGET_GROUPS, UNBUILT_OF_TARGET_GROUPS
    )
    put_target_group(context, msgspec.structs.replace(found, attributes=fresh))
    return describe_of_target_group(context, request)


def describe_of_listener(context: Context, request: Request) -> Response:
    found = listener_of(context, request["ListenerArn"])
    return {"Attributes": attribute_shapes({**LISTENER_ATTRIBUTES, **found.attributes})}


def modify_of_listener(context: Context, request: Request) -> Response:
    found = listener_of(context, request["ListenerArn"])
    fresh = changed_attributes(found.attributes, request["Attributes"], OF_LISTENERS, {})
    put_listener(context, msgspec.structs.replace(found, attributes=fresh))
    return describe_of_listener(context, request)


OPERATIONS: Mapping[str, Operation] = {
    "DescribeListenerAttributes": describe_of_listener,
    "DescribeLoadBalancerAttributes": describe_of_load_balancer,
    "DescribeTargetGroupAttributes": describe_of_target_group,
    "ModifyListenerAttributes": modify_of_listener,
    "ModifyLoadBalancerAttributes": modify_of_load_balancer,
    "ModifyTargetGroupAttributes": modify_of_target_group,
}
