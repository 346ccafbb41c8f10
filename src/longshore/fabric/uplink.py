"""The link between a VPC's router and its host, and the host's side of public addresses."""

import ipaddress
from pathlib import Path
from typing import Any

from longshore.base.installation import Installation
from longshore.fabric import namespaces
from longshore.fabric.host_rules import machine_address
from longshore.fabric.interface import FabricError
from longshore.fabric.links import (
    ADDRESS_FAMILY,
    Links,
    addresses,
    device_index,
    discard,
    ensure,
    find_device,
    write_sysctls,
)
from longshore.fabric.names import (
    ROUTE_PROTOCOL,
    UPLINK,
    namespace_path,
    uplink_name,
    uplink_prefix,
)
from longshore.model.link_local import LINK_RANGE

UNREACHABLE = 7
"""Route type (RTN_UNREACHABLE)."""
MAIN_TABLE = 254


def ensure_uplink(links: Links, installation: Installation, vpc_id: str) -> str:
    """The link of this VPC's router, complete; the host's address on it."""
    host, name = links.open(), uplink_name(installation.id, vpc_id)
    router = links.open(namespace_path(installation.id, vpc_id))
    index = find_device(host, name)
    if index is None:
        _add_veth(host, name, namespace_path(installation.id, vpc_id))
        index = device_index(host, name)
    address = _ensure_link_address(host, index)
    ensure(host, "addr", index=index, address=machine_address(installation), prefixlen=32)
    write_sysctls(
        {
            f"ipv4/conf/{name}/forwarding": 1,
            f"ipv4/conf/{name}/route_localnet": 1,
            f"ipv4/conf/{name}/send_redirects": 0,
            f"ipv4/conf/{name}/rp_filter": 0,
        }
    )
    host.link("set", index=index, state="up")
    inner = find_device(router, UPLINK)
    ensure(router, "addr", index=inner, address=_other_end(address), prefixlen=31)
    router.link("set", index=inner, state="up")
    return address


def _add_veth(host: Any, name: str, namespace: Path) -> None:
    with namespace.open() as inside:
        peer = {"ifname": UPLINK, "net_ns_fd": inside.fileno()}
        host.link("add", ifname=name, kind="veth", peer=peer)


def _other_end(address: str) -> str:
    return str(ipaddress.IPv4Address(int(ipaddress.IPv4Address(address)) ^ 1))


def _ensure_link_address(host: Any, index: int) -> str:
    """The device's address of the link range; a free one is taken where it has none."""
    links = ipaddress.IPv4Network(LINK_RANGE)
    with namespaces.locked_directory():
        taken: dict[ipaddress.IPv4Address, int] = {}
        for message in host.get_addr(family=ADDRESS_FAMILY):
            taken[ipaddress.IPv4Address(message.get_attr("IFA_LOCAL"))] = message["index"]
        for address, owner in taken.items():
            if owner == index and address in links:
                return str(address)
        for pair in links.subnets(new_prefix=31):
            if pair[0] not in taken and pair[1] not in taken:
                ensure(host, "addr", index=index, address=str(pair[0]), prefixlen=31)
                return str(pair[0])
    raise FabricError(f"no link address is free in {LINK_RANGE}")


def set_public_addresses(
    links: Links, installation: Installation, vpc_id: str, wanted: set[str]
) -> None:
    """Route exactly these public addresses to the VPC's router."""
    host, name = links.open(), uplink_name(installation.id, vpc_id)
    index = find_device(host, name)
    link = next(
        address
        for address in addresses(host, index or 0)
        if ipaddress.IPv4Address(address) in ipaddress.IPv4Network(LINK_RANGE)
    )
    present = {
        route.get_attr("RTA_DST")
        for route in host.get_routes(family=ADDRESS_FAMILY, oif=index)
        if route["proto"] == ROUTE_PROTOCOL
    }
    for address in present - wanted:
        discard(host, "route", dst=f"{address}/32", oif=index, proto=ROUTE_PROTOCOL)
    for address in wanted - present:
        # A public address may move between VPCs: the route is replaced, never doubled.
        host.route(
            "replace",
            dst=f"{address}/32",
            gateway=_other_end(link),
            oif=index,
            prefsrc=machine_address(installation),
            proto=ROUTE_PROTOCOL,
        )


def prepare_host(links: Links, installation: Installation) -> None:
    """Claim the public pool, and forward what comes back from the outside world."""
    host = links.open()
    ensure(
        host,
        "route",
        dst=installation.public_pool,
        type="unreachable",
        proto=ROUTE_PROTOCOL,
        table=MAIN_TABLE,
    )
    forward_from_outside(links)


def forward_from_outside(links: Links) -> None:
    """Forward what arrives where the default route leads; a laptop's changes with its network."""
    host = links.open()
    for route in host.get_routes(family=ADDRESS_FAMILY, table=MAIN_TABLE):
        device = route.get_attr("RTA_OIF")
        if route["dst_len"] == 0 and device is not None:
            (message,) = host.get_links(device)
            write_sysctls({f"ipv4/conf/{message.get_attr('IFLA_IFNAME')}/forwarding": 1})


def remove_uplink(links: Links, installation: Installation, vpc_id: str) -> None:
    _remove(links.open(), uplink_name(installation.id, vpc_id))


def remove_host_objects(links: Links, installation: Installation) -> None:
    """Every uplink of the installation, and the pool's route."""
    host = links.open()
    prefix = uplink_prefix(installation.id)
    for message in host.get_links():
        name = message.get_attr("IFLA_IFNAME")
        if name.startswith(prefix):
            _remove(host, name)
    discard(
        host,
        "route",
        dst=installation.public_pool,
        type="unreachable",
        proto=ROUTE_PROTOCOL,
        table=MAIN_TABLE,
    )


def _remove(host: Any, name: str) -> None:
    index = find_device(host, name)
    if index is not None:
        discard(host, "link", index=index)
