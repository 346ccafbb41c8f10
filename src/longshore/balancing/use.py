"""Who uses what, and where targets are."""

import ipaddress
from collections.abc import Mapping

from longshore.model.ec2 import SUBNET, VPC
from longshore.model.elbv2 import LISTENER, LOAD_BALANCER, Listener, Target, TargetGroup
from longshore.model.instances import INSTANCE
from longshore.store.interface import Reader

EVERYWHERE = "all"
"""The AZ of an address outside of the VPC: every node reaches it."""


def listeners_of(reader: Reader, account: str, region: str, load_balancer: str) -> list[Listener]:
    """By the name of its record, in the order of their ports."""
    found = reader.find(LISTENER, account, region, "load-balancer", load_balancer)
    return sorted((record.value for record in found), key=lambda each: each.port)


def users_of(reader: Reader, account: str, region: str, group: str) -> list[str]:
    """The names of the load balancers that have listeners which forward to this group."""
    found = reader.find(LISTENER, account, region, "target-group", group)
    names = {record.value.load_balancer for record in found}
    return sorted(name for name in names if reader.get(LOAD_BALANCER, account, region, name))


def zones_of_vpc(
    reader: Reader, account: str, region: str, vpc_id: str
) -> Mapping[ipaddress.IPv4Network, str]:
    """AZs by the ranges of the VPC's subnets."""
    found = reader.find(SUBNET, account, region, "vpc", vpc_id)
    return {ipaddress.IPv4Network(record.value.cidr): record.value.zone for record in found}


def is_in_vpc(reader: Reader, account: str, region: str, vpc_id: str, address: str) -> bool:
    record = reader.get(VPC, account, region, vpc_id)
    cidrs = record.value.cidrs if record is not None else ()
    return any(ipaddress.IPv4Address(address) in ipaddress.IPv4Network(each) for each in cidrs)


def address_of_target(
    reader: Reader, account: str, region: str, group: TargetGroup, target: Target
) -> str:
    """Where connections to the target go; empty for an instance that is gone."""
    if group.target_type == "ip":
        return target.id
    record = reader.get(INSTANCE, account, region, target.id)
    return record.value.private_address if record is not None else ""


def zone_of_target(
    reader: Reader, account: str, region: str, group: TargetGroup, target: Target
) -> str:
    """The AZ that the target is in, `all`, or empty where it is in none."""
    if target.zone:
        return target.zone
    if group.target_type == "instance":
        record = reader.get(INSTANCE, account, region, target.id)
        return record.value.zone if record is not None else ""
    address = ipaddress.IPv4Address(target.id)
    zones = zones_of_vpc(reader, account, region, group.vpc_id)
    return next((zone for cidr, zone in zones.items() if address in cidr), "")
