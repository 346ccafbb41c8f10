"""VPCs with what AWS makes along with them, and an account's default VPC."""

import ipaddress

from longshore.base.ids import Ids
from longshore.model.ec2 import (
    DHCP_OPTIONS,
    INTERNET_GATEWAY,
    ROUTE_TABLE,
    SECURITY_GROUP,
    SUBNET,
    VPC,
    DhcpOptions,
    InternetGateway,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    Tags,
    Vpc,
)
from longshore.store.interface import Transaction
from longshore.vpc.zones import private_domain, zone_id, zone_names

DEFAULT_VPC_CIDR = "172.31.0.0/16"
DEFAULT_SUBNET_PREFIX = 20
EVERYWHERE = "0.0.0.0/0"


def create_default_vpc(tx: Transaction, account: str, region: str, ids: Ids) -> Vpc:
    """The account's default VPC in this region, made where there is none ("Default VPCs").

    A subnet with public addresses in each AZ, an internet gateway, the main route table that leads
    there, and the default security group.
    """
    for record in tx.scan(VPC, account, region):
        if record.value.is_default:
            return record.value
    prefix = DEFAULT_SUBNET_PREFIX
    return create_public_vpc(tx, ids, account, region, DEFAULT_VPC_CIDR, prefix, is_default=True)


def create_public_vpc(
    tx: Transaction,
    ids: Ids,
    account: str,
    region: str,
    cidr: str,
    subnet_prefix: int,
    *,
    is_default: bool = False,
) -> Vpc:
    """A VPC of this range with a public subnet in each AZ, each of this prefix length."""
    vpc = create_vpc(tx, ids, account, region, cidr, is_default=is_default)
    gateway = InternetGateway(id=f"igw-{ids.hex(17)}", vpc_id=vpc.id)
    tx.create(INTERNET_GATEWAY, account, region, gateway.id, gateway)
    (table,) = (record.value for record in tx.find(ROUTE_TABLE, account, region, "vpc", vpc.id))
    routes = (*table.routes, Route(destination=EVERYWHERE, target=gateway.id))
    main = RouteTable(id=table.id, vpc_id=vpc.id, routes=routes, associations=table.associations)
    tx.put(ROUTE_TABLE, account, region, table.id, main)
    cidrs = ipaddress.IPv4Network(cidr).subnets(new_prefix=subnet_prefix)
    for zone, each in zip(zone_names(region), cidrs, strict=False):
        create_subnet(tx, ids, account, region, vpc.id, str(each), zone, is_default=is_default)
    return vpc


def create_vpc(
    tx: Transaction,
    ids: Ids,
    account: str,
    region: str,
    cidr: str,
    *,
    tenancy: str = "default",
    is_default: bool = False,
    tags: Tags = (),
) -> Vpc:
    """A VPC with its main route table, default group, default network ACL and DHCP options."""
    vpc = Vpc(
        id=f"vpc-{ids.hex(17)}",
        cidrs=(cidr,),
        is_default=is_default,
        dns_hostnames=is_default,
        instance_tenancy=tenancy,
        dhcp_options_id=_default_dhcp_options(tx, ids, account, region).id,
        network_acl_id=f"acl-{ids.hex(17)}",
        tags=tags,
    )
    tx.create(VPC, account, region, vpc.id, vpc)
    table = RouteTable(
        id=f"rtb-{ids.hex(17)}",
        vpc_id=vpc.id,
        routes=(Route(destination=cidr, target="local", origin="CreateRouteTable"),),
        associations=((f"rtbassoc-{ids.hex(17)}", ""),),
    )
    tx.create(ROUTE_TABLE, account, region, table.id, table)
    _create_default_group(tx, ids, account, region, vpc.id)
    return vpc


def _create_default_group(
    tx: Transaction, ids: Ids, account: str, region: str, vpc_id: str
) -> None:
    """Members reach each other and everything ("Default security groups for your VPCs")."""
    group_id = f"sg-{ids.hex(17)}"
    group = SecurityGroup(
        id=group_id,
        vpc_id=vpc_id,
        name="default",
        description="default VPC security group",
        rules=(within_group(ids, account, group_id), egress_to_everywhere(ids)),
    )
    tx.create(SECURITY_GROUP, account, region, group_id, group)


def within_group(ids: Ids, account: str, group_id: str) -> SecurityGroupRule:
    """The rule by which a group's members reach each other."""
    return SecurityGroupRule(
        id=f"sgr-{ids.hex(17)}",
        egress=False,
        protocol="-1",
        group_id=group_id,
        group_account=account,
    )


def egress_to_everywhere(ids: Ids) -> SecurityGroupRule:
    """The rule that every new group has."""
    return SecurityGroupRule(id=f"sgr-{ids.hex(17)}", egress=True, protocol="-1", cidr=EVERYWHERE)


def create_subnet(
    tx: Transaction,
    ids: Ids,
    account: str,
    region: str,
    vpc_id: str,
    cidr: str,
    zone: str,
    *,
    is_default: bool = False,
    tags: Tags = (),
) -> Subnet:
    """A subnet; the caller has checked its range."""
    subnet = Subnet(
        id=f"subnet-{ids.hex(17)}",
        vpc_id=vpc_id,
        cidr=cidr,
        zone=zone,
        zone_id=zone_id(zone),
        default_for_az=is_default,
        map_public_ip=is_default,
        tags=tags,
    )
    tx.create(SUBNET, account, region, subnet.id, subnet)
    return subnet


def _default_dhcp_options(tx: Transaction, ids: Ids, account: str, region: str) -> DhcpOptions:
    """The account's set with Amazon's resolver; one a region, made with the first VPC."""
    for record in tx.scan(DHCP_OPTIONS, account, region, limit=1):
        return record.value
    options = DhcpOptions(
        id=f"dopt-{ids.hex(17)}",
        configurations=(
            ("domain-name", (private_domain(region),)),
            ("domain-name-servers", ("AmazonProvidedDNS",)),
        ),
    )
    tx.create(DHCP_OPTIONS, account, region, options.id, options)
    return options
