"""Whether a flow that conntrack knows is still allowed by the network as it is now (pure)."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from longshore.fabric.names import (
    API_ADDRESS,
    CREDENTIALS_ADDRESS,
    DNS_ADDRESS,
    METADATA_ADDRESS,
)
from longshore.fabric.router_rules import ANY, ICMP, PROTOCOL_NAMES, interfaces_of
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
        self._interfaces = {i.address: i for i in interfaces_of(network, vpc)}
        self._cidrs = [ipaddress.IPv4Network(cidr) for cidr in vpc.cidrs]
        self._rules = {
            direction: {g.id: g.ingress if direction == "in" else g.egress for g in network.groups}
            for direction in ("in", "out")
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
        parsed = ipaddress.IPv4Address(address)
        return any(parsed in cidr for cidr in self._cidrs)

    @staticmethod
    def _addresses_stand(flow: Flow, sender: Interface | None, receiver: Interface | None) -> bool:
        """Whether the public addresses that the flow was translated with still are the ENIs'."""
        if flow.destination != flow.reply_source and receiver is not None:
            return flow.destination == receiver.public_address
        if sender is not None and flow.reply_destination != flow.source:
            return flow.reply_destination == sender.public_address
        return True

    def _any_rule(self, direction: str, interface: Interface, flow: Flow, peer: str) -> bool:
        rules: Iterable[Rule] = (
            rule
            for group in interface.security_groups
            for rule in self._rules[direction].get(group, ())
        )
        return any(self._rule_allows(rule, flow, peer) for rule in rules)

    def _rule_allows(self, rule: Rule, flow: Flow, peer: str) -> bool:
        if rule.protocol not in (ANY, flow.protocol):
            return False
        if rule.protocol in PROTOCOL_NAMES and rule.from_port >= 0:
            if not rule.from_port <= flow.port <= rule.to_port:
                return False
        elif rule.protocol == ICMP and not _icmp_allows(rule, flow):
            return False
        if rule.group_id:
            return peer in self._members.get(rule.group_id, frozenset())
        return ipaddress.IPv4Address(peer) in ipaddress.IPv4Network(rule.cidr)


def _icmp_allows(rule: Rule, flow: Flow) -> bool:
    return rule.from_port in (ANY, flow.port) and rule.to_port in (ANY, flow.code)
