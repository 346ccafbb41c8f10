"""Container instances as columns: one numpy array a property, one row an instance."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from longshore.scheduler.row import Row

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Columns:
    """The rows, column by column; `take` changes what is free as tasks are planned."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.cpu: Integers = np.array([row.cpu for row in rows], dtype=np.int64)
        self.memory: Integers = np.array([row.memory for row in rows], dtype=np.int64)
        self.connected: Mask = np.array([row.connected for row in rows], dtype=np.bool_)
        self._ports: dict[tuple[str, int], Mask] = {}
        self._taken: dict[int, set[tuple[str, int]]] = {}
        self._groups: dict[str, Integers] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def mask(self, claims: Sequence[bool]) -> Mask:
        """Claims on each row, in their order, as a mask."""
        return np.array(claims, dtype=np.bool_)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {row.arn: position for position, row in enumerate(self.rows)}

    def position(self, arn: str) -> int:
        return self._positions[arn]

    def only(self, arn: str) -> "Columns":
        """The row of one instance; none where it is not among the rows."""
        return Columns([row for row in self.rows if row.arn == arn])

    def port_free(self, protocol: str, port: int) -> Mask:
        """Where nothing holds this host port."""
        key = (protocol, port)
        if key not in self._ports:
            self._ports[key] = np.array(
                [
                    port not in (row.tcp_ports if protocol == "tcp" else row.udp_ports)
                    and key not in self._taken.get(position, ())
                    for position, row in enumerate(self.rows)
                ],
                dtype=np.bool_,
            )
        return self._ports[key]

    def has(self, attribute: str) -> Mask:
        """Where the instance has the attribute, whatever its value."""
        return self._mask(attribute in row.attributes for row in self.rows)

    def values(self, attribute: str) -> list[str | None]:
        """The attribute's value, row by row; None where there is none."""
        return [row.attributes.get(attribute) for row in self.rows]

    def in_zone(self, zone: str) -> Mask:
        return self._mask(zone in row.zones for row in self.rows)

    def group_counts(self, group: str) -> Integers:
        """How many tasks of the group each instance runs."""
        if group not in self._groups:
            self._groups[group] = np.array(
                [row.groups.get(group, 0) for row in self.rows], dtype=np.int64
            )
        return self._groups[group]

    def take(
        self, position: int, cpu: int, memory: int, ports: Iterable[tuple[str, int]], group: str
    ) -> None:
        """Count a planned task in."""
        self.cpu[position] -= cpu
        self.memory[position] -= memory
        self.group_counts(group)[position] += 1
        for key in ports:
            self._taken.setdefault(position, set()).add(key)
            self.port_free(*key)[position] = False

    @staticmethod
    def _mask(claims: Iterable[bool]) -> Mask:
        return np.fromiter(claims, dtype=np.bool_)
