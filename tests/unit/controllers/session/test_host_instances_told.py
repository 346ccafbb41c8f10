"""What an agent is told of its host's EC2 instances."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from longshore.controllers.session.identity import Credentials
from longshore.controllers.session.instances import HostInstances, concerns_instances
from longshore.model.ec2 import (
    ADDRESS,
    NETWORK_INTERFACE,
    SECURITY_GROUP,
    SUBNET,
    VPC,
    Address,
    NetworkInterface,
    SecurityGroup,
    Subnet,
    Vpc,
)
from longshore.model.iam import INSTANCE_PROFILE, ROLE, InstanceProfile, Role
from longshore.model.instances import INSTANCE, Instance, MetadataOptions
from longshore.model.principal import Credential, root
from longshore.nodeapi.own import HostInstance
from longshore.store.interface import Change, Key, Reader, Record
from longshore.testing.clock import FakeClock
from longshore.testing.identity import ACCOUNT, KnownKeys
from longshore.testing.memory_store import MemoryStore

PLACE = (ACCOUNT, "us-east-1")
ID = "i-0123456789abcdef0"
PROFILE_ARN = f"arn:aws:iam::{ACCOUNT}:instance-profile/nodes/node"
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
PROFILE = InstanceProfile(
    name="node", path="/nodes/", id="AIPA1", arn=PROFILE_ARN, created_at=0.0, roles=("Node",)
)
ROLE_RECORD = Role(
    name="Node",
    path="/",
    id="AROA1",
    arn=f"arn:aws:iam::{ACCOUNT}:role/Node",
    created_at=0.0,
    trust=json.dumps(TRUST),
)
INTERFACE = NetworkInterface(
    id="eni-1",
    vpc_id="vpc-1",
    subnet_id="subnet-1",
    zone="us-east-1a",
    mac="02:00:00:00:00:01",
    private_address="10.0.1.5",
    security_groups=("sg-1",),
    instance_id=ID,
    public_address="198.18.7.5",
    host="host-1",
)
OWN_INSTANCE = Instance(
    id=ID,
    reservation_id="r-1",
    image_id="ami-1",
    instance_type="t3.medium",
    vcpus=2,
    memory=4096,
    vpc_id="vpc-1",
    subnet_id="subnet-1",
    zone="us-east-1a",
    interface_id="eni-1",
    private_address="10.0.1.5",
    launched_at=1_700_000_000.0,
    key_name="mine",
    public_key="ssh-ed25519 AAAA mine",
    user_data="aGVsbG8=",
    profile_arn=PROFILE_ARN,
    profile_id="AIPA1",
    tags=(("Name", "web"),),
)


class Issuer(KnownKeys):
    """Issues keys that are numbered, and remembers for whom."""

    def __init__(self) -> None:
        super().__init__()
        self.issued: list[tuple[str, str, float]] = []

    def issue(
        self, reader: Reader, role_arn: str, session_name: str, seconds: float, now: float
    ) -> Credential:
        self.issued.append((role_arn, session_name, seconds))
        return Credential(
            access_key_id=f"ASIA{len(self.issued)}",
            secret_access_key="secret",
            session_token="token",
            principal=root(ACCOUNT),
            expires=now + seconds,
        )


class Setting:
    """A store with one instance on `host-1`, and what its agent is told."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.issuer = Issuer()
        self.told = HostInstances("host-1", Credentials(self.issuer, self.clock), self.clock)

    async def put(self, kind: Any, value: Any, *, account: str = ACCOUNT) -> None:
        name = value.name.lower() if kind in (INSTANCE_PROFILE, ROLE) else value.id
        region = "" if kind in (INSTANCE_PROFILE, ROLE) else PLACE[1]
        await self.store.transact(lambda tx: tx.put(kind, account, region, name, value))

    async def change(self, kind: Any, value: Any, **changes: Any) -> None:
        await self.put(kind, msgspec.structs.replace(value, **changes))

    def news(self) -> tuple[HostInstance, ...] | None:
        return self.told.news(self.store.reader)

    def one(self) -> HostInstance:
        news = self.news()
        assert news is not None
        (instance,) = news
        return instance


@pytest.fixture
async def setting() -> Setting:
    made = Setting()
    vpc = Vpc(id="vpc-1", cidrs=("10.0.0.0/16",), dns_hostnames=True)
    subnet = Subnet(
        id="subnet-1", vpc_id="vpc-1", cidr="10.0.1.0/24", zone="us-east-1a", zone_id="use1-az1"
    )
    group = SecurityGroup(id="sg-1", vpc_id="vpc-1", name="web", description="")
    for kind, value in (
        (VPC, vpc),
        (SUBNET, subnet),
        (SECURITY_GROUP, group),
        (NETWORK_INTERFACE, INTERFACE),
        (INSTANCE_PROFILE, PROFILE),
        (ROLE, ROLE_RECORD),
        (INSTANCE, OWN_INSTANCE),
    ):
        await made.put(kind, value)
    return made


async def test_an_agent_is_told_all_that_metadata_say(setting: Setting) -> None:
    told = setting.one()
    profile = told.profile
    assert profile is not None and profile.role is not None
    assert msgspec.structs.replace(told, profile=None) == HostInstance(
        interface_id="eni-1",
        instance_id=ID,
        image_id="ami-1",
        instance_type="t3.medium",
        account=ACCOUNT,
        region="us-east-1",
        zone="us-east-1a",
        zone_id="use1-az1",
        reservation_id="r-1",
        launched_at="2023-11-14T22:13:20Z",
        private_dns_name="ip-10-0-1-5.ec2.internal",
        public_dns_name="ec2-198-18-7-5.compute-1.amazonaws.com",
        subnet_cidr="10.0.1.0/24",
        vpc_cidrs=("10.0.0.0/16",),
        security_groups=("web",),
        key_name="mine",
        public_key="ssh-ed25519 AAAA mine",
        user_data="aGVsbG8=",
    )
    assert (profile.arn, profile.id, profile.code) == (PROFILE_ARN, "AIPA1", "Success")
    assert profile.updated == "2023-11-14T22:13:20Z"
    assert (profile.role.name, profile.role.access_key_id) == ("Node", "ASIA1")
    assert profile.role.expiration == "2023-11-15T04:13:20Z"


async def test_credentials_are_a_session_of_the_instances_name_for_six_hours(
    setting: Setting,
) -> None:
    setting.news()
    assert setting.issuer.issued == [(ROLE_RECORD.arn, ID, 6 * 3600.0)]


async def test_nothing_is_told_twice(setting: Setting) -> None:
    assert setting.news() is not None
    setting.clock.advance(60)
    assert setting.news() is None
    await setting.change(NETWORK_INTERFACE, INTERFACE, secondary_addresses=("10.0.1.60",))
    assert setting.news() is None
    assert len(setting.issuer.issued) == 1


async def test_an_instance_elsewhere_is_not_told_of(setting: Setting) -> None:
    await setting.change(NETWORK_INTERFACE, INTERFACE, host="host-2")
    assert setting.news() == ()
    assert not setting.told.knows("eni-1")
    await setting.change(NETWORK_INTERFACE, INTERFACE)
    setting.one()
    assert setting.told.knows("eni-1")
    await setting.change(NETWORK_INTERFACE, INTERFACE, host="")
    assert setting.news() == ()


async def test_credentials_are_renewed_after_two_hours(setting: Setting) -> None:
    setting.news()
    setting.clock.advance(2 * 3600 - 1)
    assert setting.news() is None
    setting.clock.advance(1)
    profile = setting.one().profile
    assert profile is not None and profile.role is not None
    assert profile.role.access_key_id == "ASIA2"
    assert profile.updated == "2023-11-15T00:13:20Z"


async def test_a_role_made_anew_has_new_credentials_at_once(setting: Setting) -> None:
    setting.news()
    await setting.change(ROLE, ROLE_RECORD, id="AROA2")
    profile = setting.one().profile
    assert profile is not None and profile.role is not None
    assert profile.role.access_key_id == "ASIA2"


async def test_a_role_that_gets_policies_keeps_its_credentials(setting: Setting) -> None:
    setting.news()
    await setting.change(ROLE, ROLE_RECORD, attached=("arn:aws:iam::aws:policy/ReadOnlyAccess",))
    assert setting.news() is None


async def _untrusting(setting: Setting) -> None:
    other = {**TRUST, "Statement": {**TRUST["Statement"], "Principal": {"Service": "x.y"}}}
    await setting.change(ROLE, ROLE_RECORD, trust=json.dumps(other))


async def _without_role(setting: Setting) -> None:
    await setting.store.transact(lambda tx: tx.delete(ROLE, ACCOUNT, "", "node"))


@pytest.mark.parametrize("spoil", [_untrusting, _without_role])
async def test_a_role_that_ec2_may_not_have_gives_no_credentials_until_it_may(
    setting: Setting, spoil: Callable[[Setting], Any]
) -> None:
    await spoil(setting)
    profile = setting.one().profile
    assert profile is not None and profile.role is not None
    assert profile.code == "Success"
    assert (profile.role.name, profile.role.code) == ("Node", "AssumeRoleUnauthorizedAccess")
    assert not profile.role.access_key_id
    assert not setting.issuer.issued
    assert setting.news() is None
    await setting.change(ROLE, ROLE_RECORD)
    profile = setting.one().profile
    assert profile is not None and profile.role is not None
    assert profile.role.code == "Success"


async def test_a_profile_that_is_gone_or_another_of_its_name_is_not_found(
    setting: Setting,
) -> None:
    await setting.change(INSTANCE_PROFILE, PROFILE, id="AIPA2")
    profile = setting.one().profile
    assert profile is not None
    assert (profile.code, profile.role) == ("InstanceProfileNotFound", None)
    assert profile.message.startswith("Instance Profile node cannot be found.")
    await setting.store.transact(lambda tx: tx.delete(INSTANCE_PROFILE, ACCOUNT, "", "node"))
    assert setting.news() is None


async def test_a_profile_without_role_says_so(setting: Setting) -> None:
    await setting.change(INSTANCE_PROFILE, PROFILE, roles=())
    profile = setting.one().profile
    assert profile is not None
    assert (profile.code, profile.role) == ("Success", None)
    assert profile.message.startswith("Instance Profile does not contain a role.")


async def test_an_elastic_address_gives_the_public_name(setting: Setting) -> None:
    setting.news()
    address = Address(
        id="eipalloc-1",
        public_address="198.18.7.9",
        network_interface_id="eni-1",
        private_address="10.0.1.5",
    )
    await setting.put(ADDRESS, address)
    assert setting.one().public_dns_name == "ec2-198-18-7-9.compute-1.amazonaws.com"


async def test_without_dns_host_names_there_is_no_public_name(setting: Setting) -> None:
    await setting.put(VPC, Vpc(id="vpc-1", cidrs=("10.0.0.0/16",)))
    assert setting.one().public_dns_name == ""


async def test_metadata_options_are_told(setting: Setting) -> None:
    options = MetadataOptions(
        endpoint="disabled", tokens="optional", hop_limit=1, instance_tags="enabled"
    )
    await setting.change(INSTANCE, OWN_INSTANCE, metadata=options)
    told = setting.one()
    assert not told.endpoint
    assert not told.tokens_required
    assert told.hop_limit == 1
    assert told.tags == (("Name", "web"),)


def change(kind: Any, value: Any) -> Change:
    key = Key(kind.name, *PLACE, "x")
    return Change(key=key, before=None, after=Record(key, 1, value), revision=1)


def test_only_what_metadata_are_made_of_is_looked_at() -> None:
    task = msgspec.structs.replace(INTERFACE, instance_id="")
    assert concerns_instances(change(INSTANCE, OWN_INSTANCE))
    assert concerns_instances(change(ROLE, ROLE_RECORD))
    assert concerns_instances(change(NETWORK_INTERFACE, INTERFACE))
    assert not concerns_instances(change(NETWORK_INTERFACE, task))
