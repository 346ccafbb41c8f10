"""Whom the ConfigMap `aws-auth` lets in."""

import json
from typing import Any

import pytest
from integration.authenticator.api_server import ACCOUNT, ApiServer

from longshore.authenticator.config_map import PATH


def put(server: ApiServer, **data: Any) -> None:
    """The ConfigMap; JSON is YAML."""
    texts = {name: json.dumps(value) for name, value in data.items()}
    server.objects[PATH] = {"kind": "ConfigMap", "data": texts}


@pytest.mark.parametrize("mode", ["CONFIG_MAP", "API_AND_CONFIG_MAP"])
async def test_roles_and_users_are_who_the_config_map_says(server: ApiServer, mode: str) -> None:
    await server.cluster(authentication_mode=mode)
    role = await server.role("deploy", path="/ci/")
    ann, keys = await server.user("ann")
    put(
        server,
        mapRoles=[
            {
                # Roles have no path there.
                "rolearn": f"arn:aws:iam::{ACCOUNT}:role/deploy",
                "username": "deploy:{{SessionName}}:{{AccountID}}",
                "groups": ["system:masters"],
            }
        ],
        mapUsers=[{"userarn": ann.arn, "username": "ann", "groups": ["viewers"]}],
    )
    user = await server.user_of(server.session(role, "ann@example.com"))
    assert user["username"] == f"deploy:ann-example.com:{ACCOUNT}"
    assert user["groups"] == ["system:masters"]
    user = await server.user_of(keys)
    assert (user["username"], user["groups"]) == ("ann", ["viewers"])
    assert user["uid"] == f"aws-iam-authenticator:{ACCOUNT}:{ann.id}"


async def test_the_config_map_lets_nobody_in_where_access_entries_alone_count(
    server: ApiServer,
) -> None:
    ann, keys = await server.user("ann")
    put(server, mapUsers=[{"userarn": ann.arn, "username": "ann", "groups": ["system:masters"]}])
    assert await server.refuses(keys)


async def test_an_access_entry_wins_over_the_config_map(server: ApiServer) -> None:
    await server.cluster(authentication_mode="API_AND_CONFIG_MAP")
    ann, keys = await server.user("ann")
    put(server, mapUsers=[{"userarn": ann.arn, "username": "mapped", "groups": ["system:masters"]}])
    assert (await server.user_of(keys))["username"] == "mapped"
    await server.entry(ann, username="entered")
    user = await server.user_of(keys)
    assert (user["username"], user.get("groups", [])) == ("entered", [])


async def test_an_account_is_let_in_as_who_each_is(server: ApiServer) -> None:
    await server.cluster(authentication_mode="CONFIG_MAP")
    guest, keys = await server.user("guest", account="210987654321")
    assert await server.refuses(keys)
    server.clock.advance(5)
    put(server, mapAccounts=["210987654321"])
    assert (await server.user_of(keys))["username"] == guest.arn


async def test_who_made_the_cluster_stays_its_administrator(server: ApiServer) -> None:
    ann, keys = await server.user("ann")
    await server.cluster(authentication_mode="CONFIG_MAP", created_by=ann.arn)
    put(server, mapUsers=[{"userarn": ann.arn, "username": "ann", "groups": []}])
    assert (await server.user_of(keys))["groups"] == ["system:masters"]


async def test_a_change_acts_within_five_seconds(server: ApiServer) -> None:
    await server.cluster(authentication_mode="CONFIG_MAP")
    ann, keys = await server.user("ann")
    put(server, mapUsers=[{"userarn": ann.arn, "username": "ann", "groups": ["viewers"]}])
    await server.user_of(keys)
    del server.objects[PATH]
    server.clock.advance(5)
    assert await server.refuses(keys)


async def test_a_name_of_an_instance_is_for_instances_alone(server: ApiServer) -> None:
    await server.cluster(authentication_mode="CONFIG_MAP")
    role = await server.role("nodes")
    name = "system:node:{{EC2PrivateDNSName}}"
    put(server, mapRoles=[{"rolearn": role.arn, "username": name, "groups": ["system:nodes"]}])
    assert await server.refuses(server.session(role, "ann"))
