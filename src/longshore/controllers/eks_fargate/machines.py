"""Machines of Fargate's pods in the store, staged in transactions."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.controllers.eks_fargate.plan import Machine
from longshore.instances import Around, fargate_image, terminate_instance
from longshore.kubernetes.fargate import COMPUTE_TYPE, Size
from longshore.model.ec2 import NETWORK_INTERFACE, SUBNET, NetworkInterface, Subnet
from longshore.model.eks import SYSTEM_ACCOUNT, Cluster, ClusterStatus
from longshore.model.eks_parts import FargateProfile
from longshore.model.errors import AwsError
from longshore.model.instances import (
    INSTANCE,
    INSTANCE_STATUS,
    FargateNode,
    Instance,
    MetadataOptions,
    Reason,
    state_of,
)
from longshore.store.interface import Key, Reader, Transaction
from longshore.vpc import create_network_interface
from longshore.vpc.addresses import free_addresses
from longshore.vpc.interfaces import assign_addresses
from longshore.vpc.zones import private_dns_name

ADDRESSES = 2
"""A node's own and its pod's."""
KUBERNETES_MEMORY = "256Mi"
GONE = Reason(code="Server.Fargate", message="The pod is gone")


def machines_of(reader: Reader, key: Key) -> list[Machine]:
    """The machines of the cluster of this key, or of earlier ones of its name."""
    found = []
    for record in reader.scan(INSTANCE, SYSTEM_ACCOUNT, key.region):
        node = record.value.fargate
        if node is not None and (node.account, node.cluster) == (key.account, key.name):
            status = reader.get(INSTANCE_STATUS, SYSTEM_ACCOUNT, key.region, record.key.name)
            shown = state_of(record.value, status.value if status is not None else None)
            found.append(Machine(record.value, shown))
    return found


def provision(
    tx: Transaction,
    ids: Ids,
    installation: Installation,
    now: float,
    key: Key,
    cluster: tuple[Cluster, ClusterStatus],
    profile: FargateProfile,
    pod: Mapping[str, Any],
    size: Size,
    groups: Sequence[str] = (),
) -> Instance:
    """A machine for the pod, with its interface, which has these security groups, or the cluster's
    where none are given. AwsError where no subnet has room for it, or a group is not of the VPC."""
    place = (key.account, key.region)
    subnet = _roomy(tx, key, profile)
    eni = create_network_interface(
        tx,
        ids,
        now,
        account=key.account,
        region=key.region,
        subnet_id=subnet.id,
        security_groups=groups or (cluster[1].security_group,),
        owner_arn=profile.arn,
        assign_public_ip=False,
        installation=installation,
    )
    eni = assign_addresses(tx, ids, *place, eni, count=ADDRESSES - 1)
    instance = _instance(ids, now, key, cluster, profile, pod, size, eni)
    attached = msgspec.structs.replace(
        eni,
        status="in-use",
        instance_id=instance.id,
        attachment_id=f"eni-attach-{ids.hex(17)}",
        attached_at=now,
        delete_on_termination=True,
    )
    tx.put(NETWORK_INTERFACE, *place, eni.id, attached)
    tx.create(INSTANCE, SYSTEM_ACCOUNT, key.region, instance.id, instance)
    return instance


def _roomy(reader: Reader, key: Key, profile: FargateProfile) -> Subnet:
    """The one of the profile's subnets with the most free addresses."""
    place = (key.account, key.region)
    found = [reader.get(SUBNET, *place, each) for each in profile.subnets]
    subnets = [record.value for record in found if record is not None]
    free = {subnet.id: free_addresses(reader, *place, subnet) for subnet in subnets}
    best = max(subnets, key=lambda subnet: free[subnet.id], default=None)
    if best is None or free[best.id] < ADDRESSES:
        raise AwsError(
            "InsufficientFreeAddressesInSubnet",
            f"The subnets of the Fargate profile {profile.name} have no free addresses",
        )
    return best


def _instance(
    ids: Ids,
    now: float,
    key: Key,
    cluster: tuple[Cluster, ClusterStatus],
    profile: FargateProfile,
    pod: Mapping[str, Any],
    size: Size,
    eni: NetworkInterface,
) -> Instance:
    made, status = cluster
    metadata = pod["metadata"]
    name = f"fargate-{private_dns_name(eni.private_address, key.region)}"
    node = FargateNode(
        account=key.account,
        cluster=made.name,
        cluster_id=made.id,
        profile=profile.name,
        profile_arn=profile.arn,
        role_arn=profile.role_arn,
        name=name,
        cpu=size.cpu,
        namespace=metadata["namespace"],
        pod=metadata["name"],
        pod_uid=metadata["uid"],
    )
    config = node_config(made, status, name, eni.zone, metadata["uid"])
    return Instance(
        id=f"i-{ids.hex(17)}",
        reservation_id="",
        image_id=fargate_image(key.region, status.version).id,
        instance_type="fargate",
        vcpus=-(-size.cpu // 1024),
        memory=size.memory,
        vpc_id=eni.vpc_id,
        subnet_id=eni.subnet_id,
        zone=eni.zone,
        interface_id=eni.id,
        private_address=eni.private_address,
        launched_at=now,
        user_data=base64.b64encode(msgspec.json.encode(config)).decode(),
        # What comes from the pod takes one hop more than that: it gets no token.
        metadata=MetadataOptions(hop_limit=1),
        shutdown_behavior="terminate",
        fargate=node,
    )


def node_config(
    cluster: Cluster, status: ClusterStatus, name: str, zone: str, uid: str
) -> dict[str, Any]:
    """The `NodeConfig` by which the machine joins the cluster; pure.

    The pod is all that the node has: nothing is evicted for it, and it has its size whole.
    """
    config = {
        "maxPods": 1,
        "providerID": f"aws:///{zone}/{uid}/{name}",
        "kubeReserved": {"cpu": "0m", "memory": KUBERNETES_MEMORY},
        "evictionHard": {"memory.available": "0%"},
        "enforceNodeAllocatable": ["none"],
    }
    return {
        "apiVersion": "node.eks.aws/v1alpha1",
        "kind": "NodeConfig",
        "spec": {
            "cluster": {
                "name": cluster.name,
                "apiServerEndpoint": status.endpoint,
                "certificateAuthority": base64.b64encode(status.authority.encode()).decode(),
                "cidr": cluster.service_cidr,
            },
            "kubelet": {
                "config": config,
                "flags": [
                    f"--hostname-override={name}",
                    f"--node-labels={COMPUTE_TYPE}=fargate",
                    f"--register-with-taints={COMPUTE_TYPE}=fargate:NoSchedule",
                ],
            },
        },
    }


def end(
    tx: Transaction, ids: Ids, installation: Installation, now: float, key: Key, instance_id: str
) -> None:
    """Have a machine taken away; safe to repeat."""
    around = Around(
        account=SYSTEM_ACCOUNT, region=key.region, now=now, ids=ids, installation=installation
    )
    terminate_instance(tx, around, instance_id, GONE)
