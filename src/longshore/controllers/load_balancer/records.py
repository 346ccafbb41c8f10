"""What a load balancer has in the store besides its own record, staged in transactions."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.controllers.load_balancer import task as tasks
from longshore.controllers.load_balancer.scene import Route
from longshore.controllers.system_account import have_ecs_cluster, have_execution_role
from longshore.model import ecs
from longshore.model.ec2 import (
    NETWORK_INTERFACE,
    PRIVATE_NAME,
    NetworkInterface,
    PrivateName,
    private_name,
)
from longshore.model.eks import SYSTEM_ACCOUNT
from longshore.model.elbv2 import (
    INTERFACE_TYPE,
    LOAD_BALANCER,
    LOAD_BALANCER_STATUS,
    SYSTEM_CLUSTER,
    TARGET_GROUP,
    TARGET_HEALTH,
    Health,
    LoadBalancer,
    LoadBalancerStatus,
    Node,
    TargetHealth,
)
from longshore.scheduler.launch import Launch, new_task
from longshore.store.interface import Key, Reader, Transaction
from longshore.vpc import create_network_interface, delete_network_interface
from longshore.vpc.elastic import public_address_of

GROUP = "load-balancer:"
"""What the groups of load balancers' tasks begin with."""
STOPPED = "The load balancer is deleted or changed"


def balancer_of(task: ecs.Task, region: str) -> Key | None:
    """The load balancer that this task of the system account is of; None where it is of none."""
    if task.cluster != SYSTEM_CLUSTER or not task.group.startswith(GROUP):
        return None
    account, _, name = task.group.removeprefix(GROUP).partition("/")
    return Key(LOAD_BALANCER.name, account, region, name)


def status_of(reader: Reader, key: Key) -> LoadBalancerStatus:
    record = reader.get(LOAD_BALANCER_STATUS, key.account, key.region, key.name)
    return record.value if record is not None else LoadBalancerStatus()


def put_status(tx: Transaction, key: Key, **changes: Any) -> None:
    before = status_of(tx, key)
    status = msgspec.structs.replace(before, **changes)
    if status != before:
        tx.put(LOAD_BALANCER_STATUS, key.account, key.region, key.name, status)


def task_of(reader: Reader, key: Key, node: Node) -> ecs.Task | None:
    """The node's newest task."""
    name = f"{SYSTEM_CLUSTER}/{node.task_id}"
    record = reader.get(ecs.TASK, SYSTEM_ACCOUNT, key.region, name) if node.task_id else None
    return record.value if record is not None else None


def have_nodes(
    tx: Transaction, ids: Ids, now: float, installation: Installation, key: Key
) -> tuple[Node, ...]:
    """One interface in each of the load balancer's subnets, and none elsewhere whose task has
    ended. Raises AwsError, as `create_network_interface` does."""
    record = tx.get(LOAD_BALANCER, key.account, key.region, key.name)
    balancer = record.value if record is not None else None
    wanted = balancer.subnets if balancer is not None and not balancer.deleted_at else ()
    known = {node.subnet_id: node for node in status_of(tx, key).nodes}
    for subnet_id in [each for each in known if each not in wanted]:
        if _end_node(tx, key, known[subnet_id], now):
            del known[subnet_id]
    for subnet_id in wanted:
        if balancer is not None and subnet_id not in known:
            known[subnet_id] = _new_node(tx, ids, now, installation, key, balancer, subnet_id)
    groups = balancer.security_groups if balancer is not None else ()
    nodes = tuple(_seen(tx, key, node, groups) for node in known.values())
    put_status(tx, key, nodes=nodes)
    return nodes


def _new_node(
    tx: Transaction,
    ids: Ids,
    now: float,
    installation: Installation,
    key: Key,
    balancer: LoadBalancer,
    subnet_id: str,
) -> Node:
    chosen = dict(balancer.addresses)
    eni = create_network_interface(
        tx,
        ids,
        now,
        account=key.account,
        region=key.region,
        subnet_id=subnet_id,
        security_groups=balancer.security_groups,
        description=f"ELB {key.name}",
        owner_arn=balancer.arn,
        assign_public_ip=balancer.scheme == "internet-facing",
        interface_type=INTERFACE_TYPE,
        private_address=chosen.get(subnet_id, ""),
        installation=installation,
    )
    attached = msgspec.structs.replace(
        eni,
        security_groups=balancer.security_groups,
        status="in-use",
        attachment_id=f"eni-attach-{ids.hex(17)}",
        attached_at=now,
    )
    tx.put(NETWORK_INTERFACE, key.account, key.region, eni.id, attached)
    return Node(
        subnet_id=subnet_id,
        zone=eni.zone,
        interface_id=eni.id,
        private_address=eni.private_address,
    )


def _seen(tx: Transaction, key: Key, node: Node, groups: tuple[str, ...]) -> Node:
    """The node with its public address as it is now; its interface has the groups asked for."""
    record = tx.get(NETWORK_INTERFACE, key.account, key.region, node.interface_id)
    if record is None:
        return node
    eni: NetworkInterface = record.value
    if groups and eni.security_groups != groups:
        eni = msgspec.structs.replace(eni, security_groups=groups)
        tx.put(NETWORK_INTERFACE, key.account, key.region, eni.id, eni)
    public = public_address_of(tx, key.account, key.region, eni)
    return msgspec.structs.replace(node, public_address=public)


def _end_node(tx: Transaction, key: Key, node: Node, now: float) -> bool:
    """Have nothing of the node any more; whether that is so."""
    here = (SYSTEM_ACCOUNT, key.region)
    task = task_of(tx, key, node)
    if task is not None and task.last_status != "STOPPED":
        if task.desired_status != "STOPPED":
            said = ecs.Stop(code="UserInitiated", reason=STOPPED, at=now)
            stopped = msgspec.structs.replace(task, desired_status="STOPPED", stop=said)
            tx.put(ecs.TASK, *here, task.name, stopped)
        return False
    if task is not None:
        tx.delete(ecs.TASK, *here, task.name)
    balancer_id = key.name.rpartition("/")[2]
    for record in tx.scan(ecs.TASK_DEFINITION, *here, prefix=f"{balancer_id}-{node.subnet_id}:"):
        tx.delete(ecs.TASK_DEFINITION, *here, record.key.name)
    delete_network_interface(tx, key.account, key.region, node.interface_id)
    return True


def boot(
    tx: Transaction, ids: Ids, now: float, key: Key, node: Node, document: Mapping[str, Any]
) -> None:
    """Have a new task for the node, in the place of the one that ended."""
    here = (SYSTEM_ACCOUNT, key.region)
    status = status_of(tx, key)
    if node not in status.nodes:
        return
    have_execution_role(tx, ids, now)
    made = tasks.definition(key, document, node.boots + 1, now)
    tx.put(ecs.TASK_DEFINITION, *here, ecs.definition_name(made.family, made.revision), made)
    if node.boots:
        tx.delete(ecs.TASK_DEFINITION, *here, ecs.definition_name(made.family, node.boots))
        tx.delete(ecs.TASK, *here, f"{SYSTEM_CLUSTER}/{node.task_id}")
    launch = Launch(
        cluster=SYSTEM_CLUSTER,
        cluster_arn=have_ecs_cluster(tx, key.region, SYSTEM_CLUSTER),
        launch_type="EC2",
        group=f"{GROUP}{key.account}/{key.name}",
        overrides={},
    )
    task = msgspec.structs.replace(
        new_task(launch, made, ids, now),
        interface=ecs.TaskInterface(key.account, node.interface_id),
    )
    tx.create(ecs.TASK, *here, task.name, task)
    booted = msgspec.structs.replace(node, task_id=task.id, boots=node.boots + 1, ready=False)
    put_status(tx, key, nodes=tuple(booted if each == node else each for each in status.nodes))


def put_health(tx: Transaction, key: Key, group: str, found: Mapping[str, Health]) -> None:
    """Write how the targets of the group with this record are."""
    record = tx.get(TARGET_HEALTH, key.account, key.region, group)
    before = record.value.targets if record is not None else {}
    if before != found and tx.get(TARGET_GROUP, key.account, key.region, group) is not None:
        tx.put(TARGET_HEALTH, key.account, key.region, group, TargetHealth(targets=dict(found)))


def end_draining(tx: Transaction, key: Key, route: Route, now: float) -> float | None:
    """Take those out of the group that have had their time; seconds until the next one has."""
    name = route.listener.target_group
    record = tx.get(TARGET_GROUP, key.account, key.region, name)
    if record is None:
        return None
    ends = {
        each.key: each.deregistered_at + route.delay_seconds - now
        for each in record.value.targets
        if each.deregistered_at
    }
    if any(left <= 0 for left in ends.values()):
        kept = tuple(each for each in record.value.targets if ends.get(each.key, 1) > 0)
        changed = msgspec.structs.replace(record.value, targets=kept)
        tx.put(TARGET_GROUP, key.account, key.region, name, changed)
    return min((left for left in ends.values() if left > 0), default=None)


def lead_name(tx: Transaction, key: Key, balancer: LoadBalancer, addresses: Sequence[str]) -> None:
    """Have the load balancer's name lead there in every VPC, as public DNS has it."""
    name = balancer.dns_name.lower()
    kept = private_name("", name)
    before = tx.get(PRIVATE_NAME, key.account, key.region, kept)
    if before is None or before.value.addresses != tuple(addresses):
        led = PrivateName(name=name, addresses=tuple(addresses), owner_arn=balancer.arn)
        tx.put(PRIVATE_NAME, key.account, key.region, kept, led)


def forget(tx: Transaction, key: Key, balancer: LoadBalancer) -> None:
    """Take away the records of a load balancer that has no nodes any more."""
    for record in tx.find(PRIVATE_NAME, key.account, key.region, "owner", balancer.arn):
        tx.delete(PRIVATE_NAME, key.account, key.region, record.key.name)
    tx.delete(LOAD_BALANCER_STATUS, key.account, key.region, key.name)
    tx.delete(LOAD_BALANCER, key.account, key.region, key.name)
