"""What AWS's own policies allow and what not."""

import pytest
from unit.policy.policy_builder import ROLE_ARN, allowed

from longshore.policy.document import read_document
from longshore.policy.managed import managed_arns, managed_document

PASSED = "iam:PassedToService"


@pytest.mark.parametrize("arn", managed_arns())
def test_every_policy_of_aws_is_a_document(arn: str) -> None:
    text = managed_document(arn)
    assert text is not None
    assert read_document(text).statements


@pytest.mark.parametrize(
    ("name", "action", "allows"),
    [
        ("AdministratorAccess", "iam:CreateUser", True),
        ("PowerUserAccess", "ecs:RunTask", True),
        ("PowerUserAccess", "iam:CreateUser", False),
        ("PowerUserAccess", "iam:PassRole", False),
        ("PowerUserAccess", "iam:ListRoles", True),
        ("ReadOnlyAccess", "ecs:DescribeTasks", True),
        ("ReadOnlyAccess", "secretsmanager:GetSecretValue", False),
        ("ReadOnlyAccess", "ecs:RunTask", False),
        ("AmazonECS_FullAccess", "ecs:RunTask", True),
        ("AmazonECS_FullAccess", "iam:PassRole", False),
        ("AmazonVPCFullAccess", "ec2:CreateVpc", True),
        ("AmazonVPCFullAccess", "ec2:AuthorizeSecurityGroupIngress", True),
        ("AmazonVPCFullAccess", "ec2:CreateNatGateway", True),
        ("AmazonVPCFullAccess", "ec2:AllocateAddress", True),
        ("AmazonVPCFullAccess", "ec2:RunInstances", False),
        ("AmazonVPCFullAccess", "ec2:TerminateInstances", False),
        ("AmazonEKSClusterPolicy", "ec2:DescribeInstances", True),
        ("AmazonEKSClusterPolicy", "ec2:RunInstances", False),
        ("service-role/AmazonECSTaskExecutionRolePolicy", "ecr:BatchGetImage", True),
        ("service-role/AmazonECSTaskExecutionRolePolicy", "ecr:PutImage", False),
        ("AmazonEC2ContainerRegistryReadOnly", "ecr:PutImage", False),
        ("AmazonEC2ContainerRegistryPowerUser", "ecr:PutImage", True),
        ("AmazonEC2ContainerRegistryPowerUser", "ecr:DeleteRepository", False),
    ],
)
def test_a_policy_of_aws_allows_what_its_name_says_and_no_more(
    name: str, action: str, allows: bool
) -> None:
    text = managed_document(f"arn:aws:iam::aws:policy/{name}")
    assert text is not None
    assert allowed(read_document(text), action=action, on="*") is allows


@pytest.mark.parametrize(
    ("service", "allows"),
    [
        ("ecs-tasks.amazonaws.com", True),
        ("ec2.amazonaws.com", False),
        ("lambda.amazonaws.com", False),
    ],
)
def test_full_access_to_ecs_passes_roles_to_tasks_only(service: str, allows: bool) -> None:
    text = managed_document("arn:aws:iam::aws:policy/AmazonECS_FullAccess")
    assert text is not None
    found = allowed(
        read_document(text), action="iam:PassRole", on=ROLE_ARN, given={PASSED: service}
    )
    assert found is allows


def test_there_is_no_policy_of_a_made_up_name() -> None:
    assert managed_document("arn:aws:iam::aws:policy/None") is None
