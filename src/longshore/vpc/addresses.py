"""Claiming addresses, so that no two owners ever hold the same one.

A claim is a record named by the address, created in the claimer's transaction: of two that reach
for one address, the later commit conflicts and runs again. Candidates are drawn at random, so that
an address is not reused at once and rivals seldom meet.
"""

import ipaddress
from collections.abc import Callable

from longshore.base.ids import Ids
from longshore.model.ec2 import ADDRESS_CLAIM, AddressClaim, Subnet
from longshore.model.errors import AwsError
from longshore.store.interface import Reader, Transaction

RANDOM_DRAWS = 16
RESERVED_AT_START = 4
"""Network, router, DNS, future use ("Subnet sizing", VPC User Guide); the last one too."""
POOL_RESERVED_AT_START = 2
"""The pool's network and the machine's own address in it."""


def claim_private(
    tx: Transaction, ids: Ids, account: str, region: str, subnet: Subnet, owner: str
) -> str:
    """A free address of the subnet, claimed; AwsError InsufficientFreeAddressesInSubnet."""
    network = ipaddress.IPv4Network(subnet.cidr)
    low, high = RESERVED_AT_START, network.num_addresses - 2

    def free(offset: int) -> bool:
        return tx.get(ADDRESS_CLAIM, account, region, _name(subnet, network[offset])) is None

    offset = _first_free(ids, low, high, free)
    if offset is None:
        raise AwsError(
            "InsufficientFreeAddressesInSubnet",
            "The specified subnet does not have enough free addresses to satisfy the request.",
        )
    address = str(network[offset])
    tx.create(ADDRESS_CLAIM, account, region, _name(subnet, address), AddressClaim(owner=owner))
    return address


def claim_chosen(
    tx: Transaction, account: str, region: str, subnet: Subnet, address: str, owner: str
) -> None:
    """Claim the address that the caller chose; AwsError where it is not to be had."""
    check_chosen(tx, account, region, subnet, address)
    name = _name(subnet, address)
    tx.create(ADDRESS_CLAIM, account, region, name, AddressClaim(owner=owner))


def check_chosen(reader: Reader, account: str, region: str, subnet: Subnet, address: str) -> None:
    """AwsError where the subnet has no such address, or somebody has it."""
    network = ipaddress.IPv4Network(subnet.cidr)
    try:
        offset = int(ipaddress.IPv4Address(address)) - int(network.network_address)
    except ValueError as error:
        raise AwsError(
            "InvalidParameterValue", f"invalid value for parameter address: {address}"
        ) from error
    if not RESERVED_AT_START <= offset <= network.num_addresses - 2:
        raise AwsError(
            "InvalidParameterValue",
            f"Address {address} is in subnet's reserved address range"
            if 0 <= offset < network.num_addresses
            else "Address does not fall within the subnet's address range",
        )
    if reader.get(ADDRESS_CLAIM, account, region, _name(subnet, address)) is not None:
        raise AwsError("InvalidIPAddress.InUse", f"Address {address} is in use.")


def claim_public(tx: Transaction, ids: Ids, pool: str, owner: str) -> str:
    """A free address of the public pool, claimed; AwsError InsufficientAddressCapacity."""
    network = ipaddress.IPv4Network(pool)
    low, high = POOL_RESERVED_AT_START, network.num_addresses - 2

    def free(offset: int) -> bool:
        return tx.get(ADDRESS_CLAIM, "", "", str(network[offset])) is None

    offset = _first_free(ids, low, high, free)
    if offset is None:
        raise no_public_address()
    address = str(network[offset])
    tx.create(ADDRESS_CLAIM, "", "", address, AddressClaim(owner=owner))
    return address


def no_public_address() -> AwsError:
    return AwsError(
        "InsufficientAddressCapacity",
        "There are not enough free addresses to satisfy your request.",
    )


def release_private(
    tx: Transaction, account: str, region: str, subnet_id: str, address: str
) -> None:
    tx.delete(ADDRESS_CLAIM, account, region, f"{subnet_id}/{address}")


def release_public(tx: Transaction, address: str) -> None:
    tx.delete(ADDRESS_CLAIM, "", "", address)


def free_addresses(reader: Reader, account: str, region: str, subnet: Subnet) -> int:
    """How many addresses of the subnet are free, as DescribeSubnets tells it."""
    claimed = reader.scan(ADDRESS_CLAIM, account, region, prefix=f"{subnet.id}/")
    total = ipaddress.IPv4Network(subnet.cidr).num_addresses
    return total - RESERVED_AT_START - 1 - len(claimed)


def free_public_addresses(reader: Reader, pool: str) -> int:
    """How many addresses of the public pool are free."""
    network = ipaddress.IPv4Network(pool)
    claimed = (record.key.name for record in reader.scan(ADDRESS_CLAIM, "", ""))
    taken = sum(ipaddress.IPv4Address(address) in network for address in claimed)
    return network.num_addresses - POOL_RESERVED_AT_START - 1 - taken


def _name(subnet: Subnet, address: ipaddress.IPv4Address | str) -> str:
    return f"{subnet.id}/{address}"


def _first_free(ids: Ids, low: int, high: int, free: Callable[[int], bool]) -> int | None:
    """A free number from `low` to `high`: some drawn at random, then all in order."""
    count = high - low + 1
    for _ in range(RANDOM_DRAWS):
        number = low + int(ids.hex(8), 16) % count
        if free(number):
            return number
    return next((number for number in range(low, high + 1) if free(number)), None)
