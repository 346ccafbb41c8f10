"""The service-linked role by which Auto Scaling acts ("Service-linked roles for Amazon EC2 Auto
Scaling")."""

from longshore.services import linked_roles
from longshore.services.autoscaling.failures import invalid
from longshore.services.interface import Context
from longshore.services.roles import role_of_arn

SERVICE = "autoscaling.amazonaws.com"
NAME = "AWSServiceRoleForAutoScaling"
PATH = f"/aws-service-role/{SERVICE}/"
POLICY = "AutoScalingServiceRolePolicy"
DESCRIPTION = (
    "Default Service-Linked Role enables access to AWS Services and Resources used or managed by "
    "Auto Scaling"
)


def have_linked_role(context: Context, given: str | None) -> str:
    """The ARN of the role that a group is to have; the account's is made where there is none.

    ValidationError where the role that is given is none of Auto Scaling's.
    """
    if given:
        return _checked(context, given)
    return linked_roles.have_linked_role(context, SERVICE, NAME, POLICY, DESCRIPTION)


def _checked(context: Context, arn: str) -> str:
    context.authorize("iam:PassRole", arn, {"iam:PassedToService": SERVICE})
    role = role_of_arn(context.tx, arn)
    if role is None or role.path != PATH:
        raise invalid("ARN specified for Service-Linked Role does not exist.")
    return arn
