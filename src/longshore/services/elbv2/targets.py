"""RegisterTargets, DeregisterTargets, DescribeTargetHealth."""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from longshore.balancing import deregister, register, users_of, zone_of_target
from longshore.balancing.use import EVERYWHERE, is_in_vpc
from longshore.model.ec2 import SUBNET
from longshore.model.elbv2 import (
    TARGET_HEALTH,
    Health,
    Target,
    TargetGroup,
    target_group_name,
)
from longshore.model.errors import AwsError
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, state_of
from longshore.services.elbv2.failures import invalid, too_many
from longshore.services.elbv2.limits import LIMITS
from longshore.services.elbv2.records import put_target_group, target_group_of
from longshore.services.interface import Context, Operation, Response

Request = Mapping[str, Any]
INITIAL = Health("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
UNUSED = Health(
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
UNREGISTERED = Health(
    "unused", "Target.NotRegistered", "Target is not registered to the target group"
)
PRIVATE = [
    ipaddress.IPv4Network(cidr)
    for cidr in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
]
"""Where targets outside of the VPC may be ("Target type", Network Load Balancers)."""


def register_targets(context: Context, request: Request) -> Response:
    group = target_group_of(context, request["TargetGroupArn"])
    targets = [_target(context, group, each) for each in request["Targets"]]
    changed = register(group, targets)
    if len(changed.targets) > LIMITS["targets-per-network-load-balancer"]:
        raise too_many("TooManyTargets", "The limit on targets has been reached")
    put_target_group(context, changed)
    return {}


def _target(context: Context, group: TargetGroup, given: Request) -> Target:
    if given.get("QuicServerId"):
        raise invalid("QuicServerId is not supported for target groups of protocol TCP")
    find = _instance if group.target_type == "instance" else _address
    zone = find(context, group, given)
    return Target(
        id=given["Id"],
        port=given.get("Port") or group.port,
        zone=zone,
        registered_at=context.now,
    )


def _instance(context: Context, group: TargetGroup, given: Request) -> str:
    """An instance is found where it is: no AZ is kept."""
    place = (context.account, context.region)
    record = context.tx.get(INSTANCE, *place, given["Id"])
    status = context.tx.get(INSTANCE_STATUS, *place, given["Id"])
    if record is None or record.value.vpc_id != group.vpc_id:
        raise AwsError("InvalidTarget", f"The following targets are not valid: '{given['Id']}'")
    if state_of(record.value, status.value if status is not None else None) != "running":
        raise AwsError(
            "InvalidTarget",
            "The following targets are not in a running state and cannot be registered: "
            f"'{given['Id']}'",
        )
    return ""


def _address(context: Context, group: TargetGroup, given: Request) -> str:
    """The AZ to keep: `all` for an address outside of the VPC, where it has to be given."""
    try:
        address = ipaddress.IPv4Address(given["Id"])
    except ValueError:
        raise invalid(f"The IP address '{given['Id']}' is not a valid IPv4 address") from None
    place = (context.account, context.region)
    zone = given.get("AvailabilityZone") or ""
    inside = is_in_vpc(context.tx, *place, group.vpc_id, str(address))
    if zone == EVERYWHERE:
        if not inside and not any(address in each for each in PRIVATE):
            raise invalid(f"The IP address '{address}' is not a private address")
        return "" if inside else EVERYWHERE
    if not inside:
        raise invalid(
            f"The IP address '{address}' is outside of the VPC '{group.vpc_id}': specify the "
            "Availability Zone 'all'"
        )
    if zone and not _has_zone(context, group, zone):
        raise invalid(f"The Availability Zone '{zone}' is not valid")
    return ""


def _has_zone(context: Context, group: TargetGroup, zone: str) -> bool:
    place = (context.account, context.region)
    found = context.tx.find(SUBNET, *place, "vpc", group.vpc_id)
    return any(record.value.zone == zone for record in found)


def deregister_targets(context: Context, request: Request) -> Response:
    """A target without a port is one with every port that it is registered with."""
    group = target_group_of(context, request["TargetGroupArn"])
    keys = {each.key for given in request["Targets"] for each in _meant(group, given)}
    name = target_group_name(group.name, group.id)
    used = bool(users_of(context.tx, context.account, context.region, name))
    put_target_group(context, deregister(group, keys, context.now, used=used))
    return {}


def _meant(group: TargetGroup, given: Request) -> Iterable[Target]:
    port = given.get("Port")
    return [
        each for each in group.targets if each.id == given["Id"] and (not port or each.port == port)
    ]


def describe_target_health(context: Context, request: Request) -> Response:
    group = target_group_of(context, request["TargetGroupArn"])
    name = target_group_name(group.name, group.id)
    place = (context.account, context.region)
    used = bool(users_of(context.tx, *place, name))
    record = context.tx.get(TARGET_HEALTH, *place, name)
    known = record.value.targets if record is not None else {}
    targets = [each for each in group.targets if used or not each.deregistered_at]
    asked = request.get("Targets")
    if asked:
        targets = [target for given in asked for target in _asked(group, given)]
    return {
        "TargetHealthDescriptions": [
            _shape(context, group, target, _health(target, known, targets_of(group), used))
            for target in targets
        ]
    }


def targets_of(group: TargetGroup) -> frozenset[str]:
    return frozenset(each.key for each in group.targets)


def _asked(group: TargetGroup, given: Request) -> list[Target]:
    found = list(_meant(group, given))
    port = given.get("Port") or group.port
    return found or [Target(id=given["Id"], port=port, registered_at=0.0)]


def _health(
    target: Target, known: Mapping[str, Health], registered: frozenset[str], used: bool
) -> Health:
    if target.key not in registered:
        return UNREGISTERED
    return known.get(target.key, INITIAL) if used else UNUSED


def _shape(context: Context, group: TargetGroup, target: Target, health: Health) -> dict[str, Any]:
    told: dict[str, Any] = {"Id": target.id, "Port": target.port}
    if group.target_type == "ip" and health is not UNREGISTERED:
        zone = zone_of_target(context.tx, context.account, context.region, group, target)
        if zone:
            told["AvailabilityZone"] = zone
    state = {"State": health.state, "Reason": health.reason, "Description": health.description}
    check = group.health_check
    port = str(target.port) if check.port == "traffic-port" else check.port
    return {
        "Target": told,
        "HealthCheckPort": port,
        "TargetHealth": {name: value for name, value in state.items() if value},
    }


OPERATIONS: Mapping[str, Operation] = {
    "DeregisterTargets": deregister_targets,
    "DescribeTargetHealth": describe_target_health,
    "RegisterTargets": register_targets,
}
