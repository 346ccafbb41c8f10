"""The account as a whole: alias, summary, authorization details, and the simulator."""

from integration.services.iam.iam_plane import ACCOUNT, Caller, Plane, allow, deny, document


async def test_account_has_one_alias_at_a_time(admin: Caller):
    assert (await admin.call("list_account_aliases"))["AccountAliases"] == []
    await admin.call("create_account_alias", AccountAlias="first")
    await admin.call("create_account_alias", AccountAlias="second")
    assert (await admin.call("list_account_aliases"))["AccountAliases"] == ["second"]
    assert (await admin.error("delete_account_alias", AccountAlias="first"))[0] == "NoSuchEntity"
    await admin.call("delete_account_alias", AccountAlias="second")
    assert (await admin.call("list_account_aliases"))["AccountAliases"] == []


async def test_summary_counts_what_there_is(plane: Plane):
    before = (await plane.admin.call("get_account_summary"))["SummaryMap"]
    await plane.user("ann")
    arn = await plane.policy("p", allow("ssm:*"))
    await plane.admin.call(
        "create_policy_version", PolicyArn=arn, PolicyDocument=document(allow("ssm:*"))
    )
    after = (await plane.admin.call("get_account_summary"))["SummaryMap"]
    changed = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    assert changed == {"Users": 1, "Policies": 1, "PolicyVersionsInUse": 2}
    assert after["VersionsPerPolicyQuota"] == 5


async def test_authorization_details_tell_everything_in_pages(plane: Plane):
    admin = plane.admin
    await plane.user("ann", allow("ssm:*"))
    await admin.call("create_group", GroupName="team")
    await admin.call("add_user_to_group", GroupName="team", UserName="ann")
    arn = await plane.policy("p", allow("ssm:*"))
    await admin.call("attach_user_policy", UserName="ann", PolicyArn=arn)
    await plane.role("r", {"Service": "ec2.amazonaws.com"})
    await admin.call("create_instance_profile", InstanceProfileName="profile")
    await admin.call("add_role_to_instance_profile", InstanceProfileName="profile", RoleName="r")
    found: dict[str, list[dict[str, object]]] = {}
    for page in await admin.pages("get_account_authorization_details", 2):
        for member in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"):
            found.setdefault(member, []).extend(page[member])
    (ann,) = [user for user in found["UserDetailList"] if user["UserName"] == "ann"]
    assert ann["GroupList"] == ["team"]
    assert ann["UserPolicyList"][0]["PolicyDocument"]["Statement"][0]["Action"] == ["ssm:*"]
    assert ann["AttachedManagedPolicies"] == [{"PolicyName": "p", "PolicyArn": arn}]
    assert [group["GroupName"] for group in found["GroupDetailList"]] == ["team"]
    (role,) = found["RoleDetailList"]
    assert role["InstanceProfileList"][0]["InstanceProfileName"] == "profile"
    assert {policy["PolicyName"] for policy in found["Policies"]} == {"p", "AdministratorAccess"}
    only = await admin.call("get_account_authorization_details", Filter=["LocalManagedPolicy"])
    assert [policy["Arn"] for policy in only["Policies"]] == [arn]
    assert only["UserDetailList"] == []


async def test_simulator_decides_as_the_engine_does(plane: Plane):
    await plane.user("ann", allow("ssm:*"), deny("ssm:DeleteParameter"))
    boundary = await plane.policy("b", allow("ssm:GetParameter", "ssm:DeleteParameter"))
    await plane.admin.call(
        "put_user_permissions_boundary", UserName="ann", PermissionsBoundary=boundary
    )
    answer = await plane.admin.call(
        "simulate_principal_policy",
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/ann",
        ActionNames=["ssm:GetParameter", "ssm:PutParameter", "ssm:DeleteParameter", "ecs:RunTask"],
    )
    assert {r["EvalActionName"]: r["EvalDecision"] for r in answer["EvaluationResults"]} == {
        "ssm:GetParameter": "allowed",
        "ssm:PutParameter": "implicitDeny",
        "ssm:DeleteParameter": "explicitDeny",
        "ecs:RunTask": "implicitDeny",
    }
    put = answer["EvaluationResults"][1]
    assert put["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    assert put["MatchedStatements"] == [
        {"SourcePolicyId": "user_ann_own", "SourcePolicyType": "User"}
    ]


async def test_simulator_tells_which_keys_it_lacks(admin: Caller):
    policy = document(
        allow("ecs:RunTask", Condition={"StringEquals": {"aws:RequestTag/stage": "dev"}})
    )
    request = {"PolicyInputList": [policy], "ActionNames": ["ecs:RunTask"]}
    (bare,) = (await admin.call("simulate_custom_policy", **request))["EvaluationResults"]
    assert bare["EvalDecision"] == "implicitDeny"
    assert [key.lower() for key in bare["MissingContextValues"]] == ["aws:requesttag/stage"]
    entry = {
        "ContextKeyName": "aws:RequestTag/stage",
        "ContextKeyValues": ["dev"],
        "ContextKeyType": "string",
    }
    answer = await admin.call("simulate_custom_policy", **request, ContextEntries=[entry])
    assert answer["EvaluationResults"][0]["EvalDecision"] == "allowed"
    assert (
        await admin.error("simulate_custom_policy", PolicyInputList=["{"], ActionNames=["a:B"])
    )[0] == "InvalidInput"


async def test_what_is_not_built_says_so(admin: Caller):
    assert (await admin.error("get_access_key_last_used", AccessKeyId="AKIAIOSFODNN7EXAMPLE"))[
        ::2
    ] == ("NotImplemented", 501)
    assert (await admin.error("create_login_profile", UserName="admin", Password="x"))[2] == 501
