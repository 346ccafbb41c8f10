"""IAM's errors, in its wording."""

from longshore.model.errors import AwsError


def no_such_entity(message: str) -> AwsError:
    return AwsError("NoSuchEntity", message, 404)


def already_exists(message: str) -> AwsError:
    return AwsError("EntityAlreadyExists", message, 409)


def delete_conflict(message: str) -> AwsError:
    return AwsError("DeleteConflict", message, 409)


def must_first(what: str) -> AwsError:
    """An entity that something still hangs on; `what` must be done before it can go."""
    return delete_conflict(f"Cannot delete entity, must {what} first.")


def over_quota(quota: str, most: int) -> AwsError:
    return AwsError("LimitExceeded", f"Cannot exceed quota for {quota}: {most}", 409)


def limit_exceeded(message: str) -> AwsError:
    return AwsError("LimitExceeded", message, 409)


def invalid_input(message: str) -> AwsError:
    return AwsError("InvalidInput", message)


def validation(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def unmodifiable(role_name: str) -> AwsError:
    return AwsError(
        "UnmodifiableEntity",
        f"Cannot perform the operation on the protected role '{role_name}' - this role is only "
        "modifiable by AWS",
    )
