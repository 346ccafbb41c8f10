"""Whether a flow that conntrack knows is still allowed by the network as it is now (pure)."""

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from longshore.fabric.router_rules import ANY, ICMP, PROTOCOL_NAMES, interfaces_of
from longshore.model.link_local import (
    API_ADDRESS,
    CREDENTIALS_ADDRESS,
    DNS_ADDRESS,
    METADATA_ADDRESS,
)
from longshore.model.network import Interface, Network, Rule, Vpc

SERVICES = frozenset({API_ADDRESS, CREDENTIALS_ADDRESS, DNS_ADDRESS, METADATA_ADDRESS})


@dataclass(frozen=True, slots=True)
class Flow:
    """One conntrack entry: its first packet's tuple, and the one that answers are expected to have.

    `port` is the destination's (for ICMP the type, with `code`) as the receiver sees it.
    """

    protocol: int
    source: str
    destination: str
    reply_source: str
    reply_destination: str
    source_port: int
    destination_port: int
    port: int
    code: int = 0


class Admission:
    """Judges flows of one VPC's router."""

    def __init__(self, network: Network, vpc: Vpc) -> None:
        interfaces = interfaces_of(network, vpc)
        self._interfaces = {address: i for i in interfaces for address in i.addresses}
        self._public = {a: p for i in interfaces for a, p in i.translations.items()}
        self._cidrs = [_range(cidr) for cidr in vpc.cidrs]
        self._rules = {
            "in": {group.id: [_parsed(r) for r in group.ingress] for group in network.groups},
            "out": {group.id: [_parsed(r) for r in group.egress] for group in network.groups},
        }
        self._members: Mapping[str, frozenset[str]] = {
            group.id: frozenset(group.members) for group in network.groups
        }
        self._services = SERVICES | {vpc.resolver}

    def allows(self, flow: Flow) -> bool:
        """Whether a first packet of this flow would pass now.

        The flow's ends in the VPC are its source before, its destination after translation.
        """
        sender = self._interfaces.get(flow.source)
        receiver = self._interfaces.get(flow.reply_source)
        if sender is None and self._inside(flow.source):
            return False
        if receiver is None and self._inside(flow.reply_source):
            return flow.destination in self._services
        if flow.destination in self._services:
            return True
        return (
            self._addresses_stand(flow, sender, receiver)
            and (sender is None or self._any_rule("out", sender, flow, flow.reply_source))
            and (receiver is None or self._any_rule("in", receiver, flow, flow.source))
        )

    def _inside(self, address: str) -> bool:
        number = _number(address)
        return any(number & mask == base for base, mask in self._cidrs)

    def _addresses_stand(
        self, flow: Flow, sender: Interface | None, receiver: Interface | None
    ) -> bool:
        """Whether the public addresses that the flow was translated with still are the ENIs'."""
        if flow.destination != flow.reply_source and receiver is not None:
            return flow.destination == self._public.get(flow.reply_source)
        if sender is not None and flow.reply_destination != flow.source:
            return flow.reply_destination == self._public.get(flow.source)
        return True

    def _any_rule(self, direction: str, interface: Interface, flow: Flow, peer: str) -> bool:
        number = _number(peer)
        for group in interface.security_groups:
            for rule, (base, mask) in self._rules[direction].get(group, ()):
                if rule.group_id:
                    reaches = peer in self._members.get(rule.group_id, ())
                else:
                    reaches = number & mask == base
                if reaches and self._fits(rule, flow):
                    return True
        return False

    @staticmethod
    def _fits(rule: Rule, flow: Flow) -> bool:
        """Whether the rule is for this protocol and port."""
        if rule.protocol not in (ANY, flow.protocol):
            return False
        if rule.protocol in PROTOCOL_NAMES and rule.from_port >= 0:
            return rule.from_port <= flow.port <= rule.to_port
        if rule.protocol == ICMP:
            return rule.from_port in (ANY, flow.port) and rule.to_port in (ANY, flow.code)
        return True


# Numbers rather than ipaddress' objects: there may be ten thousand flows and sixty rules.
def _number(address: str) -> int:
    return int.from_bytes(socket.inet_aton(address), "big")


def _range(cidr: str) -> tuple[int, int]:
    network = ipaddress.IPv4Network(cidr)
    return int(network.network_address), int(network.netmask)


def _parsed(rule: Rule) -> tuple[Rule, tuple[int, int]]:
    return rule, _range(rule.cidr) if rule.cidr else (0, 0)
