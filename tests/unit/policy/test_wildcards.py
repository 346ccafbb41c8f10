"""Wildcards and variables."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.policy.policy_builder import ANN, SESSION, allowed, condition_holds, identity, statement

from longshore.policy.pattern import ArnPattern, Pattern, Unresolved

NO_VALUES = {}.get
LETTERS = st.text(st.sampled_from("ab*?"), max_size=10)
TEXTS = st.text(st.sampled_from("abAB*?:\n"), max_size=10)


def naive(pattern: str, text: str) -> bool:
    """By the definition: `*` is any characters, `?` is one."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(naive(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and naive(pattern[1:], text[1:])


@given(LETTERS, TEXTS)
def test_the_matcher_agrees_with_the_definition(pattern: str, text: str) -> None:
    assert Pattern(pattern).matches(text, NO_VALUES) is naive(pattern, text)


@given(st.text(max_size=20).filter(lambda text: "${" not in text and not set("*?") & set(text)))
def test_text_without_wildcards_matches_itself_only(text: str) -> None:
    assert Pattern(text).matches(text, NO_VALUES)
    assert not Pattern(text).matches(text + "x", NO_VALUES)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*a" * 40 + "b", "a" * 5000),
        ("*?" * 40 + "b", "a" * 5000),
        ("*" * 5000 + "b", "a" * 5000),
        ("a*" * 300, "a" * 299 + "b" * 5000),
    ],
)
def test_a_hostile_pattern_is_matched_in_a_moment(pattern: str, text: str) -> None:
    compiled = Pattern(pattern)
    started = time.process_time()
    assert not compiled.matches(text, NO_VALUES)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("a${*}b", "a*b", True),
        ("a${*}b", "axb", False),
        ("a${?}b", "a?b", True),
        ("a${?}b", "axb", False),
        ("a${$}b", "a$b", True),
        ("${$}{aws:username}", "${aws:username}", True),
        ("home/${aws:username}/*", "home/ann/x", True),
        ("home/${AWS:UserName}", "home/ann", True),
        ("home/${aws:username}", "home/bob", False),
        ("home/${aws:missing, 'public'}", "home/public", True),
        ("home/${aws:missing,'a, b'}", "home/a, b", True),
        ("home/${aws:username, 'public'}", "home/public", False),
        ("home/${aws:username, 'public'}", "home/ann", True),
        ("home/${aws:missing, '*'}", "home/x", False),
        ("home/${aws:missing, '*'}", "home/*", True),
        ("home/${aws:star}", "home/x", False),
        ("home/${aws:star}", "home/*", True),
        ("home/${aws:unclosed", "home/${aws:unclosed", True),
        ("[*]", "[x]", True),
        ("[*]", "*", False),
    ],
)
def test_variables_bring_in_plain_text(pattern: str, text: str, matches: bool) -> None:
    values = {"aws:username": ["ann"], "aws:star": ["*"]}
    assert Pattern(pattern).matches(text, lambda key: values.get(key.lower())) is matches


@pytest.mark.parametrize("name", ["aws:missing", "aws:several", "aws:none", "aws:missing, public"])
def test_a_variable_without_one_value_or_default_resolves_to_nothing(name: str) -> None:
    values = {"aws:several": ["a", "b"], "aws:none": []}
    with pytest.raises(Unresolved):
        Pattern(f"home/${{{name}}}").matches("home/a", values.get)


@pytest.mark.parametrize(
    "operator", ["StringEquals", "StringNotEquals", "StringLike", "ArnNotLike"]
)
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_a_statement_with_an_unresolved_variable_does_not_apply(operator: str, effect: str) -> None:
    condition = {operator: {"aws:RequestedRegion": "${aws:username}"}}
    documents = [identity(statement(effect, Condition=condition))]
    documents += [identity(statement())] if effect == "Deny" else []
    given_ = {"aws:RequestedRegion": "us-east-1"}
    assert allowed(*documents, who=SESSION, given=given_) is (effect == "Deny")


def test_an_unresolved_variable_beside_a_value_that_matches_does_no_harm() -> None:
    wanted = ["${aws:username}", "us-east-1"]
    given_ = {"aws:RequestedRegion": "us-east-1"}
    key = "aws:RequestedRegion"
    assert condition_holds("StringEquals", key, wanted, given_, who=SESSION)
    assert not condition_holds("StringNotEquals", key, wanted, given_, who=SESSION)


@pytest.mark.parametrize("version", ["2012-10-17", "2008-10-17"])
def test_variables_are_plain_text_in_the_version_of_2008(version: str) -> None:
    document = identity(statement(Resource="arn:aws:s3:::home/${aws:username}/*"), version=version)
    old = version == "2008-10-17"
    assert allowed(document, on="arn:aws:s3:::home/ann/x") is not old
    assert allowed(document, on="arn:aws:s3:::home/${aws:username}/x") is old
    for value, text in (("ann", "${aws:username}"), ("${aws:username}", "${aws:username}")):
        found = condition_holds("StringEquals", "my:key", text, {"my:key": value}, version=version)
        assert found is ((value == "ann") is not old)


def test_a_wildcard_inside_of_what_is_no_variable_is_a_wildcard_in_2008() -> None:
    assert Pattern("a${*}b", variables=False).matches("a${xyz}b", NO_VALUES)


def test_a_variable_cannot_shift_the_parts_of_an_arn() -> None:
    pattern = ArnPattern("arn:aws:ecs:${aws:PrincipalTag/region}:111122223333:cluster/*")
    evil = {"aws:PrincipalTag/region": ["us-east-1:999999999999:cluster/x"]}
    text = "arn:aws:ecs:us-east-1:999999999999:cluster/x:111122223333:cluster/y"
    assert not pattern.matches(text, evil.get)
    good = {"aws:PrincipalTag/region": ["us-east-1"]}
    assert pattern.matches("arn:aws:ecs:us-east-1:111122223333:cluster/y", good.get)


def test_the_name_of_the_user_is_a_variable_for_users_only() -> None:
    document = identity(statement(Resource="arn:aws:s3:::${aws:username}/*"))
    assert allowed(document, who=ANN, on="arn:aws:s3:::ann/x")
    assert not allowed(document, who=SESSION, on="arn:aws:s3:::ann/x")
