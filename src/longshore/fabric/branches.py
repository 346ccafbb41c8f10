"""Branch ENIs: each a device in the namespace of another ENI, its trunk, for one pod of a node.

    router ── e<digest> ═══ vlan.eth.N ── the node's namespace ── the pod's veth

Nobody has the ENI's address in the node's namespace: what runs there leads it to the pod and from
it (`longshore-node`'s CNI plugin, by rules that look at the devices), through the table `100 + N`,
which leads out by the branch alone. The device's alias tells whose it is: `pod <uid> <address>`.

They come and go with the network: a branch's port in the router carries an alias, too, so that one
that is wanted no more is found whatever the agent remembers.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from longshore.base.installation import Installation
from longshore.fabric import namespaces
from longshore.fabric.links import Links, discard, find_device, write_sysctls
from longshore.fabric.names import BRANCH_DEVICE, ROUTE_PROTOCOL, namespace_path, port_name
from longshore.fabric.ports import have_veth, open_port
from longshore.model.network import Branch, Interface, Network

PORT_ALIAS = "branch"
FIRST_TABLE = 100
"""Before the first branch's, as in the VPC CNI plugin."""
ONLINK = 4
"""RTNH_F_ONLINK: the gateway is there, though no route says so."""
PERMANENT = "permanent"


def branches_of(network: Network, vpc_id: str) -> list[Interface]:
    """The branch ENIs of a VPC (pure)."""
    return [
        each for each in network.interfaces if each.branch is not None and each.vpc_id == vpc_id
    ]


def have_branches(
    links: Links, installation: Installation, vpc_id: str, wanted: Sequence[Interface]
) -> list[str]:
    """Make what is missing of the branch ENIs whose trunk is attached, and remove all others of
    the VPC; what failed, an ENI each."""
    router = links.open(namespace_path(installation.id, vpc_id))
    _remove_others(router, {port_name(each.id) for each in wanted})
    failures = []
    for interface in wanted:
        branch = interface.branch
        if branch is None or not namespaces.exists(namespace_path(installation.id, branch.trunk)):
            continue
        try:
            _have(links, installation, interface, branch)
        except (NetlinkError, OSError) as error:
            failures.append(f"{interface.id}: the kernel refused: {error}")
    return failures


def _remove_others(router: Any, wanted: Iterable[str]) -> None:
    names = set(wanted)
    for message in router.get_links():
        is_branch = message.get_attr("IFLA_IFALIAS") == PORT_ALIAS
        if is_branch and message.get_attr("IFLA_IFNAME") not in names:
            discard(router, "link", index=message["index"])


def _have(links: Links, installation: Installation, interface: Interface, branch: Branch) -> None:
    path = namespace_path(installation.id, branch.trunk)
    device = BRANCH_DEVICE.format(branch.vlan)
    router = links.open(namespace_path(installation.id, interface.vpc_id))
    inside = links.open(path)
    try:
        own = find_device(inside, device)
        if own is not None and _mac(inside, own) != interface.mac:
            # Of an earlier branch, whose number this one has now.
            discard(inside, "link", index=own)
            own = None
        if own is None:
            _remove_port(router, interface)
        port = have_veth(links, installation, interface, path, device)
        router.link("set", index=port, ifalias=PORT_ALIAS)
        with namespaces.within(path):
            write_sysctls(_settings(device))
        _configure_inside(inside, device, interface, branch, _mac(router, port))
    finally:
        links.forget(path)
    open_port(links, installation, interface, port)


def _remove_port(router: Any, interface: Interface) -> None:
    """One whose other end is nowhere any more, or in a namespace that has ended."""
    port = find_device(router, port_name(interface.id))
    if port is not None:
        discard(router, "link", index=port)


def _settings(device: str) -> dict[str, str | int]:
    """What the node sends its own pods comes in here, from an address that the node has."""
    return {
        f"ipv6/conf/{device}/disable_ipv6": 1,
        f"ipv4/conf/{device}/rp_filter": 2,
        f"ipv4/conf/{device}/accept_local": 1,
    }


def _configure_inside(
    inside: Any, device: str, interface: Interface, branch: Branch, router_mac: str
) -> None:
    index = find_device(inside, device)
    inside.link("set", index=index, ifalias=f"pod {branch.pod} {interface.address}", state="up")
    # The node would ask for it from an address that is not the branch's.
    inside.neigh(
        "replace", dst=interface.gateway, lladdr=router_mac, ifindex=index, state=PERMANENT
    )
    inside.route(
        "replace",
        dst="default",
        gateway=interface.gateway,
        oif=index,
        flags=ONLINK,
        table=FIRST_TABLE + branch.vlan,
        proto=ROUTE_PROTOCOL,
    )


def _mac(link: Any, index: int) -> str:
    found: str = link.get_links(index)[0].get_attr("IFLA_ADDRESS")
    return found
