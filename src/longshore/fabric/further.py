"""Further ENIs, of other VPCs, in the namespace of a first one.

The first ENI keeps the main routing table: its subnet, and the default route. Each further one has
a table of its own, which leads through it alone, and policy rules that say what looks there: what
is sent from its address, and what goes to its VPC. Before them stand rules that keep the first
one's own address and resolver where they are, since both VPCs may have the same ranges
(docs/decisions/0107).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from longshore.base.installation import Installation
from longshore.fabric import namespaces
from longshore.fabric.interface import FabricError
from longshore.fabric.links import (
    ADDRESS_FAMILY,
    Links,
    discard,
    ensure,
    find_device,
    write_sysctls,
)
from longshore.fabric.names import (
    FURTHER_DEVICE,
    ROUTE_PROTOCOL,
    namespace_path,
    namespace_prefix,
    port_name,
)
from longshore.fabric.ports import have_veth, open_port
from longshore.model.network import Interface, Vpc

MAIN_TABLE = 254
FIRST_TABLE = 100
"""Before the first further ENI's."""
KEPT, SENT_FROM, GOES_TO = 1000, 2000, 3000
"""Priorities of rules, all before the main table's (32766)."""
ONLINK = 4
"""RTNH_F_ONLINK: the gateway is there, though no route says so."""
MOST = 15
"""The most interfaces that an instance type has ("Maximum IP addresses per network interface")."""

Rule = tuple[int, str, str, int]
"""Priority, source, destination (addresses with prefix lengths, or empty), table."""


@dataclass(frozen=True, slots=True)
class Further:
    """An ENI with the ranges of its VPC; `number` counts those beside the first from 1."""

    interface: Interface
    cidrs: Sequence[str]
    number: int

    @property
    def device(self) -> str:
        return FURTHER_DEVICE.format(self.number)

    @property
    def table(self) -> int:
        return FIRST_TABLE + self.number


def rules_of(further: Further) -> set[Rule]:
    """What leads through the ENI (pure)."""
    sent_from = (SENT_FROM + further.number, f"{further.interface.address}/32", "", further.table)
    return {sent_from} | _rules_to(further)


def _rules_to(further: Further) -> set[Rule]:
    return {(GOES_TO + further.number, "", cidr, further.table) for cidr in further.cidrs}


def kept_rules(first: Interface, resolver: str) -> set[Rule]:
    """What stays the first ENI's, whatever ranges the others' VPCs have (pure)."""
    kept = {(KEPT, f"{first.address}/32", "", MAIN_TABLE)}
    return kept | ({(KEPT, "", f"{resolver}/32", MAIN_TABLE)} if resolver else set())


def attach_further(
    links: Links, installation: Installation, further: Further, first: Interface, resolver: str
) -> None:
    """Make what is missing of the ENI in the namespace of `first`, of whose VPC `resolver` is."""
    path = namespace_path(installation.id, first.id)
    if not namespaces.exists(path):
        raise FabricError(f"{first.id} is not attached: {further.interface.id} comes beside it")
    inside = links.open(path)
    try:
        if find_device(inside, further.device) is None:
            # In another namespace it is of no use: what ran there has ended.
            _remove_port(links, installation, further.interface)
        port = have_veth(links, installation, further.interface, path, further.device)
        with namespaces.within(path):
            write_sysctls({f"ipv6/conf/{further.device}/disable_ipv6": 1})
        _configure_inside(inside, further)
        for rule in rules_of(further) | kept_rules(first, resolver):
            ensure(inside, "rule", **_settings(rule))
    finally:
        links.forget(path)
    open_port(links, installation, further.interface, port)


def _remove_port(links: Links, installation: Installation, interface: Interface) -> None:
    router = links.open(namespace_path(installation.id, interface.vpc_id))
    port = find_device(router, port_name(interface.id))
    if port is not None:
        discard(router, "link", index=port)


def _configure_inside(inside: Any, further: Further) -> None:
    interface, device = further.interface, find_device(inside, further.device)
    # With its subnet's prefix it would have a route in the main table, beside the first ENI's.
    ensure(inside, "addr", index=device, address=interface.address, prefixlen=32)
    inside.link("set", index=device, state="up")
    ensure(
        inside,
        "route",
        dst="default",
        gateway=interface.gateway,
        oif=device,
        flags=ONLINK,
        prefsrc=interface.address,
        table=further.table,
        proto=ROUTE_PROTOCOL,
    )


def _settings(rule: Rule) -> dict[str, Any]:
    priority, source, destination, table = rule
    ends = {"src": source} if source else {"dst": destination}
    return {"priority": priority, "table": table, **ends}


def follow_ranges(
    links: Links, installation: Installation, vpc: Vpc, interfaces: Iterable[Interface]
) -> None:
    """Have what goes to the VPC's ranges, which have changed, go through those of these ENIs that
    are further ones somewhere."""
    by_mac = {
        interface.mac: interface
        for interface in interfaces
        if not namespaces.exists(namespace_path(installation.id, interface.id))
    }
    if not by_mac:
        return
    prefix = namespace_prefix(installation.id)
    for name in namespaces.listed(prefix + "eni-"):
        path = namespace_path(installation.id, f"eni-{name}")
        inside = links.open(path)
        try:
            for further in _found(inside, vpc, by_mac):
                _have_rules_to(inside, further)
        finally:
            links.forget(path)


def _found(inside: Any, vpc: Vpc, by_mac: dict[str, Interface]) -> list[Further]:
    """The ENIs of the VPC that are in a namespace beside its first one."""
    numbers = {FURTHER_DEVICE.format(number): number for number in range(1, MOST)}
    devices = {
        message.get_attr("IFLA_IFNAME"): message.get_attr("IFLA_ADDRESS")
        for message in inside.get_links()
    }
    return [
        Further(by_mac[mac], vpc.cidrs, numbers[device])
        for device, mac in devices.items()
        if device in numbers and mac in by_mac
    ]


def _have_rules_to(inside: Any, further: Further) -> None:
    wanted = _rules_to(further)
    present = {
        (GOES_TO + further.number, "", f"{rule.get_attr('FRA_DST')}/{rule['dst_len']}", table)
        for rule in inside.get_rules(family=ADDRESS_FAMILY)
        if rule.get_attr("FRA_PRIORITY") == GOES_TO + further.number
        and (table := rule.get_attr("FRA_TABLE")) is not None
    }
    for rule in wanted - present:
        ensure(inside, "rule", **_settings(rule))
    for rule in present - wanted:
        discard(inside, "rule", **_settings(rule))
