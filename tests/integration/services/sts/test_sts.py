"""Security Token Service, as boto3 sees it."""

import secrets
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from integration.services.sts.sts_plane import (
    ACCOUNT,
    OTHER,
    Caller,
    Plane,
    allow,
    document,
    trusting,
)

from longshore.base.ids import RandomIds
from longshore.model import iam
from longshore.model.errors import AwsError
from longshore.model.principal import Principal
from longshore.policy.session import role_session
from longshore.services.iam.identity import IamIdentity
from longshore.services.interface import Resource

ANYONE_HERE = {"AWS": ACCOUNT}
ASSUME = allow("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
FULL_TRUST = trusting(ANYONE_HERE, "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
PLAIN = allow("sts:GetFederationToken")
INVALID = ("InvalidClientTokenId", "The security token included in the request is invalid.")


def not_authorized(who: str, action: str, role: iam.Role) -> tuple[str, str]:
    return (
        "AccessDenied",
        f"User: {who} is not authorized to perform: {action} on resource: {role.arn}",
    )


def seconds_left(answer: Any) -> float:
    left = answer["Credentials"]["Expiration"] - datetime.now(UTC)
    return float(left.total_seconds())


async def test_everyone_is_told_who_they_are(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    role = await plane.role("deploy", FULL_TRUST)
    user_id = (await plane.store.transact(lambda tx: tx.get(iam.USER, ACCOUNT, "", "ann"))).value.id
    expected = {"UserId": user_id, "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ann"}
    assert await ann.call("get_caller_identity") == expected
    assert await (await ann.session("get_session_token")).call("get_caller_identity") == expected
    assert await (await ann.assume(role, "ci")).call("get_caller_identity") == {
        "UserId": f"{role.id}:ci",
        "Account": ACCOUNT,
        "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci",
    }


async def test_a_role_gives_a_session_what_it_is_allowed_and_no_more(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    role = await plane.role("deploy", FULL_TRUST, allow("ssm:PutParameter", "ssm:GetParameter"))
    answer = await ann.call("assume_role", RoleArn=role.arn, RoleSessionName="ci")
    assert answer["AssumedRoleUser"] == {
        "AssumedRoleId": f"{role.id}:ci",
        "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci",
    }
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    assert 3590 < seconds_left(answer) <= 3601
    assert "PackedPolicySize" not in answer
    session = await ann.assume(role)
    assert await session.may("put_parameter", "ssm", Name="a", Value="1", Type="String")
    assert not await session.may("delete_parameter", "ssm", Name="a")
    assert not await ann.may("get_parameter", "ssm", Name="a")
    code, message = await session.error("delete_parameter", "ssm", Name="a")
    assert (code, message) == (
        "AccessDeniedException",
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci is not authorized to perform: "
        f"ssm:DeleteParameter on resource: arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/a because no "
        "identity-based policy allows the ssm:DeleteParameter action",
    )


async def test_a_role_that_trusts_the_account_needs_the_callers_own_policy_too(plane: Plane):
    bob = await plane.user("bob")
    role = await plane.role("deploy", FULL_TRUST)
    code, message = await bob.error("assume_role", RoleArn=role.arn, RoleSessionName="ci")
    assert code == "AccessDenied"
    assert message.endswith("because no identity-based policy allows the sts:AssumeRole action")
    named = await plane.role("named", trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"}))
    assert (await (await bob.assume(named)).arn()).endswith(":assumed-role/named/ci")


async def test_a_role_that_does_not_trust_is_denied_as_one_that_there_is_not(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    role = await plane.role("closed", trusting({"Service": "ecs-tasks.amazonaws.com"}))
    missing = msgspec.structs.replace(role, arn=role.arn.replace("closed", "none"))
    for each in (role, missing):
        found = await ann.error("assume_role", RoleArn=each.arn, RoleSessionName="ci")
        assert found == not_authorized(await ann.arn(), "sts:AssumeRole", each)


async def test_another_accounts_role_needs_both_sides(plane: Plane):
    ann, bob = await plane.user("ann", ASSUME), await plane.user("bob")
    role = await plane.role("shared", trusting({"AWS": ACCOUNT}), account=OTHER)
    session = await ann.assume(role)
    assert (await session.call("get_caller_identity"))["Account"] == OTHER
    assert (await bob.error("assume_role", RoleArn=role.arn, RoleSessionName="ci"))[0] == (
        "AccessDenied"
    )


async def test_an_external_id_must_be_the_one_that_the_role_asks_for(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    condition = {"StringEquals": {"sts:ExternalId": "s3cret"}}
    role = await plane.role("third-party", trusting(ANYONE_HERE, Condition=condition))
    for wrong in ({}, {"ExternalId": "guess"}):
        found = await ann.error("assume_role", RoleArn=role.arn, RoleSessionName="ci", **wrong)
        assert found == not_authorized(await ann.arn(), "sts:AssumeRole", role)
    await ann.assume(role, ExternalId="s3cret")


@pytest.mark.parametrize(
    ("request_", "code", "said"),
    [
        ({"RoleArn": "arn:aws:iam::123456789012:user/ann"}, "ValidationError", "Request ARN is"),
        ({"RoleArn": "not-an-arn-but-long-enough"}, "ValidationError", "Request ARN is invalid"),
        (
            {"RoleSessionName": "a b"},
            "ValidationError",
            "Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        ),
        ({"DurationSeconds": 899}, "ValidationError", "greater than or equal to 900"),
        ({"DurationSeconds": 43201}, "ValidationError", "less than or equal to 43200"),
        (
            {"DurationSeconds": 3601},
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ),
        ({"Policy": "{"}, "MalformedPolicyDocument", "This policy contains invalid Json"),
        ({"Policy": "x" * 2049}, "PackedPolicyTooLarge", ""),
        ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/None"}]}, "ValidationError", "None"),
        (
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]},
            "InvalidParameterValue",
            "Duplicate tag keys found.",
        ),
        (
            {"Tags": [{"Key": "a", "Value": "1"}], "TransitiveTagKeys": ["b"]},
            "InvalidParameterValue",
            "transitive tag key must be included in the requested tags",
        ),
    ],
)
async def test_a_wrong_request_is_refused_with_aws_code(
    plane: Plane, request_: dict[str, Any], code: str, said: str
):
    ann = await plane.user("ann", ASSUME)
    role = await plane.role("deploy", FULL_TRUST)
    call = {"RoleArn": role.arn, "RoleSessionName": "ci", **request_}
    found, message = await ann.error("assume_role", **call)
    assert found == code
    assert said in message


async def test_a_role_session_may_last_as_long_as_the_role_says(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    role = await plane.role("deploy", FULL_TRUST, max_session=7200)
    call = {"RoleArn": role.arn, "RoleSessionName": "ci"}
    assert 7190 < seconds_left(await ann.call("assume_role", **call, DurationSeconds=7200)) <= 7201
    assert 3590 < seconds_left(await ann.call("assume_role", **call)) <= 3601
    assert (await ann.error("assume_role", **call, DurationSeconds=7201))[0] == "ValidationError"


async def test_a_chained_session_lasts_an_hour_at_most(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    first = await plane.role("first", FULL_TRUST, ASSUME, max_session=43200)
    second = await plane.role("second", trusting({"AWS": first.arn}), max_session=43200)
    session = await ann.assume(first, DurationSeconds=43200)
    call = {"RoleArn": second.arn, "RoleSessionName": "next"}
    assert await session.error("assume_role", **call, DurationSeconds=3601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role "
        "chaining",
    )
    assert 3590 < seconds_left(await session.call("assume_role", **call)) <= 3601
    assert await (await session.assume(second, "next")).arn() == (
        f"arn:aws:sts::{ACCOUNT}:assumed-role/second/next"
    )


async def test_session_policies_narrow_the_session_and_never_widen_it(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    role = await plane.role(
        "deploy", FULL_TRUST, allow("ssm:PutParameter", "ssm:GetParameter", "ssm:DeleteParameter")
    )
    policy = document(allow("ssm:PutParameter", "ssm:DescribeParameters"))
    answer = await ann.call("assume_role", RoleArn=role.arn, RoleSessionName="ci", Policy=policy)
    assert 0 < answer["PackedPolicySize"] <= 100
    session = await ann.assume(role, Policy=policy)
    assert await session.may("put_parameter", "ssm", Name="a", Value="1", Type="String")
    assert not await session.may("describe_parameters", "ssm")
    code, message = await session.error("get_parameter", "ssm", Name="a")
    assert code == "AccessDeniedException"
    assert message.endswith("because no session policy allows the ssm:GetParameter action")
    both = await ann.assume(
        role,
        Policy=policy,
        PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess"}],
    )
    assert await both.may("get_parameter", "ssm", Name="a")
    assert not await both.may("delete_parameter", "ssm", Name="a")


async def test_a_managed_session_policy_is_what_it_says_now(plane: Plane):
    def version(*actions: str) -> iam.Policy:
        made = iam.PolicyVersion(id="v1", document=document(allow(*actions)), created_at=0.0)
        return iam.Policy(
            name="narrow",
            path="/",
            id="ANPA1",
            arn=arn,
            created_at=0.0,
            updated_at=0.0,
            versions=(made,),
            default_version="v1",
        )

    arn = f"arn:aws:iam::{ACCOUNT}:policy/narrow"
    ann = await plane.user("ann", ASSUME)
    role = await plane.role("deploy", FULL_TRUST, allow("ssm:*"))
    await plane.put(iam.POLICY, ACCOUNT, arn, version("ssm:DescribeParameters"))
    session = await ann.assume(role, PolicyArns=[{"arn": arn}])
    assert await session.may("describe_parameters", "ssm")
    await plane.put(iam.POLICY, ACCOUNT, arn, version("ssm:GetParameter"))
    assert not await session.may("describe_parameters", "ssm")
    await plane.delete(iam.POLICY, arn)
    assert not await session.may("describe_parameters", "ssm")


async def test_session_tags_are_the_principals_and_need_a_permission_of_their_own(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    own = allow(
        "ssm:DescribeParameters",
        Condition={"StringEquals": {"aws:PrincipalTag/Team": "web"}},
    )
    role = await plane.role("deploy", FULL_TRUST, own, tags=(("team", "db"),))
    assert not await (await ann.assume(role)).may("describe_parameters", "ssm")
    tags = [{"Key": "Team", "Value": "web"}]
    assert await (await ann.assume(role, Tags=tags)).may("describe_parameters", "ssm")
    strict = await plane.role("strict", trusting(ANYONE_HERE))
    found = await ann.error("assume_role", RoleArn=strict.arn, RoleSessionName="ci", Tags=tags)
    assert found == not_authorized(await ann.arn(), "sts:TagSession", strict)


async def test_a_trust_policy_may_say_which_tags_are_passed(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    condition = {
        "StringEquals": {"aws:RequestTag/Team": ["web", "db"]},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]},
    }
    trust = trusting(ANYONE_HERE, "sts:AssumeRole", "sts:TagSession", Condition=condition)
    role = await plane.role("deploy", trust)
    await ann.assume(role, Tags=[{"Key": "Team", "Value": "web"}])
    for tags in (
        [{"Key": "Team", "Value": "root"}],
        [{"Key": "Team", "Value": "web"}, {"Key": "Extra", "Value": "1"}],
    ):
        found, _ = await ann.error("assume_role", RoleArn=role.arn, RoleSessionName="ci", Tags=tags)
        assert found == "AccessDenied"


async def test_transitive_tags_go_with_the_chain_and_cannot_be_replaced(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    first = await plane.role("first", FULL_TRUST, ASSUME)
    asks = allow(
        "ssm:DescribeParameters", Condition={"StringEquals": {"aws:PrincipalTag/Team": "web"}}
    )
    second = await plane.role("second", FULL_TRUST, asks, ASSUME)
    tags = [{"Key": "Team", "Value": "web"}]
    kept = await ann.assume(first, Tags=tags, TransitiveTagKeys=["team"])
    lost = await ann.assume(first, Tags=tags)
    assert await (await kept.assume(second)).may("describe_parameters", "ssm")
    assert not await (await lost.assume(second)).may("describe_parameters", "ssm")
    again = await (await kept.assume(second)).assume(second, "third")
    assert await again.may("describe_parameters", "ssm")
    code, message = await kept.error(
        "assume_role",
        RoleArn=second.arn,
        RoleSessionName="ci",
        Tags=[{"Key": "team", "Value": "db"}],
    )
    assert code == "InvalidParameterValue"
    assert "conflicts with a transitive tag key from the calling session" in message


async def test_a_source_identity_stays_through_the_chain(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    first = await plane.role("first", FULL_TRUST, ASSUME)
    asks = allow("ssm:DescribeParameters", Condition={"StringEquals": {"aws:SourceIdentity": "An"}})
    second = await plane.role("second", FULL_TRUST, asks)
    answer = await ann.call(
        "assume_role", RoleArn=first.arn, RoleSessionName="ci", SourceIdentity="An"
    )
    assert answer["SourceIdentity"] == "An"
    session = await ann.assume(first, SourceIdentity="An")
    chained = await session.call("assume_role", RoleArn=second.arn, RoleSessionName="ci")
    assert chained["SourceIdentity"] == "An"
    assert await (await session.assume(second)).may("describe_parameters", "ssm")
    assert not await (await (await ann.assume(first)).assume(second)).may(
        "describe_parameters", "ssm"
    )
    code, _ = await session.error(
        "assume_role", RoleArn=second.arn, RoleSessionName="ci", SourceIdentity="Eve"
    )
    assert code == "AccessDenied"


async def test_a_source_identity_needs_a_permission_of_its_own_also_when_it_is_inherited(
    plane: Plane,
):
    ann = await plane.user("ann", ASSUME)
    first = await plane.role("first", FULL_TRUST, ASSUME)
    closed = await plane.role("closed", trusting(ANYONE_HERE))
    found = await ann.error(
        "assume_role", RoleArn=closed.arn, RoleSessionName="ci", SourceIdentity="An"
    )
    assert found == not_authorized(await ann.arn(), "sts:SetSourceIdentity", closed)
    session = await ann.assume(first, SourceIdentity="An")
    found = await session.error("assume_role", RoleArn=closed.arn, RoleSessionName="ci")
    assert found == not_authorized(await session.arn(), "sts:SetSourceIdentity", closed)


async def test_a_users_session_has_its_rights_but_for_iam_and_most_of_sts(plane: Plane):
    ann = await plane.user("ann", allow("*"))
    role = await plane.role("deploy", FULL_TRUST)
    answer = await ann.call("get_session_token", DurationSeconds=900)
    assert 890 < seconds_left(answer) <= 901
    session = await ann.session("get_session_token")
    assert await session.may("describe_parameters", "ssm")
    assert await session.error("list_users", "iam") == INVALID
    assert await session.error("get_session_token") == (
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
    )
    assert await session.error("get_federation_token", Name="bob") == (
        "AccessDenied",
        "Cannot call GetFederationToken with session credentials",
    )
    assert (await (await session.assume(role)).arn()).endswith(":assumed-role/deploy/ci")
    assert await ann.may("list_users", "iam")


async def test_nobody_needs_a_permission_for_a_session_of_their_own(plane: Plane):
    bob = await plane.user("bob")
    session = await bob.session("get_session_token")
    assert await session.arn() == await bob.arn()
    assert not await session.may("describe_parameters", "ssm")


async def test_there_is_no_mfa_device_to_authenticate_with(plane: Plane):
    ann = await plane.user("ann")
    code, message = await ann.error(
        "get_session_token", SerialNumber=f"arn:aws:iam::{ACCOUNT}:mfa/ann", TokenCode="123456"
    )
    assert (code, message) == (
        "AccessDenied",
        "MultiFactorAuthentication failed, unable to validate MFA code.",
    )


async def test_a_federated_user_has_what_both_the_user_and_its_policy_allow(plane: Plane):
    ann = await plane.user("ann", allow("sts:*", "ssm:*", "iam:*"))
    wide = await ann.session(
        "get_federation_token", Name="guest", Policy=document(allow("ssm:Describe*", "s3:*"))
    )
    assert await wide.arn() == f"arn:aws:sts::{ACCOUNT}:federated-user/guest"
    assert await wide.may("describe_parameters", "ssm")
    assert not await wide.may("get_parameter", "ssm", Name="a")
    none = await ann.session("get_federation_token", Name="guest")
    assert not await none.may("describe_parameters", "ssm")
    every = await ann.session("get_federation_token", Name="guest", Policy=document(allow("*")))
    assert await every.error("list_users", "iam") == INVALID
    role = await plane.role("deploy", FULL_TRUST)
    assert (await every.error("assume_role", RoleArn=role.arn, RoleSessionName="ci")) == INVALID


async def test_a_federated_user_is_denied_what_its_user_is_denied_by_a_resource(plane: Plane):
    ann = await plane.user("ann", allow("sts:*", "secretsmanager:*"))
    secret = await ann.call("create_secret", "secretsmanager", Name="s", SecretString="x")
    guest = await ann.session(
        "get_federation_token", Name="guest", Policy=document(allow("secretsmanager:*"))
    )
    assert await guest.may("get_secret_value", "secretsmanager", SecretId=secret["ARN"])
    denied = {
        "Effect": "Deny",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
        "Principal": {"AWS": await ann.arn()},
    }
    await ann.call(
        "put_resource_policy",
        "secretsmanager",
        SecretId=secret["ARN"],
        ResourcePolicy=document(denied),
    )
    for who in (ann, guest):
        code, message = await who.error(
            "get_secret_value", "secretsmanager", SecretId=secret["ARN"]
        )
        assert code == "AccessDeniedException"
        assert message.endswith("with an explicit deny in a resource-based policy")


async def test_an_expired_token_is_refused(plane: Plane):
    role = await plane.role("deploy", FULL_TRUST)
    late = plane.sealed(role_session(role, "ci", 0.0), time.time() - 1)
    assert await late.error("get_caller_identity") == (
        "ExpiredToken",
        "The security token included in the request is expired",
    )
    code, _ = await late.error("describe_parameters", "ssm")
    assert code == "ExpiredTokenException"


async def test_a_token_that_was_changed_or_left_out_is_refused(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    key_id, secret, token = (await ann.session("get_session_token")).keys
    assert token is not None
    other = (await ann.session("get_session_token")).keys[2]
    middle = "A" if token[80] != "A" else "B"
    for wrong in (token[:80] + middle + token[81:], token[:-8], other, "nonsense", None):
        caller = Caller(plane, key_id, secret, wrong)
        assert await caller.error("get_caller_identity") == INVALID
    with_token = Caller(plane, ann.keys[0], ann.keys[1], token)
    assert await with_token.error("get_caller_identity") == INVALID
    code, _ = await Caller(plane, key_id, secret + "x", token).error("get_caller_identity")
    assert code == "SignatureDoesNotMatch"


async def test_sessions_end_with_their_role_or_user(plane: Plane):
    ann = await plane.user("ann", allow("*"))
    role = await plane.role("deploy", FULL_TRUST, allow("ssm:*"))
    assumed, own = await ann.assume(role), await ann.session("get_session_token")
    guest = await ann.session("get_federation_token", Name="guest", Policy=document(allow("*")))
    for session in (assumed, own, guest):
        assert await session.may("describe_parameters", "ssm")
    await plane.delete(iam.ROLE, "deploy")
    assert await assumed.error("get_caller_identity") == INVALID
    await plane.role("deploy", FULL_TRUST, allow("ssm:*"))
    assert (await assumed.error("describe_parameters", "ssm"))[0] == "UnrecognizedClientException"
    await plane.delete(iam.USER, "ann")
    for session in (ann, own, guest):
        assert await session.error("get_caller_identity") == INVALID
    await plane.user("ann", allow("*"))
    for session in (own, guest):
        assert await session.error("get_caller_identity") == INVALID


async def test_who_is_gone_is_let_in_by_no_resource_either(plane: Plane):
    await plane.user("ann", allow("*"))
    principal = Principal(
        account=ACCOUNT,
        arn=f"arn:aws:iam::{ACCOUNT}:user/ann",
        user_id="AIDAOFALONGTIMEAGOXXX",
        kind="user",
        user_name="ann",
    )
    named = document(trusting({"AWS": principal.arn}, "ecr:*", Resource="*"))
    repository = Resource(arn=f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/web")
    with pytest.raises(AwsError, match="InvalidClientTokenId"):
        IamIdentity(RandomIds()).authorize(
            plane.store.reader, principal, "ecr:BatchGetImage", repository, {}, named
        )


async def test_session_tags_of_a_federated_user_need_a_permission_of_their_own(plane: Plane):
    condition = {"StringEquals": {"aws:PrincipalTag/Team": "web"}}
    both = allow("sts:GetFederationToken", "sts:TagSession"), allow("ssm:*", Condition=condition)
    ann, bob = await plane.user("ann", *both), await plane.user("bob", both[1], PLAIN)
    call = {
        "Name": "guest",
        "Tags": [{"Key": "Team", "Value": "web"}],
        "Policy": document(allow("ssm:*")),
    }
    guest = await ann.session("get_federation_token", **call)
    assert await guest.may("describe_parameters", "ssm")
    code, message = await bob.error("get_federation_token", **call)
    assert code == "AccessDenied"
    assert message.endswith("because no identity-based policy allows the sts:TagSession action")


async def test_session_policies_and_tags_have_room_for_so_much(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    role = await plane.role("deploy", FULL_TRUST)
    tags = [{"Key": f"key{n}", "Value": secrets.token_hex(64)} for n in range(50)]
    code, message = await ann.error(
        "assume_role", RoleArn=role.arn, RoleSessionName="ci", Tags=tags
    )
    assert code == "PackedPolicyTooLarge"
    assert message.startswith("Packed size of session policies and tags consumes ")
    answer = await ann.call("assume_role", RoleArn=role.arn, RoleSessionName="ci", Tags=tags[:5])
    assert 0 < answer["PackedPolicySize"] <= 100


async def test_a_changed_role_changes_its_sessions_at_once(plane: Plane):
    ann = await plane.user("ann", ASSUME)
    role = await plane.role("deploy", FULL_TRUST)
    session = await ann.assume(role)
    assert not await session.may("describe_parameters", "ssm")
    granted = (("own", document(allow("ssm:*"))),)
    await plane.put(iam.ROLE, ACCOUNT, "deploy", msgspec.structs.replace(role, inline=granted))
    assert await session.may("describe_parameters", "ssm")
    bounded = msgspec.structs.replace(
        role, inline=granted, boundary=f"arn:aws:iam::{ACCOUNT}:policy/gone"
    )
    await plane.put(iam.ROLE, ACCOUNT, "deploy", bounded)
    _, message = await session.error("describe_parameters", "ssm")
    assert message.endswith(
        "because no permissions boundary allows the ssm:DescribeParameters action"
    )


async def test_the_account_of_a_key_is_told(plane: Plane):
    ann = await plane.user("ann", allow("sts:GetAccessKeyInfo"))
    found = await ann.call("get_access_key_info", AccessKeyId=ann.keys[0])
    assert found == {"Account": ACCOUNT}


async def test_unbuilt_operation_says_so(plane: Plane):
    ann = await plane.user("ann", allow("*"))
    code, _ = await ann.error("decode_authorization_message", EncodedMessage="x")
    assert code == "NotImplemented"
