"""Who may use a key: its policy, its grants and IAM together."""

import json
from typing import Any

import pytest
from integration.services.iam.iam_plane import ACCOUNT, EVERYONE, Caller, allow, deny, document
from integration.services.kms.kms_plane import Keys

ADMIN_ARN = f"arn:aws:iam::{ACCOUNT}:root"


def statement(principal: str, *actions: str, **more: Any) -> dict[str, Any]:
    return allow(*actions, Principal={"AWS": principal}, **more)


def arn(user: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{user}"


async def only(keys: Keys, *statements: Any) -> str:
    """A key whose policy has these statements and lets the account manage it, not use it."""
    manage = statement(
        EVERYONE, "kms:Put*", "kms:Get*", "kms:CreateGrant", "kms:Revoke*", "kms:List*"
    )
    return str((await keys.create(Policy=document(manage, *statements)))["KeyId"])


async def uses(keys: Keys, by: Caller, key: str) -> bool:
    return await keys.may(by, "encrypt", KeyId=key, Plaintext=b"x")


async def test_by_its_default_policy_a_key_is_iams_to_give(keys: Keys) -> None:
    key = (await keys.create())["KeyId"]
    ann = await keys.plane.user("ann", allow("kms:Encrypt"))
    bob = await keys.plane.user("bob")
    assert await uses(keys, ann, key)
    assert not await uses(keys, bob, key)
    assert not await keys.may(ann, "decrypt", CiphertextBlob=await keys.encrypt(key))
    policy = json.loads(
        (await keys.call("get_key_policy", KeyId=key, PolicyName="default"))["Policy"]
    )
    assert policy["Statement"][0]["Principal"] == {"AWS": EVERYONE}


async def test_without_the_account_in_its_policy_iam_gives_nothing(keys: Keys) -> None:
    key = await only(keys)
    ann = await keys.plane.user("ann", allow("kms:*"))
    assert not await uses(keys, ann, key)
    assert await keys.error("encrypt", KeyId=key, Plaintext=b"x") == "AccessDeniedException"


async def test_whom_the_policy_names_needs_no_policy_of_iam(keys: Keys) -> None:
    ann = await keys.plane.user("ann")
    key = await only(keys, statement(arn("ann"), "kms:Encrypt"))
    assert await uses(keys, ann, key)
    assert not await keys.may(ann, "describe_key", KeyId=key)


async def test_a_denial_anywhere_is_one(keys: Keys) -> None:
    ann = await keys.plane.user("ann", deny("kms:Encrypt"))
    key = await only(keys, statement(arn("ann"), "kms:*"))
    assert not await uses(keys, ann, key)


async def test_another_account_needs_the_key_policy_and_its_own(keys: Keys) -> None:
    guest_arn, guest = await keys.stranger()
    key = (await keys.create())["Arn"]
    assert not await uses(keys, guest, key)
    shared = document(statement(EVERYONE, "kms:*"), statement(guest_arn, "kms:Encrypt"))
    await keys.call("put_key_policy", KeyId=key, Policy=shared)
    assert await uses(keys, guest, key)
    assert not await keys.may(guest, "describe_key", KeyId=key)
    assert await keys.error("disable_key", by=guest, KeyId=key) == "NotFoundException"


async def test_another_accounts_ciphertext_tells_nothing(keys: Keys) -> None:
    _, guest = await keys.stranger()
    blob = await keys.encrypt((await keys.create())["KeyId"])
    assert await keys.error("decrypt", by=guest, CiphertextBlob=blob) == "AccessDeniedException"


async def test_policies_ask_for_the_encryption_context(keys: Keys) -> None:
    condition = {"StringEquals": {"kms:EncryptionContext:stage": "test"}}
    ann = await keys.plane.user("ann", allow("kms:Encrypt", "kms:Decrypt", Condition=condition))
    key = (await keys.create())["KeyId"]
    right, wrong = {"stage": "test", "more": "1"}, {"stage": "live"}
    request = {"KeyId": key, "Plaintext": b"x"}
    assert await keys.may(ann, "encrypt", **request, EncryptionContext=right)
    assert not await keys.may(ann, "encrypt", **request, EncryptionContext=wrong)
    assert not await keys.may(ann, "encrypt", **request)
    blob = await keys.encrypt(key, EncryptionContext=right)
    assert await keys.may(ann, "decrypt", CiphertextBlob=blob, EncryptionContext=right)


async def test_policies_ask_for_the_alias_and_the_tags_of_a_key(keys: Keys) -> None:
    tagged = {"StringEquals": {"aws:ResourceTag/team": "shop"}}
    named = {"StringEquals": {"kms:RequestAlias": "alias/shop"}}
    ann = await keys.plane.user("ann", allow("kms:Encrypt", Condition=tagged))
    bob = await keys.plane.user("bob", allow("kms:Encrypt", Condition=named))
    key = (await keys.create())["KeyId"]
    assert not await uses(keys, ann, key)
    await keys.call("tag_resource", KeyId=key, Tags=[{"TagKey": "team", "TagValue": "shop"}])
    assert await uses(keys, ann, key)
    await keys.call("create_alias", AliasName="alias/shop", TargetKeyId=key)
    assert not await uses(keys, bob, key)
    assert await uses(keys, bob, "alias/shop")


@pytest.mark.parametrize("policy", ["{}", "no", document(allow("kms:*"))])
async def test_what_is_no_key_policy_is_refused(keys: Keys, policy: str) -> None:
    key = (await keys.create())["KeyId"]
    code = await keys.error("put_key_policy", KeyId=key, Policy=policy)
    assert code == "MalformedPolicyDocumentException"
    assert await keys.error("create_key", Policy=policy) == "MalformedPolicyDocumentException"


async def test_nobody_locks_the_account_out_of_a_key_by_mistake(keys: Keys) -> None:
    policy = document(statement(arn("ann"), "kms:*"))
    await keys.plane.user("ann")
    assert await keys.error("create_key", Policy=policy) == "MalformedPolicyDocumentException"
    made = await keys.create(Policy=policy, BypassPolicyLockoutSafetyCheck=True)
    assert await keys.error("describe_key", KeyId=made["KeyId"]) == "AccessDeniedException"


async def test_reencryption_asks_for_both_keys(keys: Keys) -> None:
    first, second = await keys.create(), await keys.create()
    blob = await keys.encrypt(first["KeyId"])
    for name, actions, allowed in (
        ("from", {"kms:ReEncryptFrom": first["Arn"]}, False),
        ("to", {"kms:ReEncryptTo": second["Arn"]}, False),
        ("turned", {"kms:ReEncryptFrom": second["Arn"], "kms:ReEncryptTo": first["Arn"]}, False),
        ("both", {"kms:ReEncryptFrom": first["Arn"], "kms:ReEncryptTo": second["Arn"]}, True),
    ):
        rights = [allow(action, resource=key) for action, key in actions.items()]
        who = await keys.plane.user(name, *rights)
        request = {"CiphertextBlob": blob, "DestinationKeyId": second["KeyId"]}
        assert await keys.may(who, "re_encrypt", **request) is allowed


async def test_a_grant_lets_in_for_what_it_says_and_until_it_is_revoked(keys: Keys) -> None:
    ann, key = await keys.plane.user("ann"), await only(keys)
    granted = {"KeyId": key, "GranteePrincipal": arn("ann"), "Operations": ["Encrypt"]}
    assert not await uses(keys, ann, key)
    grant = await keys.call("create_grant", **granted, Name="of-the-shop")
    assert await uses(keys, ann, key)
    assert not await keys.may(ann, "describe_key", KeyId=key)
    assert await keys.call("create_grant", **granted, Name="of-the-shop") == grant
    (listed,) = (await keys.call("list_grants", KeyId=key))["Grants"]
    assert listed["GrantId"] == grant["GrantId"]
    assert (listed["GranteePrincipal"], listed["Operations"]) == (arn("ann"), ["Encrypt"])
    await keys.call("revoke_grant", KeyId=key, GrantId=grant["GrantId"])
    assert not await uses(keys, ann, key)
    code = await keys.error("revoke_grant", KeyId=key, GrantId=grant["GrantId"])
    assert code == "NotFoundException"


@pytest.mark.parametrize(
    ("constraint", "extra_allowed"),
    [("EncryptionContextEquals", False), ("EncryptionContextSubset", True)],
)
async def test_a_grant_may_be_for_an_encryption_context(
    keys: Keys, constraint: str, extra_allowed: bool
) -> None:
    ann, key = await keys.plane.user("ann"), await only(keys)
    await keys.call(
        "create_grant",
        KeyId=key,
        GranteePrincipal=arn("ann"),
        Operations=["Encrypt", "DescribeKey"],
        Constraints={constraint: {"stage": "test"}},
    )

    async def may(**context: str) -> bool:
        asked = {"KeyId": key, "Plaintext": b"x", "EncryptionContext": context}
        return await keys.may(ann, "encrypt", **asked)

    assert await may(stage="test")
    assert await may(stage="test", more="1") is extra_allowed
    assert not await may(stage="live")
    assert not await may(more="1")
    assert not await may()
    assert await keys.may(ann, "describe_key", KeyId=key)


async def test_a_grant_is_retired_by_whom_it_says(keys: Keys) -> None:
    ann, bob = await keys.plane.user("ann"), await keys.plane.user("bob")
    key = await only(keys)
    granted = {"KeyId": key, "GranteePrincipal": arn("ann"), "Operations": ["Encrypt"]}
    grant = await keys.call("create_grant", **granted, RetiringPrincipal=arn("bob"))
    listed = await keys.call("list_retirable_grants", RetiringPrincipal=arn("bob"))
    assert [each["GrantId"] for each in listed["Grants"]] == [grant["GrantId"]]
    code = await keys.error("retire_grant", by=ann, GrantToken=grant["GrantToken"])
    assert code == "AccessDeniedException"
    await keys.call("retire_grant", by=bob, GrantToken=grant["GrantToken"])
    assert (await keys.call("list_grants", KeyId=key))["Grants"] == []
    code = await keys.error("retire_grant", by=bob, GrantToken="nonsense")
    assert code == "InvalidGrantTokenException"


async def test_grants_are_for_principals_and_operations_of_the_key(keys: Keys) -> None:
    key = (await keys.create())["KeyId"]
    asked = {"KeyId": key, "GranteePrincipal": arn("ann"), "Operations": ["Encrypt"]}
    for change, code in (
        ({"GranteePrincipal": "ann"}, "InvalidArnException"),
        ({"Operations": ["Sign"]}, "ValidationException"),
        ({"Operations": []}, "ValidationException"),
    ):
        assert await keys.error("create_grant", **{**asked, **change}) == code
