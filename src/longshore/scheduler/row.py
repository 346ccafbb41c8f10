"""One container instance as the scheduler sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One instance: what is free of it, and what it is. `groups` counts its tasks by group."""

    arn: str
    cpu: int
    memory: int
    connected: bool = True
    zones: tuple[str, ...] = ()
    tcp_ports: frozenset[int] = frozenset()
    """In use."""
    udp_ports: frozenset[int] = frozenset()
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)
    host: str = ""
