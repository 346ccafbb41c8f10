"""Users, groups, roles and instance profiles, as boto3 sees them."""

import json

import pytest
from integration.services.iam.iam_plane import ACCOUNT, Caller, Plane, allow, document, trust

from longshore.model import ecs

ECS_TASKS = {"Service": "ecs-tasks.amazonaws.com"}


async def test_user_reads_back_as_it_was_made(admin: Caller):
    made = await admin.call(
        "create_user", UserName="Ann", Path="/web/team/", Tags=[{"Key": "stage", "Value": "dev"}]
    )
    user = made["User"]
    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/web/team/Ann"
    assert (user["Path"], user["UserName"]) == ("/web/team/", "Ann")
    assert user["UserId"].startswith("AIDA") and len(user["UserId"]) == 21
    assert user["Tags"] == [{"Key": "stage", "Value": "dev"}]
    assert (await admin.call("get_user", UserName="Ann"))["User"] == user
    listed = (await admin.call("list_users", PathPrefix="/web/"))["Users"]
    assert [each["UserName"] for each in listed] == ["Ann"]
    assert "Tags" not in listed[0]


async def test_names_differ_by_more_than_case(admin: Caller):
    await admin.call("create_user", UserName="Ann")
    await admin.call("create_group", GroupName="Team")
    code, message, status = await admin.error("create_user", UserName="ANN")
    assert (code, status) == ("EntityAlreadyExists", 409)
    assert message == "User with name ANN already exists."
    assert (await admin.error("create_group", GroupName="TEAM"))[0] == "EntityAlreadyExists"
    assert (await admin.call("get_user", UserName="ann"))["User"]["UserName"] == "Ann"


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a:b", "../x", "a*", "\u212aim", "x" * 65])
async def test_names_of_the_wrong_shape_are_refused(admin: Caller, name: str):
    code, _, status = await admin.error("create_user", UserName=name)
    assert (code, status) == ("ValidationError", 400)


@pytest.mark.parametrize("path", ["x", "/x", "x/", "/a b/", "/\u00e9/"])
async def test_paths_of_the_wrong_shape_are_refused(admin: Caller, path: str):
    code, _, _ = await admin.error("create_user", UserName="ann", Path=path)
    assert code == "ValidationError"


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        ("get_user", {"UserName": "no"}, "The user with name no cannot be found."),
        ("delete_group", {"GroupName": "no"}, "The group with name no cannot be found."),
        ("get_role", {"RoleName": "no"}, "The role with name no cannot be found."),
        (
            "get_instance_profile",
            {"InstanceProfileName": "no"},
            "Instance Profile no cannot be found.",
        ),
    ],
)
async def test_what_there_is_not_cannot_be_found(admin: Caller, operation, request_, message):
    assert await admin.error(operation, **request_) == ("NoSuchEntity", message, 404)


async def test_renamed_user_keeps_its_id_groups_and_keys(plane: Plane):
    ann = await plane.user("ann", allow("iam:GetUser"))
    await plane.admin.call("create_group", GroupName="team")
    await plane.admin.call("add_user_to_group", GroupName="team", UserName="ann")
    before = (await plane.admin.call("get_user", UserName="ann"))["User"]
    await plane.admin.call("update_user", UserName="ann", NewUserName="Bea", NewPath="/x/")
    after = (await ann.call("get_user"))["User"]
    assert after["UserId"] == before["UserId"]
    assert after["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/x/Bea"
    members = (await plane.admin.call("get_group", GroupName="team"))["Users"]
    assert [each["UserName"] for each in members] == ["Bea"]
    assert (await plane.admin.error("get_user", UserName="ann"))[0] == "NoSuchEntity"
    keys = await plane.admin.call("list_access_keys", UserName="Bea")
    assert [each["UserName"] for each in keys["AccessKeyMetadata"]] == ["Bea"]


async def test_user_is_not_renamed_to_another_users_name(admin: Caller):
    await admin.call("create_user", UserName="ann")
    await admin.call("create_user", UserName="bea")
    code, _, _ = await admin.error("update_user", UserName="ann", NewUserName="BEA")
    assert code == "EntityAlreadyExists"
    await admin.call("update_user", UserName="ann", NewUserName="Ann")
    assert (await admin.call("get_user", UserName="ann"))["User"]["UserName"] == "Ann"


async def test_user_goes_only_when_nothing_hangs_on_it(plane: Plane):
    admin = plane.admin
    await plane.user("ann", allow("iam:GetUser"))
    policy = await plane.policy("p", allow("iam:GetUser"))
    await admin.call("attach_user_policy", UserName="ann", PolicyArn=policy)
    await admin.call("create_group", GroupName="team")
    await admin.call("add_user_to_group", GroupName="team", UserName="ann")
    key = (await admin.call("list_access_keys", UserName="ann"))["AccessKeyMetadata"][0]
    for refused, undo, request in (
        (
            "Cannot delete entity, must remove users from group first.",
            "remove_user_from_group",
            {"GroupName": "team"},
        ),
        (
            "Cannot delete entity, must delete access keys first.",
            "delete_access_key",
            {"AccessKeyId": key["AccessKeyId"]},
        ),
        (
            "Cannot delete entity, must detach all policies first.",
            "detach_user_policy",
            {"PolicyArn": policy},
        ),
        (
            "Cannot delete entity, must delete policies first.",
            "delete_user_policy",
            {"PolicyName": "own"},
        ),
    ):
        assert await admin.error("delete_user", UserName="ann") == ("DeleteConflict", refused, 409)
        await admin.call(undo, UserName="ann", **request)
    await admin.call("delete_user", UserName="ann")
    assert (await admin.error("get_user", UserName="ann"))[0] == "NoSuchEntity"


async def test_group_with_members_stays_and_renaming_it_keeps_them(admin: Caller):
    await admin.call("create_group", GroupName="team", Path="/a/")
    for name in ("bea", "ann"):
        await admin.call("create_user", UserName=name)
        await admin.call("add_user_to_group", GroupName="TEAM", UserName=name)
    await admin.call("add_user_to_group", GroupName="team", UserName="ann")
    assert (await admin.error("delete_group", GroupName="team"))[0] == "DeleteConflict"
    await admin.call("update_group", GroupName="team", NewGroupName="crew")
    members = await admin.call("get_group", GroupName="crew")
    assert [each["UserName"] for each in members["Users"]] == ["ann", "bea"]
    groups = (await admin.call("list_groups_for_user", UserName="ann"))["Groups"]
    assert [each["Arn"] for each in groups] == [f"arn:aws:iam::{ACCOUNT}:group/a/crew"]
    await admin.call("remove_user_from_group", GroupName="crew", UserName="ann")
    await admin.call("remove_user_from_group", GroupName="crew", UserName="ann")
    assert (await admin.call("list_groups_for_user", UserName="ann"))["Groups"] == []


async def test_user_is_in_ten_groups_at_most(admin: Caller):
    await admin.call("create_user", UserName="ann")
    for number in range(11):
        await admin.call("create_group", GroupName=f"g{number}")
    for number in range(10):
        await admin.call("add_user_to_group", GroupName=f"g{number}", UserName="ann")
    refused = await admin.error("add_user_to_group", GroupName="g10", UserName="ann")
    assert refused == ("LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10", 409)


async def test_pages_give_everyone_once_while_others_come_and_go(admin: Caller):
    for number in range(7):
        await admin.call("create_user", UserName=f"u{number}", Path="/p/")
    first = await admin.call("list_users", PathPrefix="/p/", MaxItems=3)
    assert first["IsTruncated"] is True
    await admin.call("delete_user", UserName="u2")
    await admin.call("create_user", UserName="u0a", Path="/p/")
    second = await admin.call("list_users", PathPrefix="/p/", MaxItems=9, Marker=first["Marker"])
    assert second["IsTruncated"] is False and "Marker" not in second
    names = [each["UserName"] for each in (*first["Users"], *second["Users"])]
    assert names == [f"u{number}" for number in range(7)]
    assert (await admin.error("list_users", Marker="nonsense!"))[:2] == (
        "ValidationError",
        "Invalid Marker.",
    )


async def test_role_reads_back_with_its_trust_policy(plane: Plane):
    role = await plane.role(
        "task", ECS_TASKS, Path="/service/", Description="for tasks", MaxSessionDuration=7200
    )
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/service/task"
    assert role["AssumeRolePolicyDocument"] == json.loads(trust(ECS_TASKS))
    assert (await plane.admin.call("get_role", RoleName="task"))["Role"] == role
    await plane.admin.call("update_role", RoleName="task", MaxSessionDuration=3600)
    told = await plane.admin.call("update_role_description", RoleName="task", Description="new")
    assert (told["Role"]["MaxSessionDuration"], told["Role"]["Description"]) == (3600, "new")
    other = {"Service": "ec2.amazonaws.com"}
    await plane.admin.call(
        "update_assume_role_policy", RoleName="task", PolicyDocument=trust(other)
    )
    found = (await plane.admin.call("list_roles", PathPrefix="/service/"))["Roles"]
    assert [each["AssumeRolePolicyDocument"] for each in found] == [json.loads(trust(other))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "This policy contains invalid Json"),
        (document(allow("sts:AssumeRole")), "Has prohibited field Resource"),
        (
            document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "iam:*"}),
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"}),
            f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:user/nobody"',
        ),
        (trust({"AWS": "me"}), 'Invalid principal in policy: "AWS":"me"'),
        (
            trust({"Service": "ecs.example.com"}),
            'Invalid principal in policy: "SERVICE":"ecs.example.com"',
        ),
    ],
)
async def test_trust_policy_that_is_none_is_refused_in_iams_words(
    admin: Caller, text: str, message: str
):
    refused = await admin.error("create_role", RoleName="r", AssumeRolePolicyDocument=text)
    assert refused == ("MalformedPolicyDocument", message, 400)
    assert (await admin.error("get_role", RoleName="r"))[0] == "NoSuchEntity"


async def test_role_goes_only_when_nothing_hangs_on_it(plane: Plane):
    admin = plane.admin
    await plane.role("r", {"Service": "ec2.amazonaws.com"})
    await admin.call("create_instance_profile", InstanceProfileName="p")
    await admin.call("add_role_to_instance_profile", InstanceProfileName="p", RoleName="r")
    assert await admin.error("delete_role", RoleName="r") == (
        "DeleteConflict",
        "Cannot delete entity, must remove roles from instance profile first.",
        409,
    )
    assert (await admin.error("delete_instance_profile", InstanceProfileName="p"))[0] == (
        "DeleteConflict"
    )
    found = await admin.call("list_instance_profiles_for_role", RoleName="r")
    (profile,) = found["InstanceProfiles"]
    assert profile["Arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/p"
    assert [role["RoleName"] for role in profile["Roles"]] == ["r"]
    await plane.role("s", {"Service": "ec2.amazonaws.com"})
    second = await admin.error(
        "add_role_to_instance_profile", InstanceProfileName="p", RoleName="s"
    )
    assert second[0] == "LimitExceeded"
    await admin.call("remove_role_from_instance_profile", InstanceProfileName="p", RoleName="r")
    await admin.call("delete_instance_profile", InstanceProfileName="p")
    await admin.call("delete_role", RoleName="r")
    assert (await admin.call("list_instance_profiles"))["InstanceProfiles"] == []


async def test_service_linked_role_is_changed_by_its_service_only(admin: Caller):
    made = await admin.call("create_service_linked_role", AWSServiceName="ecs.amazonaws.com")
    role = made["Role"]
    assert role["Arn"] == (
        f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    )
    taken = await admin.error("create_service_linked_role", AWSServiceName="ecs.amazonaws.com")
    assert taken[:2] == (
        "InvalidInput",
        "Service role name AWSServiceRoleForECS has been taken in this account, please try a "
        "different suffix.",
    )
    name = role["RoleName"]
    text = document(allow("*"))
    for operation, request in (
        ("delete_role", {}),
        ("put_role_policy", {"PolicyName": "p", "PolicyDocument": text}),
        ("attach_role_policy", {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        ("update_assume_role_policy", {"PolicyDocument": trust({"AWS": ACCOUNT})}),
        (
            "put_role_permissions_boundary",
            {"PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"},
        ),
    ):
        assert (await admin.error(operation, RoleName=name, **request))[0] == "UnmodifiableEntity"
    task = await admin.call("delete_service_linked_role", RoleName=name)
    status = await admin.call("get_service_linked_role_deletion_status", **task)
    assert status == {"Status": "SUCCEEDED"}
    assert (await admin.error("get_role", RoleName=name))[0] == "NoSuchEntity"


async def test_role_of_ecs_stays_while_there_is_a_cluster(plane: Plane):
    made = await plane.admin.call("create_service_linked_role", AWSServiceName="ecs.amazonaws.com")
    arn = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/web"
    cluster = ecs.Cluster(name="web", arn=arn)
    await plane.store.transact(lambda tx: tx.put(ecs.CLUSTER, ACCOUNT, "eu-west-1", "web", cluster))
    name = made["Role"]["RoleName"]
    task = await plane.admin.call("delete_service_linked_role", RoleName=name)
    status = await plane.admin.call("get_service_linked_role_deletion_status", **task)
    assert status["Status"] == "FAILED"
    assert status["Reason"]["RoleUsageList"] == [{"Region": "eu-west-1", "Resources": [arn]}]
    assert (await plane.admin.call("get_role", RoleName=name))["Role"] == made["Role"]


async def test_ordinary_role_gets_no_path_of_service_linked_ones(admin: Caller):
    refused = await admin.error(
        "create_role",
        RoleName="r",
        Path="/aws-service-role/ecs.amazonaws.com/",
        AssumeRolePolicyDocument=trust(ECS_TASKS),
    )
    assert refused[:2] == (
        "InvalidInput",
        "Path prefix '/aws-service-role/' can only be used for AWS Service linked Roles",
    )


async def test_tags_are_put_over_each_other_whatever_their_keys_case(plane: Plane):
    admin = plane.admin
    await admin.call("create_user", UserName="ann", Tags=[{"Key": "Stage", "Value": "dev"}])
    await plane.role("r", ECS_TASKS)
    await admin.call("create_instance_profile", InstanceProfileName="p")
    arn = await plane.policy("p", allow("iam:GetUser"))
    for noun, name in (
        ("user", {"UserName": "ann"}),
        ("role", {"RoleName": "r"}),
        ("instance_profile", {"InstanceProfileName": "p"}),
        ("policy", {"PolicyArn": arn}),
    ):
        tags = [{"Key": "stage", "Value": "prod"}, {"Key": "team", "Value": ""}]
        await admin.call(f"tag_{noun}", Tags=tags, **name)
        listed = await admin.call(f"list_{noun}_tags", **name)
        assert listed == {"Tags": tags, "IsTruncated": False}
        await admin.call(f"untag_{noun}", TagKeys=["STAGE"], **name)
        assert (await admin.call(f"list_{noun}_tags", **name))["Tags"] == tags[1:]
    twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    assert (await admin.error("tag_user", UserName="ann", Tags=twice))[0] == "InvalidInput"
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert (await admin.error("tag_user", UserName="ann", Tags=many))[0] == "LimitExceeded"
