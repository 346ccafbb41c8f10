"""Which instances could run a task, and why the others could not.

Reasons are those of RunTask's failures ("API failure reasons", ECS Developer Guide).
"""

from collections.abc import Iterator

import numpy as np

from longshore.scheduler.columns import Columns, Mask
from longshore.scheduler.demand import Demand
from longshore.scheduler.query import parse_query

DISTINCT = "DistinctInstance placement constraint unsatisfied."
MEMBER_OF = "MemberOf placement constraint unsatisfied."


def feasible(columns: Columns, demand: Demand) -> tuple[Mask, list[str]]:
    """Where the task may run, and a reason for each instance where it may not (else empty)."""
    allowed: Mask = np.ones(len(columns), dtype=np.bool_)
    reasons = [""] * len(columns)
    for reason, mask in _checks(columns, demand):
        for position in np.flatnonzero(allowed & ~mask):
            reasons[position] = reason
        allowed &= mask
    return allowed, reasons


def _checks(columns: Columns, demand: Demand) -> Iterator[tuple[str, Mask]]:
    yield "AGENT", columns.connected
    for attribute in demand.attributes:
        yield "ATTRIBUTE", columns.has(attribute)
    if demand.zone:
        yield "ATTRIBUTE", columns.in_zone(demand.zone)
    for constraint in demand.constraints:
        if constraint.get("type") == "distinctInstance":
            yield DISTINCT, columns.group_counts(demand.group) == 0
        elif constraint.get("expression"):
            yield MEMBER_OF, parse_query(constraint["expression"])(columns)
    yield "RESOURCE:CPU", columns.cpu >= demand.cpu
    yield "RESOURCE:MEMORY", columns.memory >= demand.memory
    for port in demand.tcp_ports:
        yield "RESOURCE:PORTS", columns.port_free("tcp", port)
    for port in demand.udp_ports:
        yield "RESOURCE:PORTS", columns.port_free("udp", port)
