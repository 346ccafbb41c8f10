"""Which instances are let in as nodes, and under which names."""

from typing import Any

import msgspec
import pytest
from integration.authenticator.api_server import ACCOUNT, REGION, ApiServer, Keys

from longshore.model import iam, instances
from longshore.model.arn import make_arn
from longshore.model.eks_parts import (
    FARGATE_PROFILE,
    NODEGROUP,
    FargateProfile,
    Nodegroup,
    part_name,
)

INSTANCE_ID = "i-0123456789abcdef0"
NODES = {
    "type": "EC2_LINUX",
    "username": "system:node:{{EC2PrivateDNSName}}",
    "groups": ("system:nodes",),
}
NAME = "ip-172-31-0-9.ec2.internal"


class Node:
    """An instance of a profile with the role `nodes`, which has an access entry."""

    def __init__(self, server: ApiServer, role: iam.Role) -> None:
        self.server = server
        self.role = role
        self.instance = instances.Instance(
            id=INSTANCE_ID,
            reservation_id="r-1",
            image_id="ami-1",
            instance_type="t3.medium",
            vcpus=2,
            memory=4096,
            vpc_id="vpc-1",
            subnet_id="subnet-1",
            zone="us-east-1a",
            interface_id="eni-1",
            private_address="172.31.0.9",
            launched_at=0.0,
            profile_arn=make_arn("iam", "", ACCOUNT, "instance-profile/nodes"),
        )

    @property
    def keys(self) -> Keys:
        return self.server.session(self.role, INSTANCE_ID)

    async def put(self, **fields: Any) -> None:
        self.instance = msgspec.structs.replace(self.instance, **fields)
        await self.server.put(instances.INSTANCE, REGION, INSTANCE_ID, self.instance)

    async def profile(self, *roles: str) -> None:
        profile = iam.InstanceProfile(
            name="nodes",
            path="/",
            id="AIPA",
            arn=self.instance.profile_arn,
            created_at=0.0,
            roles=roles,
        )
        await self.server.put(iam.INSTANCE_PROFILE, "", "nodes", profile)

    async def group(self, cluster: str, role_arn: str) -> None:
        group = Nodegroup(
            cluster=cluster,
            name="workers",
            arn="",
            id="",
            version="1.35",
            release_version="",
            created_at=0.0,
            modified_at=0.0,
            node_role=role_arn,
            subnets=(),
            min_size=1,
            max_size=1,
            desired_size=1,
        )
        await self.server.put(NODEGROUP, REGION, part_name(cluster, "workers"), group)


@pytest.fixture
async def node(server: ApiServer) -> Node:
    role = await server.role("nodes")
    node = Node(server, role)
    await node.put()
    await node.profile("nodes")
    return node


async def test_an_instance_is_a_node_under_its_private_dns_name(
    server: ApiServer, node: Node
) -> None:
    await server.entry(node.role, **NODES)
    user = await server.user_of(node.keys)
    assert (user["username"], user["groups"]) == (f"system:node:{NAME}", ["system:nodes"])


async def test_a_session_of_the_nodes_role_that_is_no_instances_is_no_node(
    server: ApiServer, node: Node
) -> None:
    await server.entry(node.role, **NODES)
    for name in ("ann", "i-0123456789abcdef1", f"{INSTANCE_ID}x", f"x{INSTANCE_ID}"):
        assert await server.refuses(server.session(node.role, name))


async def test_an_instance_stays_a_node_while_it_shuts_down_and_no_longer(
    server: ApiServer, node: Node
) -> None:
    await server.entry(node.role, **NODES)
    await node.put(wanted="terminated")
    assert await server.user_of(node.keys)
    ended = instances.InstanceStatus(state="terminated")
    await server.put(instances.INSTANCE_STATUS, REGION, INSTANCE_ID, ended)
    assert await server.refuses(node.keys)
    await server.delete(instances.INSTANCE_STATUS, REGION, INSTANCE_ID)
    await server.delete(instances.INSTANCE, REGION, INSTANCE_ID)
    assert await server.refuses(node.keys)


async def test_a_role_that_is_not_the_instances_is_no_node(server: ApiServer, node: Node) -> None:
    other = await server.role("others")
    await server.entry(other, **NODES)
    assert await server.refuses(server.session(other, INSTANCE_ID))
    await server.entry(node.role, **NODES)
    await node.profile("others")
    assert await server.refuses(node.keys)
    await node.profile()
    assert await server.refuses(node.keys)
    await node.profile("nodes")
    await node.put(profile_arn="")
    assert await server.refuses(node.keys)


@pytest.mark.parametrize("mode", ["CONFIG_MAP", "API_AND_CONFIG_MAP"])
async def test_nodes_of_a_managed_group_need_no_access_entry_where_there_is_a_config_map(
    server: ApiServer, node: Node, mode: str
) -> None:
    await server.cluster(authentication_mode=mode)
    await node.group("other", node.role.arn)
    await node.group("demo", make_arn("iam", "", ACCOUNT, "role/others"))
    assert await server.refuses(node.keys)
    await node.group("demo", node.role.arn)
    user = await server.user_of(node.keys)
    assert user["username"] == f"system:node:{NAME}"
    assert user["groups"] == ["system:bootstrappers", "system:nodes"]
    assert await server.refuses(server.session(node.role, "ann"))


async def test_where_access_entries_alone_count_a_managed_group_needs_one(
    server: ApiServer, node: Node
) -> None:
    await node.group("demo", node.role.arn)
    assert await server.refuses(node.keys)


FARGATE_NODE = "fargate-ip-172-31-0-9.ec2.internal"
FARGATE_GROUPS = ["system:bootstrappers", "system:nodes", "system:node-proxier"]


async def test_a_session_of_a_pod_execution_role_is_the_node_of_its_name(server: ApiServer) -> None:
    role = await server.role("pods")
    session = server.session(role, FARGATE_NODE)
    assert await server.refuses(session)
    username = "system:node:{{SessionName}}"
    await server.entry(role, type="FARGATE_LINUX", username=username, groups=tuple(FARGATE_GROUPS))
    user = await server.user_of(session)
    assert (user["username"], user["groups"]) == (f"system:node:{FARGATE_NODE}", FARGATE_GROUPS)


async def test_a_pod_execution_role_needs_no_access_entry_where_there_is_a_config_map(
    server: ApiServer,
) -> None:
    role = await server.role("pods")
    session = server.session(role, FARGATE_NODE)
    await server.cluster(authentication_mode="API_AND_CONFIG_MAP")
    assert await server.refuses(session)
    profile = FargateProfile(
        cluster="demo",
        name="fp",
        arn="",
        id="1",
        created_at=0.0,
        role_arn=role.arn,
        subnets=(),
        selectors=(),
    )
    await server.put(FARGATE_PROFILE, REGION, part_name("demo", "fp"), profile)
    user = await server.user_of(session)
    assert (user["username"], user["groups"]) == (f"system:node:{FARGATE_NODE}", FARGATE_GROUPS)
    assert await server.refuses(server.session(role, "ann"))
