"""The network of a cluster ("VPC and subnet requirements", Amazon EKS User Guide)."""

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from longshore.model.ec2 import SECURITY_GROUP, SUBNET, VPC, Subnet
from longshore.model.errors import AwsError
from longshore.model.kind import Kind
from longshore.services.eks.failures import invalid_parameter
from longshore.services.interface import Context
from longshore.vpc.addresses import free_addresses
from longshore.vpc.lookup import require

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import CreateClusterRequestTypeDef

T = TypeVar("T", bound=msgspec.Struct)
LEAST_ZONES = 2
LEAST_FREE = 5
MOST_GROUPS = 5
MOST_CIDRS = 40
EVERYWHERE = "0.0.0.0/0"
TEN = ipaddress.IPv4Network("10.0.0.0/8")
PRIVATE = (TEN, ipaddress.IPv4Network("172.16.0.0/12"), ipaddress.IPv4Network("192.168.0.0/16"))
SHORTEST_PREFIX, LONGEST_PREFIX = 12, 24
SERVICE_CIDRS = ("10.100.0.0/16", "172.20.0.0/16")
"""What services' addresses are of by default."""


class Network(NamedTuple):
    """What a cluster has of a VPC. CIDRs are as `10.100.0.0/16`, without bits of hosts."""

    vpc_id: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    public_access: bool
    private_access: bool
    public_cidrs: tuple[str, ...]
    service_cidr: str


def checked_network(context: Context, request: "CreateClusterRequestTypeDef") -> Network:
    """What the request asks for; InvalidParameterException where it may not be."""
    name, asked = request["name"], request["resourcesVpcConfig"]
    public = asked.get("endpointPublicAccess", True)
    private = asked.get("endpointPrivateAccess", False)
    check_reachable(public, private, name)
    subnets = checked_subnets(context, asked.get("subnetIds", ()), name)
    vpc_id = subnets[0].vpc_id
    services = request.get("kubernetesNetworkConfig", {}).get("serviceIpv4Cidr", "")
    return Network(
        vpc_id=vpc_id,
        subnets=tuple(subnet.id for subnet in subnets),
        security_groups=checked_groups(context, asked.get("securityGroupIds", ()), vpc_id, name),
        public_access=public,
        private_access=private,
        public_cidrs=checked_public_cidrs(asked.get("publicAccessCidrs", ()), name),
        service_cidr=_service_cidr(context, services, vpc_id, name),
    )


def checked_subnets(context: Context, ids: Sequence[str], cluster: str) -> list[Subnet]:
    """Those of these ids, of one VPC and two AZs at least; InvalidParameterException."""
    subnets = [existing_resource(context, SUBNET, each, cluster) for each in dict.fromkeys(ids)]
    if len({subnet.vpc_id for subnet in subnets}) > 1:
        raise invalid_parameter("Subnets specified must all be in the same VPC", cluster)
    if len({subnet.zone for subnet in subnets}) < LEAST_ZONES:
        raise invalid_parameter("Subnets specified must be in at least two different AZs", cluster)
    place = (context.account, context.region)
    full = [each.id for each in subnets if free_addresses(context.tx, *place, each) < LEAST_FREE]
    if full:
        raise invalid_parameter(
            f"Subnets must have at least {LEAST_FREE} free IP addresses: {', '.join(full)}", cluster
        )
    return subnets


def checked_groups(
    context: Context, ids: Sequence[str], vpc_id: str, cluster: str
) -> tuple[str, ...]:
    """The ids, each once, of groups of this VPC; InvalidParameterException."""
    ids = tuple(dict.fromkeys(ids))
    if len(ids) > MOST_GROUPS:
        raise invalid_parameter(
            f"A cluster can have at most {MOST_GROUPS} security groups, not {len(ids)}", cluster
        )
    groups = [existing_resource(context, SECURITY_GROUP, each, cluster) for each in ids]
    if any(group.vpc_id != vpc_id for group in groups):
        raise invalid_parameter(
            "Security group(s) are not in/associated to the same VPC as the subnets.", cluster
        )
    return ids


def existing_resource(context: Context, kind: Kind[T], resource_id: str, cluster: str) -> T:
    """What EC2 has by this id; its error in EKS's words where there is none."""
    try:
        return require(context.tx, kind, context.account, context.region, resource_id)
    except AwsError as error:
        raise invalid_parameter(
            f"{error.message} (Service: AmazonEC2; Status Code: {error.status}; Error Code:"
            f" {error.code}; Request ID: {context.request_id}; Proxy: null)",
            cluster,
        ) from None


def check_reachable(public: bool, private: bool, cluster: str) -> None:
    if not public and not private:
        raise invalid_parameter("Private and public endpoint access cannot be false", cluster)


def checked_public_cidrs(cidrs: Sequence[str], cluster: str) -> tuple[str, ...]:
    """Whence the public endpoint is reached; from everywhere where no CIDR is given."""
    if len(cidrs) > MOST_CIDRS:
        raise invalid_parameter(
            f"publicAccessCidrs can have at most {MOST_CIDRS} CIDRs, not {len(cidrs)}", cluster
        )
    found = [_cidr("publicAccessCidrs", cidr, cluster) for cidr in cidrs or (EVERYWHERE,)]
    return tuple(dict.fromkeys(str(network) for network in found))


def _service_cidr(context: Context, asked: str, vpc_id: str, cluster: str) -> str:
    vpc = existing_resource(context, VPC, vpc_id, cluster)
    taken = [ipaddress.IPv4Network(cidr) for cidr in vpc.cidrs]
    found = _cidr("serviceIpv4Cidr", asked or _default_service_cidr(taken), cluster)
    if not any(found.subnet_of(private) for private in PRIVATE):
        raise invalid_parameter(
            f"serviceIpv4Cidr {found} must be within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
            cluster,
        )
    if not SHORTEST_PREFIX <= found.prefixlen <= LONGEST_PREFIX:
        raise invalid_parameter(
            f"serviceIpv4Cidr {found} must be between /{LONGEST_PREFIX} and /{SHORTEST_PREFIX}",
            cluster,
        )
    if any(found.overlaps(network) for network in taken):
        raise invalid_parameter(
            f"serviceIpv4Cidr {found} must not overlap with a CIDR of the VPC", cluster
        )
    return str(found)


def _default_service_cidr(taken: Sequence[ipaddress.IPv4Network]) -> str:
    """The second one where the VPC has a CIDR of 10.0.0.0/8, as on AWS; never what it overlaps."""
    in_ten = any(network.subnet_of(TEN) for network in taken)
    choices = SERVICE_CIDRS[::-1] if in_ten else SERVICE_CIDRS
    for choice in choices:
        if not any(ipaddress.IPv4Network(choice).overlaps(network) for network in taken):
            return choice
    return choices[0]


def _cidr(member: str, text: str, cluster: str) -> ipaddress.IPv4Network:
    try:
        if "/" in text:
            return ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        pass
    raise invalid_parameter(f"{member} has an invalid CIDR: {text}", cluster)
