"""A small VPC to test packets in: two subnets, groups by name, ENIs by number."""

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from longshore.base.installation import Installation
from longshore.fabric.names import namespace_prefix, uplink_prefix
from longshore.fabric.namespaces import listed
from longshore.main.address_pool import choose_public_pool
from longshore.model.network import Group, Interface, Network, Route, Rule, Subnet, Vpc
from longshore.testing.ports import free_ports

EVERYWHERE = "0.0.0.0/0"
ALL_OUT = (Rule(protocol=-1, cidr=EVERYWHERE),)


def tcp(port: int, *, cidr: str = "", group: str = "", last: int | None = None) -> Rule:
    return Rule(protocol=6, from_port=port, to_port=last or port, cidr=cidr, group_id=group)


class Builder:
    """Networks of one installation; `public` is subnet 1 (10.0.1.0/24), `private` subnet 2."""

    def __init__(self, installation: Installation, vpc_id: str = "vpc-1") -> None:
        self.installation = installation
        self.vpc_id = vpc_id

    def eni(
        self, number: int, *groups: str, subnet: int = 1, public: bool = False, check: bool = True
    ) -> Interface:
        pool = self.installation.public_pool.rsplit(".", 1)[0]
        return Interface(
            id=f"eni-{self.vpc_id[4:]}{number}",
            vpc_id=self.vpc_id,
            subnet_id=f"subnet-{subnet}",
            mac=f"02:00:00:00:{subnet:02x}:{number:02x}",
            address=f"10.0.{subnet}.{number}",
            prefix_length=24,
            gateway=f"10.0.{subnet}.1",
            public_address=f"{pool}.{number}" if public else "",
            security_groups=groups,
            source_dest_check=check,
        )

    @property
    def vpc(self) -> Vpc:
        local = Route(destination="10.0.0.0/16", target="local")
        outside = Route(destination=EVERYWHERE, target="igw-1")
        return Vpc(
            id=self.vpc_id,
            cidrs=("10.0.0.0/16",),
            resolver="10.0.0.2",
            subnets=(
                Subnet(id="subnet-1", cidr="10.0.1.0/24", routes=(local, outside)),
                Subnet(id="subnet-2", cidr="10.0.2.0/24", routes=(local,)),
            ),
        )

    def network(
        self,
        interfaces: Iterable[Interface],
        ingress: Mapping[str, tuple[Rule, ...]],
        egress: Mapping[str, tuple[Rule, ...]] | None = None,
    ) -> Network:
        """Groups have the ingress given, and all egress unless `egress` says otherwise."""
        interfaces = tuple(interfaces)
        egress = egress or {}
        return Network(
            vpcs=(self.vpc,),
            interfaces=interfaces,
            groups=tuple(
                Group(
                    id=name,
                    ingress=rules,
                    egress=egress.get(name, ALL_OUT),
                    members=tuple(i.address for i in interfaces if name in i.security_groups),
                )
                for name, rules in ingress.items()
            ),
        )


def joined(*networks: Network) -> Network:
    return Network(
        vpcs=tuple(vpc for network in networks for vpc in network.vpcs),
        groups=tuple(group for network in networks for group in network.groups),
        interfaces=tuple(i for network in networks for i in network.interfaces),
    )


def make_installation(data_dir: Path) -> Installation:
    return Installation(
        data_dir=data_dir, port=free_ports(8), public_pool=choose_public_pool(data_dir)
    )


def traces(installation: Installation) -> list[str]:
    """Whatever of the installation is in the kernel."""
    found = listed(namespace_prefix(installation.id))
    devices = (path.name for path in Path("/sys/class/net").iterdir())
    found += [name for name in devices if name.startswith(uplink_prefix(installation.id))]
    for command in (["nft", "list", "tables"], ["ip", "route", "show", "table", "all"]):
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found += [
            line
            for line in lines.splitlines()
            if installation.id in line or installation.public_pool in line
        ]
    return found
