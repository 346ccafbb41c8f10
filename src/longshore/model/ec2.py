"""What EC2 keeps: VPCs and what is in them.

Records are named by their id (`vpc-…`) in the account and region that own them. Tags are pairs in
the order given. Times are epoch seconds.
"""

import msgspec

from longshore.model.kind import Kind

Tags = tuple[tuple[str, str], ...]


class Vpc(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    cidrs: tuple[str, ...]
    is_default: bool = False
    dns_support: bool = True
    dns_hostnames: bool = False
    instance_tenancy: str = "default"
    dhcp_options_id: str = "default"
    network_acl_id: str = ""
    """Of the default network ACL, the only one, which allows everything."""
    tags: Tags = ()


class Subnet(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    vpc_id: str
    cidr: str
    zone: str
    """Availability Zone name: `us-east-1a`."""
    zone_id: str
    default_for_az: bool = False
    map_public_ip: bool = False
    tags: Tags = ()


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """`target` is `local`, `igw-…`, `nat-…` or `eni-…`."""

    destination: str
    target: str
    origin: str = "CreateRoute"


class RouteTable(msgspec.Struct, frozen=True, kw_only=True):
    """`associations` are (association id, subnet id); the main association has the subnet `""`."""

    id: str
    vpc_id: str
    routes: tuple[Route, ...] = ()
    associations: tuple[tuple[str, str], ...] = ()
    tags: Tags = ()


class InternetGateway(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    vpc_id: str = ""
    tags: Tags = ()


class SecurityGroupRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule for one peer, as DescribeSecurityGroupRules lists it.

    `protocol` is `tcp`, `udp`, `icmp`, `icmpv6`, `-1` or a number; exactly one of `cidr`,
    `cidr_ipv6`, `prefix_list_id`, `group_id` is set.
    """

    id: str
    egress: bool
    protocol: str
    from_port: int = -1
    to_port: int = -1
    cidr: str = ""
    cidr_ipv6: str = ""
    prefix_list_id: str = ""
    group_id: str = ""
    group_account: str = ""
    description: str = ""
    tags: Tags = ()


class SecurityGroup(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    vpc_id: str
    name: str
    description: str
    rules: tuple[SecurityGroupRule, ...] = ()
    tags: Tags = ()


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """What a branch interface is for: a pod of an EKS cluster, on the instance whose interface is
    `trunk`, where `vlan` tells it from others (from 1 on)."""

    trunk: str
    vlan: int
    pod: str
    pod_uid: str


class NetworkInterface(msgspec.Struct, frozen=True, kw_only=True):
    """An ENI. `host` is where its packets go in and out; empty while it is nowhere.

    `status` is `available` or `in-use`. `public_address` is an auto-assigned one; an elastic one is
    on the `Address` that names this ENI. `owner_arn` is what it was made for (a task), so that its
    maker can clean up.
    """

    id: str
    vpc_id: str
    subnet_id: str
    zone: str
    mac: str
    private_address: str
    secondary_addresses: tuple[str, ...] = ()
    """Further private ones, in the order in which they were assigned."""
    security_groups: tuple[str, ...] = ()
    description: str = ""
    interface_type: str = "interface"
    requester_managed: bool = False
    status: str = "available"
    attachment_id: str = ""
    attached_at: float = 0.0
    instance_id: str = ""
    public_address: str = ""
    source_dest_check: bool = True
    delete_on_termination: bool = False
    host: str = ""
    owner_arn: str = ""
    created_at: float = 0.0
    tags: Tags = ()
    branch: Branch | None = None


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """An elastic IP address, named by its allocation id."""

    id: str
    public_address: str
    association_id: str = ""
    network_interface_id: str = ""
    private_address: str = ""
    tags: Tags = ()


class DhcpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """A DHCP options set: (key, values) pairs."""

    id: str
    configurations: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tags: Tags = ()


class KeyPair(msgspec.Struct, frozen=True, kw_only=True):
    """A key pair, named by its id; `public_key` is in OpenSSH's form."""

    id: str
    name: str
    key_type: str
    fingerprint: str
    public_key: str
    created_at: float = 0.0
    tags: Tags = ()


class ClientToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a call with a client token made, named `<operation>/<token>`.

    `request` is a digest of the request, so that another one with the same token is refused.
    """

    request: str
    resource_id: str


class AddressClaim(msgspec.Struct, frozen=True, kw_only=True):
    """That an address is taken: one record an address, so that no two can take the same.

    Private addresses are named `<subnet id>/<address>` in the subnet's account and region, public
    ones by the address alone in account `""`, region `""`.
    """

    owner: str


class PrivateName(msgspec.Struct, frozen=True, kw_only=True):
    """A name that VPCs' resolvers know, named `<vpc_id>/<name>`.

    `vpc_id` is the VPC in which it leads to these addresses; where it is empty, it does so in every
    VPC that has no such name of its own. `owner_arn` is what it was made for.
    """

    vpc_id: str = ""
    name: str
    addresses: tuple[str, ...]
    owner_arn: str


def private_name(vpc_id: str, name: str) -> str:
    """The name of the record of a `PrivateName`."""
    return f"{vpc_id}/{name}"


VPC = Kind("ec2.vpc", Vpc)
SUBNET = Kind("ec2.subnet", Subnet, {"vpc": lambda value: [value.vpc_id]})
ROUTE_TABLE = Kind("ec2.route-table", RouteTable, {"vpc": lambda value: [value.vpc_id]})
INTERNET_GATEWAY = Kind("ec2.internet-gateway", InternetGateway)
SECURITY_GROUP = Kind("ec2.security-group", SecurityGroup, {"vpc": lambda value: [value.vpc_id]})
NETWORK_INTERFACE = Kind(
    "ec2.network-interface",
    NetworkInterface,
    {
        "subnet": lambda value: [value.subnet_id],
        "vpc": lambda value: [value.vpc_id],
        "group": lambda value: value.security_groups,
        "host": lambda value: [value.host] if value.host else [],
        "owner": lambda value: [value.owner_arn] if value.owner_arn else [],
    },
)
ADDRESS = Kind(
    "ec2.address",
    Address,
    {"interface": lambda value: [value.network_interface_id] if value.network_interface_id else []},
)
CLIENT_TOKEN = Kind("ec2.client-token", ClientToken)
DHCP_OPTIONS = Kind("ec2.dhcp-options", DhcpOptions)
KEY_PAIR = Kind("ec2.key-pair", KeyPair, {"name": lambda value: [value.name]})
ADDRESS_CLAIM = Kind("ec2.address-claim", AddressClaim)
PRIVATE_NAME = Kind("ec2.private-name", PrivateName, {"owner": lambda value: [value.owner_arn]})
