"""Every condition operator, on what is there, what is missing and what is no value of its kind."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.policy.policy_builder import allowed, condition_holds, identity, statement

from longshore.model.errors import AwsError
from longshore.policy.condition import NEGATIVE, POSITIVE

ARN = "arn:aws:ecs:us-east-1:111122223333:cluster/web"
SAMPLES = {
    "string": ("Web", "db"),
    "numeric": ("10", "11"),
    "date": ("2026-01-01T00:00:00Z", "2026-01-02"),
    "bool": ("true", "false"),
    "binary": (base64.b64encode(b"abc").decode(), base64.b64encode(b"x").decode()),
    "ipaddress": ("203.0.113.7", "198.51.100.1"),
    "arn": (ARN, ARN + "2"),
}


def kind_of(operator: str) -> str:
    positive = NEGATIVE.get(operator, operator)
    return next(kind for kind in SAMPLES if positive.startswith(kind))


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "holds"),
    [
        ("StringEquals", "web", "web", True),
        ("StringEquals", "web", "Web", False),
        ("StringEquals", "w*", "web", False),
        ("StringEquals", "w*", "w*", True),
        ("StringEquals", ["db", "web"], "web", True),
        ("StringNotEquals", "web", "Web", True),
        ("StringNotEquals", ["db", "web"], "web", False),
        ("StringEqualsIgnoreCase", "web", "WEB", True),
        ("StringEqualsIgnoreCase", "web", "webs", False),
        ("StringNotEqualsIgnoreCase", "web", "WEB", False),
        ("StringLike", "w?b*", "wabbit", True),
        ("StringLike", "w?b*", "Wabbit", False),
        ("StringLike", "w?b", "wb", False),
        ("StringLike", "*", "", True),
        ("StringLike", "a.c", "abc", False),
        ("StringLike", "[*]", "[x]", True),
        ("StringLike", "[*]", "*", False),
        ("StringNotLike", "w*", "db", True),
        ("StringNotLike", ["w*", "d*"], "db", False),
        ("NumericEquals", "10", "10.0", True),
        ("NumericEquals", 10, "10", True),
        ("NumericEquals", "9007199254740993", "9007199254740992", False),
        ("NumericNotEquals", "10", "11", True),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericLessThan", "9", "10", False),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "9", "10", True),
        ("NumericGreaterThanEquals", "10", "1e1", True),
        ("NumericGreaterThan", "9", "inf", False),
        ("NumericLessThan", "9", "nan", False),
        ("NumericLessThan", "9", "1_0", False),
        ("NumericLessThan", "9", "two", False),
        ("DateEquals", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True),
        ("DateEquals", "2026-01-01", "1767225600", True),
        ("DateNotEquals", "2026-01-01", "1767225601", True),
        ("DateLessThan", "2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z", True),
        ("DateLessThanEquals", "2026-01-01", "2026-01-01T00:00:00Z", True),
        ("DateGreaterThan", "2026-01-01", "2025-12-31T23:59:59Z", False),
        ("DateGreaterThanEquals", 1767225600, "2026-01-01T00:00:00Z", True),
        ("DateGreaterThan", "2026-01-01", "yesterday", False),
        ("DateGreaterThan", "2026-01-01", "2026-13-01", False),
        ("Bool", "true", "true", True),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("Bool", "false", "no", False),
        ("BinaryEquals", "YWJj", "YWJj", True),
        ("BinaryEquals", "YWJj", "YWJk", False),
        ("BinaryEquals", "YWJj", "!", False),
        ("IpAddress", "203.0.113.0/24", "203.0.113.7", True),
        ("IpAddress", "203.0.113.7", "203.0.113.7", True),
        ("IpAddress", "203.0.113.7/24", "203.0.113.200", True),
        ("IpAddress", "203.0.113.0/24", "203.0.114.7", False),
        ("IpAddress", "2001:db8::/32", "2001:DB8:1::1", True),
        ("IpAddress", "2001:db8::/32", "2001:db9::1", False),
        ("IpAddress", "203.0.113.0/24", "2001:db8::1", False),
        ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
        ("IpAddress", "203.0.113.0/24", "::ffff:203.0.113.7", True),
        ("IpAddress", "203.0.113.0/24", "somewhere", False),
        ("NotIpAddress", "203.0.113.0/24", "203.0.113.7", False),
        ("NotIpAddress", "203.0.113.0/24", "2001:db8::1", True),
        ("ArnEquals", ARN, ARN, True),
        ("ArnLike", "arn:aws:ecs:*:111122223333:cluster/*", ARN, True),
        ("ArnEquals", "arn:aws:ecs:*:111122223333:cluster/*", ARN, True),
        ("ArnLike", "arn:aws:*:cluster/web", ARN, False),
        ("ArnLike", "arn:aws:ecs:*:cluster/web", ARN, False),
        ("ArnLike", "arn:aws:ecs:us-east-1:111122223333:Cluster/web", ARN, False),
        ("ArnLike", "arn:aws:ecs:us-east-1:??????223333:cluster/w?b", ARN, True),
        ("ArnLike", "arn:aws:sns:*:*:*", "arn:aws:sns:us-east-1:1:a:b", True),
        ("ArnLike", "arn:aws:ecs:*:*:*", "no arn", False),
        ("ArnNotEquals", ARN, ARN, False),
        ("ArnNotLike", "arn:aws:ecs:*:*:cluster/db*", ARN, True),
        ("stringequals", "web", "web", True),
    ],
)
def test_operator_compares_as_its_name_says(
    operator: str, wanted: Any, value: str, holds: bool
) -> None:
    assert condition_holds(operator, "my:key", wanted, {"my:key": value}) is holds


@pytest.mark.parametrize("operator", sorted(POSITIVE))
def test_positive_operator_does_not_hold_without_the_key(operator: str) -> None:
    assert not condition_holds(operator, "my:key", SAMPLES[kind_of(operator)][0])


@pytest.mark.parametrize("operator", sorted(NEGATIVE))
def test_negative_operator_holds_without_the_key(operator: str) -> None:
    assert condition_holds(operator, "my:key", SAMPLES[kind_of(operator)][0])


@pytest.mark.parametrize("operator", sorted(NEGATIVE))
def test_negative_operator_is_the_opposite_of_its_positive_one(operator: str) -> None:
    one, other = SAMPLES[kind_of(operator)]
    for value in (one, other):
        found = condition_holds(operator, "my:key", one, {"my:key": value})
        assert found is (value == other)


@given(
    st.sampled_from(sorted({*POSITIVE, *NEGATIVE})),
    st.sampled_from(["", "ForAllValues:", "ForAnyValue:"]),
)
def test_if_exists_holds_without_the_key_whatever_the_operator(operator: str, prefix: str) -> None:
    wanted = SAMPLES[kind_of(operator)][0]
    assert condition_holds(f"{prefix}{operator}IfExists", "my:key", wanted)


@given(st.sampled_from(sorted({*POSITIVE, *NEGATIVE})), st.booleans())
def test_if_exists_changes_nothing_where_there_is_the_key(operator: str, same: bool) -> None:
    one, other = SAMPLES[kind_of(operator)]
    values = {"my:key": one if same else other}
    assert condition_holds(f"{operator}IfExists", "my:key", one, values) is condition_holds(
        operator, "my:key", one, values
    )


@pytest.mark.parametrize(
    ("wanted", "values", "holds"),
    [
        ("true", {}, True),
        ("true", {"my:key": "x"}, False),
        ("false", {}, False),
        ("false", {"my:key": "x"}, True),
        (True, {}, True),
        ("true", {"my:key": []}, True),
        (["true", "false"], {}, True),
    ],
)
def test_null_asks_whether_the_key_is_absent(wanted: Any, values: Any, holds: bool) -> None:
    assert condition_holds("Null", "my:key", wanted, values) is holds


@pytest.mark.parametrize(
    ("operator", "values", "holds"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], True),
        ("ForAllValues:StringEquals", ["a", "c"], False),
        ("ForAllValues:StringEquals", [], True),
        ("ForAllValues:StringEquals", None, True),
        ("ForAnyValue:StringEquals", ["c", "a"], True),
        ("ForAnyValue:StringEquals", ["c", "d"], False),
        ("ForAnyValue:StringEquals", [], False),
        ("ForAnyValue:StringEquals", None, False),
        ("ForAllValues:StringNotEquals", ["c", "d"], True),
        ("ForAllValues:StringNotEquals", ["c", "a"], False),
        ("ForAnyValue:StringNotEquals", ["c", "a"], True),
        ("ForAnyValue:StringNotEquals", ["a", "b"], False),
        ("ForAnyValue:StringNotEquals", None, False),
        ("ForAllValues:StringLike", ["a1", "b"], False),
        ("foranyvalue:stringlike", ["x", "b"], True),
        ("StringNotEquals", ["c", "a"], False),
    ],
)
def test_several_values_are_asked_for_all_or_any(
    operator: str, values: list[str] | None, holds: bool
) -> None:
    given_ = {} if values is None else {"aws:TagKeys": values}
    assert condition_holds(operator, "aws:TagKeys", ["a", "b"], given_) is holds


def test_all_conditions_of_a_statement_must_hold_and_one_value_of_each() -> None:
    condition = {
        "StringEquals": {"my:a": ["1", "2"], "my:b": "3"},
        "NumericLessThan": {"my:c": "5"},
    }
    document = identity(statement(Condition=condition))
    good = {"my:a": "2", "my:b": "3", "my:c": "4"}
    assert allowed(document, given=good)
    for key, wrong in (("my:a", "3"), ("my:b", "1"), ("my:c", "5")):
        assert not allowed(document, given={**good, key: wrong})


def test_condition_keys_differ_by_more_than_case() -> None:
    assert condition_holds("StringEquals", "AWS:requestedREGION", "x", {"aws:RequestedRegion": "x"})


@pytest.mark.parametrize(
    ("operator", "wanted", "said"),
    [
        ("StringAlmostEquals", "x", "Invalid Condition type : StringAlmostEquals."),
        ("NullIfExists", "true", "Invalid Condition type : NullIfExists."),
        ("ForSomeValues:StringEquals", "x", "Invalid Condition type"),
        ("StringEqualsIfExistsIfExists", "x", "Invalid Condition type"),
        ("NumericEquals", "ten", "Syntax errors in policy."),
        ("DateEquals", "soon", "Syntax errors in policy."),
        ("Bool", "yes", "Syntax errors in policy."),
        ("Null", "maybe", "Syntax errors in policy."),
        ("BinaryEquals", "?", "Syntax errors in policy."),
        ("NotIpAddress", "10.0.0.0/33", "Syntax errors in policy."),
        ("IpAddress", "${aws:SourceIp}", "Syntax errors in policy."),
        ("StringEquals", {"x": "y"}, "Syntax errors in policy."),
        ("StringEquals", None, "Syntax errors in policy."),
        ("StringEquals", [["x"]], "Syntax errors in policy."),
    ],
)
def test_condition_that_means_nothing_is_refused_when_it_is_stored(
    operator: str, wanted: Any, said: str
) -> None:
    with pytest.raises(AwsError) as caught:
        identity(statement(Condition={operator: {"my:key": wanted}}))
    assert caught.value.code == "MalformedPolicyDocument"
    assert said in caught.value.message


@given(
    st.sampled_from(sorted({*POSITIVE, *NEGATIVE})),
    st.text(max_size=30),
    st.text(max_size=30),
)
def test_no_value_whatever_breaks_the_evaluation(operator: str, wanted: str, value: str) -> None:
    try:
        condition_holds(operator, "my:key", wanted, {"my:key": value})
    except AwsError as error:
        assert error.code == "MalformedPolicyDocument"
