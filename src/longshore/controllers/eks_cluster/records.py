"""What a cluster has in the store besides its own records, staged in transactions."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from longshore.base.ids import Ids
from longshore.controllers.eks_cluster import plane as planes
from longshore.controllers.eks_cluster.interfaces import forget_interfaces
from longshore.controllers.eks_cluster.plane import (
    ECS_CLUSTER,
    service_name,
    service_record,
)
from longshore.controllers.system_account import have_ecs_cluster
from longshore.model import ecs
from longshore.model.ec2 import (
    NETWORK_INTERFACE,
    SECURITY_GROUP,
    SUBNET,
    VPC,
    NetworkInterface,
    SecurityGroup,
    SecurityGroupRule,
    Vpc,
)
from longshore.model.eks import (
    ACCESS_ENTRY,
    CLUSTER,
    CLUSTER_STATUS,
    SYSTEM_ACCOUNT,
    UPDATE,
    Cluster,
    Update,
    UpdateError,
    entry_name,
    update_name,
)
from longshore.model.eks_parts import ADDON, ADDON_STATUS, POD_IDENTITY, part_name
from longshore.model.link_local import CONTROL_PLANES_RANGE, LINK_RANGE
from longshore.store.interface import Key, Reader, Transaction
from longshore.vpc.creation import create_public_vpc, egress_to_everywhere, within_group
from longshore.vpc.elastic import public_address_of

HTTPS = 443
SUBNET_PREFIX = 22
"""Of a control planes' subnet: a thousand addresses."""
UNPLACED = "was unable to place a task"
UPDATE_SECONDS = 1800.0
"""For so long an update may be in progress, which may have to wait for a build of its version."""


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


def have_network(
    tx: Transaction, ids: Ids, key: Key, cluster: Cluster, beside: Iterable[NetworkInterface]
) -> ecs.TaskNetwork:
    """Where the control plane is in the network: a VPC of the system account, in the AZs of the
    cluster's subnets, reached from `public_cidrs` alone; and `beside` it in the user's."""
    vpc = _have_vpc(tx, ids, key.region)
    theirs = [tx.get(SUBNET, key.account, key.region, each) for each in cluster.subnets]
    zones = {record.value.zone for record in theirs if record is not None}
    found = tx.find(SUBNET, SYSTEM_ACCOUNT, key.region, "vpc", vpc.id)
    own = [record.value.id for record in found if record.value.zone in zones]
    group = _have_endpoint_group(tx, ids, key, cluster, vpc.id)
    further = tuple(ecs.TaskInterface(key.account, eni.id) for eni in beside)
    return ecs.TaskNetwork(
        subnets=tuple(own), security_groups=(group,), public=True, beside=further
    )


def _have_vpc(tx: Transaction, ids: Ids, region: str) -> Vpc:
    """The VPC of all control planes of the region: of a range that no user's VPC has, since their
    tasks reach both."""
    for record in tx.scan(VPC, SYSTEM_ACCOUNT, region):
        if record.value.cidrs == (CONTROL_PLANES_RANGE,):
            return record.value
    prefix = SUBNET_PREFIX
    return create_public_vpc(tx, ids, SYSTEM_ACCOUNT, region, CONTROL_PLANES_RANGE, prefix)


def _have_endpoint_group(tx: Transaction, ids: Ids, key: Key, cluster: Cluster, vpc_id: str) -> str:
    """The group of the endpoint's interface, which lets `public_cidrs` in, where there is public
    access, and Longshore's own loops (`AdminAccess`)."""
    cidrs = (*(cluster.public_cidrs if cluster.public_access else ()), LINK_RANGE)
    found = tx.find(SECURITY_GROUP, SYSTEM_ACCOUNT, key.region, "vpc", vpc_id)
    known = next((record.value for record in found if record.value.name == cluster.id), None)
    if known is not None and _let_in(known) == cidrs:
        return known.id
    rules = tuple(
        SecurityGroupRule(
            id=f"sgr-{ids.hex(17)}",
            egress=False,
            protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            cidr=cidr,
        )
        for cidr in cidrs
    )
    group = SecurityGroup(
        id=known.id if known is not None else f"sg-{ids.hex(17)}",
        vpc_id=vpc_id,
        name=cluster.id,
        description=f"Endpoint of {cluster.arn}",
        rules=(*rules, egress_to_everywhere(ids)),
    )
    tx.put(SECURITY_GROUP, SYSTEM_ACCOUNT, key.region, group.id, group)
    return group.id


def _let_in(group: SecurityGroup) -> tuple[str, ...]:
    return tuple(rule.cidr for rule in group.rules if not rule.egress)


def run(
    tx: Transaction,
    ids: Ids,
    key: Key,
    cluster: Cluster,
    document: Mapping[str, Any],
    network: ecs.TaskNetwork,
    now: float,
) -> None:
    """Have one task of this definition running; where another one ran, it is replaced."""
    here = (SYSTEM_ACCOUNT, key.region)
    name = service_record(key.account, cluster.name)
    record = tx.get(ecs.SERVICE, *here, name)
    last = _last_definition(tx, key, record.value) if record is not None else None
    if record is not None and last is not None:
        newest = record.value.deployments[-1]
        if (last.document, newest.network) == (document, network):
            return
    definition = planes.definition(key, document, last.revision + 1 if last else 1, now)
    kept = ecs.definition_name(definition.family, definition.revision)
    tx.put(ecs.TASK_DEFINITION, *here, kept, definition)
    digits = str(int(ids.hex(16), 16))
    rollout = planes.deployment(definition.arn, network, digits, now)
    if record is not None:
        deployments = (*record.value.deployments, rollout)
        changed = msgspec.structs.replace(record.value, deployments=deployments)
        tx.put(ecs.SERVICE, *here, name, changed)
        return
    service = planes.service(cluster, key, rollout, now)
    tx.create(ecs.SERVICE, *here, name, service)
    have_ecs_cluster(tx, key.region, ECS_CLUSTER)


def _last_definition(tx: Transaction, key: Key, service: ecs.Service) -> ecs.TaskDefinition | None:
    name = ecs.definition_of_arn(service.deployments[-1].definition_arn)
    record = tx.get(ecs.TASK_DEFINITION, SYSTEM_ACCOUNT, key.region, name)
    return record.value if record is not None else None


def is_current(reader: Reader, key: Key, cluster: Cluster, task: ecs.Task) -> bool:
    """Whether the task is of the newest definition of its service."""
    name = service_record(key.account, cluster.name)
    record = reader.get(ecs.SERVICE, SYSTEM_ACCOUNT, key.region, name)
    return record is not None and record.value.deployments[-1].definition_arn == task.definition_arn


def running_task(reader: Reader, key: Key, cluster: Cluster) -> ecs.Task | None:
    """The control plane's task that is to run."""
    name = service_record(key.account, cluster.name)
    found = reader.find(ecs.TASK, SYSTEM_ACCOUNT, key.region, "service", name)
    wanted = (record.value for record in found if record.value.desired_status == "RUNNING")
    return next(wanted, None)


def public_address(reader: Reader, key: Key, cluster: Cluster) -> str:
    """The address of the endpoint; empty where no control plane has a place."""
    task = running_task(reader, key, cluster)
    if task is None or task.placement is None:
        return ""
    here = (SYSTEM_ACCOUNT, key.region)
    eni = reader.get(NETWORK_INTERFACE, *here, task.placement.eni_id)
    return public_address_of(reader, *here, eni.value) if eni is not None else ""


def trouble(reader: Reader, key: Key, cluster: Cluster) -> str:
    """Why no task of the cluster runs, in ECS's words: there was no room for one, or the last one
    ended; empty where neither has happened."""
    here = (SYSTEM_ACCOUNT, key.region)
    name = service_record(key.account, cluster.name)
    tasks = [record.value for record in reader.find(ecs.TASK, *here, "service", name)]
    ended = [task for task in tasks if task.stop is not None]
    last = max(ended, key=lambda task: task.stop.at if task.stop else 0.0, default=None)
    status = reader.get(ecs.SERVICE_STATUS, *here, name)
    said = status.value.events[0].message if status is not None and status.value.events else ""
    if UNPLACED in said:
        return said
    return last.stop.reason if last is not None and last.stop is not None else ""


def finish(tx: Transaction, key: Key, cluster: Cluster, endpoint: str) -> None:
    """The cluster runs as it is asked for: say so, and of its updates."""
    own = (key.account, key.region)
    asked = tx.get(CLUSTER, *own, cluster.name)
    record = tx.get(CLUSTER_STATUS, *own, cluster.name)
    if asked is None or record is None or asked.value != cluster or record.value.id != cluster.id:
        return
    status = msgspec.structs.replace(
        record.value, status="ACTIVE", version=cluster.version, endpoint=endpoint, issues=()
    )
    if status != record.value:
        tx.put(CLUSTER_STATUS, *own, cluster.name, status)
    for update in tx.scan(UPDATE, *own, prefix=update_name(cluster.name, "")):
        if _is_open(update.value):
            done = msgspec.structs.replace(update.value, status="Successful")
            tx.put(UPDATE, *own, update.key.name, done)


def give_up(tx: Transaction, key: Key, cluster: Cluster, now: float) -> float | None:
    """Call updates failed that have not come about in time; seconds until the next one may be."""
    own = (key.account, key.region)
    left: list[float] = []
    for update in tx.scan(UPDATE, *own, prefix=update_name(cluster.name, "")):
        if not _is_open(update.value):
            continue
        rest = update.value.created_at + UPDATE_SECONDS - now
        if rest > 0:
            left.append(rest)
            continue
        said = f"The control plane did not run as asked for within {UPDATE_SECONDS:.0f} seconds."
        failed = msgspec.structs.replace(
            update.value, status="Failed", errors=(UpdateError("Unknown", said),)
        )
        tx.put(UPDATE, *own, update.key.name, failed)
    return min(left, default=None)


def _is_open(update: Update) -> bool:
    """Whether it is an update of the cluster itself, not of its parts, that has not ended."""
    return update.status == "InProgress" and not any(update.subject)


def end(tx: Transaction, key: Key, cluster: Cluster) -> bool:
    """Have no task of the cluster run any more; whether that is so."""
    here = (SYSTEM_ACCOUNT, key.region)
    name = service_record(key.account, cluster.name)
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
    name = service_record(key.account, cluster.name)
    for task in tx.find(ecs.TASK, *here, "service", name):
        tx.delete(ecs.TASK, *here, task.key.name)
    tx.delete(ecs.SERVICE, *here, name)
    tx.delete(ecs.SERVICE_STATUS, *here, name)
    family = service_name(key.account, cluster.name)
    for definition in tx.scan(ecs.TASK_DEFINITION, *here, prefix=f"{family}:"):
        tx.delete(ecs.TASK_DEFINITION, *here, definition.key.name)
    forget_interfaces(tx, key, cluster)
    _forget_groups(tx, key, cluster)
    own = (key.account, key.region)
    for entry in tx.scan(ACCESS_ENTRY, *own, prefix=entry_name(cluster.name, "")):
        tx.delete(ACCESS_ENTRY, *own, entry.key.name)
    for addon in tx.scan(ADDON, *own, prefix=part_name(cluster.name, "")):
        tx.delete(ADDON, *own, addon.key.name)
        tx.delete(ADDON_STATUS, *own, addon.key.name)
    for association in tx.scan(POD_IDENTITY, *own, prefix=part_name(cluster.name, "")):
        tx.delete(POD_IDENTITY, *own, association.key.name)
    for update in tx.scan(UPDATE, *own, prefix=update_name(cluster.name, "")):
        tx.delete(UPDATE, *own, update.key.name)
    tx.delete(CLUSTER_STATUS, *own, cluster.name)
    tx.delete(CLUSTER, *own, cluster.name)


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
            tx.delete(SECURITY_GROUP, account, key.region, group)
