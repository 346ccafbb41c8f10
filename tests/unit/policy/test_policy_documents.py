"""What is a policy document and what is none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.policy.policy_builder import policy, statement

from longshore.model.errors import AwsError
from longshore.policy.document import Kind, read_document

SYNTAX = "Syntax errors in policy."
JSON = "This policy contains invalid Json"
VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
GOOD = statement(Action="ecs:*")


def refusal(text: str, kind: str = Kind.IDENTITY) -> str:
    with pytest.raises(AwsError) as caught:
        read_document(text, kind)
    assert caught.value.code == "MalformedPolicyDocument"
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", JSON),
        ("{", JSON),
        ("[" * 100_000, JSON),
        ('{"Statement":' * 50_000, JSON),
        ('{"Version":"2012-10-17","Statement":[{"a":NaN}]}', JSON),
        ("[]", SYNTAX),
        ("null", SYNTAX),
        ("{}", SYNTAX),
        ('{"Version":"2012-10-17"}', SYNTAX),
        ('{"Version":"2012-10-17","Statement":[]}', SYNTAX),
        ('{"Version":"2012-10-17","Statement":["x"]}', SYNTAX),
        ('{"Version":"2012-10-17","Version":"2008-10-17","Statement":[]}', SYNTAX),
        (policy(GOOD)[:-1] + ',"Extra":1}', SYNTAX),
        (policy(GOOD)[:-1] + ',"Id":1}', SYNTAX),
        (policy(GOOD, version="2020-01-01"), "The policy must contain a valid version string"),
        ('{"Version":["2012-10-17"],"Statement":{}}', "must contain a valid version string"),
        (policy({**GOOD, "Sid": "a"}, {**GOOD, "Sid": "a"}), "Statement IDs (SID) in a single"),
        (policy({**GOOD, "Sid": "a b"}), "Statement IDs (SID) must be alpha-numeric."),
        (policy({**GOOD, "Sid": 1}), SYNTAX),
        (policy({**GOOD, "Effect": "allow"}), SYNTAX),
        (policy({**GOOD, "Effect": ["Allow"]}), SYNTAX),
        (policy({**GOOD, "Extra": "x"}), SYNTAX),
        (policy({**GOOD, "NotAction": "ecs:*"}), SYNTAX),
        (policy({**GOOD, "NotResource": "*"}), SYNTAX),
        (policy({**GOOD, "Principal": "*"}), "Policy document should not specify a principal."),
        (policy({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (policy({**GOOD, "Action": []}), "Policy statement must contain actions."),
        (policy({"Effect": "Allow", "Action": "*"}), "Policy statement must contain resources."),
        (policy({**GOOD, "Resource": []}), "Policy statement must contain resources."),
        (policy({**GOOD, "Action": [1]}), SYNTAX),
        (policy({**GOOD, "Action": {"a": 1}}), SYNTAX),
        (policy({**GOOD, "Action": "RunTask"}), VENDOR),
        (policy({**GOOD, "Action": "ec*:RunTask"}), VENDOR),
        (policy({**GOOD, "Action": "ecs:Run Task"}), VENDOR),
        (policy({**GOOD, "Action": "ecs:${aws:username}"}), VENDOR),
        (policy({**GOOD, "Action": "ecs:RunTask\n"}), VENDOR),
        (policy({**GOOD, "Resource": "web"}), 'Resource web must be in ARN format or "*".'),
        (policy({**GOOD, "Condition": []}), SYNTAX),
        (policy({**GOOD, "Condition": {"StringEquals": "x"}}), SYNTAX),
        (policy({**GOOD, "Condition": {"StringEquals": {"region": "x"}}}), VENDOR),
    ],
)
def test_a_document_that_is_none_is_refused_in_iams_words(text: str, said: str) -> None:
    assert said in refusal(text)


@pytest.mark.parametrize(
    "duplicated",
    [
        '{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}',
        '{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a:b":"true"},'
        '"Bool":{"a:c":"true"}}}',
        '{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a:b":"true",'
        '"a:b":"false"}}}',
    ],
)
def test_an_element_given_twice_is_refused(duplicated: str) -> None:
    assert refusal('{"Version":"2012-10-17","Statement":[' + duplicated + "]}") == SYNTAX


@pytest.mark.parametrize(
    ("principal", "said"),
    [
        ({}, SYNTAX),
        ("ann", SYNTAX),
        ([], SYNTAX),
        ({"Aws": "*"}, SYNTAX),
        ({"AWS": []}, SYNTAX),
        ({"AWS": ""}, 'Invalid principal in policy: "AWS":""'),
        ({"AWS": "1111"}, 'Invalid principal in policy: "AWS":"1111"'),
        ({"AWS": "anonymous"}, 'Invalid principal in policy: "AWS":"anonymous"'),
        ({"AWS": "arn:aws:iam::111122223333:user/*"}, "Invalid principal in policy"),
        ({"AWS": "arn:aws:iam:::root"}, "Invalid principal in policy"),
        ({"AWS": "arn:aws:sts::111122223333:assumed-role/deploy/*"}, "Invalid principal in policy"),
    ],
)
def test_a_principal_that_nobody_can_be_is_refused(principal: Any, said: str) -> None:
    text = policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal})
    assert said in refusal(text, Kind.TRUST)


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": ["111122223333", "arn:aws:iam::444455556666:root"]},
        {"AWS": "arn:aws:iam::111122223333:user/division/ann@example.com"},
        {"AWS": "arn:aws:sts::111122223333:assumed-role/deploy/ci"},
        {"AWS": "arn:aws:sts::111122223333:federated-user/guest"},
        {"AWS": "AIDAANNANNANNANNANNAN"},
        {"Service": ["ecs-tasks.amazonaws.com", "ec2.amazonaws.com"]},
        {"Federated": "arn:aws:iam::111122223333:oidc-provider/example.com"},
    ],
)
def test_principals_of_every_kind_are_taken(principal: Any) -> None:
    text = policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal})
    (read,) = read_document(text, Kind.TRUST).statements
    assert read.principals


def test_a_trust_policy_names_who_is_trusted_and_no_resource() -> None:
    base = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    assert refusal(policy(base), Kind.TRUST) == "Missing required field Principal"
    named = {**base, "Principal": "*"}
    assert refusal(policy({**named, "Resource": "*"}), Kind.TRUST) == (
        "Has prohibited field Resource"
    )
    spared = {**base, "Effect": "Deny", "NotPrincipal": "*"}
    assert refusal(policy(spared), Kind.TRUST) == "Has prohibited field NotPrincipal"
    assert refusal(policy({**named, "NotPrincipal": "*"}), Kind.TRUST) == SYNTAX


def test_not_principal_cannot_allow() -> None:
    text = policy({"Effect": "Allow", "Action": "*", "NotPrincipal": {"AWS": "111122223333"}})
    assert "NotPrincipal" in refusal(text, Kind.RESOURCE)


def test_a_resource_policy_may_leave_out_the_resource_and_have_any_sid() -> None:
    text = policy({"Sid": "Allow pull!", "Effect": "Allow", "Action": "ecr:*", "Principal": "*"})
    assert read_document(text, Kind.RESOURCE).statements[0].sid == "Allow pull!"


def test_a_document_without_a_version_is_of_2008() -> None:
    assert read_document(json.dumps({"Statement": GOOD})).version == "2008-10-17"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Effect", "Action", "Resource", "Principal", "Condition", "AWS", "Bool", "Sid"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(JSON_VALUES, st.sampled_from([Kind.IDENTITY, Kind.RESOURCE, Kind.TRUST]))
def test_no_statement_whatever_breaks_the_reader(value: Any, kind: str) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": value})
    try:
        read_document(text, kind)
    except AwsError as error:
        assert error.code == "MalformedPolicyDocument"
