"""Errors of Amazon EC2 Auto Scaling ("Common Errors" and "Errors" of each operation, Amazon EC2
Auto Scaling API Reference)."""

from longshore.model.errors import AwsError


def invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def no_group(name: str) -> AwsError:
    return invalid(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")


def no_member(instance_id: str) -> AwsError:
    return invalid(
        f"Instance Id not found - No managed instance found for instance ID: {instance_id}"
    )


def pending_delete() -> AwsError:
    return invalid("The AutoScaling group may not be modified while it is pending delete")


def already_exists(message: str) -> AwsError:
    return AwsError("AlreadyExists", message)


def in_use(message: str) -> AwsError:
    return AwsError("ResourceInUse", message)


def in_progress(message: str) -> AwsError:
    return AwsError("ScalingActivityInProgress", message)


def limit_exceeded(message: str) -> AwsError:
    return AwsError("LimitExceeded", message)


def no_active_refresh(message: str) -> AwsError:
    return AwsError("ActiveInstanceRefreshNotFound", message)
