"""ENIs as records: made with their addresses, and removed with them."""

from collections.abc import Sequence

import msgspec

from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.model.ec2 import (
    NETWORK_INTERFACE,
    SECURITY_GROUP,
    SUBNET,
    NetworkInterface,
    Subnet,
)
from longshore.model.ecs import TaskInterface
from longshore.model.errors import AwsError
from longshore.store.interface import Reader, Transaction
from longshore.vpc.addresses import (
    claim_chosen,
    claim_private,
    claim_public,
    release_private,
    release_public,
)
from longshore.vpc.elastic import dissociate, elastic_of
from longshore.vpc.lookup import default_group, hold, require

GROUPS_PER_INTERFACE = 5
ADDRESSES_PER_INTERFACE = 50
"""Private IPv4 addresses of the largest instance types ("IP addresses per network interface per
instance type", EC2 User Guide); smaller ones have fewer once an ENI is attached to them."""


def create_network_interface(
    tx: Transaction,
    ids: Ids,
    now: float,
    *,
    account: str,
    region: str,
    subnet_id: str,
    security_groups: Sequence[str] = (),
    description: str = "",
    owner_arn: str = "",
    assign_public_ip: bool | None = None,
    host: str = "",
    interface_type: str = "interface",
    private_address: str = "",
    tags: tuple[tuple[str, str], ...] = (),
    installation: Installation,
) -> NetworkInterface:
    """Write an ENI with a private and, if asked for, a public address, all of them claimed.

    Without `security_groups` it gets the VPC's default group; `assign_public_ip` None means what
    the subnet says. With a `host` it is in use there, and in that host's network from the commit
    on. Raises AwsError: InvalidSubnetID.NotFound, InvalidGroup.NotFound,
    InsufficientFreeAddressesInSubnet, InsufficientAddressCapacity,
    SecurityGroupsPerInterfaceLimitExceeded.
    """
    subnet = hold(tx, SUBNET, account, region, subnet_id)
    groups = check_groups(tx, account, region, subnet.vpc_id, security_groups)
    for group_id in groups:
        hold(tx, SECURITY_GROUP, account, region, group_id)
    eni_id = f"eni-{ids.hex(17)}"
    address = private_address or claim_private(tx, ids, account, region, subnet, eni_id)
    if private_address:
        claim_chosen(tx, account, region, subnet, private_address, eni_id)
    interface = NetworkInterface(
        id=eni_id,
        vpc_id=subnet.vpc_id,
        subnet_id=subnet.id,
        zone=subnet.zone,
        mac=_mac(ids),
        private_address=address,
        security_groups=groups,
        description=description,
        interface_type=interface_type,
        requester_managed=bool(owner_arn),
        status="in-use" if host else "available",
        attachment_id=f"eni-attach-{ids.hex(17)}" if host else "",
        attached_at=now if host else 0.0,
        public_address=_public_address(tx, ids, installation, subnet, assign_public_ip, eni_id),
        host=host,
        owner_arn=owner_arn,
        created_at=now,
        tags=tags,
    )
    tx.create(NETWORK_INTERFACE, account, region, eni_id, interface)
    return interface


def _mac(ids: Ids) -> str:
    """A locally administered unicast address, as AWS's are."""
    digits = "02" + ids.hex(10)
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def _public_address(
    tx: Transaction,
    ids: Ids,
    installation: Installation,
    subnet: Subnet,
    wanted: bool | None,
    owner: str,
) -> str:
    if subnet.map_public_ip if wanted is None else wanted:
        return claim_public(tx, ids, installation.public_pool, owner)
    return ""


def check_groups(
    reader: Reader, account: str, region: str, vpc_id: str, security_groups: Sequence[str]
) -> tuple[str, ...]:
    """The groups, each once, all of this VPC; the default group where none is given."""
    groups = tuple(dict.fromkeys(security_groups))
    if not groups:
        return (default_group(reader, account, region, vpc_id).id,)
    if len(groups) > GROUPS_PER_INTERFACE:
        raise AwsError(
            "SecurityGroupsPerInterfaceLimitExceeded",
            "The maximum number of security groups per interface has been reached.",
        )
    for group_id in groups:
        group = require(reader, SECURITY_GROUP, account, region, group_id)
        if group.vpc_id != vpc_id:
            raise AwsError(
                "InvalidParameter",
                f"You have specified two resources that belong to different networks: {group_id}",
            )
    return groups


def delete_network_interface(tx: Transaction, account: str, region: str, eni_id: str) -> None:
    """Remove an ENI and free its addresses; elastic ones stay allocated. Safe to repeat."""
    record = tx.get(NETWORK_INTERFACE, account, region, eni_id)
    if record is None:
        return
    interface = record.value
    if interface.public_address:
        release_public(tx, interface.public_address)
    addresses = (interface.private_address, *interface.secondary_addresses)
    _let_go(tx, account, region, interface, addresses)
    tx.delete(NETWORK_INTERFACE, account, region, eni_id)


def assign_addresses(
    tx: Transaction,
    ids: Ids,
    account: str,
    region: str,
    eni: NetworkInterface,
    *,
    count: int = 0,
    chosen: Sequence[str] = (),
    reassign: bool = False,
    limit: int = ADDRESSES_PER_INTERFACE,
) -> NetworkInterface:
    """The ENI with further private addresses: `count` free ones, and those that are `chosen`;
    with its primary one `limit` at most.

    With `reassign` a chosen one may be another ENI's secondary address, which loses it. Raises
    AwsError: PrivateIpAddressLimitExceeded, InsufficientFreeAddressesInSubnet,
    InvalidIPAddress.InUse, InvalidParameterValue.
    """
    subnet = hold(tx, SUBNET, account, region, eni.subnet_id)
    if 1 + len(eni.secondary_addresses) + count + len(chosen) > limit:
        raise AwsError(
            "PrivateIpAddressLimitExceeded",
            f"Number of private addresses will exceed limit of {limit}.",
        )
    for address in chosen:
        if reassign:
            _take_from_another(tx, account, region, subnet, address)
        claim_chosen(tx, account, region, subnet, address, eni.id)
    drawn = [claim_private(tx, ids, account, region, subnet, eni.id) for _ in range(count)]
    further = (*eni.secondary_addresses, *chosen, *drawn)
    changed = msgspec.structs.replace(eni, secondary_addresses=further)
    tx.put(NETWORK_INTERFACE, account, region, eni.id, changed)
    return changed


def _take_from_another(
    tx: Transaction, account: str, region: str, subnet: Subnet, address: str
) -> None:
    for record in tx.find(NETWORK_INTERFACE, account, region, "subnet", subnet.id):
        if address in record.value.secondary_addresses:
            unassign_addresses(tx, account, region, record.value, [address])


def unassign_addresses(
    tx: Transaction, account: str, region: str, eni: NetworkInterface, addresses: Sequence[str]
) -> NetworkInterface:
    """The ENI without these secondary addresses, which are free again; so are elastic ones."""
    _let_go(tx, account, region, eni, addresses)
    left = tuple(each for each in eni.secondary_addresses if each not in addresses)
    changed = msgspec.structs.replace(eni, secondary_addresses=left)
    tx.put(NETWORK_INTERFACE, account, region, eni.id, changed)
    return changed


def take_interface(
    tx: Transaction, interface: TaskInterface, region: str, host: str
) -> NetworkInterface:
    """Have an ENI that is there already in this host's network. Raises AwsError where it is not."""
    eni = hold(tx, NETWORK_INTERFACE, interface.account, region, interface.id)
    return _put_on_host(tx, interface.account, region, eni, host)


def leave_interface(tx: Transaction, interface: TaskInterface, region: str) -> None:
    """Have an ENI in no host's network; safe to repeat, and where it is gone."""
    record = tx.get(NETWORK_INTERFACE, interface.account, region, interface.id)
    if record is not None:
        _put_on_host(tx, interface.account, region, record.value, "")


def _put_on_host(
    tx: Transaction, account: str, region: str, eni: NetworkInterface, host: str
) -> NetworkInterface:
    moved = msgspec.structs.replace(eni, host=host)
    if moved != eni:
        tx.put(NETWORK_INTERFACE, account, region, eni.id, moved)
    return moved


def _let_go(
    tx: Transaction, account: str, region: str, eni: NetworkInterface, addresses: Sequence[str]
) -> None:
    """Free private addresses; elastic ones that stood for them stay allocated."""
    elastic = elastic_of(tx, account, region, eni)
    for address in addresses:
        release_private(tx, account, region, eni.subnet_id, address)
        if address in elastic:
            dissociate(tx, account, region, elastic[address])
