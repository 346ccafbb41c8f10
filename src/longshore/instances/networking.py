"""The primary network interface of a launch: where it is to be, and what it is to be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from longshore.instances.around import Around
from longshore.instances.types import InstanceType
from longshore.model.ec2 import (
    NETWORK_INTERFACE,
    SECURITY_GROUP,
    SUBNET,
    VPC,
    NetworkInterface,
    Subnet,
    Tags,
    Vpc,
)
from longshore.model.errors import AwsError, not_built
from longshore.store.interface import Reader, Transaction
from longshore.vpc.interfaces import assign_addresses, check_groups, create_network_interface
from longshore.vpc.lookup import absent, hold, require
from longshore.vpc.zones import zone_id, zone_names

Request = Mapping[str, Any]
NEW = frozenset(
    {
        *("AssociatePublicIpAddress", "DeleteOnTermination", "Description", "DeviceIndex"),
        *("Groups", "InterfaceType", "NetworkCardIndex", "NetworkInterfaceId"),
        *("PrivateIpAddress", "PrivateIpAddresses", "SecondaryPrivateIpAddressCount", "SubnetId"),
    }
)
"""Members of an interface's specification that are heeded."""
OF_NEW = (
    *("AssociatePublicIpAddress", "Description", "Groups", "PrivateIpAddress"),
    *("PrivateIpAddresses", "SecondaryPrivateIpAddressCount", "SubnetId"),
)
"""Those that an interface which is there already has for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """A primary interface that is wanted: `existing`, or a new one in `subnet`.

    `public` None means what the subnet says; without `groups` it has the VPC's default one.
    """

    subnet: Subnet
    existing: NetworkInterface | None = None
    groups: tuple[str, ...] = ()
    public: bool | None = None
    private_address: str = ""
    further_addresses: tuple[str, ...] = ()
    further_count: int = 0
    description: str = ""
    delete_on_termination: bool = True


def wiring(reader: Reader, around: Around, request: Request, kind: InstanceType) -> Wiring:
    """What a launch asks for; AwsError as RunInstances gives it.

    The request's own subnet goes before its interface's: groups choose it so.
    """
    given = _specification(request)
    if given.get("NetworkInterfaceId"):
        return _of_existing(reader, around, given)
    subnet_id = request.get("SubnetId") or given.get("SubnetId") or ""
    subnet = _subnet(reader, around, request, subnet_id)
    primary, further = _addresses(given or request)
    wanted = Wiring(
        subnet=subnet,
        groups=_groups(reader, around, request, given, subnet),
        public=given.get("AssociatePublicIpAddress"),
        private_address=primary,
        further_addresses=further,
        further_count=int(given.get("SecondaryPrivateIpAddressCount") or 0),
        description=given.get("Description", ""),
        delete_on_termination=given.get("DeleteOnTermination", True),
    )
    number = 1 + len(further) + wanted.further_count
    if number > kind.addresses:
        raise too_many_addresses(kind.addresses)
    return wanted


def too_many_addresses(limit: int) -> AwsError:
    return AwsError(
        "PrivateIpAddressLimitExceeded",
        f"Number of private addresses will exceed limit of {limit}.",
    )


def refuse_mixture(request: Request) -> None:
    """An interface and what it has itself cannot be said of one launch both."""
    if not request.get("NetworkInterfaces"):
        return
    for name, words in (
        ("SubnetId", "subnet ID"),
        ("SecurityGroupIds", "security groups"),
        ("SecurityGroups", "security groups"),
        ("PrivateIpAddress", "private IP address"),
    ):
        if request.get(name):
            raise AwsError(
                "InvalidParameterCombination",
                f"Network interfaces and an instance-level {words} may not be specified on the "
                "same request",
            )


def _specification(request: Request) -> Request:
    """The one interface specified, or nothing."""
    interfaces = request.get("NetworkInterfaces") or ()
    if len(interfaces) > 1:
        raise not_built("ec2:RunInstances with more than one network interface")
    given: Request = interfaces[0] if interfaces else {}
    for name, value in given.items():
        if value and name not in NEW:
            raise not_built(f"ec2:RunInstances with NetworkInterfaces.{name}")
    if given and given.get("DeviceIndex", 0) != 0:
        raise AwsError(
            "InvalidParameterCombination",
            "A network interface with device index 0 must be specified.",
        )
    if given.get("InterfaceType", "interface") != "interface":
        raise not_built(f"ec2:RunInstances with interfaces of type {given['InterfaceType']}")
    return given


def _of_existing(reader: Reader, around: Around, given: Request) -> Wiring:
    for name in OF_NEW:
        if given.get(name):
            raise AwsError(
                "InvalidParameterCombination",
                f"A network interface ID may not be specified together with {name}.",
            )
    eni = require(reader, NETWORK_INTERFACE, *around.place, given["NetworkInterfaceId"])
    if eni.status != "available":
        raise AwsError(
            "InvalidNetworkInterface.InUse",
            f"The network interface '{eni.id}' is currently in use.",
        )
    subnet = require(reader, SUBNET, *around.place, eni.subnet_id)
    kept = given.get("DeleteOnTermination", False)
    return Wiring(subnet=subnet, existing=eni, delete_on_termination=kept)


def _subnet(reader: Reader, around: Around, request: Request, subnet_id: str) -> Subnet:
    """The subnet named, or the default one of the AZ named, or of the first."""
    placement = request.get("Placement") or {}
    zone = placement.get("AvailabilityZone", "")
    by_id = placement.get("AvailabilityZoneId", "")
    names = {zone_id(name): name for name in zone_names(around.region)}
    zone = zone or names.get(by_id, by_id)
    if zone and zone not in names.values():
        raise AwsError("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
    if not subnet_id:
        return _default_subnet(reader, around, zone)
    subnet = require(reader, SUBNET, *around.place, subnet_id)
    if zone and subnet.zone != zone:
        raise AwsError(
            "InvalidParameterValue",
            f"The availability zone '{zone}' is not that of the subnet '{subnet.id}'.",
        )
    return subnet


def _default_vpc(reader: Reader, around: Around) -> Vpc:
    for record in reader.scan(VPC, *around.place):
        if record.value.is_default:
            return record.value
    raise AwsError("VPCIdNotSpecified", "No default VPC for this user")


def _default_subnet(reader: Reader, around: Around, zone: str) -> Subnet:
    vpc = _default_vpc(reader, around)
    subnets = [r.value for r in reader.find(SUBNET, *around.place, "vpc", vpc.id)]
    for subnet in sorted(subnets, key=lambda subnet: subnet.zone):
        if subnet.default_for_az and zone in {"", subnet.zone}:
            return subnet
    where = f" in '{zone}'" if zone else ""
    raise AwsError(
        "MissingInput",
        f"No subnets found for the default VPC '{vpc.id}'{where}. Please specify a subnet.",
    )


def _groups(
    reader: Reader, around: Around, request: Request, given: Request, subnet: Subnet
) -> tuple[str, ...]:
    ids = [*(request.get("SecurityGroupIds") or ()), *(given.get("Groups") or ())]
    names = list(request.get("SecurityGroups") or ())
    if names and request.get("SubnetId"):
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter groupName cannot be used with the parameter subnet",
        )
    if names:
        ids += _named_groups(reader, around, names)
    return check_groups(reader, *around.place, subnet.vpc_id, ids)


def _named_groups(reader: Reader, around: Around, names: Sequence[str]) -> list[str]:
    """Groups of the default VPC by name."""
    vpc = _default_vpc(reader, around)
    records = reader.find(SECURITY_GROUP, *around.place, "vpc", vpc.id)
    by_name = {record.value.name: record.value.id for record in records}
    for name in names:
        if name not in by_name:
            raise absent(SECURITY_GROUP, name)
    return [by_name[name] for name in names]


def _addresses(given: Request) -> tuple[str, tuple[str, ...]]:
    """The primary private address that is asked for, or empty, and further ones."""
    primary = [given["PrivateIpAddress"]] if given.get("PrivateIpAddress") else []
    further: list[str] = []
    for each in given.get("PrivateIpAddresses") or ():
        if each.get("PrivateIpAddress"):
            (primary if each.get("Primary") else further).append(each["PrivateIpAddress"])
    if len(set(primary)) > 1:
        raise AwsError(
            "InvalidParameterCombination", "Only one primary private IP address can be specified."
        )
    return (primary[0] if primary else ""), tuple(further)


def wire(
    tx: Transaction, around: Around, wanted: Wiring, instance_id: str, tags: Tags
) -> NetworkInterface:
    """The interface, attached to the instance; it is in no host's network until it is placed."""
    if wanted.existing is not None:
        eni = hold(tx, NETWORK_INTERFACE, *around.place, wanted.existing.id)
        eni = msgspec.structs.replace(eni, tags=tuple((dict(eni.tags) | dict(tags)).items()))
    else:
        eni = _make(tx, around, wanted, tags)
    attached = msgspec.structs.replace(
        eni,
        status="in-use",
        instance_id=instance_id,
        attachment_id=f"eni-attach-{around.ids.hex(17)}",
        attached_at=around.now,
        delete_on_termination=wanted.delete_on_termination,
    )
    tx.put(NETWORK_INTERFACE, *around.place, attached.id, attached)
    return attached


def _make(tx: Transaction, around: Around, wanted: Wiring, tags: Tags) -> NetworkInterface:
    eni = create_network_interface(
        tx,
        around.ids,
        around.now,
        account=around.account,
        region=around.region,
        subnet_id=wanted.subnet.id,
        security_groups=wanted.groups,
        description=wanted.description,
        assign_public_ip=wanted.public,
        private_address=wanted.private_address,
        tags=tags,
        installation=around.installation,
    )
    if not wanted.further_addresses and not wanted.further_count:
        return eni
    return assign_addresses(
        tx,
        around.ids,
        *around.place,
        eni,
        count=wanted.further_count,
        chosen=wanted.further_addresses,
    )


def alone(wanted: Wiring) -> bool:
    """Whether only one instance can have it."""
    return wanted.existing is not None or bool(wanted.private_address or wanted.further_addresses)


def chosen_addresses(wanted: Wiring) -> tuple[str, ...]:
    """The private addresses that a new interface is to have and no other."""
    first = (wanted.private_address,) if wanted.private_address else ()
    return (*first, *wanted.further_addresses)


def is_public(wanted: Wiring) -> bool:
    """Whether a new interface gets a public address."""
    return wanted.subnet.map_public_ip if wanted.public is None else wanted.public
