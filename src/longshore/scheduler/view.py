"""The columns, read from the store."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from longshore.model.ecs import (
    CONNECTION,
    CONTAINER_INSTANCE,
    RESERVATION,
    ZONE_ATTRIBUTE,
    ContainerInstance,
    Reservation,
)
from longshore.model.host import HOST
from longshore.scheduler.row import Row
from longshore.store.interface import Reader, Record

if TYPE_CHECKING:
    from longshore.scheduler.columns import Columns


def cluster_columns(reader: Reader, account: str, region: str, cluster: str) -> "Columns":
    """The active container instances of a cluster."""
    found = reader.scan(CONTAINER_INSTANCE, account, region, prefix=f"{cluster}/")
    return _columns(reader, (record.value for record in found))


def host_columns(reader: Reader) -> "Columns":
    """The hosts, which carry Fargate's tasks of every account."""
    records = (instance_of(reader, r.value.container_instance_arn) for r in reader.scan(HOST))
    return _columns(reader, (record.value for record in records if record is not None))


def fargate_columns(reader: Reader) -> "Columns":
    """The hosts as a new Fargate task sees them: one that is cut off for a moment counts, since
    the task waits for it (`controllers/task/placement`)."""
    columns = host_columns(reader)
    columns.connected[:] = True
    return columns


def instance_of(reader: Reader, arn: str) -> Record[ContainerInstance] | None:
    """The container instance of this ARN."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith("container-instance/"):
        return None
    name = parts[5].removeprefix("container-instance/")
    return reader.get(CONTAINER_INSTANCE, parts[4], parts[3], name)


def reservation_of(reader: Reader, arn: str) -> Reservation:
    record = reader.get(RESERVATION, "", "", arn)
    return record.value if record is not None else Reservation()


def is_connected(reader: Reader, arn: str) -> bool:
    record = reader.get(CONNECTION, "", "", arn)
    return record is not None and record.value.connected


def _columns(reader: Reader, instances: Iterable[ContainerInstance]) -> "Columns":
    return columns_of(reader, (each for each in instances if each.status == "ACTIVE"))


def columns_of(reader: Reader, instances: Iterable[ContainerInstance]) -> "Columns":
    """One row for each of these instances, whatever its status."""
    # numpy is loaded when something is placed: it takes 50 ms and 11 MiB.
    from longshore.scheduler.columns import Columns

    return Columns([_row(reader, each) for each in instances])


_rows: dict[str, tuple[ContainerInstance, Reservation | None, bool, Row]] = {}
"""Rows by ARN, with what they were made of: records are frozen, so the same one gives the same."""
MOST_ROWS = 50_000


def _row(reader: Reader, instance: ContainerInstance) -> Row:
    record = reader.get(RESERVATION, "", "", instance.arn)
    held = record.value if record is not None else None
    connected = is_connected(reader, instance.arn)
    known = _rows.get(instance.arn)
    if known is not None and (known[0] is instance and known[1] is held and known[2] == connected):
        return known[3]
    row = _made_row(instance, held or Reservation(), connected)
    if len(_rows) >= MOST_ROWS:
        _rows.clear()
    _rows[instance.arn] = (instance, held, connected, row)
    return row


def _made_row(instance: ContainerInstance, held: Reservation, connected: bool) -> Row:
    claims = held.claims.values()
    attributes = dict((*instance.attributes, *instance.custom_attributes))
    if instance.zones:
        attributes.setdefault(ZONE_ATTRIBUTE, instance.zones[0])
    return Row(
        arn=instance.arn,
        cpu=instance.cpu - sum(claim.cpu for claim in claims),
        memory=instance.memory - sum(claim.memory for claim in claims),
        connected=connected,
        zones=instance.zones,
        tcp_ports=frozenset(instance.tcp_ports).union(*(claim.tcp_ports for claim in claims)),
        udp_ports=frozenset(instance.udp_ports).union(*(claim.udp_ports for claim in claims)),
        attributes=attributes | {"ec2InstanceId": instance.ec2_instance_id or None},
        groups=Counter(claim.group for claim in claims),
        host=instance.host,
    )
