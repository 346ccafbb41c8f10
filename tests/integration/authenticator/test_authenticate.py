"""Whom an API server takes tokens to be of."""

import asyncio
import json
import logging
import os
import sys
from pathlib import Path

import pytest
from integration.authenticator.api_server import ACCOUNT, REGION, ApiServer, running, token_of

from longshore.model import eks, iam

AWS = Path(sys.executable).parent / "aws"


async def test_an_iam_user_with_an_access_entry_is_who_the_entry_says(server: ApiServer) -> None:
    ann, keys = await server.user("ann")
    await server.entry(ann, username="ann", groups=("editors", "viewers"))
    assert await server.user_of(keys) == {
        "username": "ann",
        "uid": f"aws-iam-authenticator:{ACCOUNT}:{ann.id}",
        "groups": ["editors", "viewers"],
        "extra": {
            "accessKeyId": [keys[0]],
            "arn": [ann.arn],
            "canonicalArn": [ann.arn],
            "principalId": [ann.id],
            "sessionName": [""],
            "sigs.k8s.io/aws-iam-authenticator/principalId": [ann.id],
        },
    }


async def test_a_roles_sessions_share_its_entry_and_keep_their_names(server: ApiServer) -> None:
    role = await server.role("deploy", path="/ci/")
    username = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/{{{{SessionName}}}}"
    await server.entry(role, username=username)
    user = await server.user_of(server.session(role, "ann@example.com"))
    assert user["username"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ann-example.com"
    assert user["uid"] == f"aws-iam-authenticator:{ACCOUNT}:{role.id}"
    assert user["extra"]["canonicalArn"] == [role.arn]
    assert user["extra"]["sessionName"] == ["ann@example.com"]


async def test_a_user_of_another_account_comes_in_by_an_entry_too(server: ApiServer) -> None:
    guest, keys = await server.user("guest", account="210987654321")
    assert await server.refuses(keys)
    await server.entry(guest)
    assert (await server.user_of(keys))["uid"] == f"aws-iam-authenticator:210987654321:{guest.id}"


async def test_the_token_of_the_aws_command_is_taken(server: ApiServer) -> None:
    ann, keys = await server.user("ann")
    await server.entry(ann)
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": keys[0],
        "AWS_SECRET_ACCESS_KEY": keys[1],
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, AWS, "eks", "get-token", "--cluster-name", "demo", "--output", "json"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await command.communicate()
    status = await server.authenticate(json.loads(told)["status"]["token"])
    assert status["user"]["username"] == ann.arn


async def test_who_has_no_access_entry_is_refused(server: ApiServer) -> None:
    _, keys = await server.user("ann")
    assert await server.refuses(keys)


async def test_a_token_for_another_cluster_is_refused(server: ApiServer) -> None:
    ann, keys = await server.user("ann")
    await server.entry(ann)
    assert await server.refuses(keys, cluster="prod")
    assert await server.user_of(keys)


async def test_a_token_is_good_for_15_minutes(server: ApiServer) -> None:
    ann, keys = await server.user("ann")
    await server.entry(ann)
    token = token_of(keys)
    server.clock.advance(890)
    assert (await server.authenticate(token))["authenticated"]
    server.clock.advance(20)
    assert not (await server.authenticate(token))["authenticated"]


async def test_a_token_of_the_future_is_refused(server: ApiServer) -> None:
    ann, keys = await server.user("ann")
    await server.entry(ann)
    server.clock.advance(-600)
    assert await server.refuses(keys)


async def test_a_token_that_another_key_signed_is_refused(server: ApiServer) -> None:
    ann, (key_id, _, _) = await server.user("ann")
    await server.entry(ann)
    assert await server.refuses((key_id, "not the secret", None))
    assert await server.refuses(("AKIANOBODYSNOBODYSNO", "x", None))


async def test_the_token_of_a_deleted_or_inactive_key_is_refused(server: ApiServer) -> None:
    ann, keys = await server.user("ann")
    await server.entry(ann)
    token = token_of(keys)
    assert (await server.authenticate(token))["authenticated"]
    inactive = iam.AccessKey(
        id=keys[0],
        secret=keys[1],
        account=ACCOUNT,
        user_name="ann",
        status="Inactive",
        created_at=0.0,
    )
    await server.put(iam.ACCESS_KEY, "", keys[0], inactive, "")
    assert not (await server.authenticate(token))["authenticated"]
    await server.delete(iam.ACCESS_KEY, "", keys[0], "")
    assert not (await server.authenticate(token))["authenticated"]


async def test_the_token_of_an_expired_session_is_refused(server: ApiServer) -> None:
    role = await server.role("deploy")
    await server.entry(role)
    server.clock.advance(-3500)
    keys = server.session(role, "ci")
    server.clock.advance(3500)
    token = token_of(keys)
    assert (await server.authenticate(token))["authenticated"]
    server.clock.advance(200)
    assert not (await server.authenticate(token))["authenticated"]


async def test_an_entry_does_not_let_in_a_role_made_anew_under_the_same_arn(
    server: ApiServer,
) -> None:
    role = await server.role("deploy")
    await server.entry(role)
    earlier = server.session(role, "ci")
    assert await server.user_of(earlier)
    await server.delete(iam.ROLE, "", "deploy")
    assert await server.refuses(earlier)
    again = await server.role("deploy")
    assert again.arn == role.arn
    assert await server.refuses(server.session(again, "ci"))
    assert await server.refuses(earlier)


async def test_an_entry_that_is_deleted_lets_nobody_in(server: ApiServer) -> None:
    ann, keys = await server.user("ann")
    await server.entry(ann)
    assert await server.user_of(keys)
    await server.delete(eks.ACCESS_ENTRY, REGION, eks.entry_name("demo", ann.arn))
    assert await server.refuses(keys)


async def test_a_cluster_without_access_entries_knows_who_made_it_alone(server: ApiServer) -> None:
    ann, keys = await server.user("ann")
    bob, other = await server.user("bob")
    await server.cluster(authentication_mode="CONFIG_MAP", created_by=ann.arn)
    await server.entry(bob)
    user = await server.user_of(keys)
    assert (user["username"], user["groups"]) == ("kubernetes-admin", ["system:masters"])
    assert await server.refuses(other)


async def test_where_any_key_is_taken_any_token_is_an_administrators(tmp_path: Path) -> None:
    async with running(tmp_path, auth="open") as server:
        await server.cluster()
        assert await server.user_of(("test", "test", None)) == {
            "username": "longshore:open",
            "uid": "longshore:open",
            "groups": ["system:masters"],
        }
        assert not (await server.authenticate("k8s-aws-v1.nonsense"))["authenticated"]
        status, _ = await server.post("authenticate", {}, headers={})
        assert status == 401


async def test_the_log_tells_who_came_in_and_who_did_not_but_no_token(
    server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    ann, keys = await server.user("ann")
    bob, others = await server.user("bob")
    await server.entry(ann)
    with caplog.at_level(logging.INFO, "longshore.authenticator"):
        for one in (keys, others):
            await server.authenticate(token_of(one))
    accepted, refused = (str(record.msg) for record in caplog.records)
    assert accepted.startswith("A token was accepted")
    assert ann.arn in accepted
    assert refused.startswith("A token was refused")
    assert bob.arn in refused
    assert "the principal has no access entry" in refused
    assert not any("k8s-aws-v1." in text or "X-Amz" in text for text in (accepted, refused))


@pytest.mark.parametrize(
    "token", ["", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "k8s-aws-v1.AAAA", "k8s-aws-v1.\u0661"]
)
async def test_what_is_no_token_of_eks_is_refused(server: ApiServer, token: str) -> None:
    assert not (await server.authenticate(token))["authenticated"]
