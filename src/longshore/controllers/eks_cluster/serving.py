"""Which of a cluster's API servers the names lead to, and when another one may end.

While one takes over from another, both run, on the same etcd. The names lead to the newer one as
soon as all of its processes run. ECS ends the older one no sooner than we let it go, by ECS's own
protection of tasks from scale-in: once nobody knows its address from the names any more.
"""

from collections.abc import Iterator

import msgspec

from longshore.controllers.eks_cluster.plane import etcd_record, service_record
from longshore.model import ecs
from longshore.model.ec2 import NETWORK_INTERFACE, NetworkInterface
from longshore.model.eks import SYSTEM_ACCOUNT, Cluster
from longshore.store.interface import Key, Reader, Transaction
from longshore.vpc.elastic import public_address_of

FOR_EVER = 253_402_300_799.0
"""Epoch seconds: the last second of the year 9999."""
NAMES_SECONDS = 10.0
"""For so long an address that a VPC's resolver told of is believed."""
UNPLACED = "was unable to place a task"


def api_servers(reader: Reader, key: Key, cluster: Cluster) -> list[ecs.Task]:
    """Its tasks, ended ones too."""
    name = service_record(key.account, cluster.name)
    found = reader.find(ecs.TASK, SYSTEM_ACCOUNT, key.region, "service", name)
    return [record.value for record in found]


def serving_task(reader: Reader, key: Key, cluster: Cluster) -> ecs.Task | None:
    """The one that names lead to, of those that are to run."""
    wanted = [t for t in api_servers(reader, key, cluster) if t.desired_status == "RUNNING"]
    newest = _newest_definition(reader, key, cluster)

    def rank(task: ecs.Task) -> tuple[bool, bool, float]:
        is_whole = task.last_status == "RUNNING" and task.health != "UNHEALTHY"
        return is_whole, task.definition_arn == newest, task.created_at

    return max(wanted, key=rank, default=None)


def _newest_definition(reader: Reader, key: Key, cluster: Cluster) -> str:
    name = service_record(key.account, cluster.name)
    record = reader.get(ecs.SERVICE, SYSTEM_ACCOUNT, key.region, name)
    return record.value.deployments[-1].definition_arn if record is not None else ""


def is_through(reader: Reader, key: Key, cluster: Cluster, task: ecs.Task) -> bool:
    """Whether the task is all that is left to be seen of the control plane, and as asked for."""
    others = (each for each in api_servers(reader, key, cluster) if each.id != task.id)
    return (
        task.last_status == "RUNNING"
        and task.definition_arn == _newest_definition(reader, key, cluster)
        and all(each.last_status == "STOPPED" for each in others)
    )


def public_address(reader: Reader, key: Key, task: ecs.Task | None) -> str:
    """The address of the endpoint while this task serves; empty where it has no place."""
    if task is None or task.placement is None:
        return ""
    here = (SYSTEM_ACCOUNT, key.region)
    eni = reader.get(NETWORK_INTERFACE, *here, task.placement.eni_id)
    return public_address_of(reader, *here, eni.value) if eni is not None else ""


def interfaces_beside(
    reader: Reader, region: str, network: ecs.TaskNetwork | None
) -> tuple[NetworkInterface, ...]:
    """The ENIs in the user's subnets that a task of this network has, as far as they are there."""
    beside = network.beside if network is not None else ()
    found = (reader.get(NETWORK_INTERFACE, each.account, region, each.id) for each in beside)
    return tuple(record.value for record in found if record is not None)


def newest_network(reader: Reader, key: Key, cluster: Cluster) -> ecs.TaskNetwork | None:
    """That of the API server that was asked for last."""
    name = service_record(key.account, cluster.name)
    record = reader.get(ecs.SERVICE, SYSTEM_ACCOUNT, key.region, name)
    return record.value.deployments[-1].network if record is not None else None


def used_interfaces(reader: Reader, key: Key, cluster: Cluster) -> set[str]:
    """Ids of the ENIs in the user's subnets that an API server has or is to have."""
    tasks = api_servers(reader, key, cluster)
    networks = [task.network for task in tasks if task.last_status != "STOPPED"]
    networks.append(newest_network(reader, key, cluster))
    return {each.id for network in networks if network is not None for each in network.beside}


def keep(
    tx: Transaction, key: Key, cluster: Cluster, serving: ecs.Task, now: float
) -> float | None:
    """Keep the serving one, to which names lead, from being ended; seconds until another one may
    be that was kept."""
    if serving.last_status != "RUNNING" or not _takes_over(tx, key, cluster):
        return None
    left: list[float] = []
    for task in api_servers(tx, key, cluster):
        if task.desired_status != "RUNNING":
            continue
        until = FOR_EVER if task.id == serving.id else _let_go(task.protected_until, now)
        if until != task.protected_until:
            kept = msgspec.structs.replace(task, protected_until=until)
            tx.put(ecs.TASK, SYSTEM_ACCOUNT, key.region, task.name, kept)
        if now < until < FOR_EVER:
            left.append(until - now)
    return min(left, default=None)


def _let_go(until: float, now: float) -> float:
    """What becomes of the protection of a task that does not serve any more."""
    if until == FOR_EVER:
        return now + NAMES_SECONDS
    return until if until > now else 0.0


def _takes_over(tx: Transaction, key: Key, cluster: Cluster) -> bool:
    name = service_record(key.account, cluster.name)
    record = tx.get(ecs.SERVICE, SYSTEM_ACCOUNT, key.region, name)
    return record is not None and record.value.minimum_percent > 0


def unplaced(reader: Reader, key: Key, cluster: Cluster) -> str:
    """That there was no room for an API server or for its etcd, in ECS's words; or empty."""
    here = (SYSTEM_ACCOUNT, key.region)
    for name in (etcd_record(key.account, cluster.name), service_record(key.account, cluster.name)):
        status = reader.get(ecs.SERVICE_STATUS, *here, name)
        said = status.value.events[0].message if status is not None and status.value.events else ""
        if UNPLACED in said:
            return said
    return ""


def last_stop(reader: Reader, key: Key, cluster: Cluster) -> str:
    """Why its last API server ended, in ECS's words; empty where none has."""
    stops = _stops(reader, key, cluster)
    last = max(stops, key=lambda stop: stop.at, default=None)
    return last.reason if last is not None else ""


def _stops(reader: Reader, key: Key, cluster: Cluster) -> Iterator[ecs.Stop]:
    for task in api_servers(reader, key, cluster):
        if task.stop is not None:
            yield task.stop
