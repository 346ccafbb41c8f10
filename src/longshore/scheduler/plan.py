"""Placing several tasks: feasible, then rank, one task after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from longshore.scheduler.demand import Demand

if TYPE_CHECKING:
    from longshore.scheduler.columns import Columns
    from longshore.scheduler.rank import Draw


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an instance could not take a task."""

    arn: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The instance of each task that found one, in order, and the reasons for the rest."""

    instances: tuple[str, ...]
    failures: tuple[Failure, ...]


def plan(
    columns: "Columns",
    demand: Demand,
    count: int,
    strategies: Sequence[Mapping[str, Any]],
    draw: "Draw",
) -> Plan:
    """Place up to `count` tasks; `columns` is left with what they take."""
    # numpy is loaded when something is placed: it takes 50 ms and 11 MiB.
    from longshore.scheduler.feasible import feasible
    from longshore.scheduler.rank import choose

    chosen: list[str] = []
    ports = [("tcp", port) for port in demand.tcp_ports]
    ports += [("udp", port) for port in demand.udp_ports]
    while len(chosen) < count:
        allowed, reasons = feasible(columns, demand)
        candidates = allowed.nonzero()[0]
        if not len(candidates):
            failures = (
                Failure(row.arn, why) for row, why in zip(columns.rows, reasons, strict=True)
            )
            return Plan(tuple(chosen), tuple(failures))
        position = choose(columns, candidates, strategies, demand.group, draw)
        columns.take(position, demand.cpu, demand.memory, ports, demand.group)
        chosen.append(columns.rows[position].arn)
    return Plan(tuple(chosen), ())
