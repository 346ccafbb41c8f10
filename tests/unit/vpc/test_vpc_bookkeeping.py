"""ENIs, addresses and the network of a host, over a store in memory."""

import ipaddress
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from longshore.base.ids import SeededIds
from longshore.base.installation import Installation
from longshore.model.ec2 import (
    ADDRESS_CLAIM,
    NETWORK_INTERFACE,
    PRIVATE_NAME,
    SECURITY_GROUP,
    SUBNET,
    PrivateName,
    SecurityGroup,
    SecurityGroupRule,
    private_name,
)
from longshore.model.errors import AwsError
from longshore.store.interface import Transaction
from longshore.testing.memory_store import MemoryStore
from longshore.vpc import (
    create_default_vpc,
    create_network_interface,
    delete_network_interface,
    host_network,
)
from longshore.vpc.creation import create_subnet, create_vpc
from longshore.vpc.zones import private_dns_name, zone_id

ACCOUNT, REGION = "123456789012", "us-east-1"
INSTALLATION = Installation(data_dir=Path("/nowhere"), public_pool="198.18.5.0/28")
PLACE = (ACCOUNT, REGION)
R = TypeVar("R")


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("us-east-1a", "use1-az1"),
        ("eu-west-2c", "euw2-az3"),
        ("ap-southeast-1b", "apse1-az2"),
        ("us-gov-west-1a", "usgw1-az1"),
    ],
)
def test_zone_ids_are_spelt_as_aws_spells_them(zone: str, expected: str) -> None:
    assert zone_id(zone) == expected


def test_private_names_have_the_domain_of_their_region() -> None:
    assert private_dns_name("10.0.0.5", "us-east-1") == "ip-10-0-0-5.ec2.internal"
    assert private_dns_name("10.0.0.5", "eu-west-1") == "ip-10-0-0-5.eu-west-1.compute.internal"


async def test_default_vpc_is_made_once() -> None:
    store, ids = MemoryStore(), SeededIds()
    first = await store.transact(lambda tx: create_default_vpc(tx, *PLACE, ids))
    second = await store.transact(lambda tx: create_default_vpc(tx, *PLACE, ids))
    assert first == second
    assert len(store.reader.scan(SUBNET, *PLACE)) == 3


def put_group(group: SecurityGroup, tx: Transaction) -> None:
    tx.create(SECURITY_GROUP, *PLACE, group.id, group)


async def test_names_of_a_vpc_are_its_own_before_those_of_every_vpc() -> None:
    store, ids = MemoryStore(), SeededIds(1)

    def make(tx: Transaction) -> list[str]:
        vpcs = []
        for cidr in ("10.1.0.0/16", "10.2.0.0/16"):
            vpc = create_vpc(tx, ids, ACCOUNT, REGION, cidr)
            subnet = create_subnet(tx, ids, ACCOUNT, REGION, vpc.id, cidr, "us-east-1a")
            create_network_interface(
                tx,
                ids,
                0.0,
                account=ACCOUNT,
                region=REGION,
                subnet_id=subnet.id,
                host="h",
                installation=INSTALLATION,
            )
            vpcs.append(vpc.id)
        for vpc_id, name, address in (
            ("", "api.example", "198.18.5.2"),
            ("", "www.example", "198.18.5.3"),
            (vpcs[0], "api.example", "10.1.0.9"),
        ):
            value = PrivateName(vpc_id=vpc_id, name=name, addresses=(address,), owner_arn="arn:a")
            tx.create(PRIVATE_NAME, "999999999999", REGION, private_name(vpc_id, name), value)
        return vpcs

    first, second = await store.transact(make)
    found = {vpc.id: vpc for vpc in host_network(store.reader, "h", 1).vpcs}
    names = {vpc_id: {n.name: n.addresses for n in vpc.names} for vpc_id, vpc in found.items()}
    assert names == {
        first: {"api.example": ("10.1.0.9",), "www.example": ("198.18.5.3",)},
        second: {"api.example": ("198.18.5.2",), "www.example": ("198.18.5.3",)},
    }


async def test_host_has_its_enis_their_groups_and_the_members_of_groups_referred_to() -> None:
    store, ids = MemoryStore(), SeededIds()
    vpc = await store.transact(lambda tx: create_default_vpc(tx, *PLACE, ids))
    subnet = store.reader.scan(SUBNET, *PLACE)[0].value
    refers = SecurityGroupRule(
        id="sgr-1", egress=False, protocol="tcp", from_port=1, to_port=2, group_id="sg-far"
    )
    for group in (
        SecurityGroup(id="sg-far", vpc_id=vpc.id, name="far", description=""),
        SecurityGroup(id="sg-near", vpc_id=vpc.id, name="near", description="", rules=(refers,)),
    ):
        await store.transact(partial(put_group, group))

    async def make(group: str, host: str) -> str:
        made = await store.transact(
            lambda tx: create_network_interface(
                tx,
                ids,
                1.0,
                account=ACCOUNT,
                region=REGION,
                subnet_id=subnet.id,
                security_groups=[group],
                host=host,
                installation=INSTALLATION,
            )
        )
        return made.private_address

    near, far = await make("sg-near", "host-1"), await make("sg-far", "host-2")
    network = host_network(store.reader, "host-1", 7)
    (interface,) = network.interfaces
    assert (network.revision, interface.address) == (7, near)
    assert interface.public_address.startswith("198.18.5.")
    (shown,) = network.vpcs
    assert shown.resolver == "172.31.0.2"
    targets = {route.destination: route.target for route in shown.subnets[0].routes}
    assert targets["0.0.0.0/0"].startswith("igw-")
    groups = {group.id: group for group in network.groups}
    assert groups["sg-far"].members == (far,)
    assert groups["sg-near"].ingress[0].group_id == "sg-far"
    assert host_network(store.reader, "host-3", 7).interfaces == ()


class Transactions:
    """The store's transactions without a loop around them."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def run(self, function: Callable[[Transaction], R]) -> R:
        coroutine = self.store.transact(function)
        try:
            coroutine.send(None)
        except StopIteration as end:
            return cast(R, end.value)
        raise AssertionError("the store in memory never waits")


class Addresses(RuleBasedStateMachine):
    """Whatever is made and removed: each address has one owner, and none is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.transactions = Transactions()
        self.ids = SeededIds(3)
        run = self.transactions.run
        vpc = run(lambda tx: create_vpc(tx, self.ids, *PLACE, "10.0.0.0/16"))
        self.subnet = run(
            lambda tx: create_subnet(tx, self.ids, *PLACE, vpc.id, "10.0.0.0/28", f"{REGION}a")
        )
        self.made: list[str] = []

    @rule(public=st.booleans())
    def create(self, public: bool) -> None:
        try:
            eni = self.transactions.run(
                lambda tx: create_network_interface(
                    tx,
                    self.ids,
                    1.0,
                    account=ACCOUNT,
                    region=REGION,
                    subnet_id=self.subnet.id,
                    assign_public_ip=public,
                    installation=INSTALLATION,
                )
            )
            self.made.append(eni.id)
        except AwsError as error:
            assert error.code in {
                "InsufficientFreeAddressesInSubnet",
                "InsufficientAddressCapacity",
            }
            assert len(self.made) >= 11

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        eni_id = data.draw(st.sampled_from(self.made))
        for _ in range(2):
            self.transactions.run(lambda tx: delete_network_interface(tx, *PLACE, eni_id))
        self.made.remove(eni_id)

    @invariant()
    def every_address_has_one_owner(self) -> None:
        reader = self.transactions.store.reader
        enis = [record.value for record in reader.scan(NETWORK_INTERFACE, *PLACE)]
        private = [eni.private_address for eni in enis]
        public = [eni.public_address for eni in enis if eni.public_address]
        assert len(set(private)) == len(private) and len(set(public)) == len(public)
        claims = {r.key.name.rpartition("/")[2]: r.value.owner for r in reader.scan(ADDRESS_CLAIM)}
        assert claims == {
            address: eni.id
            for eni in enis
            for address in (eni.private_address, eni.public_address)
            if address
        }
        network = ipaddress.IPv4Network(self.subnet.cidr)
        reserved = {str(network[n]) for n in (0, 1, 2, 3, 15)}
        assert not reserved & set(private)


TestAddresses = Addresses.TestCase
TestAddresses.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
