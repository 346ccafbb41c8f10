"""Whether a call is allowed ("Policy evaluation logic"), rule by rule."""

from typing import Any

import pytest
from unit.policy.policy_builder import (
    ACCOUNT,
    ALLOW,
    ANN,
    ANONYMOUS,
    CLUSTER,
    DENY,
    FEDERATED,
    OTHER,
    ROLE_ARN,
    ROOT,
    SERVICE,
    SESSION,
    allowed,
    decide,
    identity,
    resource,
    statement,
    trust,
)

from longshore.model.principal import Principal
from longshore.policy.document import Document

THEIRS = CLUSTER.replace(ACCOUNT, OTHER)
ROOT_ARN = f"arn:aws:iam::{ACCOUNT}:root"
NOTHING = identity(statement(Action="nothing:Ever"))


def granted_to(principal: Any, effect: str = "Allow", **elements: Any) -> Document:
    return resource(statement(effect, Principal=principal, **elements))


def test_what_nobody_allows_is_denied() -> None:
    decision = decide()
    assert not decision.allowed
    assert decision.reason == (
        "because no identity-based policy allows the ecs:DescribeClusters action"
    )


@pytest.mark.parametrize(
    ("elements", "matches"),
    [
        ({"Action": "ecs:DescribeClusters"}, True),
        ({"Action": "ECS:describeclusters"}, True),
        ({"Action": "ecs:Describe*"}, True),
        ({"Action": "*:*"}, True),
        ({"Action": "ecs:DescribeCluster"}, False),
        ({"Action": ["ec2:*", "ecs:*"]}, True),
        ({"NotAction": "ec2:*"}, True),
        ({"NotAction": ["ec2:*", "ecs:describe*"]}, False),
        ({"Resource": CLUSTER}, True),
        ({"Resource": CLUSTER.replace("web", "Web")}, False),
        ({"Resource": "arn:aws:ecs:*:*:cluster/w?b"}, True),
        ({"Resource": "arn:aws:ecs:*:cluster/db"}, False),
        ({"NotResource": CLUSTER}, False),
        ({"NotResource": "arn:aws:ecs:*:*:cluster/db"}, True),
    ],
)
def test_a_statement_is_about_its_actions_and_resources(
    elements: dict[str, Any], matches: bool
) -> None:
    assert allowed(identity(statement(**elements))) is matches
    assert allowed(ALLOW, identity(statement("Deny", **elements))) is not matches


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ({}, "an identity-based policy"),
        ({"boundary": DENY}, "a permissions boundary"),
        ({"session": [ALLOW, DENY]}, "a session policy"),
        ({"resource": granted_to("*", "Deny")}, "a resource-based policy"),
        (
            {
                "resource": trust(statement("Deny", Principal="*")),
                "resource_must_allow": True,
            },
            "the role trust policy",
        ),
    ],
)
def test_an_explicit_deny_wins_wherever_it_stands(policies: Any, said: str) -> None:
    documents = (ALLOW,) if policies else (ALLOW, DENY)
    decision = decide(*documents, who=SESSION, **policies)
    assert not decision.allowed
    assert decision.reason == f"with an explicit deny in {said}"


@pytest.mark.parametrize(
    ("who", "principal", "grants"),
    [
        (ANN, ANN.arn, True),
        (ANN, ANN.user_id, True),
        (ANN, "*", True),
        (ANN, ROOT_ARN, False),
        (ANN, ACCOUNT, False),
        (ANN, ANN.arn + "a", False),
        (ANN, ANN.arn.replace(ACCOUNT, OTHER), False),
        (SESSION, SESSION.arn, True),
        (SESSION, ROLE_ARN, True),
        (SESSION, "AROADEPLOYDEPLOYDEPLO", True),
        (SESSION, SESSION.arn + "2", False),
        (SESSION, ROOT_ARN, False),
        (FEDERATED, FEDERATED.arn, True),
        (ROOT, ROOT_ARN, True),
        (ROOT, ACCOUNT, True),
    ],
)
def test_in_one_account_a_resource_policy_that_names_the_caller_is_enough(
    who: Principal, principal: str, grants: bool
) -> None:
    found = allowed(who=who, resource=granted_to({"AWS": principal}))
    assert found is (grants or who.kind == "root")


@pytest.mark.parametrize("principal", [ROOT_ARN, ACCOUNT])
def test_a_resource_policy_that_names_the_account_leaves_it_to_its_identity_policies(
    principal: str,
) -> None:
    grant = granted_to({"AWS": principal})
    assert not allowed(who=ANN, resource=grant)
    assert allowed(ALLOW, who=ANN, resource=grant)
    denied = granted_to({"AWS": principal}, "Deny")
    assert not allowed(ALLOW, who=ANN, resource=denied)


@pytest.mark.parametrize(
    ("who", "principal", "limited"),
    [
        (ANN, ANN.arn, False),
        (ANN, "*", False),
        (SESSION, SESSION.arn, False),
        (SESSION, ROLE_ARN, True),
        (SESSION, "*", True),
        (FEDERATED, FEDERATED.arn, False),
        (FEDERATED, ANN.arn, True),
        (FEDERATED, "*", True),
    ],
)
@pytest.mark.parametrize("limit", [{"boundary": NOTHING}, {"session": [NOTHING]}])
def test_boundary_and_session_policies_limit_what_a_role_or_user_is_granted_but_not_its_session(
    who: Principal, principal: str, limited: bool, limit: Any
) -> None:
    grant = granted_to({"AWS": principal})
    assert allowed(who=who, resource=grant, **limit) is not limited


def test_boundary_limits_what_identity_policies_allow() -> None:
    boundary = identity(statement(Action="ecs:*"))
    assert allowed(ALLOW, boundary=boundary)
    decision = decide(ALLOW, boundary=boundary, action="ec2:RunInstances")
    assert decision.reason == ("because no permissions boundary allows the ec2:RunInstances action")
    assert not allowed(boundary=ALLOW)


def test_session_policies_limit_what_the_role_allows_and_one_of_them_is_enough() -> None:
    session = [identity(statement(Action="ec2:*")), identity(statement(Action="ecs:*"))]
    assert allowed(ALLOW, who=SESSION, session=session)
    decision = decide(ALLOW, who=SESSION, session=session, action="s3:GetObject")
    assert decision.reason == "because no session policy allows the s3:GetObject action"
    assert not allowed(who=SESSION, session=[ALLOW])
    assert not allowed(ALLOW, who=FEDERATED, session=[])


@pytest.mark.parametrize("who", [ANN, SESSION])
def test_another_accounts_resource_needs_both_sides(who: Principal) -> None:
    named = granted_to({"AWS": ROLE_ARN if who is SESSION else ANN.arn})
    delegated = granted_to({"AWS": ACCOUNT})
    for grant in (named, delegated, granted_to("*")):
        assert allowed(ALLOW, who=who, on=THEIRS, resource=grant)
        assert not allowed(who=who, on=THEIRS, resource=grant)
        assert not allowed(ALLOW, who=who, on=THEIRS, resource=grant, boundary=NOTHING)
        assert not allowed(ALLOW, who=who, on=THEIRS, resource=grant, session=[NOTHING])
    decision = decide(ALLOW, who=who, on=THEIRS)
    assert decision.reason == (
        "because no resource-based policy allows the ecs:DescribeClusters action"
    )
    assert not allowed(ALLOW, who=who, on=THEIRS, resource=granted_to({"AWS": OTHER}))


def test_root_may_everything_in_its_account_and_nothing_in_another() -> None:
    assert allowed(who=ROOT)
    assert allowed(who=ROOT, on="*")
    assert not allowed(who=ROOT, on=THEIRS)
    assert allowed(who=ROOT, on=THEIRS, resource=granted_to({"AWS": ROOT_ARN}))
    assert not allowed(who=ROOT, resource=granted_to("*", "Deny"))


@pytest.mark.parametrize(
    ("who", "listed", "spared"),
    [
        (ANN, [ANN.arn], True),
        (ANN, [ANN.arn, ROOT_ARN], True),
        (ANN, [ROOT_ARN], False),
        (ANN, [ANN.arn + "a"], False),
        (SESSION, [SESSION.arn, ROLE_ARN], True),
        (SESSION, [SESSION.arn], False),
        (SESSION, [ROLE_ARN], False),
        (ROOT, [ROOT_ARN], True),
        (ROOT, [ANN.arn], False),
    ],
)
def test_not_principal_denies_all_but_who_is_named_at_every_level(
    who: Principal, listed: list[str], spared: bool
) -> None:
    document = resource(statement("Deny", NotPrincipal={"AWS": listed}))
    assert allowed(ALLOW, who=who, resource=document) is spared


def test_not_principal_spares_nobody_who_has_a_permissions_boundary() -> None:
    document = resource(statement("Deny", NotPrincipal={"AWS": ANN.arn}))
    assert not allowed(ALLOW, boundary=ALLOW, resource=document)


def test_a_deny_that_names_the_user_holds_for_its_federated_sessions() -> None:
    denied = granted_to({"AWS": ANN.arn}, "Deny")
    assert not allowed(ALLOW, who=FEDERATED, session=[ALLOW], resource=denied)


@pytest.mark.parametrize("principal", [{"AWS": ANN.arn}, {"AWS": SESSION.arn}, {"AWS": ROLE_ARN}])
def test_a_trust_policy_that_names_the_caller_is_enough_in_its_account(principal: Any) -> None:
    who = ANN if principal["AWS"] == ANN.arn else SESSION
    document = trust(statement(Action="sts:AssumeRole", Principal=principal))
    call: Any = {"who": who, "on": ROLE_ARN, "resource": document, "resource_must_allow": True}
    assert allowed(action="sts:AssumeRole", **call)
    assert not allowed(ALLOW, action="sts:TagSession", **call)


def test_a_trust_policy_must_allow_whatever_identity_policies_say() -> None:
    assert not allowed(ALLOW, on=ROLE_ARN, action="sts:AssumeRole", resource_must_allow=True)
    document = trust(statement(Principal={"AWS": OTHER}))
    decision = decide(
        ALLOW, on=ROLE_ARN, action="sts:AssumeRole", resource=document, resource_must_allow=True
    )
    assert (decision.allowed, decision.reason) == (False, "")


def test_services_are_named_as_services_and_by_everyone() -> None:
    def may(principal: Any, who: Principal = SERVICE) -> bool:
        document = trust(statement(Action="sts:AssumeRole", Principal=principal))
        return allowed(
            ALLOW,
            who=who,
            action="sts:AssumeRole",
            on=ROLE_ARN,
            resource=document,
            resource_must_allow=True,
        )

    assert may({"Service": "ecs.amazonaws.com"})
    assert may("*")
    assert not may({"Service": "ec2.amazonaws.com"})
    assert not may({"Service": "*"})
    assert not may({"Service": "ecs.amazonaws.com"}, who=ANN)
    assert not may({"Federated": "ecs.amazonaws.com"})


def test_strangers_have_what_everyone_is_granted() -> None:
    bucket = "arn:aws:s3:::public"
    assert allowed(who=ANONYMOUS, on=bucket, resource=granted_to("*"))
    assert not allowed(who=ANONYMOUS, on=bucket)
    assert not allowed(who=ANONYMOUS, on=bucket, resource=granted_to({"AWS": ACCOUNT}))


@pytest.mark.parametrize(
    ("who", "key", "value"),
    [
        (ANN, "aws:PrincipalArn", ANN.arn),
        (SESSION, "aws:PrincipalArn", ROLE_ARN),
        (ROOT, "aws:PrincipalArn", ROOT_ARN),
        (ANN, "aws:PrincipalAccount", ACCOUNT),
        (ANN, "aws:PrincipalType", "User"),
        (SESSION, "aws:PrincipalType", "AssumedRole"),
        (ROOT, "aws:PrincipalType", "Account"),
        (FEDERATED, "aws:PrincipalType", "FederatedUser"),
        (ANN, "aws:username", "ann"),
        (ANN, "aws:userid", ANN.user_id),
        (SESSION, "aws:userid", SESSION.user_id),
        (SESSION, "aws:TokenIssueTime", "2026-01-01T00:00:00Z"),
        (SESSION, "aws:MultiFactorAuthPresent", "false"),
        (ANN, "aws:PrincipalIsAWSService", "false"),
        (ANN, "aws:ResourceAccount", ACCOUNT),
    ],
)
def test_the_request_tells_of_its_principal(who: Principal, key: str, value: str) -> None:
    document = identity(statement(Condition={"StringEquals": {key: value}}))
    assert allowed(document, who=who, resource=granted_to("*", "Allow", Action="none:X")) or (
        who.kind == "root"
    )
    denying = granted_to("*", "Deny", Condition={"StringEquals": {key: value}})
    assert not allowed(ALLOW, who=who, resource=denying)


@pytest.mark.parametrize(
    ("who", "key"),
    [
        (SESSION, "aws:username"),
        (FEDERATED, "aws:username"),
        (ROOT, "aws:username"),
        (ANN, "aws:TokenIssueTime"),
        (ANN, "aws:MultiFactorAuthPresent"),
        (ANONYMOUS, "aws:PrincipalArn"),
        (ANONYMOUS, "aws:PrincipalAccount"),
        (SERVICE, "aws:PrincipalArn"),
    ],
)
def test_keys_that_a_principal_has_not_are_absent(who: Principal, key: str) -> None:
    denying = granted_to("*", "Deny", Condition={"Null": {key: "true"}})
    grant = granted_to("*", "Deny", Condition={"Null": {key: "false"}})
    reason = "with an explicit deny in a resource-based policy"
    assert decide(who=who, resource=denying).reason == reason
    assert decide(who=who, resource=grant).reason != reason


def test_tags_of_the_principal_are_compared_with_those_of_the_resource() -> None:
    who = Principal(
        account=ACCOUNT, arn=ANN.arn, user_id="A", kind="user", session_tags=(("Team", "web"),)
    )
    condition = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    document = identity(statement(Condition=condition))
    assert allowed(document, who=who, given={"aws:ResourceTag/team": "web"})
    assert not allowed(document, who=who, given={"aws:ResourceTag/team": "db"})
    assert not allowed(document, who=ANN, given={"aws:ResourceTag/team": ""})


def test_only_a_permission_that_asked_for_no_condition_key_holds_for_the_next_request() -> None:
    insecure = identity(statement(Condition={"Bool": {"aws:SecureTransport": "false"}}))
    named = identity(statement(Resource="arn:aws:ecs:*:*:cluster/${aws:username}"))
    assert decide(ALLOW).unconditional
    for first in (insecure, named):
        decision = decide(first, ALLOW)
        assert decision.allowed
        assert not decision.unconditional
    assert not decide(NOTHING).unconditional
