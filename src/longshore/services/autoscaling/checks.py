"""What requests may ask of groups: what is not built, places, sizes, policies."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from longshore.model.ec2 import SUBNET, Subnet
from longshore.model.errors import not_built
from longshore.services.autoscaling.failures import invalid
from longshore.services.autoscaling.kinds import TERMINATION_POLICIES
from longshore.services.interface import Context
from longshore.vpc.zones import zone_id, zone_names

Document = Mapping[str, Any]

_NAME = re.compile(r"[\x21-\x7e]{1,255}")
DAY = 86400
YEAR = 365 * DAY
MOST_WARMUP = 3600
UNBUILT: Mapping[str, Callable[[Document], Any]] = {
    "launch configurations": lambda request: request.get("LaunchConfigurationName"),
    "load balancers of Auto Scaling groups": lambda request: (
        request.get("LoadBalancerNames")
        or request.get("TargetGroupARNs")
        or request.get("TrafficSources")
    ),
    "instances that are retained when a lifecycle hook is abandoned": lambda request: (
        _inner(request, "InstanceLifecyclePolicy", "RetentionTriggers", "TerminateHookAbandon")
        not in {None, "terminate"}
    ),
    "placement groups": lambda request: request.get("PlacementGroup"),
    "health checks other than EC2's": lambda request: (
        request.get("HealthCheckType", "EC2") != "EC2"
    ),
    "capacity reservations": lambda request: (
        _inner(request, "CapacityReservationSpecification", "CapacityReservationPreference")
        not in {None, "default", "none"}
        or _inner(request, "CapacityReservationSpecification", "CapacityReservationTarget")
        or _inner(request, "AvailabilityZoneDistribution", "CapacityDistributionStrategy")
        == "reservations-then-balanced"
    ),
    "zonal shifts of Auto Scaling groups": lambda request: _inner(
        request, "AvailabilityZoneImpairmentPolicy", "ZonalShiftEnabled"
    ),
    "groups that are measured in vCPUs or memory": lambda request: (
        request.get("DesiredCapacityType") not in {None, "units"}
    ),
    "groups that another service manages": lambda request: request.get("Operator"),
}
"""What it is, and whether a request asks for it."""


def _inner(request: Document, *path: str) -> Any:
    value: Any = request
    for name in path:
        value = (value or {}).get(name)
    return value


def check_built(request: Document) -> None:
    """NotImplemented where the request asks for what there is not."""
    for what, asked in UNBUILT.items():
        if asked(request):
            raise not_built(what)


def check_name(name: str) -> str:
    """ValidationError for what no name may be ("CreateAutoScalingGroup")."""
    if not _NAME.fullmatch(name) or ":" in name:
        raise invalid(
            f"AutoScalingGroupName '{name}' may only contain ASCII characters 33 to 126 without "
            "colons"
        )
    return name


def check_sizes(low: int, high: int, desired: int) -> None:
    if low < 0 or high < 0:
        raise invalid("Min and max bounds must not be negative")
    if low > high:
        raise invalid(f"Max bound, {high}, must be greater than or equal to min bound, {low}")
    if not low <= desired <= high:
        raise invalid(
            f"Desired capacity:{desired} must be between the specified min size:{low} and max "
            f"size:{high}"
        )


def places(context: Context, request: Document) -> dict[str, Any]:
    """The group's fields `subnets` and `zones`; none where the request names no place."""
    named = [each.strip() for each in request.get("VPCZoneIdentifier", "").split(",")]
    subnets = _subnets(context, [each for each in named if each])
    zones = _zones(context, request)
    if subnets:
        if zones and set(zones) != {subnet.zone for subnet in subnets}:
            raise invalid(
                "The availability zones of the specified subnets and the Auto Scaling group do "
                "not match"
            )
        return {"subnets": tuple(subnet.id for subnet in subnets), "zones": ()}
    if not zones:
        return {}
    _check_default_subnets(context, zones)
    return {"subnets": (), "zones": tuple(zones)}


def _subnets(context: Context, ids: Sequence[str]) -> list[Subnet]:
    found = []
    for subnet_id in dict.fromkeys(ids):
        record = context.tx.get(SUBNET, context.account, context.region, subnet_id)
        if record is None:
            raise invalid(f"The subnet ID '{subnet_id}' does not exist")
        found.append(record.value)
    if len({subnet.vpc_id for subnet in found}) > 1:
        raise invalid("The subnets of an Auto Scaling group must be in the same VPC")
    return found


def _zones(context: Context, request: Document) -> list[str]:
    known = zone_names(context.region)
    by_id = {zone_id(zone): zone for zone in known}
    ids = request.get("AvailabilityZoneIds") or ()
    named = [*(request.get("AvailabilityZones") or ()), *(by_id.get(each, each) for each in ids)]
    wrong = [zone for zone in named if zone not in known]
    if wrong:
        raise invalid(f"Invalid availability zones: [{', '.join(wrong)}]")
    return list(dict.fromkeys(named))


def _check_default_subnets(context: Context, zones: Sequence[str]) -> None:
    records = context.tx.scan(SUBNET, context.account, context.region)
    default = {record.value.zone for record in records if record.value.default_for_az}
    missing = [zone for zone in zones if zone not in default]
    if missing:
        raise invalid(
            f"No default subnet found in availability zones: [{', '.join(missing)}]. Please "
            "specify VPCZoneIdentifier."
        )


def settings(request: Document) -> dict[str, Any]:
    """The group's other fields, of those members that the request has."""
    found: dict[str, Any] = {}
    for member, field in PLAIN.items():
        if member in request:
            found[field] = request[member]
    for member, least, most, field in NUMBERS:
        if member in request:
            found[field] = _number(request[member], member, least, most)
    if "MaxInstanceLifetime" in request:
        found["max_instance_lifetime"] = _lifetime(request["MaxInstanceLifetime"])
    if "TerminationPolicies" in request:
        found["termination_policies"] = _policies(request["TerminationPolicies"])
    if "InstanceMaintenancePolicy" in request:
        found["maintenance_policy"] = _maintenance(request["InstanceMaintenancePolicy"])
    strategy = _inner(request, "AvailabilityZoneDistribution", "CapacityDistributionStrategy")
    if strategy is not None:
        found["zone_distribution"] = strategy
    return found


PLAIN = {
    "CapacityRebalance": "capacity_rebalance",
    "Context": "context",
    "DeletionProtection": "deletion_protection",
    "HealthCheckType": "health_check_type",
    "NewInstancesProtectedFromScaleIn": "protect_from_scale_in",
}
NUMBERS = (
    ("DefaultCooldown", 0, None, "cooldown_seconds"),
    ("DefaultInstanceWarmup", -1, MOST_WARMUP, "default_warmup"),
    ("HealthCheckGracePeriod", 0, None, "health_check_grace_seconds"),
)


def _number(value: int, member: str, least: int, most: int | None) -> int:
    if value < least or (most is not None and value > most):
        bound = f"between {least} and {most}" if most is not None else f"at least {least}"
        raise invalid(f"{member} must be {bound}, not {value}")
    return value


def _lifetime(value: int) -> int:
    if value != 0 and not DAY <= value <= YEAR:
        raise invalid(
            f"MaxInstanceLifetime must be 0 or between {DAY} (1 day) and {YEAR} (365 days) "
            f"seconds, not {value}"
        )
    return value


def _policies(given: Sequence[str]) -> tuple[str, ...]:
    for policy in given:
        if policy.startswith("arn:"):
            raise not_built("termination policies of Lambda functions")
        if policy not in TERMINATION_POLICIES:
            raise invalid(f"Invalid termination policy: {policy}")
    return tuple(dict.fromkeys(given)) or ("Default",)


def _maintenance(given: Document) -> dict[str, Any] | None:
    low, high = given.get("MinHealthyPercentage"), given.get("MaxHealthyPercentage")
    if low == high == -1:
        return None
    check_percentages(low, high)
    if low is None:
        raise invalid("MinHealthyPercentage and MaxHealthyPercentage must be specified together.")
    return dict(given)


def check_percentages(low: int | None, high: int | None) -> None:
    """ValidationError unless both are given, or none, and they may stand together."""
    if low is None and high is None:
        return
    if low is None or high is None:
        raise invalid("MinHealthyPercentage and MaxHealthyPercentage must be specified together.")
    if not (0 <= low <= 100 <= high <= 200):
        raise invalid(
            "MinHealthyPercentage must be between 0 and 100, MaxHealthyPercentage between 100 and "
            "200."
        )
    if high - low > 100:
        raise invalid(
            "The difference between MinHealthyPercentage and MaxHealthyPercentage cannot be "
            "greater than 100."
        )
