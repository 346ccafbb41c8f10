"""The fabric of this machine's kernel.

All kernel work runs in one thread of the fabric's own: it enters namespaces, which the event loop's
thread must not, and it does one thing at a time.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pyroute2.netlink.exceptions import NetlinkError

from longshore.base.installation import Installation
from longshore.base.logs import logger
from longshore.fabric import docker, memory, namespaces, nftables
from longshore.fabric.admission import Admission
from longshore.fabric.branches import branches_of, have_branches
from longshore.fabric.conntrack import cut_flows
from longshore.fabric.further import Further, attach_further, follow_ranges
from longshore.fabric.host_rules import api_ports, host_ruleset
from longshore.fabric.interface import FabricError
from longshore.fabric.links import Links
from longshore.fabric.names import host_table, namespace_path, namespace_prefix
from longshore.fabric.ports import attach_port, detach_port, lead_to_ports
from longshore.fabric.router import ensure_router, remove_router, set_up_routing
from longshore.fabric.router_rules import interfaces_of, router_ruleset
from longshore.fabric.ruleset import Ruleset, changes, narrows, rebuild
from longshore.fabric.uplink import (
    ensure_uplink,
    forward_from_outside,
    prepare_host,
    remove_host_objects,
    remove_uplink,
    set_public_addresses,
)
from longshore.model.network import Interface, Network, SecondaryAddress, Vpc

R = TypeVar("R")
log = logger(__name__)


async def open_fabric(installation: Installation) -> "KernelFabric":
    """The fabric of this host, with what an earlier process left in the kernel adopted.

    Raises FabricError where the kernel or libnftables lacks something.
    """
    fabric = KernelFabric(installation)
    await fabric.prepare()
    return fabric


class KernelFabric:
    """Implements `interface.Fabric` with network namespaces, veths, routes and nftables."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fabric")
        self._links = Links()
        self._network = Network()
        self._rulesets: dict[str, Ruleset] = {}
        """What each router's table holds; a router that is missing here is rebuilt whole."""
        self._gateways: dict[str, str] = {}
        self._routed: dict[str, tuple[Vpc, set[str]]] = {}
        """What each router routes: most changes of a network are of ENIs and rules alone."""
        self._secondary: dict[str, dict[str, tuple[SecondaryAddress, ...]]] = {}
        """What secondary addresses lead to each VPC's ENIs."""
        self._branches: dict[str, list[Interface]] = {}
        """What branch ENIs each router has; one that is missing here is looked through whole."""
        self._vpcs_changed = asyncio.Event()

    async def prepare(self) -> None:
        """Set up the host's side, and the network that was applied last."""
        await self._do(self._prepare)

    async def apply(self, network: Network) -> None:
        """See `interface.Fabric`."""
        try:
            await self._do(lambda: self._apply(network))
        finally:
            self._vpcs_changed.set()
            self._vpcs_changed = asyncio.Event()

    async def attach(self, interface: Interface) -> Path:
        """See `interface.Fabric`."""
        return await self._do(lambda: self._attach(interface))

    async def attach_further(self, interface: Interface, first: Interface, number: int) -> None:
        """See `interface.Fabric`."""
        await self._do(lambda: self._attach_further(interface, first, number))

    async def detach(self, interface_id: str) -> None:
        """See `interface.Fabric`."""
        await self._do(lambda: detach_port(self._links, self._installation, interface_id))

    async def attached(self) -> frozenset[str]:
        """See `interface.Fabric`."""
        return frozenset(await self._do(lambda: list(self._listed("eni-"))))

    def router(self, vpc_id: str) -> Path:
        """See `interface.Fabric`."""
        return namespace_path(self._installation.id, vpc_id)

    @property
    def network(self) -> Network:
        """See `interface.Fabric`."""
        return self._network

    async def changed(self) -> None:
        """See `interface.Fabric`."""
        await self._vpcs_changed.wait()

    async def destroy(self) -> None:
        """See `interface.Fabric`."""
        await self._do(self._destroy)

    async def close(self) -> None:
        """Let go of the kernel; everything stays as it is."""
        await self._do(self._links.close)
        self._thread.shutdown()

    async def _do(self, work: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._translate, work)

    @staticmethod
    def _translate(work: Callable[[], R]) -> R:
        try:
            return work()
        except (NetlinkError, OSError) as error:
            raise FabricError(f"the kernel refused: {error}") from error

    def _listed(self, kind: str) -> Iterable[str]:
        prefix = namespace_prefix(self._installation.id) + kind
        return (kind + name for name in namespaces.listed(prefix))

    def _prepare(self) -> None:
        threading.current_thread().name = "fabric"
        prepare_host(self._links, self._installation)
        nftables.run_transaction(rebuild(host_ruleset(self._installation)))
        known = memory.recall(self._installation)
        if known is not None:
            try:
                self._apply(known)
            except FabricError as error:
                # Said again, with the same words, when the control plane sends the network.
                log.warning("kept network could not be applied", error=str(error))

    def _apply(self, network: Network) -> None:
        forward_from_outside(self._links)
        docker.let_through(self._installation)
        failures = []
        for vpc in network.vpcs:
            # One VPC that the kernel refuses must not keep the others from their rules.
            try:
                self._translate(lambda vpc=vpc: self._apply_vpc(network, vpc))  # type: ignore[misc]
            except FabricError as error:
                failures.append(f"{vpc.id}: {error}")
        wanted = {vpc.id for vpc in network.vpcs}
        for vpc_id in self._listed("vpc-"):
            if vpc_id not in wanted:
                self._remove_vpc(vpc_id)
        self._network = network
        memory.keep(self._installation, network)
        failures += self._apply_branches(network)
        if failures:
            raise FabricError("; ".join(failures))

    def _apply_branches(self, network: Network) -> list[str]:
        """Have the branch ENIs where their trunks are, and no others; what failed."""
        failures = []
        for vpc in network.vpcs:
            branches = branches_of(network, vpc.id)
            # Not known at a start: a kill may leave what nobody knows.
            if vpc.id not in self._gateways or self._branches.get(vpc.id) == branches:
                continue
            self._branches.pop(vpc.id, None)
            failed = self._have_branches(vpc.id, branches)
            if not failed:
                self._branches[vpc.id] = branches
            failures += failed
        return failures

    def _have_branches(self, vpc_id: str, branches: Sequence[Interface]) -> list[str]:
        """What failed."""
        try:
            return self._translate(
                lambda: have_branches(self._links, self._installation, vpc_id, branches)
            )
        except FabricError as error:
            return [f"{vpc_id}: {error}"]

    def _apply_vpc(self, network: Network, vpc: Vpc) -> None:
        if vpc.id not in self._gateways:
            ensure_router(self._links, self._installation, vpc.id)
            self._gateways[vpc.id] = ensure_uplink(self._links, self._installation, vpc.id)
        gateway = self._gateways[vpc.id]
        rules = router_ruleset(network, vpc, api_ports(self._installation), gateway)
        self._apply_rules(network, vpc, rules)
        interfaces = interfaces_of(network, vpc)
        public = {public for i in interfaces for public in i.translations.values()}
        before, _ = self._routed.get(vpc.id, (vpc, None))
        self._apply_routes(vpc, gateway, public)
        if before.cidrs != vpc.cidrs:
            follow_ranges(self._links, self._installation, vpc, interfaces)
        self._apply_secondary(vpc, interfaces)

    def _apply_secondary(self, vpc: Vpc, interfaces: Sequence[Interface]) -> None:
        """Lead secondary addresses to ENIs; a primary one led to its port from the first on."""
        before = self._secondary.pop(vpc.id, {})
        now = {i.id: i.secondary for i in interfaces if i.secondary}
        changed = {eni for eni in before | now if before.get(eni) != now.get(eni)}
        lead_to_ports(
            self._links, self._installation, vpc.id, [i for i in interfaces if i.id in changed]
        )
        self._secondary[vpc.id] = now

    def _apply_routes(self, vpc: Vpc, gateway: str, public: set[str]) -> None:
        known, addresses = self._routed.pop(vpc.id, (None, None))
        if known != vpc:
            set_up_routing(self._links, self._installation, vpc, gateway)
        if addresses != public:
            set_public_addresses(self._links, self._installation, vpc.id, public)
        self._routed[vpc.id] = vpc, public

    def _apply_rules(self, network: Network, vpc: Vpc, rules: Ruleset) -> None:
        """Change the router's table, then cut the flows that it no longer allows."""
        before = self._rulesets.get(vpc.id)
        if before == rules:
            return
        with namespaces.within(self.router(vpc.id)):
            # Forgotten first: after a failure the table is rebuilt, whatever it holds then.
            self._rulesets.pop(vpc.id, None)
            nftables.run_transaction(rebuild(rules) if before is None else changes(before, rules))
            if before is None or narrows(before, rules):
                admission = Admission(network, vpc)
                cut = cut_flows(lambda flow: not admission.allows(flow))
                if cut:
                    log.info("flows cut by changed rules", vpc_id=vpc.id, flows=len(cut))
        self._rulesets[vpc.id] = rules

    def _remove_vpc(self, vpc_id: str) -> None:
        self._rulesets.pop(vpc_id, None)
        self._gateways.pop(vpc_id, None)
        self._routed.pop(vpc_id, None)
        self._secondary.pop(vpc_id, None)
        self._branches.pop(vpc_id, None)
        remove_uplink(self._links, self._installation, vpc_id)
        remove_router(self._links, self._installation, vpc_id)

    def _attach(self, interface: Interface) -> Path:
        self._check_router(interface.vpc_id)
        path = attach_port(self._links, self._installation, interface)
        branches = branches_of(self._network, interface.vpc_id)
        if any(each.branch is not None and each.branch.trunk == interface.id for each in branches):
            failures = self._have_branches(interface.vpc_id, branches)
            if failures:
                # The node starts without them; they are tried again with the next network.
                self._branches.pop(interface.vpc_id, None)
                log.warning(
                    "interfaces of pods failed", eni=interface.id, reason="; ".join(failures)
                )
        return path

    def _attach_further(self, interface: Interface, first: Interface, number: int) -> None:
        self._check_router(interface.vpc_id)
        self._check_router(first.vpc_id)
        vpcs = {vpc.id: vpc for vpc in self._network.vpcs}
        further = Further(interface, vpcs[interface.vpc_id].cidrs, number)
        resolver = vpcs[first.vpc_id].resolver
        attach_further(self._links, self._installation, further, first, resolver)

    def _check_router(self, vpc_id: str) -> None:
        if vpc_id not in self._gateways:
            raise FabricError(f"{vpc_id} has no router here: apply its network first")

    def _destroy(self) -> None:
        for interface_id in self._listed("eni-"):
            detach_port(self._links, self._installation, interface_id)
        for vpc_id in self._listed("vpc-"):
            self._remove_vpc(vpc_id)
        remove_host_objects(self._links, self._installation)
        docker.remove_rules(self._installation)
        namespaces.leave_directory()
        memory.forget(self._installation)
        table = {"table": {"family": "inet", "name": host_table(self._installation.id)}}
        nftables.run_transaction([{"add": table}, {"delete": table}])
        self._network = Network()
