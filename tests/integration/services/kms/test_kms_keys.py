"""Keys and aliases, as boto3 sees them."""

import time
from typing import Any

import pytest
from integration.services.iam.iam_plane import ACCOUNT
from integration.services.kms.kms_plane import REGION, Keys

ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:"


async def test_a_key_is_described_as_it_was_made(keys: Keys) -> None:
    tag = {"TagKey": "stage", "TagValue": "test"}
    made = await keys.create(Description="of the shop", Tags=[tag])
    assert made["Arn"] == f"{ARN}key/{made['KeyId']}"
    shown = ("AWSAccountId", "Enabled", "KeyState", "KeyManager", "KeySpec", "KeyUsage", "Origin")
    assert [made[name] for name in shown] == [
        ACCOUNT,
        True,
        "Enabled",
        "CUSTOMER",
        "SYMMETRIC_DEFAULT",
        "ENCRYPT_DECRYPT",
        "AWS_KMS",
    ]
    assert await keys.describe(made["Arn"]) == made
    listed = await keys.call("list_keys")
    assert listed["Keys"] == [{"KeyId": made["KeyId"], "KeyArn": made["Arn"]}]
    assert (await keys.call("list_resource_tags", KeyId=made["KeyId"]))["Tags"] == [tag]


async def test_an_alias_leads_to_its_key_and_may_be_moved(keys: Keys) -> None:
    first, second = await keys.create(), await keys.create()
    named = {"AliasName": "alias/shop"}
    await keys.call("create_alias", **named, TargetKeyId=first["KeyId"])
    blob = await keys.encrypt("alias/shop")
    assert (await keys.describe(f"{ARN}alias/shop"))["KeyId"] == first["KeyId"]
    await keys.call("update_alias", **named, TargetKeyId=second["Arn"])
    assert (await keys.describe("alias/shop"))["KeyId"] == second["KeyId"]
    assert await keys.decrypt(blob) == b"secret"
    (listed,) = (await keys.call("list_aliases", KeyId=second["KeyId"]))["Aliases"]
    assert (listed["AliasArn"], listed["TargetKeyId"]) == (f"{ARN}alias/shop", second["KeyId"])
    await keys.call("delete_alias", **named)
    assert await keys.error("describe_key", KeyId="alias/shop") == "NotFoundException"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("shop", "InvalidAliasNameException"),
        ("alias/", "InvalidAliasNameException"),
        ("alias/aws/ebs", "NotAuthorizedException"),
        ("alias/taken", "AlreadyExistsException"),
    ],
)
async def test_wrong_alias_names_are_refused(keys: Keys, name: str, code: str) -> None:
    key = (await keys.create())["KeyId"]
    await keys.call("create_alias", AliasName="alias/taken", TargetKeyId=key)
    assert await keys.error("create_alias", AliasName=name, TargetKeyId=key) == code


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("1234", "NotFoundException"),
        ("00000000-0000-4000-8000-000000000000", "NotFoundException"),
        (f"{ARN}key/00000000-0000-4000-8000-000000000000", "NotFoundException"),
        (
            f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/00000000-0000-4000-8000-00000000",
            "NotFoundException",
        ),
        ("alias/none", "NotFoundException"),
        ("arn:aws:s3:::bucket", "InvalidArnException"),
    ],
)
async def test_what_is_no_key_is_not_found(keys: Keys, key: str, code: str) -> None:
    assert await keys.error("describe_key", KeyId=key) == code
    assert await keys.error("encrypt", KeyId=key, Plaintext=b"x") == code


async def test_a_disabled_key_is_of_no_use_until_it_is_enabled(keys: Keys) -> None:
    key = (await keys.create())["KeyId"]
    blob = await keys.encrypt(key)
    await keys.call("disable_key", KeyId=key)
    assert (await keys.describe(key))["KeyState"] == "Disabled"
    for operation, request in _uses(key, blob).items():
        assert await keys.error(operation, **request) == "DisabledException"
    await keys.call("enable_key", KeyId=key)
    assert await keys.decrypt(blob) == b"secret"


async def test_a_key_waits_for_its_deletion_and_may_be_had_back(keys: Keys) -> None:
    key = (await keys.create())["KeyId"]
    blob = await keys.encrypt(key)
    planned = await keys.call("schedule_key_deletion", KeyId=key, PendingWindowInDays=7)
    assert (planned["KeyState"], planned["PendingWindowInDays"]) == ("PendingDeletion", 7)
    assert abs(planned["DeletionDate"].timestamp() - time.time() - 7 * 86_400) < 60
    for operation, request in {**_uses(key, blob), "enable_key": {"KeyId": key}}.items():
        assert await keys.error(operation, **request) == "KMSInvalidStateException"
    again = await keys.error("schedule_key_deletion", KeyId=key)
    assert again == "KMSInvalidStateException"
    await keys.call("cancel_key_deletion", KeyId=key)
    shown = await keys.describe(key)
    assert (shown["KeyState"], "DeletionDate" in shown) == ("Disabled", False)
    assert await keys.error("cancel_key_deletion", KeyId=key) == "KMSInvalidStateException"
    await keys.call("enable_key", KeyId=key)
    assert await keys.decrypt(blob) == b"secret"


def _uses(key: str, blob: bytes) -> dict[str, dict[str, Any]]:
    return {
        "encrypt": {"KeyId": key, "Plaintext": b"x"},
        "decrypt": {"CiphertextBlob": blob},
        "generate_data_key": {"KeyId": key, "KeySpec": "AES_256"},
        "generate_data_key_without_plaintext": {"KeyId": key, "KeySpec": "AES_256"},
        "re_encrypt": {"CiphertextBlob": blob, "DestinationKeyId": key},
    }


async def test_what_was_encrypted_before_a_rotation_stays_readable(keys: Keys) -> None:
    made = await keys.create()
    key = made["KeyId"]
    blob = await keys.encrypt(key)
    await keys.call("rotate_key_on_demand", KeyId=key)
    rotated = (await keys.describe(key))["CurrentKeyMaterialId"]
    assert rotated != made["CurrentKeyMaterialId"]
    assert await keys.decrypt(blob) == b"secret"
    assert await keys.decrypt(await keys.encrypt(key)) == b"secret"
    (listed,) = (await keys.call("list_key_rotations", KeyId=key))["Rotations"]
    assert (listed["KeyMaterialId"], listed["RotationType"]) == (rotated, "ON_DEMAND")


async def test_automatic_rotation_is_turned_on_and_off(keys: Keys) -> None:
    key = (await keys.create())["KeyId"]
    assert not (await keys.call("get_key_rotation_status", KeyId=key))["KeyRotationEnabled"]
    await keys.call("enable_key_rotation", KeyId=key, RotationPeriodInDays=90)
    status = await keys.call("get_key_rotation_status", KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)
    assert abs(status["NextRotationDate"].timestamp() - time.time() - 90 * 86_400) < 60
    await keys.call("disable_key_rotation", KeyId=key)
    assert not (await keys.call("get_key_rotation_status", KeyId=key))["KeyRotationEnabled"]


@pytest.mark.parametrize(
    "asked",
    [
        {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
        {"MultiRegion": True},
        {"Origin": "EXTERNAL"},
        {"CustomKeyStoreId": "cks-1234567890abcdef0"},
    ],
)
async def test_keys_that_are_not_built_say_so(keys: Keys, asked: dict[str, Any]) -> None:
    assert await keys.error("create_key", **asked) == "NotImplemented"
    assert (await keys.call("list_keys"))["Keys"] == []


async def test_lists_come_in_pages(keys: Keys) -> None:
    made = {(await keys.create())["KeyId"] for _ in range(3)}
    first = await keys.call("list_keys", Limit=2)
    second = await keys.call("list_keys", Limit=2, Marker=first["NextMarker"])
    assert (first["Truncated"], second["Truncated"]) == (True, False)
    assert {key["KeyId"] for page in (first, second) for key in page["Keys"]} == made
    assert await keys.error("list_keys", Marker="x") == "InvalidMarkerException"


async def test_tags_are_added_and_taken_away(keys: Keys) -> None:
    key = (await keys.create())["KeyId"]
    pairs = [{"TagKey": name, "TagValue": "1"} for name in ("a", "b")]
    await keys.call("tag_resource", KeyId=key, Tags=pairs)
    await keys.call("untag_resource", KeyId=key, TagKeys=["a"])
    assert (await keys.call("list_resource_tags", KeyId=key))["Tags"] == pairs[1:]
    reserved = [{"TagKey": "aws:x", "TagValue": "1"}]
    assert await keys.error("tag_resource", KeyId=key, Tags=reserved) == "TagException"


async def test_nobody_finds_key_material_in_the_store(keys: Keys, tmp_path: Any) -> None:
    key = (await keys.create())["KeyId"]
    plaintext = (await keys.call("generate_data_key", KeyId=key, KeySpec="AES_256"))["Plaintext"]
    await keys.encrypt(key, b"a plaintext that nobody keeps")
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("state.db*"))
    assert plaintext not in kept
    assert b"a plaintext that nobody keeps" not in kept
