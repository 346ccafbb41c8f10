"""What random requests would not find by themselves: for each service, some that it takes."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Known = Callable[[str], str]
"""The text that answers held last in a member of this name."""
Requests = Iterator[tuple[str, dict[str, Any]]]
"""Operations and requests; one of another service is `service.Operation`."""

TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
    '"Principal": {"AWS": "*"}}]}'
)
ALLOW = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*"%s}]}'
LIFECYCLE = (
    '{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": '
    '"imageCountMoreThan", "countNumber": 1}, "action": {"type": "expire"}}]}'
)
DEFINITION = {
    "family": "web",
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "requiresCompatibilities": ["FARGATE"],
    "volumes": [{"name": "data"}],
    "containerDefinitions": [
        {
            "name": "web",
            "image": "web:1",
            "cpu": 10,
            "memory": 128,
            "portMappings": [{"containerPort": 80, "protocol": "tcp"}],
            "environment": [{"name": "A", "value": "b"}],
            "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
            "healthCheck": {"command": ["CMD", "true"], "interval": 5},
            "ulimits": [{"name": "nofile", "softLimit": 10, "hardLimit": 20}],
            "linuxParameters": {"initProcessEnabled": True},
        }
    ],
}


def _ec2(known: Known) -> Requests:
    yield "CreateVpc", {"CidrBlock": "10.0.0.0/16"}
    there = {"VpcId": known("VpcId")}
    yield "CreateSubnet", {**there, "CidrBlock": "10.0.1.0/24"}
    yield "CreateNetworkInterface", {"SubnetId": known("SubnetId")}
    yield "CreateSecurityGroup", {**there, "GroupName": "web", "Description": "for tests"}
    allowed = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81}
    allowed |= {"IpRanges": [{"CidrIp": "10.1.0.0/16"}]}
    group = {"GroupId": known("GroupId"), "IpPermissions": [allowed]}
    yield "AuthorizeSecurityGroupIngress", group
    yield "AuthorizeSecurityGroupEgress", group
    yield "CreateRouteTable", there
    yield "CreateInternetGateway", {}
    gateway = known("InternetGatewayId")
    yield "AttachInternetGateway", {**there, "InternetGatewayId": gateway}
    route = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway}
    yield "CreateRoute", {"RouteTableId": known("RouteTableId"), **route}


def _ecr(known: Known) -> Requests:
    web = {"repositoryName": "web"}
    yield "CreateRepository", web
    yield "PutLifecyclePolicy", {**web, "lifecyclePolicyText": LIFECYCLE}
    yield "SetRepositoryPolicy", {**web, "policyText": TRUST.replace("sts:AssumeRole", "ecr:*")}
    yield "InitiateLayerUpload", web
    part = {"uploadId": known("uploadId"), "partFirstByte": 0, "partLastByte": 2}
    yield "UploadLayerPart", {**web, **part, "layerPartBlob": b"abc"}


def _ecs(known: Known) -> Requests:
    yield "ec2.DescribeSubnets", {}
    yield "CreateCluster", {"clusterName": "default"}
    yield "RegisterTaskDefinition", DEFINITION
    task = {
        "taskDefinition": "web",
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": [known("SubnetId")]}},
    }
    yield "CreateService", {"serviceName": "web", "desiredCount": 1, **task}
    overrides = {"containerOverrides": [{"name": "web", "command": ["true"], "cpu": 5}]}
    yield "RunTask", {"count": 1, "overrides": overrides, **task}


def _iam(known: Known) -> Requests:
    yield "CreateRole", {"RoleName": "web", "AssumeRolePolicyDocument": TRUST}
    policy = {"PolicyName": "web", "PolicyDocument": ALLOW % ', "Resource": "*"'}
    yield "PutRolePolicy", {"RoleName": "web", **policy}
    yield "CreatePolicy", policy
    yield "AttachRolePolicy", {"RoleName": "web", "PolicyArn": known("Arn")}
    yield "CreateUser", {"UserName": "web"}
    yield "PutUserPolicy", {"UserName": "web", **policy}
    yield "CreateAccessKey", {"UserName": "web"}
    yield "CreateGroup", {"GroupName": "web"}
    yield "AddUserToGroup", {"UserName": "web", "GroupName": "web"}
    yield "CreateInstanceProfile", {"InstanceProfileName": "web"}
    provider = {"Url": "https://example.com/id/web", "ClientIDList": ["sts.amazonaws.com"]}
    yield "CreateOpenIDConnectProvider", provider


def _logs(known: Known) -> Requests:
    yield "CreateLogGroup", {"logGroupName": "web"}
    stream = {"logGroupName": "web", "logStreamName": "web"}
    yield "CreateLogStream", stream
    events = [{"timestamp": int(time.time() * 1000), "message": "a"}]
    yield "PutLogEvents", {**stream, "logEvents": events}


def _kms(known: Known) -> Requests:
    yield "CreateKey", {}
    key = known("KeyId")
    yield "CreateAlias", {"AliasName": "alias/web", "TargetKeyId": key}
    yield "Encrypt", {"KeyId": key, "Plaintext": b"a"}
    grantee = "arn:aws:iam::123456789012:role/web"
    yield "CreateGrant", {"KeyId": key, "GranteePrincipal": grantee, "Operations": ["Encrypt"]}


def _secretsmanager(known: Known) -> Requests:
    yield "CreateSecret", {"Name": "web", "SecretString": "a"}
    policy = ALLOW % ', "Principal": "*", "Resource": "*"'
    yield "PutResourcePolicy", {"SecretId": "web", "ResourcePolicy": policy}


def _ssm(known: Known) -> Requests:
    yield "PutParameter", {"Name": "web", "Value": "a", "Type": "String"}


def _sts(known: Known) -> Requests:
    yield "iam.CreateRole", {"RoleName": "web", "AssumeRolePolicyDocument": TRUST}
    yield "AssumeRole", {"RoleArn": known("Arn"), "RoleSessionName": "here"}


def _eks(known: Known) -> Requests:
    trust = TRUST.replace('{"AWS": "*"}', '{"Service": "eks.amazonaws.com"}')
    yield "iam.CreateRole", {"RoleName": "cluster", "AssumeRolePolicyDocument": trust}
    role = known("Arn")
    yield "ec2.CreateVpc", {"CidrBlock": "10.0.0.0/16"}
    there, subnets = {"VpcId": known("VpcId")}, []
    for number, zone in enumerate("ab"):
        place = {"CidrBlock": f"10.0.{number}.0/24", "AvailabilityZone": f"us-east-1{zone}"}
        yield "ec2.CreateSubnet", {**there, **place}
        subnets.append(known("SubnetId"))
    yield (
        "CreateCluster",
        {
            "name": "shop",
            "roleArn": role,
            "resourcesVpcConfig": {"subnetIds": subnets},
            "accessConfig": {"authenticationMode": "API"},
        },
    )
    entry = {"clusterName": "shop", "principalArn": role}
    yield "CreateAccessEntry", entry
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
    scope = {"type": "namespace", "namespaces": ["a*"]}
    yield "AssociateAccessPolicy", {**entry, "policyArn": policy, "accessScope": scope}
    web = {"clusterName": "shop", "namespace": "default", "serviceAccount": "web"}
    yield "CreatePodIdentityAssociation", {**web, "roleArn": role}


def _eks_auth(known: Known) -> Requests:
    yield "eks.ListClusters", {}


def _autoscaling(known: Known) -> Requests:
    yield "ec2.DescribeSubnets", {}
    subnet = known("SubnetId")
    yield "ec2.DescribeImages", {}
    data = {"ImageId": known("ImageId"), "InstanceType": "t3.micro"}
    yield "ec2.CreateLaunchTemplate", {"LaunchTemplateName": "web", "LaunchTemplateData": data}
    template = {"LaunchTemplateName": "web", "Version": "$Latest"}
    group = {"AutoScalingGroupName": "web", "MinSize": 0, "MaxSize": 2, "LaunchTemplate": template}
    yield "CreateAutoScalingGroup", {**group, "VPCZoneIdentifier": subnet}
    tag = {"ResourceId": "web", "ResourceType": "auto-scaling-group", "Key": "a", "Value": "b"}
    yield "CreateOrUpdateTags", {"Tags": [tag]}
    configuration = {"DesiredConfiguration": {"LaunchTemplate": template}}
    yield "StartInstanceRefresh", {"AutoScalingGroupName": "web", **configuration}
    yield "CancelInstanceRefresh", {"AutoScalingGroupName": "web"}


def _elbv2(known: Known) -> Requests:
    yield "ec2.DescribeSubnets", {}
    yield (
        "CreateLoadBalancer",
        {"Name": "front", "Type": "network", "Subnets": [known("SubnetId")]},
    )
    check = {"HealthCheckProtocol": "HTTP", "HealthCheckPath": "/", "TargetType": "ip"}
    group = {"Name": "web", "Protocol": "TCP", "Port": 80, "VpcId": known("VpcId"), **check}
    yield "CreateTargetGroup", group
    forward = {"Type": "forward", "TargetGroupArn": known("TargetGroupArn")}
    listener = {"Protocol": "TCP", "Port": 80, "DefaultActions": [forward]}
    yield "CreateListener", {"LoadBalancerArn": known("LoadBalancerArn"), **listener}
    outside = {"Id": "192.168.7.7", "AvailabilityZone": "all"}
    yield (
        "RegisterTargets",
        {"TargetGroupArn": known("TargetGroupArn"), "Targets": [outside]},
    )


FIRST: Mapping[str, Callable[[Known], Requests]] = {
    "autoscaling": _autoscaling,
    "ec2": _ec2,
    "ecr": _ecr,
    "ecs": _ecs,
    "eks": _eks,
    "eks-auth": _eks_auth,
    "elbv2": _elbv2,
    "iam": _iam,
    "kms": _kms,
    "logs": _logs,
    "secretsmanager": _secretsmanager,
    "ssm": _ssm,
    "sts": _sts,
}
