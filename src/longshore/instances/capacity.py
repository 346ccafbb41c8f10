"""Whether hosts have room for instances: memory and weighed CPU, as placement counts them."""

from collections.abc import Iterable
from dataclasses import dataclass

from longshore.instances.types import InstanceType
from longshore.model.errors import AwsError
from longshore.model.host import HOST
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, Instance
from longshore.scheduler.demand import FARGATE_CPU_OVERCOMMIT
from longshore.scheduler.view import host_columns, reservation_of
from longshore.store.interface import Reader


@dataclass(slots=True)
class Room:
    """What one host has free: CPU units and MiB."""

    cpu: int
    memory: int

    def fits(self, cpu: int, memory: int) -> bool:
        return self.cpu >= cpu and self.memory >= memory

    def take(self, cpu: int, memory: int) -> None:
        self.cpu -= cpu
        self.memory -= memory


def how_many(rooms: Iterable[Room], waiting: Iterable[Instance], vcpus: int, memory: int) -> int:
    """How many instances of a size find room after those that wait for theirs; pure."""
    left = list(rooms)
    for instance in waiting:
        cpu = _weighed(instance.vcpus)
        found = next((room for room in left if room.fits(cpu, instance.memory)), None)
        if found is not None:
            found.take(cpu, instance.memory)
    cpu = _weighed(vcpus)
    return sum(max(0, min(room.memory // memory, room.cpu // cpu)) for room in left)


def _weighed(vcpus: int) -> int:
    return -(-vcpus * 1024 // FARGATE_CPU_OVERCOMMIT)


def room_for(reader: Reader, wanted: InstanceType) -> int:
    """How many instances of this type could be placed now."""
    columns = host_columns(reader)
    rooms = [
        Room(int(cpu), int(memory))
        for cpu, memory, connected in zip(
            columns.cpu, columns.memory, columns.connected, strict=True
        )
        if connected
    ]
    return how_many(rooms, _waiting(reader), wanted.vcpus, wanted.memory)


def _waiting(reader: Reader) -> list[Instance]:
    """Instances of every account that are to run and have no place yet."""
    placed = {
        task_arn.rpartition("/")[2]
        for host in reader.scan(HOST)
        for task_arn in reservation_of(reader, host.value.container_instance_arn).claims
    }
    waiting = []
    for record in reader.scan(INSTANCE):
        if record.value.wanted == "running":
            key = record.key
            status = reader.get(INSTANCE_STATUS, key.account, key.region, key.name)
            if status is None or status.value.task_id not in placed:
                waiting.append(record.value)
    return waiting


def no_room(name: str, zone: str) -> AwsError:
    """AWS's answer where a type has no capacity."""
    return AwsError(
        "InsufficientInstanceCapacity",
        f"We currently do not have sufficient {name} capacity in the Availability Zone you "
        f"requested ({zone}). Our system will be working on provisioning additional capacity.",
        status=500,
    )
