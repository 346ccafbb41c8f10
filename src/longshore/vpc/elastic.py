"""Elastic addresses of ENIs: which private address each one stands for."""

from collections.abc import Mapping

import msgspec

from longshore.model.ec2 import ADDRESS, Address, NetworkInterface
from longshore.store.interface import Reader, Transaction


def elastic_of(
    reader: Reader, account: str, region: str, eni: NetworkInterface
) -> Mapping[str, Address]:
    """The ENI's elastic addresses by the private ones that they are associated with."""
    found = reader.find(ADDRESS, account, region, "interface", eni.id)
    return {record.value.private_address: record.value for record in found}


def public_address_of(reader: Reader, account: str, region: str, eni: NetworkInterface) -> str:
    """Of the primary address: the elastic one, where there is one, else the assigned one, else
    empty."""
    return primary_public(eni, elastic_of(reader, account, region, eni))


def primary_public(eni: NetworkInterface, elastic: Mapping[str, Address]) -> str:
    """The same, with the ENI's elastic addresses at hand."""
    own = elastic.get(eni.private_address)
    return own.public_address if own is not None else eni.public_address


def dissociate(tx: Transaction, account: str, region: str, address: Address) -> None:
    """Have the elastic address stand for no other; it stays allocated."""
    freed = msgspec.structs.replace(
        address, association_id="", network_interface_id="", private_address=""
    )
    tx.put(ADDRESS, account, region, address.id, freed)
