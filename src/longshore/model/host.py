"""Hosts: the machines of this installation."""

import msgspec

from longshore.base.installation import Installation
from longshore.model.arn import make_arn
from longshore.model.kind import Kind
from longshore.model.principal import Principal

HOST_USER = "longshore-host"
"""The IAM user, in the installation's account, whose key the agents of hosts sign with."""


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


def speaks_for_hosts(principal: Principal, installation: Installation) -> bool:
    """Whether the caller may be a host's agent, which is handed every account's tasks.

    No policy grants this: it is the host user's alone. With `auth=open` there are no callers to
    tell apart.
    """
    if installation.auth == "open":
        return True
    arn = make_arn("iam", "", installation.account, f"user/{HOST_USER}")
    return principal.kind == "user" and principal.arn == arn
