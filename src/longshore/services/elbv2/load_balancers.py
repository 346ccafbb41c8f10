"""Load balancers made, described and deleted; SetSubnets, SetSecurityGroups."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from longshore.balancing import new_load_balancer, remove_load_balancer
from longshore.model.ec2 import INTERNET_GATEWAY, SECURITY_GROUP, SUBNET, Subnet
from longshore.model.elbv2 import (
    LOAD_BALANCER_ATTRIBUTES,
    elb_arn,
    load_balancer_name,
)
from longshore.model.errors import AwsError, not_built
from longshore.services.elbv2.checks import check_name, tag_pairs
from longshore.services.elbv2.failures import (
    invalid,
    misconfigured,
    no_load_balancer,
    too_many,
)
from longshore.services.elbv2.limits import LIMITS
from longshore.services.elbv2.pages import page
from longshore.services.elbv2.records import (
    load_balancer_of,
    load_balancers,
    place_of,
    put_load_balancer,
)
from longshore.services.elbv2.tags import authorize_tags
from longshore.services.elbv2.view import load_balancer_shape, zones
from longshore.services.interface import Context, Operation, Response

Request = Mapping[str, Any]
MOST_GROUPS = 5


def create_load_balancer(context: Context, request: Request) -> Response:
    _check_built(request)
    name = check_name(request["Name"], "The load balancer")
    if name.startswith("internal-"):
        raise invalid(f"The load balancer name '{name}' cannot begin with 'internal-'")
    tags = tag_pairs(request.get("Tags") or ())
    scheme = request.get("Scheme") or "internet-facing"
    subnets, addresses = _subnets(context, request)
    groups = _groups(context, subnets[0].vpc_id, request.get("SecurityGroups") or ())
    authorize_tags(context, _pattern(context, name), tags)
    before = next((each for each in load_balancers(context) if each.name == name), None)
    if before is not None:
        same = (before.scheme, set(before.subnets), before.security_groups) == (
            scheme,
            {subnet.id for subnet in subnets},
            groups,
        )
        if not same:
            raise AwsError(
                "DuplicateLoadBalancerName",
                f"A load balancer with the same name '{name}' exists, but with different settings",
            )
        return {"LoadBalancers": [load_balancer_shape(context, before)]}
    if len(load_balancers(context)) >= LIMITS["network-load-balancers"]:
        raise too_many("TooManyLoadBalancers", "The limit on load balancers has been reached")
    if scheme == "internet-facing":
        _check_gateway(context, subnets[0].vpc_id)
    made = new_load_balancer(
        context.tx,
        place_of(context),
        name=name,
        scheme=scheme,
        subnets=subnets,
        addresses=addresses,
        security_groups=groups,
        tags=tags,
    )
    return {"LoadBalancers": [load_balancer_shape(context, made)]}


def _check_built(request: Request) -> None:
    kind = request.get("Type") or "application"
    if kind != "network":
        raise not_built(f"load balancers of type {kind}")
    _check_ipv4(request)
    for member in ("CustomerOwnedIpv4Pool", "IpamPools"):
        if request.get(member):
            raise not_built(f"{member} of load balancers")


def _check_ipv4(request: Request) -> None:
    if request.get("IpAddressType", "ipv4") != "ipv4":
        raise not_built("IPv6 addresses of load balancers")
    if request.get("EnablePrefixForIpv6SourceNat", "off") != "off":
        raise not_built("IPv6 source NAT of load balancers")
    for mapping in request.get("SubnetMappings") or ():
        if mapping.get("AllocationId"):
            raise not_built("elastic addresses of load balancers")
        if mapping.get("IPv6Address") or mapping.get("SourceNatIpv6Prefix"):
            raise not_built("IPv6 addresses of load balancers")


def _pattern(context: Context, name: str) -> str:
    return elb_arn(context.region, context.account, "loadbalancer", load_balancer_name(name, "*"))


def _subnets(
    context: Context, request: Request
) -> tuple[list[Subnet], tuple[tuple[str, str], ...]]:
    """The subnets asked for, and the private addresses that were chosen there."""
    mappings = request.get("SubnetMappings") or ()
    plain = request.get("Subnets") or ()
    if bool(mappings) == bool(plain):
        raise invalid("You must specify subnets or subnet mappings, and not both")
    ids = list(dict.fromkeys(plain or [each.get("SubnetId", "") for each in mappings]))
    subnets = [_subnet(context, each) for each in ids]
    if len({subnet.vpc_id for subnet in subnets}) > 1:
        raise misconfigured("All subnets must belong to the same VPC")
    if len({subnet.zone for subnet in subnets}) < len(subnets):
        raise misconfigured(
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
        )
    by_id = {subnet.id: subnet for subnet in subnets}
    chosen = tuple(
        (each["SubnetId"], _address(by_id[each["SubnetId"]], each["PrivateIPv4Address"]))
        for each in mappings
        if each.get("PrivateIPv4Address")
    )
    if chosen and request.get("Scheme") != "internal" and "Name" in request:
        raise misconfigured("Private IPv4 addresses can be given to internal load balancers only")
    return subnets, chosen


def _subnet(context: Context, subnet_id: str) -> Subnet:
    record = context.tx.get(SUBNET, context.account, context.region, subnet_id)
    if record is None:
        raise AwsError("SubnetNotFound", f"The subnet ID '{subnet_id}' does not exist")
    return record.value


def _address(subnet: Subnet, given: str) -> str:
    try:
        address = ipaddress.IPv4Address(given)
    except ValueError:
        raise invalid(f"'{given}' is not a valid IPv4 address") from None
    if address not in ipaddress.IPv4Network(subnet.cidr):
        raise misconfigured(f"The address {given} is not within the subnet {subnet.id}")
    return str(address)


def _groups(context: Context, vpc_id: str, ids: Sequence[str]) -> tuple[str, ...]:
    groups = tuple(dict.fromkeys(ids))
    if len(groups) > MOST_GROUPS:
        raise misconfigured(f"A load balancer can have at most {MOST_GROUPS} security groups")
    for group_id in groups:
        record = context.tx.get(SECURITY_GROUP, context.account, context.region, group_id)
        if record is None or record.value.vpc_id != vpc_id:
            raise AwsError("InvalidSecurityGroup", "One or more security groups are invalid")
        context.tx.require(record)
    return groups


def _check_gateway(context: Context, vpc_id: str) -> None:
    found = context.tx.scan(INTERNET_GATEWAY, context.account, context.region)
    if all(record.value.vpc_id != vpc_id for record in found):
        raise AwsError("InvalidSubnet", f"VPC {vpc_id} has no internet gateway")


def describe_load_balancers(context: Context, request: Request) -> Response:
    found = load_balancers(context)
    arns, names = request.get("LoadBalancerArns") or (), request.get("Names") or ()
    if arns and names:
        raise invalid("Load balancer ARNs and names cannot be specified at the same time")
    if set(arns) - {each.arn for each in found} or set(names) - {each.name for each in found}:
        raise no_load_balancer()
    chosen = [
        each for each in found if not (arns or names) or each.arn in arns or each.name in names
    ]
    some, marker = page(chosen, request, lambda each: each.arn)
    return {"LoadBalancers": [load_balancer_shape(context, each) for each in some], **marker}


def delete_load_balancer(context: Context, request: Request) -> Response:
    """One that is not there is deleted already."""
    arn = request["LoadBalancerArn"]
    for balancer in load_balancers(context):
        if balancer.arn != arn:
            continue
        attributes = {**LOAD_BALANCER_ATTRIBUTES, **balancer.attributes}
        if attributes["deletion_protection.enabled"] == "true":
            raise AwsError(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )
        name = load_balancer_name(balancer.name, balancer.id)
        remove_load_balancer(context.tx, place_of(context), name)
    return {}


def set_subnets(context: Context, request: Request) -> Response:
    balancer = load_balancer_of(context, request["LoadBalancerArn"])
    _check_ipv4(request)
    subnets, addresses = _subnets(context, request)
    if subnets[0].vpc_id != balancer.vpc_id:
        raise misconfigured("The subnets must belong to the VPC of the load balancer")
    kept = dict(balancer.addresses)
    for subnet_id, address in addresses:
        if subnet_id in balancer.subnets and kept.get(subnet_id) != address:
            raise misconfigured("The address in an enabled subnet cannot be changed")
    chosen = {**kept, **dict(addresses)}
    ids = tuple(subnet.id for subnet in subnets)
    changed = msgspec.structs.replace(
        balancer,
        subnets=ids,
        addresses=tuple((each, chosen[each]) for each in ids if each in chosen),
    )
    put_load_balancer(context, changed)
    return {"AvailabilityZones": zones(context, changed), "IpAddressType": "ipv4"}


def set_security_groups(context: Context, request: Request) -> Response:
    balancer = load_balancer_of(context, request["LoadBalancerArn"])
    if request.get("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic", "on") != "on":
        raise not_built("PrivateLink")
    groups = _groups(context, balancer.vpc_id, request["SecurityGroups"])
    if bool(groups) != bool(balancer.security_groups):
        # "You can't add security groups to one that was made without, nor remove the last."
        raise misconfigured(
            "Security groups cannot be added to a Network Load Balancer that was created without "
            "them, and not all of them can be removed"
        )
    put_load_balancer(context, msgspec.structs.replace(balancer, security_groups=groups))
    return {"SecurityGroupIds": list(groups)}


OPERATIONS: Mapping[str, Operation] = {
    "CreateLoadBalancer": create_load_balancer,
    "DeleteLoadBalancer": delete_load_balancer,
    "DescribeLoadBalancers": describe_load_balancers,
    "SetSecurityGroups": set_security_groups,
    "SetSubnets": set_subnets,
}
