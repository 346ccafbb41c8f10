"""The network that one host is to have: what the control plane tells an agent's fabric.

Everything a host's routers need and nothing more, as values; `Network` is complete, so a host that
missed a thousand changes needs only the newest one. Addresses are text (`10.0.1.17`), ranges CIDR.
"""

import msgspec


class SecondaryAddress(msgspec.Struct, frozen=True):
    """A further address of an ENI; `public_address` is an elastic one, or empty."""

    address: str
    public_address: str = ""


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """Where an ENI of a pod is: in the namespace of the ENI `trunk`, as `vlan.eth.<vlan>`; `pod` is
    the pod's uid."""

    trunk: str
    vlan: int
    pod: str


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """An ENI that is, or shall be, on this host."""

    id: str
    vpc_id: str
    subnet_id: str
    mac: str
    address: str
    prefix_length: int
    """Of the subnet."""
    gateway: str
    """First address of the subnet."""
    public_address: str = ""
    """Auto-assigned or elastic; empty where there is none."""
    secondary: tuple[SecondaryAddress, ...] = ()
    """Lead to the ENI too; who uses them in its namespace sees to them there."""
    security_groups: tuple[str, ...] = ()
    source_dest_check: bool = True
    zone: str = ""
    """The subnet's Availability Zone, by name."""
    branch: Branch | None = None
    """None: the ENI has a namespace of its own, or is beside another in that one's."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All private ones, the primary first."""
        return (self.address, *(each.address for each in self.secondary))

    @property
    def translations(self) -> dict[str, str]:
        """Public addresses by the private ones that they stand for."""
        pairs = {self.address: self.public_address}
        pairs |= {each.address: each.public_address for each in self.secondary}
        return {private: public for private, public in pairs.items() if public}


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One security group rule, for one peer.

    `protocol` is an IANA number or -1 for all. For TCP and UDP `from_port` to `to_port`, both
    included; for ICMP they are type and code, -1 for any. Exactly one of `cidr`, `group_id` is set.
    """

    protocol: int
    from_port: int = -1
    to_port: int = -1
    cidr: str = ""
    group_id: str = ""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A security group and the addresses of all its members, wherever their hosts are."""

    id: str
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    members: tuple[str, ...] = ()


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """`target` is `local`, `igw-…`, `nat-…`, `eni-…` or `blackhole`."""

    destination: str
    target: str


class Subnet(msgspec.Struct, frozen=True, kw_only=True):
    """A subnet and the routes of the table that it uses."""

    id: str
    cidr: str
    routes: tuple[Route, ...] = ()


class Name(msgspec.Struct, frozen=True):
    """A DNS name, in lower case and without its last dot, and the addresses that it leads to."""

    name: str
    addresses: tuple[str, ...]


class Vpc(msgspec.Struct, frozen=True, kw_only=True):
    """A VPC of which this host has interfaces."""

    id: str
    cidrs: tuple[str, ...]
    subnets: tuple[Subnet, ...] = ()
    resolver: str = ""
    """Base address plus two; empty where DNS support is off."""
    names: tuple[Name, ...] = ()
    """What its resolver answers besides the names that are the same everywhere."""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """All of one host's network, at one revision of the store."""

    revision: int = 0
    vpcs: tuple[Vpc, ...] = ()
    groups: tuple[Group, ...] = ()
    interfaces: tuple[Interface, ...] = ()
