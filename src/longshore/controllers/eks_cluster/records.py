"""What a cluster has in the store besides its own records, staged in transactions."""

from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.base.ids import Ids
from longshore.controllers.eks_cluster import plane as planes
from longshore.controllers.eks_cluster.encryption import encryption_issues, forget_grant
from longshore.controllers.eks_cluster.interfaces import forget_interfaces, forget_names
from longshore.controllers.eks_cluster.logging import forget_log_streams
from longshore.controllers.eks_cluster.network import forget_network
from longshore.controllers.eks_cluster.plane import (
    ECS_CLUSTER,
    etcd_name,
    etcd_record,
    service_name,
    service_record,
)
from longshore.controllers.eks_cluster.platforms import platform_of
from longshore.controllers.system_account import have_ecs_cluster
from longshore.model import ecs
from longshore.model.ec2 import (
    NETWORK_INTERFACE,
    SECURITY_GROUP,
    SecurityGroup,
)
from longshore.model.eks import (
    ACCESS_ENTRY,
    ASSOCIATE_ENCRYPTION,
    CLUSTER,
    CLUSTER_STATUS,
    SYSTEM_ACCOUNT,
    UPDATE,
    Cluster,
    ClusterStatus,
    Issue,
    Update,
    UpdateError,
    entry_name,
    update_name,
)
from longshore.model.eks_parts import (
    ADDON,
    ADDON_STATUS,
    IDENTITY_PROVIDER,
    POD_IDENTITY,
    part_name,
)
from longshore.model.kind import Kind
from longshore.store.interface import Key, Reader, Transaction
from longshore.vpc.creation import egress_to_everywhere, within_group

UPDATE_SECONDS = 1800.0
"""For so long an update may be in progress, which may have to wait for a build of its version."""
UPDATE_ERRORS = {
    "Ec2SecurityGroupNotFound": "SecurityGroupNotFound",
    "Ec2SubnetNotFound": "SubnetNotFound",
    "InsufficientFreeAddresses": "InsufficientFreeAddresses",
}
"""Codes of updates' errors, by those of clusters' issues."""


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


def run(
    tx: Transaction,
    ids: Ids,
    key: Key,
    document: Mapping[str, Any],
    network: ecs.TaskNetwork,
    now: float,
    *,
    minimum: int,
) -> None:
    """Have one task of this definition running, of the service that its family is named as.

    Where another one ran, it is replaced: before the new one starts with a `minimum` of 0 %, with
    100 % after it runs.
    """
    here, family = (SYSTEM_ACCOUNT, key.region), document["family"]
    name = f"{ECS_CLUSTER}/{family}"
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
        tx.put(ecs.SERVICE, *here, name, _replacing(record.value, minimum, deployments))
        return
    service = planes.service(key, family, rollout, minimum, now)
    tx.create(ecs.SERVICE, *here, name, service)
    have_ecs_cluster(tx, key.region, ECS_CLUSTER)


def _replacing(
    service: ecs.Service, minimum: int, deployments: tuple[ecs.Deployment, ...]
) -> ecs.Service:
    return msgspec.structs.replace(
        service,
        deployments=deployments,
        minimum_percent=minimum,
        maximum_percent=minimum + 100,
    )


def _last_definition(reader: Reader, key: Key, service: ecs.Service) -> ecs.TaskDefinition | None:
    name = ecs.definition_of_arn(service.deployments[-1].definition_arn)
    record = reader.get(ecs.TASK_DEFINITION, SYSTEM_ACCOUNT, key.region, name)
    return record.value if record is not None else None


def newest_document(reader: Reader, key: Key, name: str) -> Mapping[str, Any] | None:
    """What the service of this name runs, or is to; None where there is none."""
    record = reader.get(ecs.SERVICE, SYSTEM_ACCOUNT, key.region, name)
    last = _last_definition(reader, key, record.value) if record is not None else None
    return last.document if last is not None else None


def least_percent(reader: Reader, key: Key, cluster: Cluster) -> int:
    """minimumHealthyPercent of the API server's service: 0 where a task of it may have etcd inside,
    as those of earlier versions of Longshore, whose files another etcd waits for."""
    here = (SYSTEM_ACCOUNT, key.region)
    record = reader.get(ecs.SERVICE, *here, service_record(key.account, cluster.name))
    for deployment in record.value.deployments if record is not None else ():
        name = ecs.definition_of_arn(deployment.definition_arn)
        definition = reader.get(ecs.TASK_DEFINITION, *here, name)
        if definition is not None and planes.has_etcd_inside(definition.value.document):
            return 0
    return 100


def have_percents(tx: Transaction, key: Key, cluster: Cluster) -> None:
    """Have the API server's service, where there is one, replace tasks as it is to."""
    here, name = (SYSTEM_ACCOUNT, key.region), service_record(key.account, cluster.name)
    record, minimum = tx.get(ecs.SERVICE, *here, name), least_percent(tx, key, cluster)
    if record is not None and record.value.minimum_percent != minimum:
        changed = _replacing(record.value, minimum, record.value.deployments)
        tx.put(ecs.SERVICE, *here, name, changed)


def upgrade_asked_at(reader: Reader, key: Key, cluster: Cluster) -> float:
    """When another version was asked for last, a newer or an older one (epoch seconds)."""
    own, prefix = (key.account, key.region), update_name(cluster.name, "")
    updates = (record.value for record in reader.scan(UPDATE, *own, prefix=prefix))
    own_updates = (each for each in updates if not any(each.subject))
    asked = (each.created_at for each in own_updates if each.type.startswith("Version"))
    return max(asked, default=cluster.created_at)


def finish(
    tx: Transaction, key: Key, cluster: Cluster, endpoint: str, further: tuple[Issue, ...]
) -> None:
    """The cluster runs as it is asked for: say so, and of its updates; `further` are issues."""
    own = (key.account, key.region)
    asked = tx.get(CLUSTER, *own, cluster.name)
    record = tx.get(CLUSTER_STATUS, *own, cluster.name)
    if asked is None or record is None or asked.value != cluster or record.value.id != cluster.id:
        return
    status = msgspec.structs.replace(
        record.value,
        status="ACTIVE",
        version=cluster.version,
        endpoint=endpoint,
        platform_version=_platform_version(tx, key, cluster) or record.value.platform_version,
        encryption_key=cluster.encryption_key,
        issues=(*encryption_issues(tx, cluster), *further),
    )
    if status != record.value:
        tx.put(CLUSTER_STATUS, *own, cluster.name, status)
    for update in tx.scan(UPDATE, *own, prefix=update_name(cluster.name, "")):
        if _is_open(update.value) and _has_come_about(update.value, status):
            done = msgspec.structs.replace(update.value, status="Successful")
            tx.put(UPDATE, *own, update.key.name, done)
    for provider in tx.scan(IDENTITY_PROVIDER, *own, prefix=part_name(cluster.name, "")):
        if provider.value.deleted_at:
            tx.delete(IDENTITY_PROVIDER, *own, provider.key.name)


def _platform_version(reader: Reader, key: Key, cluster: Cluster) -> str:
    """As `eks.3`; empty of a control plane that does not say which it is of."""
    document = newest_document(reader, key, service_record(key.account, cluster.name))
    return platform_of(document).partition("-")[2]


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
        errors = (_failure(tx, key, cluster),)
        failed = msgspec.structs.replace(update.value, status="Failed", errors=errors)
        tx.put(UPDATE, *own, update.key.name, failed)
    return min(left, default=None)


def _failure(reader: Reader, key: Key, cluster: Cluster) -> UpdateError:
    """With the cluster's issue, where it has one."""
    said = f"The control plane did not run as asked for within {UPDATE_SECONDS:.0f} seconds."
    status = reader.get(CLUSTER_STATUS, key.account, key.region, cluster.name)
    issue = status.value.issues[0] if status is not None and status.value.issues else None
    if issue is None:
        return UpdateError("Unknown", said)
    code = UPDATE_ERRORS.get(issue.code, "Unknown")
    return UpdateError(code, f"{said} {issue.message}", issue.resources)


def _has_come_about(update: Update, status: ClusterStatus) -> bool:
    """Whether nothing is left to do once the control plane runs as it is to."""
    rewritten = status.rewritten_key == status.encryption_key
    return update.type != ASSOCIATE_ENCRYPTION or rewritten


def _is_open(update: Update) -> bool:
    """Whether it is an update of the cluster itself, not of its parts, that has not ended."""
    return update.status == "InProgress" and not any(update.subject)


def end(tx: Transaction, key: Key, cluster: Cluster) -> bool:
    """Have no task of the cluster run any more; whether that is so. etcd ends last: API servers
    take leave of it."""
    names = (service_record(key.account, cluster.name), etcd_record(key.account, cluster.name))
    return all(_end_service(tx, key, name) for name in names)


def _end_service(tx: Transaction, key: Key, name: str) -> bool:
    here = (SYSTEM_ACCOUNT, key.region)
    record = tx.get(ecs.SERVICE, *here, name)
    if record is None or record.value.status == "INACTIVE":
        return True
    if record.value.status != "DRAINING":
        drained = msgspec.structs.replace(record.value, status="DRAINING", desired_count=0)
        tx.put(ecs.SERVICE, *here, name, drained)
    return False


def forget(tx: Transaction, key: Key, cluster: Cluster) -> None:
    """Take away every record of the cluster; its tasks have ended."""
    _forget_service(tx, key, service_name(key.account, cluster.name))
    _forget_service(tx, key, etcd_name(key.account, cluster.name))
    forget_interfaces(tx, key, cluster)
    forget_names(tx, key, cluster)
    forget_network(tx, key, cluster)
    forget_log_streams(tx, key, cluster)
    forget_grant(tx, cluster)
    _forget_cluster_group(tx, key, cluster)
    own = (key.account, key.region)
    for entry in tx.scan(ACCESS_ENTRY, *own, prefix=entry_name(cluster.name, "")):
        tx.delete(ACCESS_ENTRY, *own, entry.key.name)
    for addon in tx.scan(ADDON, *own, prefix=part_name(cluster.name, "")):
        tx.delete(ADDON, *own, addon.key.name)
        tx.delete(ADDON_STATUS, *own, addon.key.name)
    kinds: tuple[Kind[Any], ...] = (POD_IDENTITY, IDENTITY_PROVIDER)
    for kind in kinds:
        for part in tx.scan(kind, *own, prefix=part_name(cluster.name, "")):
            tx.delete(kind, *own, part.key.name)
    for update in tx.scan(UPDATE, *own, prefix=update_name(cluster.name, "")):
        tx.delete(UPDATE, *own, update.key.name)
    tx.delete(CLUSTER_STATUS, *own, cluster.name)
    tx.delete(CLUSTER, *own, cluster.name)


def _forget_service(tx: Transaction, key: Key, family: str) -> None:
    here, name = (SYSTEM_ACCOUNT, key.region), f"{ECS_CLUSTER}/{family}"
    for task in tx.find(ecs.TASK, *here, "service", name):
        tx.delete(ecs.TASK, *here, task.key.name)
    tx.delete(ecs.SERVICE, *here, name)
    tx.delete(ecs.SERVICE_STATUS, *here, name)
    for definition in tx.scan(ecs.TASK_DEFINITION, *here, prefix=f"{family}:"):
        tx.delete(ecs.TASK_DEFINITION, *here, definition.key.name)


def _forget_cluster_group(tx: Transaction, key: Key, cluster: Cluster) -> None:
    """One that somebody's interface has is left to them."""
    status = tx.get(CLUSTER_STATUS, key.account, key.region, cluster.name)
    group = status.value.security_group if status is not None else ""
    if group and not tx.find(NETWORK_INTERFACE, key.account, key.region, "group", group):
        tx.delete(SECURITY_GROUP, key.account, key.region, group)
