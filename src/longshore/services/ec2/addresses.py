"""Elastic IP addresses, from the machine's public pool."""

from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model.ec2 import ADDRESS, NETWORK_INTERFACE, Address, NetworkInterface
from longshore.model.errors import AwsError, not_implemented
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.instances import find_instance, is_gone, shown_state
from longshore.services.ec2.tagging import tag_list, tags_at_creation
from longshore.services.interface import Context, Response
from longshore.vpc.addresses import claim_public, release_public
from longshore.vpc.elastic import dissociate, elastic_of
from longshore.vpc.lookup import require

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        AllocateAddressRequestTypeDef,
        AssociateAddressRequestTypeDef,
        DescribeAddressesAttributeRequestTypeDef,
        DescribeAddressesRequestTypeDef,
        DisassociateAddressRequestTypeDef,
        ReleaseAddressRequestTypeDef,
    )

LISTING = Listing(
    member="Addresses",
    ids="AllocationIds",
    id="AllocationId",
    absent=("InvalidAllocationID.NotFound", "The allocation ID '{}' does not exist"),
    filters={
        "allocation-id": "AllocationId",
        "association-id": "AssociationId",
        "domain": "Domain",
        "instance-id": "InstanceId",
        "network-border-group": "NetworkBorderGroup",
        "network-interface-id": "NetworkInterfaceId",
        "network-interface-owner-id": "NetworkInterfaceOwnerId",
        "private-ip-address": "PrivateIpAddress",
        "public-ip": "PublicIp",
    },
)


def _place(context: Context) -> tuple[str, str]:
    return context.account, context.region


def _item(context: Context, address: Address) -> Item:
    item: dict[str, Any] = {
        "AllocationId": address.id,
        "PublicIp": address.public_address,
        "Domain": "vpc",
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": context.region,
        "Tags": tag_list(address.tags),
    }
    if address.association_id:
        item |= {
            "AssociationId": address.association_id,
            "NetworkInterfaceId": address.network_interface_id,
            "NetworkInterfaceOwnerId": context.account,
            "PrivateIpAddress": address.private_address,
        }
        record = context.tx.get(NETWORK_INTERFACE, *_place(context), address.network_interface_id)
        if record is not None and record.value.instance_id:
            item["InstanceId"] = record.value.instance_id
    return item


def allocate_address(context: Context, request: "AllocateAddressRequestTypeDef") -> Response:
    if request.get("Domain", "vpc") != "vpc":
        raise AwsError("InvalidParameterValue", "Invalid value for domain: 'standard'")
    for name in ("Address", "PublicIpv4Pool", "CustomerOwnedIpv4Pool", "IpamPoolId"):
        if request.get(name):
            raise not_implemented("ec2", f"AllocateAddress with {name}")
    allocation_id = f"eipalloc-{context.ids.hex(17)}"
    pool = context.installation.public_pool
    address = Address(
        id=allocation_id,
        public_address=claim_public(context.tx, context.ids, pool, allocation_id),
        tags=tags_at_creation(context, request, "elastic-ip"),
    )
    context.tx.create(ADDRESS, *_place(context), address.id, address)
    return {
        "AllocationId": address.id,
        "PublicIp": address.public_address,
        "Domain": "vpc",
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": context.region,
    }


def describe_addresses(context: Context, request: "DescribeAddressesRequestTypeDef") -> Response:
    addresses = [r.value for r in context.tx.scan(ADDRESS, *_place(context))]
    wanted = request.get("PublicIps") or ()
    for public in wanted:
        if all(address.public_address != public for address in addresses):
            raise AwsError("InvalidAddress.NotFound", f"Address '{public}' not found.")
    if wanted:
        addresses = [address for address in addresses if address.public_address in wanted]
    return describe(LISTING, (_item(context, address) for address in addresses), request)


def describe_addresses_attribute(
    context: Context, request: "DescribeAddressesAttributeRequestTypeDef"
) -> Response:
    """The addresses; none has a reverse name, which cannot be set yet."""
    answer = describe_addresses(
        context, {"AllocationIds": list(request.get("AllocationIds") or ())}
    )
    return {
        "Addresses": [
            {"AllocationId": item["AllocationId"], "PublicIp": item["PublicIp"]}
            for item in answer["Addresses"]
        ]
    }


def _address(context: Context, request: Any) -> Address:
    """The address that a request names by allocation id or by itself."""
    if request.get("AllocationId"):
        return require(context.tx, ADDRESS, *_place(context), request["AllocationId"])
    public = request.get("PublicIp", "")
    if not public:
        raise AwsError("MissingParameter", "Either public IP or allocation id must be specified")
    for record in context.tx.scan(ADDRESS, *_place(context)):
        if record.value.public_address == public:
            return record.value
    raise AwsError("InvalidAddress.NotFound", f"Address '{public}' not found.")


def _put(context: Context, address: Address, **changes: str) -> Address:
    changed = msgspec.structs.replace(address, **changes)
    context.tx.put(ADDRESS, *_place(context), address.id, changed)
    return changed


def associate_address(context: Context, request: "AssociateAddressRequestTypeDef") -> Response:
    """Give an ENI an elastic address in the place of the public one it has."""
    address = _address(context, request)
    eni_id = request.get("NetworkInterfaceId") or _interface_of_instance(context, request)
    if not eni_id:
        raise AwsError(
            "MissingParameter", "Either 'InstanceId' or 'NetworkInterfaceId' must be specified"
        )
    eni = require(context.tx, NETWORK_INTERFACE, *_place(context), eni_id)
    private = _private(request, eni)
    other = elastic_of(context.tx, *_place(context), eni).get(private)
    if other is not None and other.id == address.id:
        other = None
    _check_free(request, address, eni, other)
    if other is not None:
        dissociate(context.tx, *_place(context), other)
    freed = eni
    if eni.public_address and private == eni.private_address:
        release_public(context.tx, eni.public_address)
        freed = msgspec.structs.replace(eni, public_address="")
    # Written in any case, so that two addresses taking one ENI at once must meet.
    context.tx.put(NETWORK_INTERFACE, *_place(context), eni.id, freed)
    changed = _put(
        context,
        address,
        association_id=f"eipassoc-{context.ids.hex(17)}",
        network_interface_id=eni.id,
        private_address=private,
    )
    return {"AssociationId": changed.association_id}


def _interface_of_instance(context: Context, request: Any) -> str:
    """The primary interface of the instance that a request names, or empty."""
    if not request.get("InstanceId"):
        return ""
    instance = find_instance(context, request["InstanceId"])
    if is_gone(context, instance) or shown_state(context, instance) == "pending":
        raise AwsError(
            "InvalidInstanceID",
            f"The instance '{instance.id}' is not in a valid state for this operation.",
        )
    return instance.interface_id


def _private(request: Any, eni: NetworkInterface) -> str:
    """The ENI's address that the elastic one is to stand for: its primary one, unless said."""
    private: str = request.get("PrivateIpAddress") or eni.private_address
    if private not in {eni.private_address, *eni.secondary_addresses}:
        raise AwsError(
            "InvalidParameterValue", f"{private} is not assigned to network interface {eni.id}"
        )
    return private


def _check_free(
    request: Any, address: Address, eni: NetworkInterface, other: Address | None
) -> None:
    """Resource.AlreadyAssociated, unless it may be taken: the address from another ENI, or what it
    shall stand for from the `other` address."""
    if request.get("AllowReassociation", not request.get("AllocationId")):
        return
    taken = address.network_interface_id not in ("", eni.id)
    if taken or other is not None:
        held = address.association_id or (other.association_id if other is not None else "")
        raise AwsError(
            "Resource.AlreadyAssociated",
            f"resource {address.id if taken else eni.id} is already associated with "
            f"associate-id {held}",
        )


def disassociate_address(
    context: Context, request: "DisassociateAddressRequestTypeDef"
) -> Response:
    association_id = request.get("AssociationId", "")
    if not association_id:
        dissociate(context.tx, *_place(context), _address(context, request))
        return {}
    for record in context.tx.scan(ADDRESS, *_place(context)):
        if record.value.association_id == association_id:
            dissociate(context.tx, *_place(context), record.value)
            return {}
    raise AwsError(
        "InvalidAssociationID.NotFound", f"The association ID '{association_id}' does not exist"
    )


def release_address(context: Context, request: "ReleaseAddressRequestTypeDef") -> Response:
    address = _address(context, request)
    if address.association_id:
        raise AwsError("InvalidIPAddress.InUse", f"Address {address.public_address} is in use.")
    release_public(context.tx, address.public_address)
    context.tx.delete(ADDRESS, *_place(context), address.id)
    return {}
