"""AWS-managed policies that users of containers attach, as AWS publishes them.

Source: "AWS managed policy reference". One line a statement: actions, and resources where they are
not `*`.
"""

import json
from collections.abc import Mapping
from functools import cache

PREFIX = "arn:aws:iam::aws:policy/"
PULL = (
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
)
READ_IMAGES = (
    *PULL,
    "ecr:GetRepositoryPolicy",
    "ecr:DescribeRepositories",
    "ecr:ListImages",
    "ecr:DescribeImages",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListTagsForResource",
    "ecr:DescribeImageScanFindings",
)
PUSH = (
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
)
CONTAINER_INSTANCE = (
    "ec2:DescribeTags",
    "ecs:CreateCluster",
    "ecs:DeregisterContainerInstance",
    "ecs:DiscoverPollEndpoint",
    "ecs:Poll",
    "ecs:RegisterContainerInstance",
    "ecs:StartTelemetrySession",
    "ecs:UpdateContainerInstancesState",
    "ecs:Submit*",
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "ecs:ListTagsForResource",
)
READ_ONLY = (
    "ec2:Describe*",
    "ec2:Get*",
    "ecr:BatchCheck*",
    "ecr:BatchGet*",
    "ecr:Describe*",
    "ecr:Get*",
    "ecr:List*",
    "ecs:Describe*",
    "ecs:List*",
    "ecs:Get*",
    "eks:Describe*",
    "eks:List*",
    "iam:Get*",
    "iam:List*",
    "iam:Simulate*",
    "iam:GenerateCredentialReport",
    "logs:Describe*",
    "logs:Get*",
    "logs:FilterLogEvents",
    "logs:List*",
    "ssm:Describe*",
    "ssm:Get*",
    "ssm:List*",
    "secretsmanager:List*",
    "secretsmanager:Describe*",
    "secretsmanager:GetResourcePolicy",
    "sts:GetAccessKeyInfo",
    "sts:GetCallerIdentity",
    "sts:GetSessionToken",
    "tag:Get*",
    "elasticloadbalancing:Describe*",
    "autoscaling:Describe*",
    "cloudwatch:Describe*",
    "cloudwatch:Get*",
    "cloudwatch:List*",
)
ACTIONS: Mapping[str, tuple[str, ...]] = {
    "AdministratorAccess": ("*",),
    "IAMFullAccess": ("iam:*",),
    "IAMReadOnlyAccess": (
        "iam:GenerateCredentialReport",
        "iam:GenerateServiceLastAccessedDetails",
        "iam:Get*",
        "iam:List*",
        "iam:SimulateCustomPolicy",
        "iam:SimulatePrincipalPolicy",
    ),
    "ReadOnlyAccess": READ_ONLY,
    "service-role/AmazonECSTaskExecutionRolePolicy": (
        *PULL,
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    ),
    "service-role/AmazonEC2ContainerServiceforEC2Role": CONTAINER_INSTANCE,
    "AmazonEC2ContainerRegistryReadOnly": READ_IMAGES,
    "AmazonEC2ContainerRegistryPowerUser": (*READ_IMAGES, *PUSH),
    "AmazonEC2ContainerRegistryPullOnly": PULL,
    "AmazonEC2ContainerRegistryFullAccess": ("ecr:*", "cloudtrail:LookupEvents"),
    "AmazonECS_FullAccess": (
        "ecs:*",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateSecurityGroup",
        "ec2:Describe*",
        "elasticloadbalancing:*",
        "application-autoscaling:*",
        "logs:CreateLogGroup",
        "logs:DescribeLogGroups",
        "logs:FilterLogEvents",
        "iam:ListAttachedRolePolicies",
        "iam:ListInstanceProfiles",
        "iam:ListRoles",
        "iam:PassRole",
        "servicediscovery:*",
    ),
    "AmazonEC2FullAccess": ("ec2:*", "elasticloadbalancing:*", "cloudwatch:*", "autoscaling:*"),
    "AmazonEC2ReadOnlyAccess": ("ec2:Describe*", "ec2:GetSecurityGroupsForVpc"),
    "AmazonVPCFullAccess": ("ec2:*",),
    "CloudWatchLogsFullAccess": ("logs:*", "cloudwatch:GenerateQuery"),
    "CloudWatchLogsReadOnlyAccess": (
        "logs:Describe*",
        "logs:Get*",
        "logs:List*",
        "logs:StartQuery",
        "logs:StopQuery",
        "logs:TestMetricFilter",
        "logs:FilterLogEvents",
    ),
    "AmazonSSMFullAccess": ("ssm:*",),
    "AmazonSSMReadOnlyAccess": ("ssm:Describe*", "ssm:Get*", "ssm:List*"),
    "SecretsManagerReadWrite": ("secretsmanager:*",),
    "AmazonEKSClusterPolicy": ("ec2:*", "elasticloadbalancing:*", "autoscaling:*"),
    "AmazonEKSWorkerNodePolicy": ("ec2:Describe*", "eks:DescribeCluster"),
    "AmazonEKS_CNI_Policy": (
        "ec2:AssignPrivateIpAddresses",
        "ec2:AttachNetworkInterface",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:Describe*",
        "ec2:DetachNetworkInterface",
        "ec2:ModifyNetworkInterfaceAttribute",
        "ec2:UnassignPrivateIpAddresses",
    ),
    "AmazonEKSFargatePodExecutionRolePolicy": PULL,
}
NOT_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "PowerUserAccess": ("iam:*", "organizations:*", "account:*"),
}
"""Policies that allow everything but these."""


def managed_arns() -> list[str]:
    """The ARNs of all, sorted."""
    return sorted(PREFIX + name for name in (*ACTIONS, *NOT_ACTIONS))


def is_managed(arn: str) -> bool:
    """Whether the ARN is one of AWS's own policies (and not an account's)."""
    return arn.startswith(PREFIX)


@cache
def managed_document(arn: str) -> str | None:
    """The document of an AWS-managed policy; None where there is none of this ARN."""
    name = arn.removeprefix(PREFIX)
    if name in ACTIONS:
        statement = {"Effect": "Allow", "Action": list(ACTIONS[name]), "Resource": "*"}
    elif name in NOT_ACTIONS:
        statement = {"Effect": "Allow", "NotAction": list(NOT_ACTIONS[name]), "Resource": "*"}
    else:
        return None
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
