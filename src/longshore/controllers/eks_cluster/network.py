"""Where the tasks of a control plane are in the network of Longshore's own account.

The API servers have an interface there that the endpoint's name leads to, and etcd one whose
address stays, which they alone reach.
"""

from collections.abc import Iterable

from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.model import ecs
from longshore.model.ec2 import (
    NETWORK_INTERFACE,
    SECURITY_GROUP,
    SUBNET,
    VPC,
    NetworkInterface,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    Vpc,
)
from longshore.model.eks import SYSTEM_ACCOUNT, Cluster
from longshore.model.link_local import CONTROL_PLANES_RANGE, LINK_RANGE
from longshore.store.interface import Key, Transaction
from longshore.vpc import create_network_interface, delete_network_interface
from longshore.vpc.creation import create_public_vpc, egress_to_everywhere
from longshore.vpc.lookup import absent

HTTPS = 443
ETCD_PORT = 2379
SUBNET_PREFIX = 22
"""Of a control planes' subnet: a thousand addresses."""


def have_network(
    tx: Transaction, ids: Ids, key: Key, cluster: Cluster, beside: Iterable[NetworkInterface]
) -> ecs.TaskNetwork:
    """Where an API server is: a VPC of the system account, in the AZs of the cluster's subnets,
    reached from `public_cidrs` alone; and `beside` it in the user's."""
    vpc = _have_vpc(tx, ids, key.region)
    group = _have_endpoint_group(tx, ids, key, cluster, vpc.id)
    return ecs.TaskNetwork(
        subnets=tuple(subnet.id for subnet in _subnets(tx, key, cluster, vpc)),
        security_groups=(group,),
        public=True,
        beside=tuple(ecs.TaskInterface(key.account, eni.id) for eni in beside),
    )


def have_etcd_group(tx: Transaction, ids: Ids, key: Key, cluster: Cluster) -> str:
    """The group of etcd's interfaces, which lets the cluster's API servers in; its id."""
    vpc = _have_vpc(tx, ids, key.region)
    return _have_etcd_group(tx, ids, key, cluster, vpc.id)


def have_etcd_interface(
    tx: Transaction,
    ids: Ids,
    now: float,
    installation: Installation,
    key: Key,
    cluster: Cluster,
    group: str,
) -> NetworkInterface:
    """etcd's ENI, which outlives its tasks, with the group that an earlier transaction has made.
    Raises AwsError where the cluster has no subnet."""
    known = _etcd_interface(tx, key, cluster)
    if known is not None:
        return known
    subnets = _subnets(tx, key, cluster, _have_vpc(tx, ids, key.region))
    if not subnets:
        raise absent(SUBNET, cluster.subnets[0])
    return create_network_interface(
        tx,
        ids,
        now,
        account=SYSTEM_ACCOUNT,
        region=key.region,
        subnet_id=subnets[0].id,
        security_groups=(group,),
        description=f"etcd of {cluster.arn}",
        owner_arn=cluster.arn,
        assign_public_ip=False,
        installation=installation,
    )


def etcd_network(eni: NetworkInterface) -> ecs.TaskNetwork:
    """Where a task of etcd's is. The ENI is a further one of each task: so it moves at once to the
    next one, which need not wait until the one before has left its own."""
    return ecs.TaskNetwork(
        subnets=(eni.subnet_id,),
        security_groups=eni.security_groups,
        public=False,
        beside=(ecs.TaskInterface(SYSTEM_ACCOUNT, eni.id),),
    )


def forget_network(tx: Transaction, key: Key, cluster: Cluster) -> None:
    """Take away etcd's ENI, and both groups; one that somebody's interface has is left."""
    eni = _etcd_interface(tx, key, cluster)
    if eni is not None:
        delete_network_interface(tx, SYSTEM_ACCOUNT, key.region, eni.id)
    for record in tx.scan(SECURITY_GROUP, SYSTEM_ACCOUNT, key.region):
        group = record.value
        if group.name in {cluster.id, _etcd_group(cluster)} and not tx.find(
            NETWORK_INTERFACE, SYSTEM_ACCOUNT, key.region, "group", group.id
        ):
            tx.delete(SECURITY_GROUP, SYSTEM_ACCOUNT, key.region, group.id)


def _etcd_interface(tx: Transaction, key: Key, cluster: Cluster) -> NetworkInterface | None:
    found = tx.find(NETWORK_INTERFACE, SYSTEM_ACCOUNT, key.region, "owner", cluster.arn)
    return next((record.value for record in found), None)


def _subnets(tx: Transaction, key: Key, cluster: Cluster, vpc: Vpc) -> list[Subnet]:
    """Those of the system account's VPC in the AZs of the cluster's."""
    theirs = [tx.get(SUBNET, key.account, key.region, each) for each in cluster.subnets]
    zones = {record.value.zone for record in theirs if record is not None}
    found = tx.find(SUBNET, SYSTEM_ACCOUNT, key.region, "vpc", vpc.id)
    return [record.value for record in found if record.value.zone in zones]


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
    known = _group(tx, key, vpc_id, cluster.id)
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


def _have_etcd_group(tx: Transaction, ids: Ids, key: Key, cluster: Cluster, vpc_id: str) -> str:
    name = _etcd_group(cluster)
    known = _group(tx, key, vpc_id, name)
    if known is not None:
        return known.id
    api_servers = SecurityGroupRule(
        id=f"sgr-{ids.hex(17)}",
        egress=False,
        protocol="tcp",
        from_port=ETCD_PORT,
        to_port=ETCD_PORT,
        group_id=_have_endpoint_group(tx, ids, key, cluster, vpc_id),
        group_account=SYSTEM_ACCOUNT,
    )
    group = SecurityGroup(
        id=f"sg-{ids.hex(17)}",
        vpc_id=vpc_id,
        name=name,
        description=f"etcd of {cluster.arn}",
        rules=(api_servers, egress_to_everywhere(ids)),
    )
    tx.create(SECURITY_GROUP, SYSTEM_ACCOUNT, key.region, group.id, group)
    return group.id


def _etcd_group(cluster: Cluster) -> str:
    return f"etcd-{cluster.id}"


def _group(tx: Transaction, key: Key, vpc_id: str, name: str) -> SecurityGroup | None:
    found = tx.find(SECURITY_GROUP, SYSTEM_ACCOUNT, key.region, "vpc", vpc_id)
    return next((record.value for record in found if record.value.name == name), None)


def _let_in(group: SecurityGroup) -> tuple[str, ...]:
    return tuple(rule.cidr for rule in group.rules if not rule.egress)
