"""The control plane's ENIs in the user's subnets, and the names that lead to it inside VPCs.

(docs/decisions/0107; "View Amazon EKS networking requirements for VPC and subnets" and "Cluster API
server endpoint", Amazon EKS User Guide.)
"""

from collections.abc import Collection, Sequence

import msgspec

from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.model.ec2 import (
    NETWORK_INTERFACE,
    PRIVATE_NAME,
    SUBNET,
    NetworkInterface,
    PrivateName,
    Subnet,
    private_name,
)
from longshore.model.eks import Cluster
from longshore.store.interface import Key, Reader, Transaction
from longshore.vpc import create_network_interface, delete_network_interface
from longshore.vpc.lookup import absent

MOST_ZONES = 2
"""In so many AZs there is one; EKS has two to four in all."""


def have_interfaces(
    tx: Transaction,
    ids: Ids,
    now: float,
    installation: Installation,
    key: Key,
    cluster: Cluster,
    group: str,
    used: Collection[str],
) -> tuple[NetworkInterface, ...]:
    """ENIs for another API server, the one that it advertises first; `group` is the cluster
    security group, `used` are ids of those that others have. Raises AwsError, as
    `create_network_interface` does."""
    found = interfaces_of(tx, key, cluster)
    groups = (group, *cluster.security_groups)
    free = {
        eni.subnet_id: eni for eni in found if eni.id not in used and eni.security_groups == groups
    }
    made = []
    subnets = _subnets(tx, key, cluster)
    if not subnets:
        raise absent(SUBNET, cluster.subnets[0])
    for subnet in subnets:
        eni = free.get(subnet.id)
        if eni is None:
            eni = _make(tx, ids, now, installation, key, cluster, group, subnet)
        made.append(eni)
    return tuple(made)


def are_in_place(
    tx: Transaction, key: Key, cluster: Cluster, enis: Sequence[NetworkInterface]
) -> bool:
    """Whether they are in the subnets that the cluster's are to be in, none missing, and of its
    security groups."""
    wanted = [(subnet.id, cluster.security_groups) for subnet in _subnets(tx, key, cluster)]
    # The first group is the cluster's own.
    return [(eni.subnet_id, eni.security_groups[1:]) for eni in enis] == wanted


def interfaces_of(reader: Reader, key: Key, cluster: Cluster) -> list[NetworkInterface]:
    found = reader.find(NETWORK_INTERFACE, key.account, key.region, "owner", cluster.arn)
    return [record.value for record in found]


def _subnets(tx: Transaction, key: Key, cluster: Cluster) -> list[Subnet]:
    """The first of the cluster's in each AZ; some may be gone where none of the ENIs is."""
    found: dict[str, Subnet] = {}
    for each in cluster.subnets:
        record = tx.get(SUBNET, key.account, key.region, each)
        if record is not None:
            found.setdefault(record.value.zone, record.value)
    return list(found.values())[:MOST_ZONES]


def _make(
    tx: Transaction,
    ids: Ids,
    now: float,
    installation: Installation,
    key: Key,
    cluster: Cluster,
    group: str,
    subnet: Subnet,
) -> NetworkInterface:
    eni = create_network_interface(
        tx,
        ids,
        now,
        account=key.account,
        region=key.region,
        subnet_id=subnet.id,
        security_groups=(group,),
        description=f"Amazon EKS {cluster.name}",
        owner_arn=cluster.arn,
        assign_public_ip=False,
        installation=installation,
    )
    # Its own groups come on top of the five that a cluster may have, one more than users' ENIs may.
    attached = msgspec.structs.replace(
        eni,
        security_groups=(group, *cluster.security_groups),
        status="in-use",
        attachment_id=f"eni-attach-{ids.hex(17)}",
        attached_at=now,
    )
    tx.put(NETWORK_INTERFACE, key.account, key.region, eni.id, attached)
    return attached


def forget_interfaces(
    tx: Transaction, key: Key, cluster: Cluster, but: Collection[str] = ()
) -> None:
    """Take the ENIs away, but those of these ids."""
    for eni in interfaces_of(tx, key, cluster):
        if eni.id not in but:
            delete_network_interface(tx, key.account, key.region, eni.id)


def forget_names(tx: Transaction, key: Key, cluster: Cluster) -> None:
    """Have no name lead to the cluster inside VPCs."""
    for record in tx.find(PRIVATE_NAME, key.account, key.region, "owner", cluster.arn):
        tx.delete(PRIVATE_NAME, key.account, key.region, record.key.name)


def lead_name(
    tx: Transaction,
    key: Key,
    cluster: Cluster,
    name: str,
    public: str,
    enis: Sequence[NetworkInterface],
) -> None:
    """Have the endpoint's name lead to an API server inside VPCs.

    With private access it leads to its ENIs in the cluster's VPC; elsewhere to the public address
    or, where nobody is let in there, to the ENIs too, as public DNS does.
    """
    private = tuple(sorted(eni.private_address for eni in enis))
    wanted = {"": (public,) if cluster.public_access else private}
    if cluster.private_access:
        wanted[cluster.vpc_id] = private
    lower = name.lower()
    for vpc_id in ("", cluster.vpc_id):
        kept = private_name(vpc_id, lower)
        before = tx.get(PRIVATE_NAME, key.account, key.region, kept)
        if vpc_id not in wanted:
            tx.delete(PRIVATE_NAME, key.account, key.region, kept)
        elif before is None or before.value.addresses != wanted[vpc_id]:
            led = PrivateName(
                vpc_id=vpc_id, name=lower, addresses=wanted[vpc_id], owner_arn=cluster.arn
            )
            tx.put(PRIVATE_NAME, key.account, key.region, kept, led)
