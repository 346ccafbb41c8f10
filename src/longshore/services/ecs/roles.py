"""Roles that are handed to tasks."""

from longshore.model.arn import make_arn, parse_arn
from longshore.model.iam import ROLE
from longshore.policy.trust import trusts_service
from longshore.services.ecs.naming import client_error
from longshore.services.interface import Context

TASKS_SERVICE = "ecs-tasks.amazonaws.com"


def role_arn(context: Context, role: str) -> str:
    """The ARN of a role given by ARN or name."""
    return role if role.startswith("arn:") else f"arn:aws:iam::{context.account}:role/{role}"


def pass_role(context: Context, role: str) -> None:
    """The caller must be allowed `iam:PassRole` on it to ECS's tasks."""
    context.authorize(
        "iam:PassRole", role_arn(context, role), {"iam:PassedToService": TASKS_SERVICE}
    )


def check_trust(context: Context, role: str) -> None:
    """ClientException unless there is the role and it trusts ECS's tasks."""
    arn = role_arn(context, role)
    parts = parse_arn(arn)
    name = parts.resource.rpartition("/")[2].lower() if parts is not None else ""
    record = context.tx.get(ROLE, parts.account if parts else "", "", name)
    source = make_arn("ecs", context.region, context.account, "*")
    if record is None or not trusts_service(record.value.trust, TASKS_SERVICE, arn, source):
        raise client_error(
            f"ECS was unable to assume the role '{arn}' that was provided for this task. Please "
            "verify that the role being passed has the proper trust relationship and permissions "
            "and that your IAM user has permissions to pass this role."
        )
