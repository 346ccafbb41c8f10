"""Secrets Manager, as boto3 sees it."""

import json
import string
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.services.served import ACCOUNT, REGION, Served, serving

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.sealing import Sealer
from longshore.controllers.interface import Surroundings
from longshore.controllers.secret_deletion import SecretDeletion
from longshore.model.secretsmanager import SECRET
from longshore.services.secretsmanager import service
from longshore.store.interface import Key
from longshore.testing.clock import FakeClock

TOKENS = [f"{number:032d}" for number in range(5)]


@pytest.fixture
async def secrets(tmp_path: Path) -> AsyncIterator[Served]:
    sealer = Sealer.load_or_create(tmp_path / "sealing.key")
    async with serving(tmp_path, [service(sealer)]) as served:
        yield served


async def test_secret_reads_back_by_name_arn_and_partial_arn(secrets: Served, tmp_path: Path):
    made = await secrets.call("create_secret", Name="app/db", SecretString="hunter2-hunter2")
    for secret_id in ("app/db", made["ARN"], made["ARN"][:-7]):
        found = await secrets.call("get_secret_value", SecretId=secret_id)
        assert (found["SecretString"], found["VersionStages"]) == (
            "hunter2-hunter2",
            ["AWSCURRENT"],
        )
    files = [path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("state.db")]
    assert files and not any(b"hunter2-hunter2" in content for content in files)


async def test_binary_secret_stays_binary(secrets: Served):
    await secrets.call("create_secret", Name="b", SecretBinary=b"\x00\xff")
    found = await secrets.call("get_secret_value", SecretId="b")
    assert found["SecretBinary"] == b"\x00\xff"
    assert "SecretString" not in found


async def test_new_value_becomes_current_and_the_old_one_previous(secrets: Served):
    await secrets.call("create_secret", Name="s", SecretString="1", ClientRequestToken=TOKENS[1])
    await secrets.call(
        "put_secret_value", SecretId="s", SecretString="2", ClientRequestToken=TOKENS[2]
    )
    old = await secrets.call("get_secret_value", SecretId="s", VersionStage="AWSPREVIOUS")
    assert (old["SecretString"], old["VersionId"]) == ("1", TOKENS[1])
    await secrets.call("update_secret", SecretId="s", SecretString="3", Description="third")
    described = await secrets.call("describe_secret", SecretId="s")
    assert sorted(described["VersionIdsToStages"].values()) == [["AWSCURRENT"], ["AWSPREVIOUS"]]
    assert described["Description"] == "third"
    versions = await secrets.call("list_secret_version_ids", SecretId="s", IncludeDeprecated=True)
    assert len(versions["Versions"]) == 3


async def test_same_token_again_changes_nothing_and_another_value_is_refused(secrets: Served):
    made = await secrets.call(
        "create_secret", Name="s", SecretString="1", ClientRequestToken=TOKENS[1]
    )
    again = await secrets.call(
        "create_secret", Name="s", SecretString="1", ClientRequestToken=TOKENS[1]
    )
    assert again == made
    error = await secrets.error(
        "put_secret_value", SecretId="s", SecretString="2", ClientRequestToken=TOKENS[1]
    )
    assert error[0] == "ResourceExistsException"
    assert (await secrets.error("create_secret", Name="s"))[0] == "ResourceExistsException"


async def test_stage_moves_by_hand(secrets: Served):
    await secrets.call("create_secret", Name="s", SecretString="1", ClientRequestToken=TOKENS[1])
    await secrets.call(
        "put_secret_value", SecretId="s", SecretString="2", ClientRequestToken=TOKENS[2]
    )
    await secrets.call(
        "update_secret_version_stage",
        SecretId="s",
        VersionStage="AWSCURRENT",
        MoveToVersionId=TOKENS[1],
        RemoveFromVersionId=TOKENS[2],
    )
    found = await secrets.call("get_secret_value", SecretId="s")
    assert found["SecretString"] == "1"
    previous = await secrets.call("get_secret_value", SecretId="s", VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "2"


async def test_deleted_secret_is_hidden_restorable_and_finally_removed(secrets: Served):
    made = await secrets.call("create_secret", Name="s", SecretString="1")
    await secrets.call("delete_secret", SecretId="s", RecoveryWindowInDays=7)
    assert (await secrets.error("get_secret_value", SecretId="s"))[0] == "InvalidRequestException"
    assert (await secrets.error("create_secret", Name="s"))[0] == "InvalidRequestException"
    assert (await secrets.call("list_secrets"))["SecretList"] == []
    await secrets.call("restore_secret", SecretId=made["ARN"])
    assert (await secrets.call("get_secret_value", SecretId="s"))["SecretString"] == "1"

    await secrets.call("delete_secret", SecretId="s")
    clock = FakeClock(SystemClock().now() + 29 * 24 * 3600)
    surroundings = Surroundings(
        store=secrets.store, clock=clock, ids=RandomIds(), installation=secrets.installation
    )
    controller = SecretDeletion(surroundings)
    (key,) = controller.every_key(secrets.store.reader)
    assert key == Key(SECRET.name, ACCOUNT, REGION, "s")
    left = await controller.reconcile(key)
    assert left is not None and 0 < left <= 24 * 3600
    clock.advance(left + 1)
    await controller.reconcile(key)
    assert secrets.store.reader.get(SECRET, ACCOUNT, REGION, "s") is None


async def test_forced_deletion_is_immediate(secrets: Served):
    await secrets.call("create_secret", Name="s", SecretString="1")
    await secrets.call("delete_secret", SecretId="s", ForceDeleteWithoutRecovery=True)
    assert (await secrets.error("describe_secret", SecretId="s"))[0] == "ResourceNotFoundException"
    await secrets.call("delete_secret", SecretId="s", ForceDeleteWithoutRecovery=True)
    await secrets.call("create_secret", Name="s", SecretString="2")


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("get_secret_value", {"SecretId": "none"}, "ResourceNotFoundException"),
        (
            "get_secret_value",
            {"SecretId": "s", "VersionStage": "NONE"},
            "ResourceNotFoundException",
        ),
        (
            "delete_secret",
            {"SecretId": "s", "RecoveryWindowInDays": 3},
            "InvalidParameterException",
        ),
        ("create_secret", {"Name": "a b"}, "ValidationException"),
        (
            "create_secret",
            {"Name": "x", "SecretString": "1", "SecretBinary": b"1"},
            "InvalidParameterException",
        ),
        ("put_secret_value", {"SecretId": "s"}, "InvalidParameterException"),
        ("rotate_secret", {"SecretId": "s"}, "NotImplemented"),
        (
            "create_secret",
            {"Name": "x", "SecretString": "1", "KmsKeyId": "alias/mine"},
            "NotImplemented",
        ),
        (
            "put_resource_policy",
            {"SecretId": "s", "ResourcePolicy": "{nonsense"},
            "MalformedPolicyDocumentException",
        ),
    ],
)
async def test_wrong_call_is_refused_with_aws_code(
    secrets: Served, operation: str, request_: dict, code: str
):
    await secrets.call("create_secret", Name="s", SecretString="1")
    assert (await secrets.error(operation, **request_))[0] == code


async def test_list_filters_and_sorts(secrets: Served):
    tags = [{"Key": "team", "Value": "red"}]
    await secrets.call("create_secret", Name="b", Description="The Database", Tags=tags)
    await secrets.call("create_secret", Name="a")

    async def names(**options: object) -> list[str]:
        found = await secrets.call("list_secrets", SortBy="name", SortOrder="asc", **options)
        return [each["Name"] for each in found["SecretList"]]

    assert await names() == ["a", "b"]
    assert await names(Filters=[{"Key": "tag-value", "Values": ["red"]}]) == ["b"]
    assert await names(Filters=[{"Key": "name", "Values": ["!b"]}]) == ["a"]
    assert await names(Filters=[{"Key": "description", "Values": ["database"]}]) == ["b"]
    assert await names(MaxResults=1) == ["a"]


async def test_resource_policy_is_kept_and_handed_to_the_gateway(secrets: Served):
    made = await secrets.call("create_secret", Name="s", SecretString="1")
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": "999999999999"},
            "Action": "secretsmanager:GetSecretValue",
            "Resource": "*",
        },
    }
    await secrets.call("put_resource_policy", SecretId="s", ResourcePolicy=json.dumps(policy))
    found = await secrets.call("get_resource_policy", SecretId="s")
    assert json.loads(found["ResourcePolicy"]) == policy
    given = service(Sealer(b"k" * 32)).resource_policy(secrets.store.reader, made["ARN"])
    assert given is not None and json.loads(given) == policy
    await secrets.call("delete_resource_policy", SecretId="s")
    assert "ResourcePolicy" not in await secrets.call("get_resource_policy", SecretId="s")


async def test_batch_gives_values_and_errors(secrets: Served):
    await secrets.call("create_secret", Name="a", SecretString="1")
    found = await secrets.call("batch_get_secret_value", SecretIdList=["a", "none"])
    assert [each["SecretString"] for each in found["SecretValues"]] == ["1"]
    assert [each["ErrorCode"] for each in found["Errors"]] == ["ResourceNotFoundException"]


async def test_random_password_has_each_wanted_type_and_nothing_excluded(secrets: Served):
    found = await secrets.call(
        "get_random_password", PasswordLength=20, ExcludePunctuation=True, ExcludeCharacters="abc"
    )
    password = found["RandomPassword"]
    assert len(password) == 20
    assert not set(password) & (set(string.punctuation) | set("abc"))
    for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits):
        assert set(password) & set(kind)
    every = {name: True for name in ("ExcludeLowercase", "ExcludeUppercase", "ExcludeNumbers")}
    error = await secrets.error("get_random_password", **every, ExcludePunctuation=True)
    assert error[0] == "InvalidParameterException"
