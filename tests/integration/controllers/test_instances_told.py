"""What agents are told of EC2 instances: a real gateway, store and websockets, a played agent."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from integration.controllers.ecs_plane import REGION, Plane, PlayedAgent, role, running_plane

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.controllers.instance.records import boot
from longshore.controllers.system_account import EXECUTION_ROLE_ARN
from longshore.model.ec2 import NETWORK_INTERFACE
from longshore.model.eks import SYSTEM_ACCOUNT
from longshore.model.iam import INSTANCE_PROFILE, ROLE, InstanceProfile
from longshore.model.instances import INSTANCE, FargateNode, Instance
from longshore.policy.trust import service_trust
from longshore.store.interface import Key, Transaction
from longshore.testing.clock import FakeClock
from longshore.testing.identity import ACCOUNT
from longshore.vpc import create_network_interface

ID = "i-0123456789abcdef0"
PROFILE_ARN = f"arn:aws:iam::{ACCOUNT}:instance-profile/node"
DOCUMENT = {
    "family": ID,
    "networkMode": "awsvpc",
    "cpu": "1024",
    "memory": "512",
    "executionRoleArn": EXECUTION_ROLE_ARN,
    "containerDefinitions": [{"name": "machine", "image": "machine:1", "privileged": True}],
}


@pytest.fixture
def clock() -> FakeClock:
    """The sessions'."""
    return FakeClock()


@pytest.fixture
async def plane(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path, session_clock=clock) as plane:
        await plane.store.transact(put_roles)
        yield plane


@pytest.fixture
async def host(plane: Plane) -> AsyncIterator[PlayedAgent]:
    agent = PlayedAgent(plane, host="host-1")
    await agent.register()
    await agent.connect()
    await agent.told(told)
    yield agent
    await agent.close()


def put_roles(tx: Transaction) -> None:
    own = msgspec.structs.replace(role("node"), trust=service_trust("ec2.amazonaws.com"))
    execution = EXECUTION_ROLE_ARN.rpartition("/")[2]
    tx.put(ROLE, ACCOUNT, "", "node", own)
    tx.put(ROLE, ACCOUNT, "", execution, role(execution))
    profile = InstanceProfile(
        name="node", path="/", id="AIPA", arn=PROFILE_ARN, created_at=0.0, roles=("node",)
    )
    tx.put(INSTANCE_PROFILE, ACCOUNT, "", "node", profile)


def launch(tx: Transaction, plane: Plane, fargate: FargateNode | None = None) -> None:
    """An instance, its interface and its task; of Longshore's own where it is a Fargate pod's."""
    owner = ACCOUNT if fargate is None else SYSTEM_ACCOUNT
    eni = create_network_interface(
        tx,
        RandomIds(),
        0.0,
        account=ACCOUNT,
        region=REGION,
        subnet_id=plane.subnets[0],
        installation=plane.installation,
    )
    eni = msgspec.structs.replace(eni, instance_id=ID)
    tx.put(NETWORK_INTERFACE, ACCOUNT, REGION, eni.id, eni)
    instance = Instance(
        id=ID,
        reservation_id="r-1",
        image_id="ami-1",
        instance_type="t3.medium",
        vcpus=1,
        memory=512,
        vpc_id=eni.vpc_id,
        subnet_id=eni.subnet_id,
        zone=eni.zone,
        interface_id=eni.id,
        private_address=eni.private_address,
        launched_at=0.0,
        user_data="aGVsbG8=",
        profile_arn=PROFILE_ARN if fargate is None else "",
        profile_id="AIPA",
        fargate=fargate,
    )
    tx.create(INSTANCE, owner, REGION, ID, instance)
    key, now = Key(INSTANCE.name, owner, REGION, ID), SystemClock().now()
    boot(tx, RandomIds(), key, instance, DOCUMENT, now)


def told(agent: PlayedAgent) -> list[list[dict[str, Any]]]:
    """The instances of each message about them."""
    return [m["instances"] for kind, m in agent.messages if kind == "InstancesMessage"]


async def test_an_instance_is_told_of_before_its_task_with_user_data_and_credentials(
    plane: Plane, host: PlayedAgent
) -> None:
    await plane.store.transact(lambda tx: launch(tx, plane))
    await host.told(lambda agent: [kind for kind, _ in agent.messages if kind == "PayloadMessage"])
    kinds = [kind for kind, _ in host.messages]
    (instance,) = told(host)[-1]
    first = next(i for i, (_, m) in enumerate(host.messages) if m.get("instances"))
    assert first < kinds.index("PayloadMessage")
    assert (instance["instanceId"], instance["userData"]) == (ID, "aGVsbG8=")
    assert instance["profile"]["role"]["accessKeyId"].startswith("ASIA")
    assert told(host)[0] == []


async def test_the_machine_of_a_fargate_pod_is_told_of_as_the_pod_execution_role(
    plane: Plane, host: PlayedAgent
) -> None:
    node = FargateNode(
        account=ACCOUNT,
        cluster="web",
        cluster_id="A",
        profile="fp",
        profile_arn=f"arn:aws:eks:{REGION}:{ACCOUNT}:fargateprofile/web/fp/1",
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/pods",
        name="fargate-ip-10-0-0-1.ec2.internal",
        cpu=256,
        namespace="default",
        pod="a",
        pod_uid="uid-a",
    )

    def make(tx: Transaction) -> None:
        trust = service_trust("eks-fargate-pods.amazonaws.com")
        tx.put(ROLE, ACCOUNT, "", "pods", msgspec.structs.replace(role("pods"), trust=trust))
        launch(tx, plane, node)

    await plane.store.transact(make)
    await host.told(lambda agent: told(agent)[-1])
    (instance,) = told(host)[-1]
    assert instance["account"] == ACCOUNT
    assert instance["privateDnsName"] == node.name
    assert instance["profile"]["role"]["name"] == "pods"
    assert instance["profile"]["role"]["accessKeyId"].startswith("ASIA")


async def test_credentials_are_renewed_while_the_instance_runs(
    plane: Plane, host: PlayedAgent, clock: FakeClock
) -> None:
    await plane.store.transact(lambda tx: launch(tx, plane))
    before = await host.told(lambda agent: told(agent)[-1])
    clock.advance(2 * 3600)
    after = await host.told(lambda agent: told(agent)[-1] != before and told(agent)[-1])
    expirations = [each[0]["profile"]["role"]["expiration"] for each in (before, after)]
    assert expirations == ["2023-11-15T04:13:20Z", "2023-11-15T06:13:20Z"]


async def test_a_changed_instance_is_told_of_and_a_changed_task_makes_no_news_of_it(
    plane: Plane, host: PlayedAgent
) -> None:
    await plane.store.transact(lambda tx: launch(tx, plane))
    await host.told(lambda agent: agent.running)

    def change(tx: Transaction) -> None:
        record = tx.get(INSTANCE, ACCOUNT, REGION, ID)
        assert record is not None
        options = msgspec.structs.replace(record.value.metadata, hop_limit=1)
        changed = msgspec.structs.replace(record.value, metadata=options)
        tx.put(INSTANCE, ACCOUNT, REGION, ID, changed)

    await plane.store.transact(change)
    await host.told(lambda agent: told(agent)[-1][0].get("hopLimit") == 1)
    assert len(told(host)) == 3


async def test_an_agent_that_comes_back_is_told_again(plane: Plane, host: PlayedAgent) -> None:
    await plane.store.transact(lambda tx: launch(tx, plane))
    await host.told(lambda agent: told(agent)[-1])
    host.messages.clear()
    await host.close()
    await host.connect()
    await host.told(told)
    assert told(host)[0][0]["instanceId"] == ID


async def test_an_agent_that_is_no_host_is_told_of_no_instances(plane: Plane) -> None:
    agent = PlayedAgent(plane)
    await agent.register()
    await agent.connect()
    try:
        await plane.store.transact(lambda tx: launch(tx, plane))
        await agent.told(lambda agent: agent.messages)
        assert not told(agent)
    finally:
        await agent.close()
