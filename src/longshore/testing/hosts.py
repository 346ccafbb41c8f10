"""Hosts as records, for tests that need room and no agent."""

from longshore.model.arn import make_arn
from longshore.model.ecs import (
    CONNECTION,
    CONTAINER_INSTANCE,
    Connection,
    ContainerInstance,
)
from longshore.model.host import HOST, Host
from longshore.store.interface import Transaction


def add_host(
    tx: Transaction, account: str, region: str, *, cpu: int = 4096, memory: int = 16_384
) -> str:
    """A connected host of this size (CPU units and MiB) in three AZs; the ARN of its container
    instance. There again, it has the size that is given now."""
    name = "0" * 32
    arn = make_arn("ecs", region, account, f"container-instance/default/{name}")
    zones = tuple(region + letter for letter in "abc")
    host = Host(id="host", container_instance_arn=arn, zones=zones, cpu=cpu, memory=memory)
    instance = ContainerInstance(
        id=name, arn=arn, cluster="default", cpu=cpu, memory=memory, host=host.id, zones=zones
    )
    tx.put(HOST, "", "", host.id, host)
    tx.put(CONTAINER_INSTANCE, account, region, f"default/{name}", instance)
    tx.put(CONNECTION, "", "", arn, Connection(connected=True, since=0.0))
    return arn
