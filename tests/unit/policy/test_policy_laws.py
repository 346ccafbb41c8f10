"""What holds for every policy: random documents, principals and requests."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from unit.policy.policy_builder import (
    ACCOUNT,
    ANN,
    CLUSTER,
    DENY,
    FEDERATED,
    OTHER,
    ROLE_ARN,
    ROOT,
    SESSION,
    allowed,
    identity,
    resource,
    statement,
)

ACTIONS = st.sampled_from(["*", "ecs:*", "ecs:Describe*", "ecs:RunTask", "ec2:*", "s3:Get*"])
RESOURCES = st.sampled_from(["*", CLUSTER, "arn:aws:ecs:*:*:cluster/*", "arn:aws:s3:::*"])
CONDITIONS = st.sampled_from(
    [
        {},
        {"Bool": {"aws:SecureTransport": "true"}},
        {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}},
        {"StringEqualsIfExists": {"aws:username": "ann"}},
        {"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}},
        {"StringEquals": {"aws:RequestedRegion": "${aws:username}"}},
        {"Null": {"aws:TokenIssueTime": "true"}},
    ]
)
PRINCIPALS = st.sampled_from(
    [
        "*",
        {"AWS": ACCOUNT},
        {"AWS": ANN.arn},
        {"AWS": ROLE_ARN},
        {"AWS": SESSION.arn},
        {"AWS": FEDERATED.arn},
        {"AWS": OTHER},
        {"Service": "ecs.amazonaws.com"},
    ]
)


@st.composite
def statements(draw: Any, *, principals: bool = False, effects: str = "Allow Deny") -> Any:
    elements = {
        draw(st.sampled_from(["Action", "NotAction"])): draw(ACTIONS),
        draw(st.sampled_from(["Resource", "NotResource"])): draw(RESOURCES),
        "Condition": draw(CONDITIONS),
    }
    if principals:
        elements["Principal"] = draw(PRINCIPALS)
    return statement(draw(st.sampled_from(effects.split())), **elements)


LISTS = st.lists(statements(), min_size=1, max_size=4)
IDENTITIES = LISTS.map(lambda found: identity(*found))
GRANTS = st.none() | st.lists(statements(principals=True), min_size=1, max_size=3).map(
    lambda found: resource(*found)
)
CALLS = st.fixed_dictionaries(
    {
        "who": st.sampled_from([ANN, SESSION, FEDERATED, ROOT]),
        "action": st.sampled_from(["ecs:DescribeClusters", "ecs:RunTask", "s3:GetObject"]),
        "on": st.sampled_from([CLUSTER, CLUSTER.replace(ACCOUNT, OTHER), "*", "arn:aws:s3:::b"]),
        "given": st.fixed_dictionaries(
            {},
            optional={
                "aws:SecureTransport": st.sampled_from(["true", "false"]),
                "aws:RequestedRegion": st.sampled_from(["us-east-1", "ann"]),
                "aws:TagKeys": st.lists(st.sampled_from("ab"), max_size=2),
            },
        ),
        "resource": GRANTS,
        "boundary": st.none() | IDENTITIES,
        "session": st.none() | st.lists(IDENTITIES, max_size=2),
    }
)


@given(st.lists(IDENTITIES, max_size=3), CALLS)
def test_an_explicit_deny_always_wins(documents: Any, call: Any) -> None:
    assert not allowed(*documents, DENY, **call)
    assert not allowed(*documents, **{**call, "boundary": DENY})
    assert not allowed(*documents, **{**call, "session": [DENY]})
    everyone = resource(statement("Deny", Principal="*"))
    assert not allowed(*documents, **{**call, "resource": everyone})


@given(LISTS, statements(effects="Deny"), CALLS)
def test_adding_a_deny_never_grants(given_: Any, deny: Any, call: Any) -> None:
    if allowed(identity(*given_, deny), **call):
        assert allowed(identity(*given_), **call)


@given(LISTS, statements(effects="Allow"), CALLS)
def test_adding_an_allow_never_takes_away(given_: Any, allow: Any, call: Any) -> None:
    if allowed(identity(*given_), **call):
        assert allowed(identity(*given_, allow), **call)


@given(st.lists(IDENTITIES, max_size=3), IDENTITIES, CALLS)
def test_a_boundary_never_grants(documents: Any, boundary: Any, call: Any) -> None:
    if allowed(*documents, **{**call, "boundary": boundary}):
        assert allowed(*documents, **{**call, "boundary": None})


@given(st.lists(IDENTITIES, max_size=3), st.lists(IDENTITIES, max_size=3), CALLS)
def test_session_policies_never_grant_more_than_the_role_has(
    documents: Any, session: Any, call: Any
) -> None:
    if allowed(*documents, **{**call, "session": session}):
        assert allowed(*documents, **{**call, "session": None})


@given(LISTS.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))), CALLS)
def test_the_order_of_statements_does_not_matter(both: Any, call: Any) -> None:
    one, other = both
    assert allowed(identity(*one), **call) is allowed(identity(*other), **call)


@given(LISTS, CALLS)
def test_statements_mean_the_same_in_one_document_or_in_many(given_: Any, call: Any) -> None:
    together = allowed(identity(*given_), **call)
    assert allowed(*[identity(each) for each in given_], **call) is together


@given(IDENTITIES, CALLS)
def test_another_accounts_resource_is_closed_without_its_policy(document: Any, call: Any) -> None:
    theirs = CLUSTER.replace(ACCOUNT, OTHER)
    assert not allowed(document, **{**call, "on": theirs, "resource": None})
