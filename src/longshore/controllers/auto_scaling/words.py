"""What activities say, in AWS's words ("Verify a scaling activity for an Auto Scaling group")."""

from time import gmtime, strftime

LAUNCH_FAILED = "Launching EC2 instance failed."
LONGEST_CAUSE = 1023
LONGEST_MESSAGE = 255


def at(now: float, happened: str) -> str:
    return f"At {strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(now))} {happened}."


def launching(instance_id: str) -> str:
    return f"Launching a new EC2 instance: {instance_id}"


def terminating(instance_id: str) -> str:
    return f"Terminating EC2 instance: {instance_id}"


def detaching(instance_id: str) -> str:
    return f"Detaching EC2 instance: {instance_id}"


def entering_standby(instance_id: str) -> str:
    return f"Moving EC2 instance to Standby: {instance_id}"


def failed_launch(reason: str) -> tuple[str, str]:
    """The description and the status message of a launch that came to nothing."""
    message = f"{reason.rstrip('.')}. {LAUNCH_FAILED}"
    return f"Launching a new EC2 instance.  Status Reason: {message}", message


def never_in_service(reason: str) -> str:
    """The status message where an instance ended before it was InService."""
    message = (
        "Instance became unhealthy while waiting for instance to be in InService state. "
        f"Termination Reason: {reason or 'Client.UserInitiatedShutdown: User initiated shutdown'}"
    )
    return message[:LONGEST_MESSAGE]


NOT_COMPLETED = "Instance failed to complete user's Lifecycle Action"
ABANDONED = "an abandoned lifecycle action"


def abandoned(token: str, why: str) -> str:
    """The status message of a launch whose lifecycle action was abandoned."""
    return f"{NOT_COMPLETED}: Lifecycle Action with token {token} was abandoned: {why}"


def grew(before: int, after: int) -> str:
    return (
        "an instance was started in response to a difference between desired and actual capacity, "
        f"increasing the capacity from {before} to {after}"
    )


def shrank(before: int, after: int) -> str:
    return (
        "an instance was taken out of service in response to a difference between desired and "
        f"actual capacity, shrinking the capacity from {before} to {after}"
    )


def selected(instance_id: str) -> str:
    return f"instance {instance_id} was selected for termination"


def taken_out(reason: str) -> str:
    return f"an instance was taken out of service in response to {reason}"


REPLACES_UNHEALTHY = (
    "an instance was launched in response to an unhealthy instance needing to be replaced"
)
LIFETIME = "the instance exceeding the maximum instance lifetime"
LAUNCHED_FOR_LIFETIME = (
    "an instance was launched in response to an instance exceeding the maximum instance lifetime"
)
REFRESH = "an instance refresh"
LAUNCHED_FOR_REFRESH = "an instance was launched in response to an instance refresh"
GROUP_DELETED = "a user request to delete the AutoScalingGroup"


def balancing(lacking: str) -> str:
    return (
        f"instances were launched to balance instances in zones {lacking} with other zones "
        "resulting in more than desired number of instances in the group"
    )


REBALANCED = "instances needing to be balanced between Availability Zones"


def joined(*sentences: str) -> str:
    """A cause of several sentences, as long as one may be."""
    return "  ".join(each for each in sentences if each)[:LONGEST_CAUSE]
