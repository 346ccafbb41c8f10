"""Branch interfaces in the store, staged in transactions."""

import ipaddress
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.controllers.eks_pod_groups.plan import free_number
from longshore.model.ec2 import NETWORK_INTERFACE, SUBNET, Branch, NetworkInterface
from longshore.model.eks import Cluster
from longshore.model.errors import AwsError
from longshore.store.interface import Key, Reader, Transaction
from longshore.vpc import create_network_interface
from longshore.vpc.interfaces import delete_network_interface

DESCRIPTION = "aws-k8s-branch-eni"
TYPE = "branch"
OWNER_TAG = ("eks:eni:owner", "eks-vpc-resource-controller")
TRUNK_TAG, VLAN_TAG = "vpcresources.k8s.aws/trunk-eni-id", "vpcresources.k8s.aws/vlan-id"
CLUSTER_TAG = "kubernetes.io/cluster/{}"


def owner(cluster_arn: str) -> str:
    """What a cluster's branch interfaces are made for."""
    return f"{cluster_arn}/pods"


def branches_of(reader: Reader, key: Key, cluster_arn: str) -> list[NetworkInterface]:
    """Those of the cluster of this key, or of earlier ones of its name."""
    place = (key.account, key.region)
    found = reader.find(NETWORK_INTERFACE, *place, "owner", owner(cluster_arn))
    return [record.value for record in found]


def have_branch(
    tx: Transaction,
    ids: Ids,
    installation: Installation,
    now: float,
    key: Key,
    cluster: Cluster,
    trunk_id: str,
    pod: Mapping[str, Any],
    groups: Sequence[str],
) -> NetworkInterface:
    """The pod's interface, made where it is missing, in the subnet of its node's. Raises AwsError
    where the trunk is gone, a group is none of the VPC, or the subnet has no address left."""
    place, metadata = (key.account, key.region), pod["metadata"]
    there = branches_of(tx, key, cluster.arn)
    for each in there:
        if each.branch is not None and each.branch.pod_uid == metadata["uid"]:
            return each
    trunk = tx.get(NETWORK_INTERFACE, *place, trunk_id)
    if trunk is None:
        raise AwsError("InvalidNetworkInterfaceID.NotFound", f"The interface '{trunk_id}' is gone")
    number = free_number(there, trunk_id)
    made = create_network_interface(
        tx,
        ids,
        now,
        account=key.account,
        region=key.region,
        subnet_id=trunk.value.subnet_id,
        security_groups=groups,
        description=DESCRIPTION,
        owner_arn=owner(cluster.arn),
        assign_public_ip=False,
        interface_type=TYPE,
        host=trunk.value.host,
        tags=(
            OWNER_TAG,
            (CLUSTER_TAG.format(cluster.name), "owned"),
            (TRUNK_TAG, trunk_id),
            (VLAN_TAG, str(number)),
        ),
        installation=installation,
    )
    branch = Branch(
        trunk=trunk_id,
        vlan=number,
        pod=metadata["name"],
        pod_uid=metadata["uid"],
    )
    # A branch is associated with its trunk, and attached to nothing.
    whole = msgspec.structs.replace(
        made, branch=branch, status="in-use", attachment_id="", attached_at=0.0
    )
    tx.put(NETWORK_INTERFACE, *place, whole.id, whole)
    return whole


def follow_trunk(tx: Transaction, key: Key, interface_id: str) -> None:
    """Have a branch on the host that its trunk is on; safe to repeat."""
    place = (key.account, key.region)
    record = tx.get(NETWORK_INTERFACE, *place, interface_id)
    if record is None or record.value.branch is None:
        return
    trunk = tx.get(NETWORK_INTERFACE, *place, record.value.branch.trunk)
    host = trunk.value.host if trunk is not None else ""
    if host != record.value.host:
        moved = msgspec.structs.replace(record.value, host=host)
        tx.put(NETWORK_INTERFACE, *place, interface_id, moved)


def remove(tx: Transaction, key: Key, interface_id: str) -> None:
    """Remove a branch and free its address; safe to repeat."""
    delete_network_interface(tx, key.account, key.region, interface_id)


def annotation(reader: Reader, key: Key, interface: NetworkInterface) -> str:
    """What the pod is told of its interface, in JSON."""
    record = reader.get(SUBNET, key.account, key.region, interface.subnet_id)
    cidr = record.value.cidr if record is not None else str(
        ipaddress.IPv4Network(interface.private_address)
    )  # fmt: skip
    told = {
        "eniId": interface.id,
        "ifAddress": interface.mac,
        "privateIp": interface.private_address,
        "ipv6Addr": "",
        "vlanId": interface.branch.vlan if interface.branch is not None else 0,
        "subnetCidr": cidr,
        "subnetV6Cidr": "",
        "associationID": f"trunk-assoc-{interface.id.removeprefix('eni-')}",
    }
    return json.dumps([told], separators=(",", ":"))
