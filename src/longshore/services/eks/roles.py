"""Roles that are handed to EKS and to what runs in its clusters."""

from longshore.model.arn import parse_arn
from longshore.model.errors import AwsError
from longshore.policy.trust import trusts_service
from longshore.services.eks.failures import invalid_parameter
from longshore.services.interface import Context
from longshore.services.roles import role_of_arn

EKS_SERVICE = "eks.amazonaws.com"


def pass_role(context: Context, role_arn: str, service: str) -> None:
    """The caller must be allowed `iam:PassRole` on it to this service; no other account's is."""
    parts = parse_arn(role_arn)
    if parts is not None and parts.account != context.account:
        raise AwsError("AccessDeniedException", "Cross-account pass role is not allowed.")
    context.authorize("iam:PassRole", role_arn, {"iam:PassedToService": service})


def check_trust(context: Context, role_arn: str, cluster: str, cluster_arn: str) -> None:
    """InvalidParameterException unless there is the role and it trusts EKS."""
    role = role_of_arn(context.tx, role_arn)
    if role is None or not trusts_service(role.trust, EKS_SERVICE, role_arn, cluster_arn):
        raise invalid_parameter(
            f"Role with arn: {role_arn}, could not be assumed because it does not exist or the"
            " trusted entity is not correct",
            cluster,
        )
