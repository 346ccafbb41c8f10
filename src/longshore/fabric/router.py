"""One VPC's router on this host: a namespace with addresses, routes and policy rules."""

import ipaddress
from typing import Any

from longshore.base.installation import Installation
from longshore.fabric import namespaces
from longshore.fabric.links import (
    ADDRESS_FAMILY,
    Links,
    addresses,
    discard,
    ensure,
    find_device,
    write_sysctls,
)
from longshore.fabric.names import ROUTE_PROTOCOL, UPLINK, namespace_path
from longshore.model.link_local import CREDENTIALS_ADDRESS, DNS_ADDRESS, METADATA_ADDRESS
from longshore.model.network import Subnet, Vpc

LOOPBACK_INDEX = 1
LOCAL_ADDRESS = "127.0.0.1"
MAIN_TABLE = 254
BLACKHOLE = 6
UNICAST = 1
RULE_PRIORITY = 33000
"""After the main table (32766): what is local to the VPC always comes first."""

SYSCTLS: dict[str, str | int] = {
    "ipv4/ip_forward": 1,
    "ipv4/conf/all/rp_filter": 0,
    "ipv4/conf/default/rp_filter": 0,
    "ipv4/conf/all/send_redirects": 0,
    "ipv4/conf/default/send_redirects": 0,
    "ipv4/conf/all/accept_redirects": 0,
    "ipv4/conf/default/accept_redirects": 0,
    "ipv4/conf/default/proxy_arp": 1,
    "ipv6/conf/default/disable_ipv6": 1,
    # Otherwise a flow that was cut would be picked up again in its middle, in the other direction.
    "netfilter/nf_conntrack_tcp_loose": 0,
}


def ensure_router(links: Links, installation: Installation, vpc_id: str) -> None:
    """The router's namespace with its settings, before any link is put into it."""
    path = namespace_path(installation.id, vpc_id)
    namespaces.create(path)
    with namespaces.within(path):
        write_sysctls(SYSCTLS)
    links.open(path).link("set", index=LOOPBACK_INDEX, state="up")


def set_up_routing(links: Links, installation: Installation, vpc: Vpc, gateway: str) -> None:
    """Addresses, routes and policy rules as `vpc` says; `gateway` is the host's end of the link."""
    router = links.open(namespace_path(installation.id, vpc.id))
    uplink = find_device(router, UPLINK)
    _set_addresses(router, vpc)
    _set_routes(router, vpc, gateway, uplink or 0)
    _set_rules(router, vpc)


def gateway_address(subnet: Subnet) -> str:
    """The subnet's router ("Subnet sizing", VPC User Guide: the first address is reserved)."""
    return str(ipaddress.IPv4Network(subnet.cidr)[1])


def _set_addresses(router: Any, vpc: Vpc) -> None:
    wanted = {gateway_address(subnet) for subnet in vpc.subnets}
    wanted |= {METADATA_ADDRESS, CREDENTIALS_ADDRESS, DNS_ADDRESS}
    wanted |= {vpc.resolver} if vpc.resolver else set()
    present = addresses(router, LOOPBACK_INDEX) - {LOCAL_ADDRESS}
    for address in wanted - present:
        ensure(router, "addr", index=LOOPBACK_INDEX, address=address, prefixlen=32)
    for address in present - wanted:
        discard(router, "addr", index=LOOPBACK_INDEX, address=address, prefixlen=32)


def table_of(subnet: Subnet) -> int:
    """The number of the subnet's routing table: its first address, which no other subnet has."""
    return int(ipaddress.IPv4Network(subnet.cidr).network_address)


def wanted_routes(vpc: Vpc) -> set[tuple[int, str, bool]]:
    """(table, destination, leads out): what leads nowhere is a black hole."""
    routes = {(MAIN_TABLE, cidr, False) for cidr in vpc.cidrs}
    for subnet in vpc.subnets:
        for route in subnet.routes:
            if route.target != "local":
                leads_out = route.target.startswith("igw-")
                routes.add((table_of(subnet), route.destination, leads_out))
    return routes


def _present_routes(router: Any, uplink: int) -> set[tuple[int, str, bool]]:
    """The fabric's routes as the kernel has them, those to single ENIs left out."""
    found = set()
    for route in router.get_routes(family=ADDRESS_FAMILY):
        leads_out = route.get_attr("RTA_OIF") == uplink
        if route["proto"] == ROUTE_PROTOCOL and (leads_out or route["type"] == BLACKHOLE):
            destination = f"{route.get_attr('RTA_DST') or '0.0.0.0'}/{route['dst_len']}"  # noqa: S104
            found.add((route.get_attr("RTA_TABLE"), destination, leads_out))
    return found


def _set_routes(router: Any, vpc: Vpc, gateway: str, uplink: int) -> None:
    wanted, present = wanted_routes(vpc), _present_routes(router, uplink)
    for changed, change in ((present - wanted, discard), (wanted - present, ensure)):
        for table, destination, leads_out in changed:
            way = {"gateway": gateway, "oif": uplink} if leads_out else {"type": "blackhole"}
            change(router, "route", dst=destination, table=table, proto=ROUTE_PROTOCOL, **way)


def _set_rules(router: Any, vpc: Vpc) -> None:
    wanted = {(subnet.cidr, table_of(subnet)) for subnet in vpc.subnets}
    present = {
        (f"{rule.get_attr('FRA_SRC')}/{rule['src_len']}", rule.get_attr("FRA_TABLE"))
        for rule in router.get_rules(family=ADDRESS_FAMILY)
        if rule.get_attr("FRA_PRIORITY") == RULE_PRIORITY
    }
    for changed, change in ((present - wanted, discard), (wanted - present, ensure)):
        for cidr, table in changed:
            change(router, "rule", src=cidr, table=table, priority=RULE_PRIORITY)


def remove_router(links: Links, installation: Installation, vpc_id: str) -> None:
    """The namespace and with it everything inside."""
    path = namespace_path(installation.id, vpc_id)
    links.forget(path)
    namespaces.remove(path)
