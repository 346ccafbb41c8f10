"""What everything in the agent works with: the host's parts, handed in once."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from longshore.agent.instances import Instances
from longshore.agent.ports import HostPorts
from longshore.awsapi.client import Client
from longshore.awsapi.signing import Keys
from longshore.base.clock import Clock
from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.fabric.interface import Fabric
from longshore.nodeapi import acs
from longshore.runtime.bridge import Bridge
from longshore.runtime.interface import Device, Runtime


async def _at_once() -> None:
    """Nothing was told yet."""


async def _no_devices(task: acs.Task) -> tuple[Device, ...]:
    """No volumes are known yet."""
    return ()


@dataclass
class Host:
    """`fabric` is None where the runtime is simulated."""

    installation: Installation
    runtime: Runtime
    fabric: Fabric | None
    bridge: Bridge
    clock: Clock
    ids: Ids
    keys: Callable[[], Keys]
    zone: str = ""
    cluster: str = "default"
    instance_arn: str = ""
    local_port: int = 0
    """Where the endpoints listen on the host's loopback."""
    pulling: defaultdict[str, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )
    """By image reference: held while it is looked for and fetched."""
    networks_applied: Callable[[], Awaitable[None]] = _at_once
    """Returns when the kernel has what the control plane has told of the network until then."""
    volume_devices: Callable[[acs.Task], Awaitable[tuple[Device, ...]]] = _no_devices
    """The devices of the EBS volumes of the instance that a task is, once they are there."""
    ports: HostPorts = field(default_factory=HostPorts)

    @property
    def home(self) -> Path:
        """The agent's own files."""
        return self.installation.data_dir / "agent"

    @cached_property
    def instances(self) -> Instances:
        """The EC2 instances here, as they are known from the disk or the control plane."""
        return Instances(self.home / "instances.json")

    def task_directory(self, task_id: str) -> Path:
        """Files that live as long as the task: volumes, resolv.conf and the like."""
        return self.home / "work" / task_id

    def log_directory(self, container_id: str) -> Path:
        """Output of one container; stays until it was shipped."""
        return self.home / "logs" / container_id

    def announce(self) -> None:
        """Say that tasks can be placed here; `longshore up` waits for that."""
        ready = self.installation.ready_file
        ready.parent.mkdir(parents=True, exist_ok=True)
        ready.touch()

    def client(self, role: acs.RoleCredentials | None = None, region: str = "") -> Client:
        """A client that signs with a role's credentials, or with the host's own; `region` is the
        installation's where none is given."""
        return Client(
            self.installation.endpoint_url,
            self.keys if role is None else lambda: keys_of(role),
            region or self.installation.region,
            self.clock,
        )


def keys_of(role: acs.RoleCredentials) -> Keys:
    return Keys(role.access_key_id, role.secret_access_key, role.session_token)
