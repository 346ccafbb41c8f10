"""Records by id, or AWS's error that there is none ("Error codes for the Amazon EC2 API")."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from longshore.model.ec2 import (
    ADDRESS,
    DHCP_OPTIONS,
    INTERNET_GATEWAY,
    NETWORK_INTERFACE,
    ROUTE_TABLE,
    SECURITY_GROUP,
    SUBNET,
    VPC,
    SecurityGroup,
)
from longshore.model.errors import AwsError
from longshore.model.instances import INSTANCE, LAUNCH_TEMPLATE
from longshore.model.kind import Kind
from longshore.model.volumes import SNAPSHOT, VOLUME
from longshore.store.interface import Reader, Transaction

T = TypeVar("T", bound=msgspec.Struct)

_ABSENT: Mapping[Kind[Any], tuple[str, str]] = {
    VPC: ("InvalidVpcID.NotFound", "The vpc ID '{}' does not exist"),
    SUBNET: ("InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist"),
    ROUTE_TABLE: ("InvalidRouteTableID.NotFound", "The routeTable ID '{}' does not exist"),
    INTERNET_GATEWAY: (
        "InvalidInternetGatewayID.NotFound",
        "The internetGateway ID '{}' does not exist",
    ),
    SECURITY_GROUP: ("InvalidGroup.NotFound", "The security group '{}' does not exist"),
    NETWORK_INTERFACE: (
        "InvalidNetworkInterfaceID.NotFound",
        "The networkInterface ID '{}' does not exist",
    ),
    ADDRESS: ("InvalidAllocationID.NotFound", "The allocation ID '{}' does not exist"),
    DHCP_OPTIONS: ("InvalidDhcpOptionID.NotFound", "The dhcpOption ID '{}' does not exist"),
    INSTANCE: ("InvalidInstanceID.NotFound", "The instance ID '{}' does not exist"),
    VOLUME: ("InvalidVolume.NotFound", "The volume '{}' does not exist."),
    SNAPSHOT: ("InvalidSnapshot.NotFound", "The snapshot '{}' does not exist."),
    LAUNCH_TEMPLATE: (
        "InvalidLaunchTemplateId.NotFound",
        "The specified launch template, with template ID {}, does not exist.",
    ),
}


def absent(kind: Kind[Any], resource_id: str) -> AwsError:
    """The error for a resource that is not there."""
    code, message = _ABSENT[kind]
    return AwsError(code, message.format(resource_id))


def require(reader: Reader, kind: Kind[T], account: str, region: str, resource_id: str) -> T:
    """The resource of this id; AwsError `Invalid….NotFound`."""
    record = reader.get(kind, account, region, resource_id)
    if record is None:
        raise absent(kind, resource_id)
    return record.value


def hold(tx: Transaction, kind: Kind[T], account: str, region: str, resource_id: str) -> T:
    """The same, and the commit fails if the resource is changed or gone by then."""
    value = require(tx, kind, account, region, resource_id)
    record = tx.get(kind, account, region, resource_id)
    if record is not None:
        tx.require(record)
    return value


def default_group(reader: Reader, account: str, region: str, vpc_id: str) -> SecurityGroup:
    """The VPC's group named `default`."""
    for record in reader.find(SECURITY_GROUP, account, region, "vpc", vpc_id):
        if record.value.name == "default":
            return record.value
    raise absent(SECURITY_GROUP, "default")
