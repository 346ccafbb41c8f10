"""Which members are unhealthy, and why; pure.

("Health checks for instances in an Auto Scaling group", "Set the health check grace period for an
Auto Scaling group")
"""

from longshore.controllers.auto_scaling.seen import STARTING, UNHEALTHY, Seen
from longshore.model.auto_scaling import COUNTED

GONE = "an EC2 health check indicating it has been terminated or stopped"
IMPAIRED = "an EC2 instance status checks failure"
BY_USER = "a user health-check"
RECOVERY_SECONDS = 120.0
"""For so long status checks may fail: an agent that is started anew reports nothing meanwhile."""


def trouble(member: Seen, grace: float, now: float) -> str:
    """Why the member is to be replaced, in AWS's words; empty while it is healthy.

    An instance that does not run is found out at once, one that fails its status checks only when
    it has had time to recover and the `grace` (seconds since it became InService) is over.
    """
    if member.lifecycle not in COUNTED:
        return ""
    if member.state not in STARTING:
        return GONE
    if member.lifecycle == "InService" and member.state != "running":
        return GONE
    if member.health == UNHEALTHY and member.lifecycle == "InService":
        return BY_USER
    if member.impaired_since and time_left(member, grace, now) <= 0:
        return IMPAIRED
    return ""


def time_left(member: Seen, grace: float, now: float) -> float:
    """Seconds until failing status checks count; all of `grace` before the member is InService."""
    if member.lifecycle != "InService":
        return grace + RECOVERY_SECONDS
    return max(member.in_service_at + grace, member.impaired_since + RECOVERY_SECONDS) - now
