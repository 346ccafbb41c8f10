"""What a Service's load balancer is in the store, staged in transactions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from longshore.balancing import (
    Place,
    deregister,
    listeners_of,
    new_listener,
    new_load_balancer,
    new_target_group,
    register,
    remove_listener,
    remove_load_balancer,
    remove_target_group,
    users_of,
)
from longshore.controllers.eks_load_balancers.wanted import Port, Wanted
from longshore.model.ec2 import (
    NETWORK_INTERFACE,
    SECURITY_GROUP,
    SUBNET,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
)
from longshore.model.elbv2 import (
    LISTENER,
    LOAD_BALANCER,
    LOAD_BALANCER_STATUS,
    TARGET_GROUP,
    LoadBalancer,
    Target,
    TargetGroup,
    load_balancer_name,
    target_group_name,
)
from longshore.model.kind import Kind
from longshore.store.interface import Key, Reader, Transaction
from longshore.vpc.creation import egress_to_everywhere

CLUSTER_TAG = "kubernetes.io/cluster/"
SERVICE_TAG = "kubernetes.io/service-name"
Targets = Mapping[Port, Iterable[tuple[str, int]]]
"""Ids or addresses, with their ports, by the load balancer's port."""


def cluster_tag(cluster: str) -> str:
    return f"{CLUSTER_TAG}{cluster}"


def owner_of(value: Any, tag: str) -> str:
    """The Service of the cluster with this tag that a resource is of; empty where it is of none."""
    tags = dict(value.tags)
    return tags.get(SERVICE_TAG, "") if tags.get(tag) == "owned" else ""


def clusters_with_any(reader: Reader) -> Iterable[Key]:
    """(account, region, cluster) of every cluster that a load balancer is of, also one gone."""
    for record in reader.scan(LOAD_BALANCER):
        tags = dict(record.value.tags)
        for name in tags:
            if name.startswith(CLUSTER_TAG) and SERVICE_TAG in tags:
                cluster = name.removeprefix(CLUSTER_TAG)
                yield Key("eks.cluster", record.key.account, record.key.region, cluster)


def services_with_any(reader: Reader, key: Key) -> set[str]:
    """The Services of the cluster that anything is left of."""
    place, tag = (key.account, key.region), cluster_tag(key.name)
    kinds: tuple[Kind[Any], ...] = (LOAD_BALANCER, TARGET_GROUP, SECURITY_GROUP)
    found = {owner_of(r.value, tag) for kind in kinds for r in reader.scan(kind, *place)}
    return found - {""}


def subnets_of_vpc(reader: Reader, key: Key, vpc_id: str) -> list[Subnet]:
    return [r.value for r in reader.find(SUBNET, key.account, key.region, "vpc", vpc_id)]


def balancer_of(reader: Reader, key: Key, service: str) -> LoadBalancer | None:
    """The Service's load balancer, also one that is being deleted; a living one before that."""
    tag = cluster_tag(key.name)
    found = [
        record.value
        for record in reader.scan(LOAD_BALANCER, key.account, key.region)
        if owner_of(record.value, tag) == service
    ]
    return min(found, key=lambda each: bool(each.deleted_at), default=None)


def state_of(reader: Reader, key: Key, balancer: LoadBalancer) -> tuple[str, str]:
    """(state, reason)."""
    name = load_balancer_name(balancer.name, balancer.id)
    record = reader.get(LOAD_BALANCER_STATUS, key.account, key.region, name)
    return (record.value.state, record.value.reason) if record is not None else ("", "")


def have(
    tx: Transaction,
    place: Place,
    key: Key,
    wanted: Wanted,
    subnets: Sequence[Subnet],
    targets: Targets,
    node_group: str,
) -> LoadBalancer | None:
    """Have the load balancer as it is wanted; None while another one has to go first.

    `node_group` is the security group of the cluster's nodes. Raises AwsError.
    """
    before = balancer_of(tx, key, wanted.service)
    if before is not None and (before.deleted_at or before.scheme != wanted.scheme):
        remove_load_balancer(tx, place, load_balancer_name(before.name, before.id))
        return None
    group = _have_security_group(tx, place, key, wanted, subnets[0].vpc_id)
    balancer = before or new_load_balancer(
        tx,
        place,
        name=wanted.name,
        scheme=wanted.scheme,
        subnets=subnets,
        security_groups=(group,),
        attributes=dict(wanted.attributes),
        tags=wanted.tags,
    )
    ids = tuple(subnet.id for subnet in subnets)
    changed = msgspec.structs.replace(
        balancer, subnets=ids, attributes=dict(wanted.attributes), tags=wanted.tags
    )
    if changed != balancer:
        kept = load_balancer_name(balancer.name, balancer.id)
        tx.put(LOAD_BALANCER, *place.here, kept, changed)
    _have_ports(tx, place, key, wanted, changed, targets)
    ports = {port for each in targets.values() for _, port in each}
    _let_in(tx, place, node_group, group, ports | _check_ports(wanted))
    return changed


def _check_ports(wanted: Wanted) -> set[int]:
    return {int(wanted.check.port)} if wanted.check.port.isdecimal() else set()


def _have_security_group(
    tx: Transaction, place: Place, key: Key, wanted: Wanted, vpc_id: str
) -> str:
    """The load balancer's own, which lets the Service's sources in."""
    known = _own_group(tx, key, wanted.service)
    wants = {(port.port, cidr) for port in wanted.ports for cidr in wanted.sources}
    has = {(r.from_port, r.cidr) for r in (known.rules if known else ()) if not r.egress}
    if known is not None and wants == has:
        return known.id
    rules = tuple(
        SecurityGroupRule(
            id=f"sgr-{place.ids.hex(17)}",
            egress=False,
            protocol="tcp",
            from_port=port,
            to_port=port,
            cidr=cidr,
        )
        for port, cidr in sorted(wants)
    )
    group = SecurityGroup(
        id=known.id if known is not None else f"sg-{place.ids.hex(17)}",
        vpc_id=vpc_id,
        name=f"k8s-elb-{wanted.name}",
        description=f"Security group for Kubernetes ELB {wanted.name} ({wanted.service})",
        rules=(*rules, egress_to_everywhere(place.ids)),
        tags=wanted.tags,
    )
    tx.put(SECURITY_GROUP, *place.here, group.id, group)
    return group.id


def _own_group(reader: Reader, key: Key, service: str) -> SecurityGroup | None:
    tag = cluster_tag(key.name)
    found = reader.scan(SECURITY_GROUP, key.account, key.region)
    return next((r.value for r in found if owner_of(r.value, tag) == service), None)


def _let_in(
    tx: Transaction, place: Place, node_group: str, source: str, ports: Iterable[int]
) -> None:
    """Have the nodes' group let the load balancer in at these ports, and at no others."""
    record = tx.get(SECURITY_GROUP, *place.here, node_group)
    if record is None:
        return
    wants = set(ports)
    kept = [rule for rule in record.value.rules if rule.group_id != source]
    own = [rule for rule in record.value.rules if rule.group_id == source]
    if {rule.from_port for rule in own} == wants:
        return
    added = [
        SecurityGroupRule(
            id=f"sgr-{place.ids.hex(17)}",
            egress=False,
            protocol="tcp",
            from_port=port,
            to_port=port,
            group_id=source,
            group_account=place.account,
            description="kubernetes.io/rule/nlb",
        )
        for port in sorted(wants)
    ]
    changed = msgspec.structs.replace(record.value, rules=(*kept, *added))
    tx.put(SECURITY_GROUP, *place.here, node_group, changed)


def _have_ports(
    tx: Transaction,
    place: Place,
    key: Key,
    wanted: Wanted,
    balancer: LoadBalancer,
    targets: Targets,
) -> None:
    """A listener and a target group for each port, and no others."""
    owner = load_balancer_name(balancer.name, balancer.id)
    groups = {group.name: group for group in _own_target_groups(tx, key, wanted.service)}
    listeners = {each.port: each for each in listeners_of(tx, *place.here, owner)}
    for port in wanted.ports:
        name = wanted.group_name(port)
        group = groups.pop(name, None) or _new_group(tx, place, wanted, balancer, port)
        group = _have_group(tx, place, wanted, group, targets[port])
        listener = listeners.pop(port.port, None)
        kept = target_group_name(group.name, group.id)
        if listener is None:
            new_listener(tx, place, balancer, port.port, group, wanted.tags)
        elif listener.target_group != kept:
            changed = msgspec.structs.replace(listener, target_group=kept)
            tx.put(LISTENER, *place.here, f"{owner}/{listener.id}", changed)
    for listener in listeners.values():
        remove_listener(tx, place, f"{owner}/{listener.id}")
    for group in groups.values():
        remove_target_group(tx, place, target_group_name(group.name, group.id))


def _own_target_groups(reader: Reader, key: Key, service: str) -> list[TargetGroup]:
    tag = cluster_tag(key.name)
    found = reader.scan(TARGET_GROUP, key.account, key.region)
    return [r.value for r in found if owner_of(r.value, tag) == service]


def _new_group(
    tx: Transaction, place: Place, wanted: Wanted, balancer: LoadBalancer, port: Port
) -> TargetGroup:
    return new_target_group(
        tx,
        place,
        name=wanted.group_name(port),
        port=port.target or port.port,
        vpc_id=balancer.vpc_id,
        target_type=wanted.target_type,
        health_check=wanted.check,
        tags=wanted.tags,
    )


def _have_group(
    tx: Transaction,
    place: Place,
    wanted: Wanted,
    group: TargetGroup,
    targets: Iterable[tuple[str, int]],
) -> TargetGroup:
    """The group with these targets; those that are not among them any more drain."""
    fresh = [Target(id=each, port=port, registered_at=place.now) for each, port in sorted(targets)]
    keys = {target.key for target in fresh}
    name = target_group_name(group.name, group.id)
    gone = {target.key for target in group.targets} - keys
    used = bool(users_of(tx, *place.here, name))
    changed = deregister(register(group, fresh), gone, place.now, used=used)
    changed = msgspec.structs.replace(
        changed,
        health_check=wanted.check,
        attributes=dict(wanted.group_attributes),
        tags=wanted.tags,
    )
    if changed != group:
        tx.put(TARGET_GROUP, *place.here, name, changed)
    return changed


def remove(tx: Transaction, place: Place, key: Key, service: str) -> bool:
    """Have nothing of the Service's any more; whether that is so."""
    balancer = balancer_of(tx, key, service)
    if balancer is not None:
        remove_load_balancer(tx, place, load_balancer_name(balancer.name, balancer.id))
    for group in _own_target_groups(tx, key, service):
        name = target_group_name(group.name, group.id)
        if not users_of(tx, *place.here, name):
            remove_target_group(tx, place, name)
    if balancer is not None:
        return False
    own = _own_group(tx, key, service)
    if own is not None:
        return _remove_security_group(tx, place, own)
    return True


def _remove_security_group(tx: Transaction, place: Place, group: SecurityGroup) -> bool:
    for record in tx.find(SECURITY_GROUP, *place.here, "vpc", group.vpc_id):
        kept = tuple(rule for rule in record.value.rules if rule.group_id != group.id)
        if kept != record.value.rules:
            changed = msgspec.structs.replace(record.value, rules=kept)
            tx.put(SECURITY_GROUP, *place.here, record.key.name, changed)
    if tx.find(NETWORK_INTERFACE, *place.here, "group", group.id):
        return False
    tx.delete(SECURITY_GROUP, *place.here, group.id)
    return True
