"""Load balancers, target groups and listeners in the shapes of the API."""

from collections.abc import Mapping
from typing import Any

from longshore.balancing import users_of
from longshore.model.ec2 import SUBNET
from longshore.model.elbv2 import (
    LOAD_BALANCER_STATUS,
    Listener,
    LoadBalancer,
    LoadBalancerStatus,
    TargetGroup,
    elb_arn,
    load_balancer_name,
    target_group_name,
)
from longshore.services.interface import Context

Shape = dict[str, Any]


def status_of(context: Context, balancer: LoadBalancer) -> LoadBalancerStatus:
    name = load_balancer_name(balancer.name, balancer.id)
    record = context.tx.get(LOAD_BALANCER_STATUS, context.account, context.region, name)
    return record.value if record is not None else LoadBalancerStatus()


def load_balancer_shape(context: Context, balancer: LoadBalancer) -> Shape:
    status = status_of(context, balancer)
    state = {"Code": status.state}
    if status.reason:
        state["Reason"] = status.reason
    shape: Shape = {
        "LoadBalancerArn": balancer.arn,
        "DNSName": balancer.dns_name,
        "CreatedTime": balancer.created_at,
        "LoadBalancerName": balancer.name,
        "Scheme": balancer.scheme,
        "VpcId": balancer.vpc_id,
        "State": state,
        "Type": "network",
        "AvailabilityZones": zones(context, balancer),
        "IpAddressType": "ipv4",
    }
    if balancer.security_groups:
        shape["SecurityGroups"] = list(balancer.security_groups)
    return shape


def zones(context: Context, balancer: LoadBalancer) -> list[Shape]:
    chosen = dict(balancer.addresses)
    found = []
    for subnet_id in balancer.subnets:
        record = context.tx.get(SUBNET, context.account, context.region, subnet_id)
        addresses = [{"PrivateIPv4Address": chosen[subnet_id]}] if subnet_id in chosen else []
        found.append(
            {
                "ZoneName": record.value.zone if record is not None else "",
                "SubnetId": subnet_id,
                "LoadBalancerAddresses": addresses,
            }
        )
    return sorted(found, key=lambda zone: str(zone["ZoneName"]))


def target_group_shape(context: Context, group: TargetGroup) -> Shape:
    check = group.health_check
    users = users_of(
        context.tx, context.account, context.region, target_group_name(group.name, group.id)
    )
    shape: Shape = {
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        "Protocol": group.protocol,
        "Port": group.port,
        "VpcId": group.vpc_id,
        "HealthCheckProtocol": check.protocol,
        "HealthCheckPort": check.port,
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": check.interval,
        "HealthCheckTimeoutSeconds": check.timeout,
        "HealthyThresholdCount": check.healthy_threshold,
        "UnhealthyThresholdCount": check.unhealthy_threshold,
        "LoadBalancerArns": [
            elb_arn(context.region, context.account, "loadbalancer", name) for name in users
        ],
        "TargetType": group.target_type,
        "IpAddressType": "ipv4",
    }
    if check.protocol != "TCP":
        shape |= {"HealthCheckPath": check.path, "Matcher": {"HttpCode": check.codes}}
    return shape


def listener_shape(context: Context, listener: Listener) -> Shape:
    here = (context.region, context.account)
    group = elb_arn(*here, "targetgroup", listener.target_group)
    forward = {"TargetGroups": [{"TargetGroupArn": group}]}
    return {
        "ListenerArn": listener.arn,
        "LoadBalancerArn": elb_arn(*here, "loadbalancer", listener.load_balancer),
        "Port": listener.port,
        "Protocol": listener.protocol,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": group, "ForwardConfig": forward}],
    }


def attribute_shapes(values: Mapping[str, str]) -> list[Shape]:
    return [{"Key": key, "Value": values[key]} for key in sorted(values)]
