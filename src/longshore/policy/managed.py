"""AWS-managed policies that users of containers attach.

Source: "AWS managed policy reference". They are shortened where AWS's speak of services that are
not here, and allow nothing of those that are here which AWS's do not.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from longshore.policy.managed_volumes import DESCRIBE_VOLUMES, USE_VOLUMES

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
    "kms:Describe*",
    "kms:Get*",
    "kms:List*",
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
NETWORK = (
    "ec2:Describe*",
    "ec2:CreateTags",
    "ec2:DeleteTags",
    "ec2:*Address",
    "ec2:*Addresses",
    "ec2:*DhcpOptions",
    "ec2:*InternetGateway",
    "ec2:*NatGateway",
    "ec2:*NetworkAcl*",
    "ec2:*NetworkInterface*",
    "ec2:*Route",
    "ec2:*RouteTable*",
    "ec2:*SecurityGroup*",
    "ec2:*Subnet*",
    "ec2:*Vpc*",
)
CLUSTER_PLANE = (
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:UpdateAutoScalingGroup",
    "ec2:AttachVolume",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:CreateRoute",
    "ec2:CreateSecurityGroup",
    "ec2:CreateTags",
    "ec2:CreateVolume",
    "ec2:DeleteRoute",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteVolume",
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAddresses",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeInstances",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumes",
    "ec2:DescribeVolumesModifications",
    "ec2:DescribeVpcs",
    "ec2:DetachVolume",
    "ec2:ModifyInstanceAttribute",
    "ec2:ModifyVolume",
    "ec2:RevokeSecurityGroupIngress",
    "elasticloadbalancing:*",
    "kms:DescribeKey",
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
        "servicediscovery:*",
    ),
    "AmazonEC2FullAccess": ("ec2:*", "elasticloadbalancing:*", "cloudwatch:*", "autoscaling:*"),
    "AmazonEC2ReadOnlyAccess": ("ec2:Describe*", "ec2:GetSecurityGroupsForVpc"),
    "AmazonVPCFullAccess": NETWORK,
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
    "AmazonEKSClusterPolicy": CLUSTER_PLANE,
    "AmazonEKSWorkerNodePolicy": (
        "ec2:Describe*",
        "eks:DescribeCluster",
        "eks-auth:AssumeRoleForPodIdentity",
    ),
    "AmazonEKSWorkerNodeMinimalPolicy": ("eks-auth:AssumeRoleForPodIdentity",),
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
    "service-role/AmazonEBSCSIDriverPolicy": DESCRIBE_VOLUMES,
}
NOT_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "PowerUserAccess": ("iam:*", "organizations:*", "account:*"),
}
"""Policies that allow everything but these."""
FURTHER: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "PowerUserAccess": (
        {
            "Effect": "Allow",
            "Action": [
                "account:GetAccountInformation",
                "account:GetPrimaryEmail",
                "account:ListRegions",
                "iam:CreateServiceLinkedRole",
                "iam:DeleteServiceLinkedRole",
                "iam:ListRoles",
                "organizations:DescribeEffectivePolicy",
                "organizations:DescribeOrganization",
            ],
            "Resource": "*",
        },
    ),
    "AmazonECS_FullAccess": (
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": "*",
            "Condition": {"StringLike": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        },
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": "arn:aws:iam::*:role/ecsInstanceRole*",
            "Condition": {"StringLike": {"iam:PassedToService": "ec2.amazonaws.com*"}},
        },
    ),
    "service-role/AmazonEBSCSIDriverPolicy": USE_VOLUMES,
}
"""Statements beside the first."""


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
    statements = [statement, *FURTHER.get(name, ())]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
