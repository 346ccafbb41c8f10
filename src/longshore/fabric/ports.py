"""ENIs on this host: each a namespace with a veth whose other end is a port of its VPC's router."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from longshore.base.installation import Installation
from longshore.fabric import namespaces
from longshore.fabric.links import (
    ADDRESS_FAMILY,
    Links,
    device_index,
    discard,
    ensure,
    find_device,
    write_sysctls,
)
from longshore.fabric.names import (
    ENI_DEVICE,
    ROUTE_PROTOCOL,
    namespace_path,
    namespace_prefix,
    port_name,
)
from longshore.model.network import Interface

LOOPBACK_INDEX = 1
PERMANENT = "permanent"


def attach_port(links: Links, installation: Installation, interface: Interface) -> Path:
    """Make what is missing of the ENI's namespace and veth; its path."""
    path = namespace_path(installation.id, interface.id)
    namespaces.create(path)
    port = have_veth(links, installation, interface, path, ENI_DEVICE)
    _configure_inside(links, path, interface)
    open_port(links, installation, interface, port)
    return path


def have_veth(
    links: Links, installation: Installation, interface: Interface, path: Path, device: str
) -> int:
    """The ENI's veth, made where it is missing, whose end in the namespace `path` has the name
    `device`; the index of its other end, the port."""
    router_path = namespace_path(installation.id, interface.vpc_id)
    router = links.open(router_path)
    port = find_device(router, port_name(interface.id))
    if port is None:
        port = _add_veth(router, interface, path, device)
    with namespaces.within(router_path):
        # Its default of 0.8 s would delay the first packet of every pair.
        write_sysctls({f"ipv4/neigh/{port_name(interface.id)}/proxy_delay": 0})
    return port


def open_port(links: Links, installation: Installation, interface: Interface, port: int) -> None:
    """Let the ENI's packets through its port; its other end is ready for them."""
    router = links.open(namespace_path(installation.id, interface.vpc_id))
    router.link("set", index=port, state="up")
    _lead(router, port, interface)


def lead_to_ports(
    links: Links, installation: Installation, vpc_id: str, interfaces: Iterable[Interface]
) -> None:
    """Have the addresses of these ENIs, and no others, lead to them; one without a port has none
    that does."""
    router = links.open(namespace_path(installation.id, vpc_id))
    for interface in interfaces:
        port = find_device(router, port_name(interface.id))
        if port is not None:
            _lead(router, port, interface)


def _lead(router: Any, port: int, interface: Interface) -> None:
    wanted = set(interface.addresses)
    for address in _led(router, port) - wanted:
        discard(router, "route", dst=f"{address}/32", oif=port, proto=ROUTE_PROTOCOL)
        discard(router, "neigh", dst=address, ifindex=port)
    for address in wanted:
        # Known for good: the ENI cannot take over another's address by answering ARP for it.
        known = {"dst": address, "lladdr": interface.mac, "ifindex": port}
        router.neigh("replace", state=PERMANENT, **known)
        router.route("replace", dst=f"{address}/32", oif=port, proto=ROUTE_PROTOCOL)


def _led(router: Any, port: int) -> set[str]:
    """The addresses that lead to a port."""
    routes = router.get_routes(family=ADDRESS_FAMILY, oif=port)
    return {
        route.get_attr("RTA_DST")
        for route in routes
        if route["proto"] == ROUTE_PROTOCOL and route.get_attr("RTA_OIF") == port
    }


def _add_veth(router: Any, interface: Interface, path: Path, device: str) -> int:
    with path.open() as inside:
        peer = {"ifname": device, "net_ns_fd": inside.fileno(), "address": interface.mac}
        router.link("add", ifname=port_name(interface.id), kind="veth", peer=peer)
    return device_index(router, port_name(interface.id))


def _configure_inside(links: Links, path: Path, interface: Interface) -> None:
    inside = links.open(path)
    try:
        device = find_device(inside, ENI_DEVICE)
        with namespaces.within(path):
            write_sysctls({f"ipv6/conf/{ENI_DEVICE}/disable_ipv6": 1})
        inside.link("set", index=LOOPBACK_INDEX, state="up")
        ensure(
            inside,
            "addr",
            index=device,
            address=interface.address,
            prefixlen=interface.prefix_length,
        )
        inside.link("set", index=device, state="up")
        ensure(inside, "route", dst="default", gateway=interface.gateway, oif=device)
    finally:
        links.forget(path)


def detach_port(links: Links, installation: Installation, interface_id: str) -> None:
    """Remove the ENI's veth and namespace, or what there is of them."""
    prefix = namespace_prefix(installation.id)
    for name in namespaces.listed(prefix + "vpc-"):
        router = links.open(namespace_path(installation.id, f"vpc-{name}"))
        port = find_device(router, port_name(interface_id))
        if port is not None:
            discard(router, "link", index=port)
    namespaces.remove(namespace_path(installation.id, interface_id))
