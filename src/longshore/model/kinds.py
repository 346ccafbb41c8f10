"""Every kind of record: what a store is opened with."""

from typing import Any

from longshore.model import ec2, ecr, ecs, host, iam, logs, secretsmanager, ssm
from longshore.model.kind import Kind

KINDS: tuple[Kind[Any], ...] = (
    ec2.ADDRESS,
    ec2.ADDRESS_CLAIM,
    ec2.DHCP_OPTIONS,
    ec2.INTERNET_GATEWAY,
    ec2.KEY_PAIR,
    ec2.NETWORK_INTERFACE,
    ec2.ROUTE_TABLE,
    ec2.SECURITY_GROUP,
    ec2.SUBNET,
    ec2.VPC,
    ecr.IMAGE,
    ecr.LAYER,
    ecr.REGISTRY,
    ecr.REPOSITORY,
    ecr.TAG,
    ecr.TOKEN_KEY,
    ecs.CLIENT_TOKEN,
    ecs.CLUSTER,
    ecs.CONNECTION,
    ecs.CONTAINER_INSTANCE,
    ecs.FAMILY,
    ecs.RESERVATION,
    ecs.SERVICE,
    ecs.SERVICE_STATUS,
    ecs.SETTING,
    ecs.TASK,
    ecs.TASK_DEFINITION,
    host.HOST,
    iam.ACCESS_KEY,
    iam.ACCOUNT_ALIAS,
    iam.GROUP,
    iam.INSTANCE_PROFILE,
    iam.POLICY,
    iam.ROLE,
    iam.SEALING_KEY,
    iam.USER,
    logs.LOG_GROUP,
    logs.LOG_STREAM,
    secretsmanager.SECRET,
    ssm.PARAMETER,
)
