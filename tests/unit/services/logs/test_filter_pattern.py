"""CloudWatch's filter patterns, with the examples of its user guide."""

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from longshore.services.logs.pattern import (
    Allowance,
    InvalidPattern,
    Pattern,
    TooSlow,
    parse_pattern,
)
from longshore.testing.clock import FakeClock

EVENT = """{
  "eventType": "UpdateTrail", "sourceIPAddress": "123.123.1.2", "arrayKey": ["value", "another"],
  "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
  "SomeObject": null, "ThisFlag": true, "user.name": "ann", "bytes": 1024, "ratio": 1.5e2,
  "errorCode": "404", "userIdentity": {"sessionContext": {"a": false}}
}"""
SECONDS = 60.0
LINE = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


def _parse(text: str, seconds: float = SECONDS) -> Pattern:
    return parse_pattern(text, Allowance(seconds))


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR 400] BAD REQUEST", True),
        ("ERROR", "[error 400]", False),
        ("ERROR ARGUMENTS", "ERROR MISSING ARGUMENTS", True),
        ("ERROR ARGUMENTS", "ERROR 401", False),
        ("?ERROR ?WARN", "WARN it", True),
        ("?ERROR ?WARN", "INFO it", False),
        ("?ERROR INFO", "INFO it", True),
        ("ERROR -EXITING", "ERROR EXITING", False),
        ("ERROR -EXITING", "ERROR 400", True),
        ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL SERVER ERROR", True),
        ('"INTERNAL SERVER ERROR"', "INTERNAL ERROR", False),
        ('-"no space"', "there is no space", False),
        ("%ERROR [45]\\d+%", "ERROR 404", True),
        ("%ERROR [45]\\d+%", "ERROR 304", False),
        (r'"say \"hi\""', 'say "hi"', True),
    ],
)
def test_terms(pattern: str, message: str, matches: bool):
    assert _parse(pattern).matches(message) is matches


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ("{ $.eventType = UpdateTrail }", True),
        ('{ $.eventType = "Update*" }', True),
        ('{ $.eventType != "UpdateTrail" }', False),
        ("{ $.eventType = %Trail$% }", True),
        ("{ $.sourceIPAddress != 123.123.* }", False),
        ('{ $.arrayKey[0] = "value" }', True),
        ('{ $.arrayKey[*] = "another" }', True),
        ('{ $.arrayKey[7] = "value" }', False),
        ("{ $.objectList[1].id = 2 }", True),
        ("{ $.objectList[*].id > 5 }", False),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.SomeOtherObject NOT EXISTS }", True),
        ("{ $.SomeObject NOT EXISTS }", False),
        ("{ $.ThisFlag IS TRUE }", True),
        ("{ $.userIdentity.sessionContext.a is false }", True),
        ("{ $.['user.name'] = ann }", True),
        ('{ $["user.name"] = "ann" }', True),
        ("{ $.bytes >= 1024 && $.bytes < 1.1e3 }", True),
        ("{ $.ratio = 150 }", True),
        ("{ $.errorCode = 404 }", True),
        ("{ ($.bytes = 1) || ($.ThisFlag IS TRUE && $.eventType = Up*) }", True),
        ("{ $.missing != 1 }", False),
    ],
)
def test_json(pattern: str, matches: bool):
    assert _parse(pattern).matches(EVENT) is matches


def test_json_pattern_matches_nothing_but_json():
    assert not _parse("{ $.a NOT EXISTS }").matches("plain text")


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("[ip, user, username, timestamp, request, status_code, bytes]", True),
        ("[ip, user, username, timestamp, request, status_code]", False),
        ("[ip, user, username, timestamp, request = *html*, status_code = 4*, bytes]", True),
        ("[ip, user, username, timestamp, request, status_code = 4*, bytes > 2000]", False),
        ("[..., status_code = 404 || status_code = 410, bytes]", True),
        ("[ip = 127.0.0.*, ...]", True),
        ("[ip != 127.0.0.*, ...]", False),
        ("[ip = %127\\.0\\.0\\.[1-9]%, ..., bytes]", True),
        ("[, , , , , , bytes = 1534]", True),
        ("[w1 != ERROR && w1 != WARN, ...]", True),
        ('[..., request = "GET /index.html HTTP/1.0", status, bytes]', True),
    ],
)
def test_columns(pattern: str, matches: bool):
    assert _parse(pattern).matches(LINE) is matches


def test_columns_are_extracted_by_name():
    found = _parse("[ip, ..., status, bytes]").extract(LINE)
    assert found == {"$ip": "127.0.0.1", "$status": "404", "$bytes": "1534"}


def test_json_values_are_extracted_by_selector():
    found = _parse("{ $.bytes > 1 && $.eventType = * }").extract(EVENT)
    assert found == {"$.bytes": "1024", "$.eventType": "UpdateTrail"}


@pytest.mark.parametrize(
    "pattern",
    [
        *("{", "{}", "{ $ }", "{ $. = 1 }", "{ $.a }", "{ $.a = }", "{ $.a > x }", "{ $.a = 1 } x"),
        *("{ ($.a = 1 }", "{ $.a IS 5 }", '{ $.a = "x }', "{ $.a = %[% }", "[", "[a", "[a, a]"),
        *("[a = 1 && b = 2]", "[..., a, ...]", '"open', "%open", "a[b", "{" + "(" * 500),
    ],
)
def test_wrong_pattern_is_refused(pattern: str):
    with pytest.raises(InvalidPattern):
        _parse(pattern)


@pytest.mark.parametrize("pattern", ["%(a|aa)+$%", "[first=%(a|aa)+$%]", "{ $.a != %(a|aa)+$% }"])
def test_expression_that_would_never_end_is_told_and_not_taken_for_an_answer(pattern: str):
    text = "a" * 60 + "!"
    message = f'{{"a":"{text}"}}' if pattern.startswith("{") else text
    with pytest.raises(TooSlow):
        _parse(pattern, 0.05).matches(message)


def test_time_between_matching_costs_nothing_of_the_allowance():
    clock = FakeClock()
    allowance = Allowance(1.0, clock.monotonic)
    clock.advance(0.4)
    allowance.pause()
    clock.advance(100)
    allowance.begin()
    assert allowance.left == pytest.approx(0.6)


SIGNS = st.sampled_from([*'{}[]()$.*=!<>&|"%?-, \\', "&&", "||", "IS", "NULL", "NOT", "EXISTS"])
WILD = st.lists(SIGNS | st.text(max_size=3), max_size=25).map("".join)


@given(WILD, st.text(max_size=30))
def test_any_text_is_a_pattern_or_refused_as_one(pattern: str, message: str):
    try:
        parsed = _parse(pattern)
    except InvalidPattern:
        return
    assert parsed.matches(message) in {True, False}
    parsed.extract(message)


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True)
LEAVES = st.none() | st.booleans() | st.integers(-999, 999) | st.text("abc", min_size=1, max_size=4)


@given(st.dictionaries(NAMES, LEAVES, min_size=1), st.data())
def test_condition_written_from_a_document_matches_it(document: dict, data: st.DataObject):
    name = data.draw(st.sampled_from(sorted(document)))
    value = document[name]
    if value is None or isinstance(value, bool):
        condition = f"$.{name} IS {str(value).upper() if value is not None else 'NULL'}"
    elif isinstance(value, int):
        condition = f"$.{name} = {value} && $.{name} <= {value} && $.{name} > {value - 1}"
    else:
        condition = f'$.{name} = "{value}" && $.{name} = "{value[0]}*" && $.nothing NOT EXISTS'
    message = msgspec.json.encode(document).decode()
    assert _parse("{ " + condition + " }").matches(message)
    assert not _parse("{ $.nothing = 1 && (" + condition + ") }").matches(message)


@given(st.lists(st.text("xyz", min_size=1, max_size=4), min_size=1, max_size=6))
def test_terms_of_a_message_match_it_and_their_exclusion_does_not(words: list[str]):
    message = " ".join(words)
    assert _parse(message).matches(message)
    assert _parse(f'"{message}"').matches(message)
    assert not _parse(f"-{words[0]}").matches(message)
