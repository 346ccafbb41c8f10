"""EC2 behind a real gateway, called by boto3."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from integration.services.served import Served

from longshore.base.authority import Authority
from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.gateway.gateway import Gateway
from longshore.gateway.server import Certificate
from longshore.services.ec2 import service
from longshore.testing.identity import KnownKeys
from longshore.testing.memory_store import MemoryStore
from longshore.testing.ports import free_ports
from longshore.vpc import create_default_vpc

ACCOUNT, REGION = "123456789012", "us-east-1"


class Ec2(Served):
    """EC2 with a default VPC."""

    async def default_vpc(self) -> str:
        found = await self.call(
            "describe_vpcs", Filters=[{"Name": "is-default", "Values": ["true"]}]
        )
        return str(found["Vpcs"][0]["VpcId"])

    async def vpc(self, cidr: str = "10.0.0.0/16") -> str:
        return str((await self.call("create_vpc", CidrBlock=cidr))["Vpc"]["VpcId"])

    async def subnet(self, vpc_id: str, cidr: str = "10.0.1.0/24") -> str:
        made = await self.call("create_subnet", VpcId=vpc_id, CidrBlock=cidr)
        return str(made["Subnet"]["SubnetId"])

    async def group(self, vpc_id: str, name: str = "web") -> str:
        made = await self.call(
            "create_security_group", VpcId=vpc_id, GroupName=name, Description="for tests"
        )
        return str(made["GroupId"])

    async def eni(self, subnet_id: str, **request: Any) -> Any:
        made = await self.call("create_network_interface", SubnetId=subnet_id, **request)
        return made["NetworkInterface"]


@pytest.fixture
async def ec2(tmp_path: Path) -> AsyncIterator[Ec2]:
    installation = Installation(data_dir=tmp_path, port=free_ports(2), public_pool="198.19.7.0/24")
    authority = Authority.load_or_create(tmp_path / "ca", "test")
    certificate = authority.certificate(["localhost"], ["127.0.0.1"])
    store, identity = MemoryStore(), KnownKeys()
    await store.transact(lambda tx: create_default_vpc(tx, ACCOUNT, REGION, RandomIds()))
    gateway = Gateway(
        services=[service()],
        store=store,
        clock=SystemClock(),
        ids=RandomIds(),
        installation=installation,
        identity=identity,
        certificate=lambda: Certificate(*certificate),
        routes={},
    )
    await gateway.start()
    opened = Ec2("ec2", installation, store, identity)
    yield opened
    opened.client.close()
    await gateway.stop()
