"""Who asks, and whose tasks they may ask about: pure."""

import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from longshore.agent.records import ContainerRecord, TaskRecord
from longshore.model.network import Network


@dataclass(frozen=True, slots=True)
class Caller:
    """A peer's address, and the VPC in whose router it was seen; none on the host's loopback."""

    address: str
    vpc_id: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """Where tasks are: the network of the fabric, and the bridge's addresses by container id."""

    network: Network
    bridge: Mapping[str, str]


def tasks_of(caller: Caller, records: Iterable[TaskRecord], places: Places) -> list[TaskRecord]:
    """The tasks that the caller may be.

    In a VPC it is the one task whose ENI has the address: another task of the VPC, another
    instance, or the same address in another VPC gets nothing. On the loopback it is the bridge's
    task of that address; tasks of mode `host` cannot be told apart and answer to ids alone, as
    with Amazon's agent ("Task IAM role", ECS Developer Guide).
    """
    if caller.vpc_id:
        mine = {
            interface.id
            for interface in places.network.interfaces
            if interface.vpc_id == caller.vpc_id and interface.address == caller.address
        }
        return [record for record in records if _interfaces(record) & mine]
    if ipaddress.ip_address(caller.address).is_loopback:
        return [record for record in records if record.task.network_mode == "host"]
    return [
        record
        for record in records
        if record.task.network_mode in {"", "bridge"}
        and any(
            places.bridge.get(container.id) == caller.address
            for container in record.containers.values()
        )
    ]


def _interfaces(record: TaskRecord) -> set[str]:
    if record.task.network_mode != "awsvpc":
        return set()
    return {interface.ec2_id for interface in record.task.elastic_network_interfaces}


def container_by_id(
    records: Iterable[TaskRecord], identifier: str
) -> tuple[TaskRecord, ContainerRecord] | None:
    """The container whose endpoint id this is, and its task."""
    found = None
    for record in records:
        for container in record.containers.values():
            if _same(container.id, identifier):
                found = (record, container)
    return found


def task_by_credentials(records: Iterable[TaskRecord], identifier: str) -> TaskRecord | None:
    """The task whose role's credentials have this id; an execution role's are for no container."""
    found = None
    for record in records:
        role = record.task.role_credentials
        if role is not None and role.credentials_id and _same(role.credentials_id, identifier):
            found = record
    return found


def _same(secret: str, given: str) -> bool:
    # In constant time: how long a refusal takes must not tell how much of an id was right.
    return hmac.compare_digest(secret.encode(), given.encode())
