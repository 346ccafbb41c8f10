"""What a cluster has in the store besides its own records, staged in transactions."""

import json
from typing import Any

import msgspec

from longshore.base.ids import Ids
from longshore.controllers.eks_cluster.plane import (
    ECS_CLUSTER,
    EXECUTION_ROLE,
    EXECUTION_ROLE_ARN,
    service_name,
)
from longshore.model import ecs, iam
from longshore.model.ec2 import (
    NETWORK_INTERFACE,
    SECURITY_GROUP,
    SUBNET,
    SecurityGroup,
    SecurityGroupRule,
)
from longshore.model.eks import (
    ACCESS_ENTRY,
    CLUSTER,
    CLUSTER_STATUS,
    SYSTEM_ACCOUNT,
    Cluster,
    entry_name,
)
from longshore.model.kind import Kind
from longshore.policy.key_ids import unique_id
from longshore.store.interface import Key, Transaction
from longshore.vpc import create_default_vpc
from longshore.vpc.creation import egress_to_everywhere, within_group

HTTPS = 443
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)
EXECUTION_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


def have_cluster_group(tx: Transaction, ids: Ids, key: Key, cluster: Cluster) -> str:
    """The cluster security group, in the user's VPC ("View Amazon EKS security group requirements
    for clusters"); its id."""
    name = f"eks-cluster-sg-{cluster.name}-{int(cluster.id[:8], 16)}"
    for record in tx.find(SECURITY_GROUP, key.account, key.region, "vpc", cluster.vpc_id):
        if record.value.name == name:
            return record.value.id
    group_id = f"sg-{ids.hex(17)}"
    group = SecurityGroup(
        id=group_id,
        vpc_id=cluster.vpc_id,
        name=name,
        description=(
            "EKS created security group applied to ENI that is attached to EKS Control Plane "
            "master nodes, as well as any managed workloads."
        ),
        rules=(within_group(ids, key.account, group_id), egress_to_everywhere(ids)),
        tags=(
            ("Name", name),
            (f"kubernetes.io/cluster/{cluster.name}", "owned"),
            ("aws:eks:cluster-name", cluster.name),
        ),
    )
    tx.create(SECURITY_GROUP, key.account, key.region, group_id, group)
    return group_id


def have_execution_role(tx: Transaction, ids: Ids, now: float) -> None:
    """The role, of the system account, by which the agent pulls the control plane's image."""
    if tx.get(iam.ROLE, SYSTEM_ACCOUNT, "", EXECUTION_ROLE.lower()) is not None:
        return
    role = iam.Role(
        name=EXECUTION_ROLE,
        path="/",
        id=unique_id("role", ids),
        arn=EXECUTION_ROLE_ARN,
        created_at=now,
        trust=TRUST,
        attached=(EXECUTION_POLICY,),
    )
    tx.create(iam.ROLE, SYSTEM_ACCOUNT, "", EXECUTION_ROLE.lower(), role)


def have_network(tx: Transaction, ids: Ids, key: Key, cluster: Cluster) -> ecs.TaskNetwork:
    """Where the control plane is in the network: a VPC of the system account, in the AZs of the
    cluster's subnets, reached from `public_cidrs` alone."""
    vpc = create_default_vpc(tx, SYSTEM_ACCOUNT, key.region, ids)
    theirs = [tx.get(SUBNET, key.account, key.region, each) for each in cluster.subnets]
    zones = {record.value.zone for record in theirs if record is not None}
    found = tx.find(SUBNET, SYSTEM_ACCOUNT, key.region, "vpc", vpc.id)
    own = [record.value.id for record in found if record.value.zone in zones]
    group = _have_endpoint_group(tx, ids, key, cluster, vpc.id)
    return ecs.TaskNetwork(subnets=tuple(own), security_groups=(group,), public=True)


def _have_endpoint_group(tx: Transaction, ids: Ids, key: Key, cluster: Cluster, vpc_id: str) -> str:
    for record in tx.find(SECURITY_GROUP, SYSTEM_ACCOUNT, key.region, "vpc", vpc_id):
        if record.value.name == cluster.id:
            return record.value.id
    group_id = f"sg-{ids.hex(17)}"
    rules = tuple(
        SecurityGroupRule(
            id=f"sgr-{ids.hex(17)}",
            egress=False,
            protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            cidr=cidr,
        )
        for cidr in cluster.public_cidrs
    )
    group = SecurityGroup(
        id=group_id,
        vpc_id=vpc_id,
        name=cluster.id,
        description=f"Endpoint of {cluster.arn}",
        rules=(*rules, egress_to_everywhere(ids)),
    )
    tx.create(SECURITY_GROUP, SYSTEM_ACCOUNT, key.region, group_id, group)
    return group_id


def run(tx: Transaction, region: str, definition: ecs.TaskDefinition, service: ecs.Service) -> None:
    """Have the service run tasks of the definition; one that runs already is left alone."""
    here = (SYSTEM_ACCOUNT, region)
    if tx.get(ecs.CLUSTER, *here, ECS_CLUSTER) is None:
        tx.create(
            ecs.CLUSTER, *here, ECS_CLUSTER, ecs.Cluster(name=ECS_CLUSTER, arn=service.cluster_arn)
        )
    name = f"{ECS_CLUSTER}/{service.name}"
    if tx.get(ecs.SERVICE, *here, name) is None:
        tx.put(ecs.TASK_DEFINITION, *here, ecs.definition_name(definition.family, 1), definition)
        tx.create(ecs.SERVICE, *here, name, service)


def end(tx: Transaction, key: Key, cluster: Cluster) -> bool:
    """Have no task of the cluster run any more; whether that is so."""
    here = (SYSTEM_ACCOUNT, key.region)
    name = f"{ECS_CLUSTER}/{service_name(key.account, cluster.name)}"
    record = tx.get(ecs.SERVICE, *here, name)
    if record is None or record.value.status == "INACTIVE":
        return True
    if record.value.status != "DRAINING":
        drained = msgspec.structs.replace(record.value, status="DRAINING", desired_count=0)
        tx.put(ecs.SERVICE, *here, name, drained)
    return False


def forget(tx: Transaction, key: Key, cluster: Cluster) -> None:
    """Take away every record of the cluster; its tasks have ended."""
    here = (SYSTEM_ACCOUNT, key.region)
    service = service_name(key.account, cluster.name)
    name = f"{ECS_CLUSTER}/{service}"
    for task in tx.find(ecs.TASK, *here, "service", name):
        tx.delete(ecs.TASK, *here, task.key.name)
    _drop(tx, ecs.SERVICE, *here, name)
    _drop(tx, ecs.SERVICE_STATUS, *here, name)
    _drop(tx, ecs.TASK_DEFINITION, *here, ecs.definition_name(service, 1))
    _forget_groups(tx, key, cluster)
    own = (key.account, key.region)
    for entry in tx.scan(ACCESS_ENTRY, *own, prefix=entry_name(cluster.name, "")):
        tx.delete(ACCESS_ENTRY, *own, entry.key.name)
    _drop(tx, CLUSTER_STATUS, *own, cluster.name)
    _drop(tx, CLUSTER, *own, cluster.name)


def _forget_groups(tx: Transaction, key: Key, cluster: Cluster) -> None:
    """A group that somebody's interface has is left to them."""
    status = tx.get(CLUSTER_STATUS, key.account, key.region, cluster.name)
    groups = [(key.account, status.value.security_group)] if status is not None else []
    groups += [
        (SYSTEM_ACCOUNT, record.value.id)
        for record in tx.scan(SECURITY_GROUP, SYSTEM_ACCOUNT, key.region)
        if record.value.name == cluster.id
    ]
    for account, group in groups:
        used = tx.find(NETWORK_INTERFACE, account, key.region, "group", group)
        if not used:
            _drop(tx, SECURITY_GROUP, account, key.region, group)


def _drop(tx: Transaction, kind: Kind[Any], account: str, region: str, name: str) -> None:
    """Delete the record, where there is one."""
    if tx.get(kind, account, region, name) is not None:
        tx.delete(kind, account, region, name)
