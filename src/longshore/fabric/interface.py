"""What a fabric promises to the agent.

Lifecycle
---------
    fabric = await open_fabric(installation)        # adopts what is there already
    await fabric.apply(network)                     # whole desired state; idempotent, incremental
    namespace = await fabric.attach(interface)      # netns with the ENI's addresses inside
    ... containers run in `namespace` ...
    await fabric.detach(interface_id)               # safe to repeat, safe without attach
    await fabric.destroy()                          # `longshore down`: nothing is left behind
"""

from pathlib import Path
from typing import Protocol

from longshore.model.network import Interface, Network


class FabricError(Exception):
    """A kernel object could not be made; the message says which and why."""


class Fabric(Protocol):
    """The host's part of every VPC."""

    async def apply(self, network: Network) -> None:
        """Make routers, rules, routes and public addresses as `network` says.

        One nftables transaction; established flows that the new rules no longer allow are cut.
        Interfaces in `network` that are not attached yet get their rules before they get packets.
        """

    async def attach(self, interface: Interface) -> Path:
        """A network namespace (path under /run/netns) that holds the ENI, up, with address and
        default route. The ENI answers before this returns; attaching twice gives the same path."""

    async def detach(self, interface_id: str) -> None:
        """Remove the ENI and its namespace."""

    async def attached(self) -> frozenset[str]:
        """Ids of the interfaces that are attached now, as the kernel tells it."""

    async def destroy(self) -> None:
        """Remove every kernel object of this installation."""
