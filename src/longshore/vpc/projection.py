"""The network that one host is to have, read from the records."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from longshore.model import network
from longshore.model.ec2 import (
    ADDRESS,
    INTERNET_GATEWAY,
    NETWORK_INTERFACE,
    PRIVATE_NAME,
    ROUTE_TABLE,
    SECURITY_GROUP,
    SUBNET,
    VPC,
    Address,
    NetworkInterface,
    PrivateName,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    Vpc,
)
from longshore.model.elbv2 import INTERFACE_TYPE
from longshore.store.interface import Reader
from longshore.vpc.elastic import elastic_of, primary_public

KINDS = (
    ADDRESS,
    INTERNET_GATEWAY,
    NETWORK_INTERFACE,
    PRIVATE_NAME,
    ROUTE_TABLE,
    SECURITY_GROUP,
    SUBNET,
    VPC,
)
"""A change of one of these may change a host's network."""

OPEN_GROUP = network.Group(
    id="everything",
    ingress=(network.Rule(protocol=-1, cidr="0.0.0.0/0"),),
    egress=(network.Rule(protocol=-1, cidr="0.0.0.0/0"),),
)
"""What stands for no groups on a Network Load Balancer's interface ("Security groups for your
Network Load Balancer"); others let nothing pass without."""
PROTOCOL_NUMBERS = {"-1": -1, "tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}


@dataclass(frozen=True)
class _Place:
    """One account's part of one region."""

    reader: Reader
    account: str
    region: str

    def group(self, group_id: str) -> SecurityGroup | None:
        record = self.reader.get(SECURITY_GROUP, self.account, self.region, group_id)
        return record.value if record else None


def host_network(reader: Reader, host_id: str, revision: int) -> network.Network:
    """Every ENI with this host, with the VPCs, routes and groups that concern them.

    Groups that rules refer to are there with their members, wherever these are.
    """
    vpcs: list[network.Vpc] = []
    groups: dict[str, network.Group] = {}
    interfaces: list[network.Interface] = []
    names = [record.value for record in reader.scan(PRIVATE_NAME)]
    for place in _places(reader):
        found = reader.find(NETWORK_INTERFACE, place.account, place.region, "host", host_id)
        enis = [record.value for record in found]
        vpcs += [_vpc(place, vpc_id, names) for vpc_id in sorted({eni.vpc_id for eni in enis})]
        interfaces += [_interface(place, eni) for eni in enis]
        groups |= _groups(place, {group for eni in enis for group in eni.security_groups})
        if any(_is_open(eni) for eni in enis):
            groups[OPEN_GROUP.id] = OPEN_GROUP
    return network.Network(
        revision=revision,
        vpcs=tuple(vpcs),
        groups=tuple(groups[name] for name in sorted(groups)),
        interfaces=tuple(sorted(interfaces, key=lambda interface: interface.id)),
    )


def _places(reader: Reader) -> Iterator[_Place]:
    """The accounts and regions that have VPCs."""
    for account, region in sorted({(r.key.account, r.key.region) for r in reader.scan(VPC)}):
        yield _Place(reader, account, region)


def _vpc(place: _Place, vpc_id: str, names: Iterable[PrivateName]) -> network.Vpc:
    record = place.reader.get(VPC, place.account, place.region, vpc_id)
    vpc = record.value if record else Vpc(id=vpc_id, cidrs=())
    tables = [r.value for r in place.reader.find(ROUTE_TABLE, *_in_vpc(place, vpc_id))]
    gateways = {
        r.value.id
        for r in place.reader.scan(INTERNET_GATEWAY, place.account, place.region)
        if r.value.vpc_id == vpc_id
    }
    subnets = [r.value for r in place.reader.find(SUBNET, *_in_vpc(place, vpc_id))]
    return network.Vpc(
        id=vpc_id,
        cidrs=vpc.cidrs,
        subnets=tuple(_subnet(subnet, tables, gateways) for subnet in subnets),
        resolver=resolver_address(vpc) if vpc.dns_support else "",
        names=_names(vpc_id, names),
    )


def _names(vpc_id: str, names: Iterable[PrivateName]) -> tuple[network.Name, ...]:
    """Those of every VPC, each unless the VPC has one of its own, and its own."""
    known = {each.name: each.addresses for each in names if not each.vpc_id}
    known |= {each.name: each.addresses for each in names if each.vpc_id == vpc_id}
    return tuple(network.Name(name, known[name]) for name in sorted(known))


def _in_vpc(place: _Place, vpc_id: str) -> tuple[str, str, str, str]:
    return place.account, place.region, "vpc", vpc_id


def resolver_address(vpc: Vpc) -> str:
    """Base address of the VPC's first range plus two ("Amazon DNS server", VPC User Guide)."""
    return str(ipaddress.IPv4Network(vpc.cidrs[0])[2]) if vpc.cidrs else ""


def _subnet(subnet: Subnet, tables: Sequence[RouteTable], gateways: set[str]) -> network.Subnet:
    table = route_table_of(subnet.id, tables)
    routes = table.routes if table else ()
    return network.Subnet(
        id=subnet.id,
        cidr=subnet.cidr,
        routes=tuple(
            network.Route(destination=r.destination, target=_target(r.target, gateways))
            for r in routes
            if ":" not in r.destination
        ),
    )


def route_table_of(subnet_id: str, tables: Iterable[RouteTable]) -> RouteTable | None:
    """The table that the subnet is associated with, else the VPC's main one."""
    by_subnet = {subnet: table for table in tables for _, subnet in table.associations}
    return by_subnet.get(subnet_id) or by_subnet.get("")


def _target(target: str, gateways: set[str]) -> str:
    if target.startswith("igw-") and target not in gateways:
        return "blackhole"
    return target


def _interface(place: _Place, eni: NetworkInterface) -> network.Interface:
    record = place.reader.get(SUBNET, place.account, place.region, eni.subnet_id)
    cidr = ipaddress.IPv4Network(record.value.cidr if record else eni.private_address)
    elastic = elastic_of(place.reader, place.account, place.region, eni)
    return network.Interface(
        id=eni.id,
        vpc_id=eni.vpc_id,
        subnet_id=eni.subnet_id,
        mac=eni.mac,
        address=eni.private_address,
        prefix_length=cidr.prefixlen,
        gateway=str(cidr.network_address + 1),
        public_address=primary_public(eni, elastic),
        secondary=_secondary(eni, elastic),
        security_groups=eni.security_groups or ((OPEN_GROUP.id,) if _is_open(eni) else ()),
        source_dest_check=eni.source_dest_check,
        zone=record.value.zone if record else "",
        branch=_branch(eni),
    )


def _branch(eni: NetworkInterface) -> network.Branch | None:
    found = eni.branch
    if found is None:
        return None
    return network.Branch(trunk=found.trunk, vlan=found.vlan, pod=found.pod_uid)


def _is_open(eni: NetworkInterface) -> bool:
    return eni.interface_type == INTERFACE_TYPE and not eni.security_groups


def _secondary(
    eni: NetworkInterface, elastic: Mapping[str, Address]
) -> tuple[network.SecondaryAddress, ...]:
    return tuple(
        network.SecondaryAddress(
            address, elastic[address].public_address if address in elastic else ""
        )
        for address in eni.secondary_addresses
    )


def _groups(place: _Place, names: set[str]) -> dict[str, network.Group]:
    """These groups, and as far as their members those that their rules refer to."""
    own = [group for name in sorted(names) if (group := place.group(name))]
    groups = {group.id: _group(place, group) for group in own}
    for rule in (rule for group in own for rule in group.rules if rule.group_id):
        if rule.group_id not in groups:
            members = _members(place, rule.group_id)
            groups[rule.group_id] = network.Group(id=rule.group_id, members=members)
    return groups


def _group(place: _Place, group: SecurityGroup) -> network.Group:
    rules = [rule for rule in group.rules if rule.cidr or rule.group_id]
    return network.Group(
        id=group.id,
        ingress=tuple(_rule(rule) for rule in rules if not rule.egress),
        egress=tuple(_rule(rule) for rule in rules if rule.egress),
        members=_members(place, group.id),
    )


def _members(place: _Place, group_id: str) -> tuple[str, ...]:
    found = place.reader.find(NETWORK_INTERFACE, place.account, place.region, "group", group_id)
    enis = [record.value for record in found]
    return tuple(
        sorted({a for eni in enis for a in (eni.private_address, *eni.secondary_addresses)})
    )


def _rule(rule: SecurityGroupRule) -> network.Rule:
    protocol = PROTOCOL_NUMBERS.get(rule.protocol)
    return network.Rule(
        protocol=int(rule.protocol) if protocol is None else protocol,
        from_port=rule.from_port,
        to_port=rule.to_port,
        cidr=rule.cidr,
        group_id=rule.group_id,
    )
