"""Hosts: the machines of this installation."""

import msgspec

from longshore.model.kind import Kind


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A machine with an agent, named by its id in account `""`, region `""`.

    `container_instance_arn` is its registration as an ECS container instance; `zones` the AZ names
    that it stands in for. Sizes are what the machine has in all.
    """

    id: str
    container_instance_arn: str
    zones: tuple[str, ...]
    cpu: int
    """vCPU units, 1024 a core."""
    memory: int
    """MiB."""
    connected: bool = False
    last_seen: float = 0.0


HOST = Kind("host", Host, {"instance": lambda value: [value.container_instance_arn]})
