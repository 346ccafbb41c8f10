"""What policies do to the calls of those they are for, from the next call on."""

import asyncio

import pytest
from botocore.exceptions import ClientError
from integration.services.iam.iam_plane import (
    ACCOUNT,
    Caller,
    Plane,
    allow,
    deny,
    document,
    trust,
)

PUT = {"service": "ssm", "Name": "p", "Value": "v", "Type": "String", "Overwrite": True}
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


async def may_put(caller: Caller) -> bool:
    return await caller.may("put_parameter", **PUT)


async def test_user_without_a_policy_may_nothing_and_with_one_may_what_it_says(plane: Plane):
    ann = await plane.user("ann")
    code, message, status = await ann.error("list_users")
    assert (code, status) == ("AccessDenied", 403)
    assert f"User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: iam:ListUsers" in (
        message
    )
    assert "because no identity-based policy allows the iam:ListUsers action" in message
    await plane.admin.call(
        "put_user_policy",
        UserName="ann",
        PolicyName="p",
        PolicyDocument=document(allow("iam:ListUsers")),
    )
    assert await ann.may("list_users")
    assert not await ann.may("list_groups")
    await plane.admin.call("delete_user_policy", UserName="ann", PolicyName="p")
    assert not await ann.may("list_users")


async def test_denial_names_the_resource_as_iam_does(plane: Plane):
    arn = await plane.policy("p", allow("ssm:*"))
    await plane.role("r", Path="/x/")
    ann = await plane.user("ann")
    for operation, request, told in (
        ("get_role", {"RoleName": "R"}, "role r"),
        ("get_role", {"RoleName": "none"}, "role none"),
        ("get_user", {}, "user ann"),
        ("get_group", {"GroupName": "g"}, "group g"),
        ("get_instance_profile", {"InstanceProfileName": "p"}, "instance profile p"),
        ("get_policy", {"PolicyArn": arn}, f"policy {arn}"),
        ("create_policy", {"PolicyName": "q", "PolicyDocument": "{}"}, "policy q"),
        ("list_policies", {"PathPrefix": "/x/"}, "policy path /x/"),
        ("list_roles", {}, f"arn:aws:iam::{ACCOUNT}:role/"),
        ("create_user", {"UserName": "b", "Path": "/x/"}, f"arn:aws:iam::{ACCOUNT}:user/x/b"),
        ("get_account_summary", {}, "*"),
    ):
        code, message, _ = await ann.error(operation, **request)
        assert code == "AccessDenied"
        assert f" on resource: {told} because no identity-based policy allows the" in message


async def test_explicit_deny_wins_over_administrator_access(plane: Plane):
    ann = await plane.user("ann", deny("iam:DeleteUser"))
    await plane.admin.call("attach_user_policy", UserName="ann", PolicyArn=ADMINISTRATOR)
    assert await ann.may("list_users") and await may_put(ann)
    _, message, _ = await ann.error("delete_user", UserName="bea")
    assert message.endswith("with an explicit deny in an identity-based policy")
    await plane.admin.call("detach_user_policy", UserName="ann", PolicyArn=ADMINISTRATOR)
    assert not await ann.may("list_users")


async def test_group_policy_holds_while_the_user_is_in_the_group(plane: Plane):
    ann = await plane.user("ann")
    await plane.admin.call("create_group", GroupName="Team")
    await plane.admin.call(
        "put_group_policy",
        GroupName="Team",
        PolicyName="p",
        PolicyDocument=document(allow("ssm:PutParameter")),
    )
    assert not await may_put(ann)
    await plane.admin.call("add_user_to_group", GroupName="Team", UserName="ann")
    assert await may_put(ann)
    await plane.admin.call("update_group", GroupName="Team", NewGroupName="Crew")
    assert await may_put(ann)
    await plane.admin.call("remove_user_from_group", GroupName="Crew", UserName="ann")
    assert not await may_put(ann)


async def test_boundary_limits_what_policies_give(plane: Plane):
    ann = await plane.user("ann", allow("*"))
    boundary = await plane.policy("boundary", allow("iam:List*", "ssm:Get*"))
    await plane.admin.call(
        "put_user_permissions_boundary", UserName="ann", PermissionsBoundary=boundary
    )
    assert await ann.may("list_users") and not await may_put(ann)
    _, message, _ = await ann.error("create_user", UserName="bea")
    assert "because no permissions boundary allows the iam:CreateUser action" in message
    await plane.admin.call("delete_user_permissions_boundary", UserName="ann")
    assert await may_put(ann)


async def test_new_default_version_acts_at_once(plane: Plane):
    ann = await plane.user("ann")
    arn = await plane.policy("p", allow("ssm:PutParameter"))
    await plane.admin.call("attach_user_policy", UserName="ann", PolicyArn=arn)
    assert await may_put(ann)
    await plane.admin.call(
        "create_policy_version", PolicyArn=arn, PolicyDocument=document(deny("ssm:*"))
    )
    assert await may_put(ann)
    await plane.admin.call("set_default_policy_version", PolicyArn=arn, VersionId="v2")
    assert not await may_put(ann)


async def test_deleted_or_inactive_key_opens_nothing(plane: Plane):
    ann = await plane.user("ann", allow("iam:*"))
    first = (await ann.call("list_access_keys"))["AccessKeyMetadata"][0]["AccessKeyId"]
    made = (await ann.call("create_access_key"))["AccessKey"]
    assert len(made["SecretAccessKey"]) == 40
    assert await plane.admin.error("create_access_key", UserName="ann") == (
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
        409,
    )
    listed = (await ann.call("list_access_keys"))["AccessKeyMetadata"]
    assert [each["AccessKeyId"] for each in listed] == [first, made["AccessKeyId"]]
    assert all("SecretAccessKey" not in each for each in listed)
    await plane.admin.call(
        "update_access_key", UserName="ann", AccessKeyId=first, Status="Inactive"
    )
    assert (await ann.error("get_user"))[0] == "InvalidClientTokenId"
    second = plane.caller(made["AccessKeyId"], made["SecretAccessKey"])
    await second.call("update_access_key", AccessKeyId=first, Status="Active")
    assert (await ann.call("get_user"))["User"]["UserName"] == "ann"
    await second.call("delete_access_key", AccessKeyId=first)
    assert (await ann.error("get_user"))[0] == "InvalidClientTokenId"
    assert await second.error("delete_access_key", AccessKeyId=first) == (
        "NoSuchEntity",
        f"The Access Key with id {first} cannot be found.",
        404,
    )


async def test_key_of_another_user_is_not_changed_under_ones_own_name(plane: Plane):
    ann = await plane.user(
        "ann", allow("iam:*AccessKey*", resource=f"arn:aws:iam::{ACCOUNT}:user/ann")
    )
    await plane.user("bea")
    key = (await plane.admin.call("list_access_keys", UserName="bea"))["AccessKeyMetadata"][0]
    refused = await ann.error("delete_access_key", AccessKeyId=key["AccessKeyId"])
    assert refused[0] == "NoSuchEntity"
    assert not await ann.may("delete_access_key", UserName="bea", AccessKeyId=key["AccessKeyId"])
    assert not await ann.may("create_access_key", UserName="bea")


async def test_users_look_after_themselves_by_the_variable_of_their_name(plane: Plane):
    own = f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"
    ann = await plane.user("ann", allow("iam:GetUser", "iam:*AccessKey*", resource=own))
    await plane.user("bea")
    assert await ann.may("get_user") and await ann.may("create_access_key")
    assert not await ann.may("get_user", UserName="bea")


async def test_deny_on_an_entity_holds_in_whatever_case_it_is_named(plane: Plane):
    await plane.admin.call("create_user", UserName="Boss", Path="/top/")
    guarded = f"arn:aws:iam::{ACCOUNT}:user/top/Boss"
    ann = await plane.user("ann", allow("iam:*"), deny("iam:*", resource=guarded))
    for name in ("Boss", "boss", "BOSS"):
        assert not await ann.may("create_access_key", UserName=name)
        assert not await ann.may("update_user", UserName=name, NewUserName="mine")
        assert not await ann.may("delete_user", UserName=name)


async def test_policy_for_a_path_does_not_reach_other_paths(plane: Plane):
    """Neither by the bare name, nor by moving somebody into the path or out of it."""
    inside = f"arn:aws:iam::{ACCOUNT}:user/dev/*"
    await plane.admin.call("create_user", UserName="boss")
    await plane.admin.call("create_user", UserName="dave", Path="/dev/")
    ann = await plane.user("ann", allow("iam:*", resource=inside))
    assert await ann.may("create_user", UserName="new", Path="/dev/a/")
    assert not await ann.may("create_user", UserName="other")
    assert not await ann.may("create_access_key", UserName="boss")
    assert not await ann.may("update_user", UserName="boss", NewPath="/dev/")
    assert not await ann.may("update_user", UserName="dave", NewPath="/")
    assert await ann.may("update_user", UserName="dave", NewPath="/dev/b/", NewUserName="dan")


async def test_only_users_within_a_boundary_may_be_made(plane: Plane):
    boundary = await plane.policy("boundary", allow("ssm:*"))
    within = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    ann = await plane.user(
        "ann",
        allow("iam:CreateUser", "iam:AttachUserPolicy", "iam:PutUserPolicy", Condition=within),
        allow("iam:DeleteUserPermissionsBoundary", Condition={"Null": {"aws:username": "true"}}),
    )
    assert not await ann.may("create_user", UserName="bea")
    await ann.call("create_user", UserName="bea", PermissionsBoundary=boundary)
    await ann.call("attach_user_policy", UserName="bea", PolicyArn=ADMINISTRATOR)
    assert not await ann.may("attach_user_policy", UserName="ann", PolicyArn=ADMINISTRATOR)
    assert not await ann.may("delete_user_permissions_boundary", UserName="bea")


async def test_only_named_policies_may_be_attached(plane: Plane):
    arn = await plane.policy("harmless", allow("ssm:Get*"))
    ann = await plane.user(
        "ann", allow("iam:AttachUserPolicy", Condition={"ArnEquals": {"iam:PolicyARN": arn}})
    )
    await ann.call("attach_user_policy", UserName="ann", PolicyArn=arn)
    assert not await ann.may("attach_user_policy", UserName="ann", PolicyArn=ADMINISTRATOR)


async def test_tags_of_requests_and_entities_decide(plane: Plane):
    ann = await plane.user(
        "ann",
        allow("iam:CreateUser", Condition={"StringEquals": {"aws:RequestTag/team": "web"}}),
        allow("iam:DeleteUser", Condition={"StringEquals": {"aws:ResourceTag/team": "web"}}),
        allow(
            "iam:UntagUser",
            Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}},
        ),
    )
    await plane.admin.call("create_user", UserName="other")
    web = [{"Key": "team", "Value": "web"}]
    assert not await ann.may("create_user", UserName="bea")
    await ann.call("create_user", UserName="bea", Tags=web)
    assert not await ann.may("untag_user", UserName="bea", TagKeys=["stage"])
    assert not await ann.may("delete_user", UserName="other")
    await ann.call("delete_user", UserName="bea")


async def test_role_is_put_into_an_instance_profile_only_by_who_may_pass_it(plane: Plane):
    role = await plane.role("power", {"Service": "ec2.amazonaws.com"})
    await plane.admin.call("create_instance_profile", InstanceProfileName="p")
    ann = await plane.user("ann", allow("iam:AddRoleToInstanceProfile"))
    _, message, _ = await ann.error(
        "add_role_to_instance_profile", InstanceProfileName="p", RoleName="power"
    )
    assert f"iam:PassRole on resource: {role['Arn']}" in message
    to_ec2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    await plane.admin.call(
        "put_user_policy",
        UserName="ann",
        PolicyName="pass",
        PolicyDocument=document(allow("iam:PassRole", resource=role["Arn"], Condition=to_ec2)),
    )
    await ann.call("add_role_to_instance_profile", InstanceProfileName="p", RoleName="power")


async def session(plane: Plane, caller: Caller, role_arn: str) -> Caller:
    answer = await caller.call(
        "assume_role", service="sts", RoleArn=role_arn, RoleSessionName="test"
    )
    given = answer["Credentials"]
    return plane.caller(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


async def test_session_of_a_role_may_what_the_role_may(plane: Plane):
    role = await plane.role("r")
    ann = await plane.user("ann", allow("sts:AssumeRole", resource=role["Arn"]))
    assumed = await session(plane, ann, role["Arn"])
    assert not await may_put(assumed)
    await plane.admin.call(
        "put_role_policy",
        RoleName="r",
        PolicyName="p",
        PolicyDocument=document(allow("ssm:PutParameter", "iam:GetUser")),
    )
    assert await may_put(assumed)
    refused = await assumed.error("get_user")
    assert refused[:2] == (
        "ValidationError",
        "Must specify userName when calling with non-User credentials",
    )


async def test_user_made_anew_is_not_trusted_in_the_old_ones_place(plane: Plane):
    ann = await plane.user("ann")
    arn = f"arn:aws:iam::{ACCOUNT}:user/ann"
    old = (await plane.admin.call("get_user", UserName="ann"))["User"]
    role = await plane.role("r", {"AWS": arn})
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": arn}
    await session(plane, ann, role["Arn"])
    key = (await plane.admin.call("list_access_keys", UserName="ann"))["AccessKeyMetadata"][0]
    await plane.admin.call("delete_access_key", UserName="ann", AccessKeyId=key["AccessKeyId"])
    await plane.admin.call("delete_user", UserName="ann")
    shown = (await plane.admin.call("get_role", RoleName="r"))["Role"]["AssumeRolePolicyDocument"]
    assert shown["Statement"][0]["Principal"] == {"AWS": old["UserId"]}
    impostor = await plane.user("ann")
    with pytest.raises(ClientError, match="AccessDenied"):
        await session(plane, impostor, role["Arn"])
    await plane.admin.call(
        "update_assume_role_policy", RoleName="r", PolicyDocument=trust({"AWS": arn})
    )
    await session(plane, impostor, role["Arn"])


async def test_two_keys_are_the_most_however_many_ask_at_once(plane: Plane):
    await plane.admin.call("create_user", UserName="ann")
    answers = await asyncio.gather(
        *(plane.admin.call("create_access_key", UserName="ann") for _ in range(6)),
        return_exceptions=True,
    )
    assert sum(not isinstance(each, ClientError) for each in answers) == 2
    keys = await plane.admin.call("list_access_keys", UserName="ann")
    assert len(keys["AccessKeyMetadata"]) == 2


async def test_same_name_is_taken_by_one_of_many_who_want_it(plane: Plane):
    answers = await asyncio.gather(
        *(plane.admin.call("create_user", UserName=name) for name in ("ann", "Ann", "ANN", "aNN")),
        return_exceptions=True,
    )
    refused = [each for each in answers if isinstance(each, ClientError)]
    assert len(refused) == 3
    assert {each.response["Error"]["Code"] for each in refused} == {"EntityAlreadyExists"}
