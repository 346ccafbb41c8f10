"""Gives new tasks their host, AZ and ENI.

Enters: tasks in PROVISIONING or PENDING without a placement. Leaves: `placement`, the claim on the
instance, the ENI, all in one transaction; or the stop of a task for which there is no place.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from longshore.base.ids import Ids
from longshore.controllers.interface import Surroundings
from longshore.model.ec2 import NETWORK_INTERFACE, SUBNET, NetworkInterface
from longshore.model.ecs import TASK, Placement, Stop, Task
from longshore.model.errors import AwsError
from longshore.model.kind import Kind
from longshore.scheduler.columns import Columns
from longshore.scheduler.demand import demand_of
from longshore.scheduler.plan import plan
from longshore.scheduler.reservation import claim
from longshore.scheduler.view import host_columns, instance_of
from longshore.store.interface import Change, Key, Reader, Record, Transaction
from longshore.vpc import create_network_interface
from longshore.vpc.interfaces import take_interface

NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability "
    "zone"
)

HOST_SECONDS = 60.0
"""For so long a new Fargate task waits for a host whose agent is not there."""
HOST_POLL_SECONDS = 0.25


class TaskPlacement:
    """`longshore.controllers.interface.Controller` of every task's place."""

    name = "controllers/task/placement"
    watched: Collection[Kind[Any]] = (TASK,)

    def __init__(self, surroundings: Surroundings) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._installation = surroundings.installation

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        if change.after is not None and _waits(change.after.value):
            yield change.key

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [record.key for record in reader.scan(TASK) if _waits(record.value)]

    async def reconcile(self, key: Key) -> float | None:
        try:
            return await self._store.transact(lambda tx: self._place(tx, key))
        except AwsError as error:
            reason = f"ResourceInitializationError: {error.message}"
            await self._store.transact(lambda tx: self._give_up(tx, key, reason))
        return None

    def _place(self, tx: Transaction, key: Key) -> float | None:
        record = tx.get(TASK, key.account, key.region, key.name)
        if record is None or not _waits(record.value):
            return None
        task = record.value
        zones = zones_of(tx, key, task)
        instance_arn, zone = task.instance_arn, ""
        if not instance_arn:
            instance_arn, zone = choose_host(host_columns(tx), task, list(zones), self._ids)
        if not instance_arn:
            if self._may_come(tx, task):
                return HOST_POLL_SECONDS
            self._give_up(tx, key, NO_CAPACITY)
            return None
        placement = self._placement(tx, key, task, instance_arn, zone, zones)
        claim(tx, instance_arn, task, key.account, key.region)
        placed = msgspec.structs.replace(task, placement=placement, last_status="PENDING")
        tx.put(TASK, key.account, key.region, key.name, placed)
        return None

    def _may_come(self, reader: Reader, task: Task) -> bool:
        """Whether to wait for a host: one that is starting up or cut off is soon back."""
        if self._clock.now() - task.created_at > HOST_SECONDS:
            return False
        columns = host_columns(reader)
        return not len(columns) or not columns.connected.all()

    def _placement(
        self,
        tx: Transaction,
        key: Key,
        task: Task,
        instance_arn: str,
        zone: str,
        zones: dict[str, str],
    ) -> Placement:
        instance = instance_of(tx, instance_arn)
        if instance is None:
            raise AwsError("ClientException", "The container instance is gone.")
        zone = zone or next((z for z in instance.value.zones if z in zones), "")
        host = instance.value.host
        if task.network is None and task.interface is None:
            first = next(iter(instance.value.zones), "")
            return Placement(instance_arn=instance_arn, zone=first, host=host)
        if not zone:
            raise AwsError("ClientException", "No subnet is in the container instance's zone.")
        eni = self._interface(tx, key, task, zones[zone], host)
        return Placement(
            instance_arn=instance_arn,
            zone=eni.zone,
            host=host,
            eni_id=eni.id,
            attachment_id=self._ids.uuid(),
            subnet_id=eni.subnet_id,
            mac=eni.mac,
            private_address=eni.private_address,
            account=task.interface.account if task.interface is not None else "",
        )

    def _interface(
        self, tx: Transaction, key: Key, task: Task, subnet_id: str, host: str
    ) -> NetworkInterface:
        if task.interface is not None:
            return take_interface(tx, task.interface, key.region, host)
        assert task.network is not None
        for beside in task.network.beside:
            take_interface(tx, beside, key.region, host)
        return create_network_interface(
            tx,
            self._ids,
            self._clock.now(),
            account=key.account,
            region=key.region,
            subnet_id=subnet_id,
            security_groups=task.network.security_groups,
            description=task.arn.replace(":task/", ":attachment/"),
            owner_arn=task.arn,
            assign_public_ip=task.network.public,
            host=host,
            installation=self._installation,
        )

    def _give_up(self, tx: Transaction, key: Key, reason: str) -> None:
        record = tx.get(TASK, key.account, key.region, key.name)
        if record is None or not _waits(record.value):
            return
        stop = Stop(code="TaskFailedToStart", reason=reason, at=self._clock.now())
        ended = msgspec.structs.replace(record.value, desired_status="STOPPED", stop=stop)
        tx.put(TASK, key.account, key.region, key.name, ended)


def _waits(task: Any) -> bool:
    return task.placement is None and task.desired_status == "RUNNING"


def zones_of(reader: Reader, key: Key, task: Task) -> dict[str, str]:
    """The task's subnets by AZ; the AZ with the fewest of the service's tasks first."""
    if task.interface is not None:
        eni = reader.get(NETWORK_INTERFACE, task.interface.account, key.region, task.interface.id)
        return {eni.value.zone: eni.value.subnet_id} if eni is not None else {}
    if task.network is None:
        return {}
    found = [reader.get(SUBNET, key.account, key.region, each) for each in task.network.subnets]
    subnets = {record.value.zone: record.value.id for record in found if record is not None}
    used = _used_zones(reader, key, task)
    return {zone: subnets[zone] for zone in sorted(subnets, key=used.count)}


def _used_zones(reader: Reader, key: Key, task: Task) -> list[str]:
    if not task.service:
        return []
    name = f"{task.cluster}/{task.service}"
    others: Sequence[Record[Task]] = reader.find(TASK, key.account, key.region, "service", name)
    return [
        record.value.placement.zone
        for record in others
        if record.value.placement is not None
        and record.value.desired_status == "RUNNING"
        and record.value.deployment_id == task.deployment_id
    ]


def choose_host(columns: Columns, task: Task, zones: Sequence[str], ids: Ids) -> tuple[str, str]:
    """(instance ARN, AZ) for a task of any host: the first AZ with room; empty where none has."""

    def draw(below: int) -> int:
        return int(ids.hex(8), 16) % below

    spread = ({"type": "spread", "field": "instanceId"}, {"type": "random"})
    for zone in zones:
        chosen = plan(columns, demand_of(task, zone=zone), 1, spread, draw).instances
        if chosen:
            return chosen[0], zone
    return "", ""
