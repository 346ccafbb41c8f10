"""SetInstanceHealth and SetInstanceProtection."""

from collections.abc import Mapping
from typing import Any

from longshore.model.auto_scaling import AutoScalingGroup, Member
from longshore.services.autoscaling.failures import invalid
from longshore.services.autoscaling.membership import in_group
from longshore.services.autoscaling.records import (
    changeable_group,
    group_named,
    member_of,
    put_member,
)
from longshore.services.interface import Context, Operation, Response

Request = Mapping[str, Any]

STATES = ("Healthy", "Unhealthy")
PROTECTABLE = ("InService", "EnteringStandby", "Standby")


def set_health(context: Context, request: Request) -> Response:
    """Within the grace period nothing becomes unhealthy, unless the request does not respect it."""
    wanted = request["HealthStatus"]
    if wanted not in STATES:
        raise invalid(
            f"1 validation error detected: Value '{wanted}' at 'healthStatus' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(STATES)}]"
        )
    member = member_of(context, request["InstanceId"])
    group = group_named(context, member.group)
    respected = request.get("ShouldRespectGracePeriod", True)
    if wanted == "Unhealthy" and respected and _in_grace(context, group, member):
        return {}
    put_member(context, member, health=wanted)
    return {}


def _in_grace(context: Context, group: AutoScalingGroup, member: Member) -> bool:
    if not group.health_check_grace_seconds:
        return False
    since = member.in_service_at
    return not since or since + group.health_check_grace_seconds > context.now


def set_protection(context: Context, request: Request) -> Response:
    group = changeable_group(context, request["AutoScalingGroupName"])
    members = in_group(context, group, request["InstanceIds"])
    for member in members:
        if member.lifecycle not in PROTECTABLE:
            raise invalid(
                f"The instance {member.instance_id} is not in InService or EnteringStandby or "
                "Standby."
            )
    for member in members:
        put_member(context, member, protected=request["ProtectedFromScaleIn"])
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "SetInstanceHealth": set_health,
    "SetInstanceProtection": set_protection,
}
