"""What instances say of nodes."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from longshore.model.eks import SYSTEM_ACCOUNT, Cluster
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, Instance, state_of
from longshore.store.interface import Key, Reader, Record
from longshore.vpc.zones import private_dns_name

PROVIDER_ID = re.compile("aws:///(?P<zone>[a-z0-9-]+)/(?P<id>i-[0-9a-f]+)")
Object = Mapping[str, Any]


def state(reader: Reader, key: Key, instance: Instance) -> str:
    status = reader.get(INSTANCE_STATUS, key.account, key.region, instance.id)
    return state_of(instance, status.value if status is not None else None)


def instances_of(reader: Reader, key: Key, cluster: Cluster) -> list[Instance]:
    """Those in the cluster's VPC that are not terminated, and its machines of Fargate's: nodes are
    no others."""
    records = reader.find(INSTANCE, key.account, key.region, "vpc", cluster.vpc_id)
    found = [record.value for record in records]
    own = [each for each in found if state(reader, key, each) != "terminated"]
    hidden = reader.find(INSTANCE, SYSTEM_ACCOUNT, key.region, "vpc", cluster.vpc_id)
    return own + [
        record.value
        for record in hidden
        if record.value.fargate is not None and record.value.fargate.cluster_id == cluster.id
    ]


def name_of(instance: Instance, region: str) -> str:
    """The name of the instance's node."""
    if instance.fargate is not None:
        return instance.fargate.name
    return private_dns_name(instance.private_address, region)


def named(instances: Iterable[Instance], name: str, region: str) -> Instance | None:
    """The instance whose node has this name."""
    found = (each for each in instances if name_of(each, region) == name)
    return next(found, None)


def is_gone(reader: Reader, key: Key, node: Object) -> bool:
    """Whether the node's instance is no more; nodes that are no instances of the region stay."""
    found = PROVIDER_ID.fullmatch(str(node.get("spec", {}).get("providerID", "")))
    if found is None or found["zone"][:-1] != key.region:
        return False
    record: Record[Instance] | None = reader.get(INSTANCE, key.account, key.region, found["id"])
    return record is None or state(reader, key, record.value) == "terminated"
