"""What a fabric promises to the agent.

Lifecycle
---------
    fabric = await open_fabric(installation)        # adopts what is there already; `network` is
                                                    # the one applied last, by whatever process
    await fabric.apply(network)                     # whole desired state; idempotent, incremental
    namespace = await fabric.attach(interface)      # netns with the ENI's addresses inside
    ... containers run in `namespace` ...
    await fabric.attach_further(other, interface, 1)    # another VPC's ENI beside it, as eth1
    ... branch ENIs come and go with `apply`, in the namespaces of their trunks, as vlan.eth.N ...
    await fabric.detach(interface_id)               # safe to repeat, safe without attach
    await fabric.close()                            # the agent ends, tasks run on
    await fabric.destroy()                          # `longshore down`: nothing is left behind

Inside every VPC
----------------
`METADATA_ADDRESS` and `CREDENTIALS_ADDRESS` (port 80) and the VPC's resolver (base
address plus two, and `DNS_ADDRESS`, port 53) belong to the router: whoever listens there, in
the router's namespace, sees the ENI's address as the peer's. `API_ADDRESS` takes Longshore's
ports (API, its TLS, registry) on to the same ports of this machine, from every subnet. Security
groups do not filter these addresses, as on AWS.
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
        Branch ENIs whose trunk is attached are there when this returns, and others are gone.
        """

    async def attach(self, interface: Interface) -> Path:
        """A network namespace (path under /run/netns) that holds the ENI, up, with address and
        default route. The ENI answers before this returns; attaching twice gives the same path."""

    async def attach_further(self, interface: Interface, first: Interface, number: int) -> None:
        """Put an ENI, the `number`th beside it from 1 on, into the namespace of `first`, which is
        attached.

        What goes to the ENI's VPC leaves through it, and so do answers from its address; the
        default route, the resolver and everything else stay `first`'s, whose VPC may have the same
        ranges. Attaching again completes what is half done and changes nothing else.
        """

    async def detach(self, interface_id: str) -> None:
        """Remove the ENI and, unless it is a further one, its namespace."""

    async def attached(self) -> frozenset[str]:
        """Ids of the interfaces with a namespace of their own now, as the kernel tells it.

        Half-attached ones (a kill in the middle) are among them: attach or detach them again.
        """

    def router(self, vpc_id: str) -> Path:
        """The namespace of the VPC's router, where the agent listens for what answers inside the
        VPC (`sockets.listen_in`); the peer's address tells the ENI. It exists after `apply`."""

    @property
    def network(self) -> Network:
        """What was applied last."""

    async def changed(self) -> None:
        """Return after the next `apply`."""

    async def destroy(self) -> None:
        """Remove every kernel object of this installation."""

    async def close(self) -> None:
        """Let go; everything stays as it is."""
