"""What a VPC's router filters and translates, as an nftables table (pure).

A packet of a flow already accepted passes at once. The first packet of a flow goes through the
egress rules of the ENI that it comes from, then through the ingress rules of the ENI that it goes
to; either may drop it. "Control traffic to your AWS resources using security groups" (VPC User
Guide) is the source of what is and what is not filtered.
"""

import hashlib
import ipaddress
import json
from collections.abc import Iterable, Sequence

from longshore.fabric import expressions as x
from longshore.fabric.names import ROUTER_TABLE, UPLINK, port_name
from longshore.fabric.ruleset import Chain, Expression, Hook, NamedSet, Ruleset, ruleset
from longshore.model.link_local import (
    API_ADDRESS,
    CREDENTIALS_ADDRESS,
    DNS_ADDRESS,
    METADATA_ADDRESS,
)
from longshore.model.network import Group, Interface, Network, Rule, Vpc

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
ANY = -1
PORTS = range(65536)
PROTOCOL_NAMES = {TCP: "tcp", UDP: "udp"}

Box = tuple[int, int, int, ipaddress.IPv4Network]
"""Protocol, first port, last port, peers."""


def interfaces_of(network: Network, vpc: Vpc) -> list[Interface]:
    return [interface for interface in network.interfaces if interface.vpc_id == vpc.id]


def router_ruleset(network: Network, vpc: Vpc, api_ports: Sequence[int], api_link: str) -> Ruleset:
    """The table of this VPC's router.

    `api_link` is the host's end of the uplink, which takes `api_ports` on to Longshore's API.
    """
    interfaces = interfaces_of(network, vpc)
    used = {name for interface in interfaces for name in interface.security_groups}
    groups = [group for group in network.groups if group.id in used]
    sets: list[NamedSet] = [*_interface_maps(interfaces), *_member_sets(network.groups)]
    chains: list[Chain] = [*_base_chains(vpc, api_ports, api_link)]
    for group in groups:
        for direction in ("in", "out"):
            group_sets, chain = _group_chain(group, direction)
            sets += group_sets
            chains.append(chain)
    known = {group.id for group in groups}
    for interface in interfaces:
        chains += _interface_chains(interface, known)
    return ruleset(ROUTER_TABLE, sets, chains)


def _interface_maps(interfaces: Sequence[Interface]) -> Iterable[NamedSet]:
    devices = {interface.id: port_name(interface.id) for interface in interfaces}
    for direction in ("in", "out"):
        yield NamedSet(
            f"interface-{direction}",
            "ifname",
            "verdict",
            elements={
                devices[i.id]: [devices[i.id], x.goto(f"{i.id}-{direction}")] for i in interfaces
            },
        )
    yield NamedSet(
        "sources",
        ("ifname", "ether_addr", "ipv4_addr"),
        elements={
            f"{devices[i.id]} {address}": x.concat(devices[i.id], i.mac, address)
            for i in interfaces
            if i.source_dest_check
            for address in i.addresses
        },
    )
    yield NamedSet(
        "unchecked",
        "ifname",
        elements={devices[i.id]: devices[i.id] for i in interfaces if not i.source_dest_check},
    )
    public = {a: p for i in interfaces for a, p in i.translations.items()}
    yield NamedSet(
        "public-in",
        "ipv4_addr",
        "ipv4_addr",
        elements={outer: [outer, inner] for inner, outer in public.items()},
    )
    yield NamedSet(
        "public-out",
        "ipv4_addr",
        "ipv4_addr",
        elements={inner: [inner, outer] for inner, outer in public.items()},
    )
    yield NamedSet("with-public", "ipv4_addr", elements={inner: inner for inner in public})


def _member_sets(groups: Sequence[Group]) -> Iterable[NamedSet]:
    """The members of every group that some rule refers to."""
    referred = {rule.group_id for g in groups for rule in (*g.ingress, *g.egress) if rule.group_id}
    members = {group.id: group.members for group in groups}
    for group_id in sorted(referred):
        elements = {address: address for address in members.get(group_id, ())}
        yield NamedSet(_members_name(group_id), "ipv4_addr", elements=elements)


def _members_name(group_id: str) -> str:
    return f"{group_id}-members"


def _base_chains(vpc: Vpc, api_ports: Sequence[int], api_link: str) -> Iterable[Chain]:
    device_in, device_out = x.meta("iifname"), x.meta("oifname")
    source = x.concat(device_in, x.field("ether", "saddr"), x.field("ip", "saddr"))
    api = [
        x.match(x.field("ip", "daddr"), API_ADDRESS),
        x.match(x.field("tcp", "dport"), x.any_of(*api_ports)),
    ]
    yield Chain(
        "sources-checked",
        (
            [x.match(x.meta("nfproto"), "ipv6"), x.DROP],
            [x.match(device_in, x.any_of(UPLINK, "lo")), x.ACCEPT],
            [x.match(source, "@sources"), x.ACCEPT],
            [x.match(device_in, "@unchecked"), x.ACCEPT],
            [x.DROP],
        ),
        Hook("filter", "prerouting", -300),
    )
    yield Chain(
        "destination-translated",
        (
            [x.match(device_in, UPLINK, "!="), *api, {"dnat": {"family": "ip", "addr": api_link}}],
            [x.match(device_in, UPLINK), _translate("dnat", "daddr", "public-in")],
        ),
        Hook("nat", "prerouting", -100),
    )
    yield Chain("input", tuple(_input_rules(vpc)), Hook("filter", "input", 0, "drop"))
    yield Chain(
        "forward",
        (
            [x.ct_state(x.ESTABLISHED), x.ACCEPT],
            [x.ct_state(["invalid"]), x.DROP],
            [x.match(device_out, UPLINK), x.match(x.ct_destination(), API_ADDRESS), x.ACCEPT],
            [x.look_up(device_in, "interface-out")],
            [x.match(device_in, UPLINK), x.goto("arriving")],
        ),
        Hook("filter", "forward", 0, "drop"),
    )
    yield Chain(
        "arriving",
        (
            [x.look_up(device_out, "interface-in")],
            [x.match(device_out, UPLINK), x.goto("leaving")],
            [x.DROP],
        ),
    )
    # Out of the VPC goes only what has a public address to come back to.
    has_public = x.match(x.field("ip", "saddr"), "@with-public")
    yield Chain("leaving", ([has_public, x.ACCEPT], [x.DROP]))
    yield Chain(
        "source-translated",
        (
            [
                x.match(device_out, UPLINK),
                x.match(x.ct_destination(), API_ADDRESS),
                {"masquerade": None},
            ],
            [x.match(device_out, UPLINK), _translate("snat", "saddr", "public-out")],
        ),
        Hook("nat", "postrouting", 100),
    )


def _mapped(address: str, map_name: str) -> Expression:
    return {"map": {"key": x.field("ip", address), "data": f"@{map_name}"}}


def _translate(verb: str, address: str, map_name: str) -> Expression:
    return {verb: {"family": "ip", "addr": _mapped(address, map_name)}}


def _input_rules(vpc: Vpc) -> Iterable[list[Expression]]:
    """What the router itself answers: the agent's listeners, and nothing to the outside."""
    yield [x.ct_state(x.ESTABLISHED), x.ACCEPT]
    yield [x.match(x.meta("iifname"), UPLINK), x.DROP]
    yield [
        x.match(x.field("ip", "daddr"), x.any_of(METADATA_ADDRESS, CREDENTIALS_ADDRESS)),
        x.match(x.field("tcp", "dport"), 80),
        x.ACCEPT,
    ]
    if vpc.resolver:
        yield [
            x.match(x.field("ip", "daddr"), x.any_of(vpc.resolver, DNS_ADDRESS)),
            x.match(x.meta("l4proto"), x.any_of("tcp", "udp")),
            x.match(x.field("th", "dport"), 53),
            x.ACCEPT,
        ]


def _interface_chains(interface: Interface, known: set[str]) -> Iterable[Chain]:
    groups = [name for name in interface.security_groups if name in known]
    for direction in ("in", "out"):
        jumps = [[x.jump(f"{name}-{direction}")] for name in groups]
        yield Chain(f"{interface.id}-{direction}", (*jumps, [x.DROP]))


def _group_chain(group: Group, direction: str) -> tuple[list[NamedSet], Chain]:
    """The rules of one group in one direction: a lookup per layer of ranges, then the rest."""
    rules = group.ingress if direction == "in" else group.egress
    allowed = x.ACCEPT if direction == "in" else x.goto("arriving")
    peer = x.field("ip", "saddr" if direction == "in" else "daddr")
    sets: list[NamedSet] = []
    statements: list[list[Expression]] = []
    everything = [r.cidr for r in rules if r.cidr and (r.protocol == ANY)]
    if everything:
        sets.append(_address_set(f"{group.id}-{direction}-all", everything))
        statements.append([x.match(peer, f"@{sets[-1].name}"), allowed])
    boxes = [_box(r) for r in rules if r.cidr and r.protocol in PROTOCOL_NAMES]
    for layer in disjoint_layers(boxes):
        sets.append(_box_set(f"{group.id}-{direction}", layer))
        key = x.concat(x.meta("l4proto"), x.field("th", "dport"), peer)
        statements.append([x.match(key, f"@{sets[-1].name}"), allowed])
    statements += [
        [*_single(rule, peer), allowed]
        for rule in rules
        if rule.group_id or rule.protocol not in (ANY, *PROTOCOL_NAMES)
    ]
    return sets, Chain(f"{group.id}-{direction}", tuple(statements))


def _ports(rule: Rule) -> tuple[int, int]:
    if rule.from_port < 0:
        return PORTS[0], PORTS[-1]
    return rule.from_port, rule.to_port


def _box(rule: Rule) -> Box:
    return (rule.protocol, *_ports(rule), ipaddress.IPv4Network(rule.cidr))


def _overlap(one: Box, other: Box) -> bool:
    return (
        one[0] == other[0]
        and one[1] <= other[2]
        and other[1] <= one[2]
        and one[3].overlaps(other[3])
    )


def disjoint_layers(boxes: Iterable[Box]) -> list[list[Box]]:
    """The boxes in as few groups as come easily, so that within a group none overlaps another.

    nftables refuses overlapping elements in one concatenated interval set.
    """
    layers: list[list[Box]] = []
    for box in sorted(set(boxes)):
        for layer in layers:
            if not any(_overlap(box, other) for other in layer):
                layer.append(box)
                break
        else:
            layers.append([box])
    return layers


def _named_by_content(name: str, named_set: NamedSet) -> NamedSet:
    """Interval sets are replaced, not changed: their names tell their contents."""
    content = json.dumps(sorted(named_set.elements))
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    return NamedSet(
        f"{name}-{digest}", named_set.key_type, flags=("interval",), elements=named_set.elements
    )


def _address_set(name: str, cidrs: Iterable[str]) -> NamedSet:
    networks = ipaddress.collapse_addresses(ipaddress.IPv4Network(cidr) for cidr in cidrs)
    elements = {str(network): x.prefix(str(network)) for network in networks}
    return _named_by_content(name, NamedSet(name, "ipv4_addr", elements=elements))


def _box_set(name: str, boxes: Sequence[Box]) -> NamedSet:
    elements = {
        f"{protocol}/{low}-{high}/{peers}": x.concat(
            PROTOCOL_NAMES[protocol], x.span(low, high), x.prefix(str(peers))
        )
        for protocol, low, high, peers in boxes
    }
    key_type = ("inet_proto", "inet_service", "ipv4_addr")
    return _named_by_content(name, NamedSet(name, key_type, elements=elements))


def _single(rule: Rule, peer: Expression) -> list[Expression]:
    """The matches of one rule that stands by itself."""
    target = f"@{_members_name(rule.group_id)}" if rule.group_id else x.prefix(rule.cidr)
    matches = [x.match(peer, target)]
    if rule.protocol == ANY:
        return matches
    matches.append(x.match(x.meta("l4proto"), rule.protocol))
    if rule.protocol in PROTOCOL_NAMES:
        low, high = _ports(rule)
        if (low, high) != (PORTS[0], PORTS[-1]):
            matches.append(x.match(x.field("th", "dport"), x.span(low, high)))
    elif rule.protocol == ICMP:
        if rule.from_port != ANY:
            matches.append(x.match(x.field("icmp", "type"), rule.from_port))
        if rule.to_port != ANY:
            matches.append(x.match(x.field("icmp", "code"), rule.to_port))
    return matches
