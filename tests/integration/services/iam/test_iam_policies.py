"""Managed policies with their versions, attachments, inline policies and boundaries."""

import json
from urllib.parse import unquote

import pytest
from integration.services.iam.iam_plane import ACCOUNT, Caller, Plane, allow, document, trust

READ = allow("ssm:GetParameter")
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
EC2 = {"Service": "ec2.amazonaws.com"}


def names(listed: list[dict[str, str]], key: str) -> list[str]:
    return [each[key] for each in listed]


async def test_policy_reads_back_with_its_document(plane: Plane):
    admin = plane.admin
    made = await admin.call(
        "create_policy",
        PolicyName="Reader",
        Path="/team/",
        Description="may read",
        PolicyDocument=document(READ),
        Tags=[{"Key": "a", "Value": "b"}],
    )
    arn = made["Policy"]["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/team/Reader"
    policy = (await admin.call("get_policy", PolicyArn=arn))["Policy"]
    assert (policy["DefaultVersionId"], policy["AttachmentCount"]) == ("v1", 0)
    assert (policy["Description"], policy["Tags"]) == ("may read", [{"Key": "a", "Value": "b"}])
    version = await admin.call("get_policy_version", PolicyArn=arn, VersionId="v1")
    assert version["PolicyVersion"]["Document"] == json.loads(document(READ))
    taken = await admin.error("create_policy", PolicyName="READER", PolicyDocument=document(READ))
    assert taken == (
        "EntityAlreadyExists",
        "A policy called READER already exists. Duplicate names are not allowed.",
        409,
    )


async def test_documents_are_percent_encoded_on_the_wire(plane: Plane):
    text = document(allow("ssm:GetParameter", resource="arn:aws:ssm:*:*:parameter/a b+c"))
    await plane.admin.call("create_user", UserName="ann")
    await plane.admin.call("put_user_policy", UserName="ann", PolicyName="own", PolicyDocument=text)
    wire = ""

    def keep(http_response, **_):
        nonlocal wire
        wire = http_response.text

    client = plane.admin.client("iam")
    client.meta.events.register("after-call.iam.GetUserPolicy", keep)
    found = await plane.admin.call("get_user_policy", UserName="ann", PolicyName="own")
    encoded = wire.partition("<PolicyDocument>")[2].partition("</PolicyDocument>")[0]
    assert unquote(encoded) == text
    assert not set(encoded) & set(' "{}+/:*')
    assert found["PolicyDocument"] == json.loads(text)


async def test_policy_has_five_versions_at_most_and_one_in_force(plane: Plane):
    admin, arn = plane.admin, await plane.policy("p", READ)
    for number in range(2, 6):
        made = await admin.call(
            "create_policy_version",
            PolicyArn=arn,
            PolicyDocument=document(allow("ssm:*")),
            SetAsDefault=number == 3,
        )
        assert made["PolicyVersion"]["VersionId"] == f"v{number}"
        assert made["PolicyVersion"]["IsDefaultVersion"] is (number == 3)
    full = await admin.error("create_policy_version", PolicyArn=arn, PolicyDocument=document(READ))
    assert full[:2] == (
        "LimitExceeded",
        "A managed policy can have up to 5 versions. Before you create a new version, you must "
        "delete an existing version.",
    )
    versions = (await admin.call("list_policy_versions", PolicyArn=arn))["Versions"]
    assert names(versions, "VersionId") == ["v5", "v4", "v3", "v2", "v1"]
    assert await admin.error("delete_policy_version", PolicyArn=arn, VersionId="v3") == (
        "DeleteConflict",
        "Cannot delete the default version of a policy.",
        409,
    )
    await admin.call("set_default_policy_version", PolicyArn=arn, VersionId="v1")
    await admin.call("delete_policy_version", PolicyArn=arn, VersionId="v3")
    made = await admin.call("create_policy_version", PolicyArn=arn, PolicyDocument=document(READ))
    assert made["PolicyVersion"]["VersionId"] == "v6"
    assert (await admin.error("delete_policy", PolicyArn=arn))[0] == "DeleteConflict"
    for version in ("v2", "v4", "v5", "v6"):
        await admin.call("delete_policy_version", PolicyArn=arn, VersionId=version)
    await admin.call("delete_policy", PolicyArn=arn)
    assert (await admin.error("get_policy", PolicyArn=arn))[0] == "NoSuchEntity"


async def test_attached_policy_is_counted_listed_and_not_deleted(plane: Plane):
    admin, arn = plane.admin, await plane.policy("p", READ, Path="/x/")
    await admin.call("create_user", UserName="ann", PermissionsBoundary=arn)
    await admin.call("create_group", GroupName="team")
    await plane.role("r", EC2)
    for noun, name in (
        ("user", {"UserName": "ann"}),
        ("group", {"GroupName": "team"}),
        ("role", {"RoleName": "r"}),
    ):
        await admin.call(f"attach_{noun}_policy", PolicyArn=arn, **name)
        await admin.call(f"attach_{noun}_policy", PolicyArn=arn, **name)
        listed = await admin.call(f"list_attached_{noun}_policies", **name)
        assert listed["AttachedPolicies"] == [{"PolicyName": "p", "PolicyArn": arn}]
        other = await admin.call(f"list_attached_{noun}_policies", PathPrefix="/y/", **name)
        assert other["AttachedPolicies"] == []
    policy = (await admin.call("get_policy", PolicyArn=arn))["Policy"]
    assert (policy["AttachmentCount"], policy["PermissionsBoundaryUsageCount"]) == (3, 1)
    using = await admin.call("list_entities_for_policy", PolicyArn=arn)
    assert names(using["PolicyUsers"], "UserName") == ["ann"]
    assert names(using["PolicyGroups"], "GroupName") == ["team"]
    assert names(using["PolicyRoles"], "RoleName") == ["r"]
    users = await admin.call(
        "list_entities_for_policy", PolicyArn=arn, PolicyUsageFilter="PermissionsBoundary"
    )
    assert names(users["PolicyUsers"], "UserName") == ["ann"] and users["PolicyRoles"] == []
    assert await admin.error("delete_policy", PolicyArn=arn) == (
        "DeleteConflict",
        "Cannot delete a policy attached to entities.",
        409,
    )
    await admin.call("detach_group_policy", GroupName="team", PolicyArn=arn)
    await admin.call("detach_role_policy", RoleName="r", PolicyArn=arn)
    await admin.call("detach_user_policy", UserName="ann", PolicyArn=arn)
    policy = (await admin.call("get_policy", PolicyArn=arn))["Policy"]
    assert policy["AttachmentCount"] == 0
    again = await admin.error("detach_user_policy", UserName="ann", PolicyArn=arn)
    assert again == ("NoSuchEntity", f"Policy {arn} was not found.", 404)


async def test_policy_that_bounds_somebody_is_not_deleted(plane: Plane):
    arn = await plane.policy("p", READ)
    await plane.admin.call("create_user", UserName="ann", PermissionsBoundary=arn)
    assert (await plane.admin.error("delete_policy", PolicyArn=arn))[0] == "DeleteConflict"
    await plane.role("r", EC2, PermissionsBoundary=arn)
    await plane.admin.call("delete_user_permissions_boundary", UserName="ann")
    assert (await plane.admin.error("delete_policy", PolicyArn=arn))[0] == "DeleteConflict"
    role = (await plane.admin.call("get_role", RoleName="r"))["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    await plane.admin.call("delete_role_permissions_boundary", RoleName="r")
    await plane.admin.call("delete_policy", PolicyArn=arn)


@pytest.mark.parametrize(
    ("arn", "refused"),
    [
        (
            f"arn:aws:iam::{ACCOUNT}:policy/none",
            (
                "NoSuchEntity",
                f"Policy arn:aws:iam::{ACCOUNT}:policy/none does not exist or is not attachable.",
                404,
            ),
        ),
        (
            "arn:aws:iam::aws:policy/administratoraccess",
            (
                "NoSuchEntity",
                "Policy arn:aws:iam::aws:policy/administratoraccess does not exist or is not "
                "attachable.",
                404,
            ),
        ),
        (
            "arn:aws:iam::aws:nopolicy/x",
            ("InvalidInput", "ARN arn:aws:iam::aws:nopolicy/x is not valid.", 400),
        ),
    ],
)
async def test_policy_that_there_is_not_is_not_attached(admin: Caller, arn: str, refused: object):
    await admin.call("create_user", UserName="ann")
    assert await admin.error("attach_user_policy", UserName="ann", PolicyArn=arn) == refused
    boundary = await admin.error(
        "put_user_permissions_boundary", UserName="ann", PermissionsBoundary=arn
    )
    assert boundary[0] in {"NoSuchEntity", "InvalidInput"}
    listed = await admin.call("list_attached_user_policies", UserName="ann")
    assert listed["AttachedPolicies"] == []


async def test_ten_policies_are_attached_at_most(plane: Plane):
    await plane.role("r", EC2)
    for number in range(11):
        arn = await plane.policy(f"p{number}", READ)
        if number < 10:
            await plane.admin.call("attach_role_policy", RoleName="r", PolicyArn=arn)
    refused = await plane.admin.error("attach_role_policy", RoleName="r", PolicyArn=arn)
    assert refused == ("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10", 409)


async def test_awss_own_policies_are_listed_and_read_but_not_changed(plane: Plane):
    admin = plane.admin
    own = await plane.policy("p", READ)
    await admin.call("create_user", UserName="ann")
    await admin.call("attach_user_policy", UserName="ann", PolicyArn=ADMINISTRATOR)

    async def listed(**options: object) -> list[str]:
        return names((await admin.call("list_policies", **options))["Policies"], "Arn")

    assert await listed(Scope="Local") == [own]
    assert ADMINISTRATOR in await listed(Scope="AWS") and own not in await listed(Scope="AWS")
    assert await listed(OnlyAttached=True) == [ADMINISTRATOR]
    assert "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy" in (
        await listed(PathPrefix="/service-role/")
    )
    policy = (await admin.call("get_policy", PolicyArn=ADMINISTRATOR))["Policy"]
    version = await admin.call(
        "get_policy_version", PolicyArn=ADMINISTRATOR, VersionId=policy["DefaultVersionId"]
    )
    assert version["PolicyVersion"]["Document"]["Statement"][0]["Action"] in ("*", ["*"])
    for operation, request in (
        ("delete_policy", {}),
        ("create_policy_version", {"PolicyDocument": document(READ)}),
        ("tag_policy", {"Tags": [{"Key": "a", "Value": "b"}]}),
    ):
        assert (await admin.error(operation, PolicyArn=ADMINISTRATOR, **request))[
            0
        ] == "InvalidInput"
    assert (await admin.call("get_policy", PolicyArn=ADMINISTRATOR))["Policy"] == policy


async def test_pages_of_policies_hold_each_once(admin: Caller):
    everything = (await admin.call("list_policies"))["Policies"]
    pages = await admin.pages("list_policies", 7)
    found = [policy["Arn"] for page in pages for policy in page["Policies"]]
    assert found == names(everything, "Arn") and len(found) > 7


async def test_inline_policies_are_put_read_listed_and_deleted(plane: Plane):
    admin = plane.admin
    await admin.call("create_user", UserName="ann")
    await admin.call("create_group", GroupName="team")
    await plane.role("r", EC2)
    for noun, parameter, name in (
        ("user", "UserName", "ann"),
        ("group", "GroupName", "team"),
        ("role", "RoleName", "r"),
    ):
        who = {parameter: name}
        for policy in ("b", "a"):
            await admin.call(
                f"put_{noun}_policy", PolicyName=policy, PolicyDocument=document(READ), **who
            )
        listed = await admin.call(f"list_{noun}_policies", **who)
        assert listed == {"PolicyNames": ["a", "b"], "IsTruncated": False}
        found = await admin.call(f"get_{noun}_policy", PolicyName="a", **who)
        assert found == {**who, "PolicyName": "a", "PolicyDocument": json.loads(document(READ))}
        await admin.call(f"delete_{noun}_policy", PolicyName="a", **who)
        assert await admin.error(f"get_{noun}_policy", PolicyName="a", **who) == (
            "NoSuchEntity",
            f"The {noun} policy with name a cannot be found.",
            404,
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        (document({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (trust({"AWS": ACCOUNT}), None),
        (
            document(allow("everything")),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (
            document(allow("ssm:Get*", resource="parameter")),
            'Resource parameter must be in ARN format or "*".',
        ),
    ],
)
async def test_document_that_is_none_is_refused_everywhere(
    admin: Caller, text: str, message: str | None
):
    await admin.call("create_user", UserName="ann")
    own = await admin.error("put_user_policy", UserName="ann", PolicyName="p", PolicyDocument=text)
    managed = await admin.error("create_policy", PolicyName="p", PolicyDocument=text)
    assert own == managed
    assert own[0] == "MalformedPolicyDocument" and own[2] == 400
    assert message is None or own[1] == message
    assert (await admin.call("list_user_policies", UserName="ann"))["PolicyNames"] == []


async def test_white_space_does_not_count_against_the_size_of_policies(admin: Caller):
    await admin.call("create_user", UserName="ann")
    wide = document(READ).replace(" ", " " * 5000)
    await admin.call("put_user_policy", UserName="ann", PolicyName="wide", PolicyDocument=wide)
    long = document(allow("ssm:GetParameter", resource=f"arn:aws:ssm:*:*:{'x' * 2000}"))
    refused = await admin.error(
        "put_user_policy", UserName="ann", PolicyName="long", PolicyDocument=long
    )
    assert refused == (
        "LimitExceeded",
        "Maximum policy size of 2048 bytes exceeded for user ann",
        409,
    )
    large = document(allow("ssm:GetParameter", resource=f"arn:aws:ssm:*:*:{'x' * 6144}"))
    managed = await admin.error("create_policy", PolicyName="p", PolicyDocument=large)
    assert managed == ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144", 409)
