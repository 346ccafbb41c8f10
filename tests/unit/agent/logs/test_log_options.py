"""Options of the awslogs driver, as its documentation has them."""

import time

import pytest

from longshore.agent.logs.options import (
    DEFAULT_BUFFER,
    InvalidOption,
    begins_event,
    check_endpoint,
    parse_options,
)

GROUP = {"awslogs-group": "/g", "awslogs-region": "eu-central-1"}


def test_stream_is_the_container_id_where_nothing_names_it():
    options = parse_options("awslogs", GROUP, "c-1")
    assert (options.group, options.stream, options.region) == ("/g", "c-1", "eu-central-1")
    assert not options.create_group
    assert options.create_stream
    assert options.buffer == 0
    named = parse_options("awslogs", {**GROUP, "awslogs-stream": "web/app/1"}, "c-1")
    assert named.stream == "web/app/1"


def test_no_driver_means_json_file():
    assert parse_options("", {}, "c").driver == "json-file"
    assert parse_options("none", {}, "c").driver == "none"


@pytest.mark.parametrize(
    ("size", "found"),
    [("", DEFAULT_BUFFER), ("512", 512), ("4k", 4096), ("25m", 25 << 20), ("1GB", 1 << 30)],
)
def test_buffer_of_non_blocking_mode(size: str, found: int):
    given = {**GROUP, "mode": "non-blocking", **({"max-buffer-size": size} if size else {})}
    assert parse_options("awslogs", given, "c").buffer == found


OWN = {"127.0.0.1:4510", "localhost:4510"}


@pytest.mark.parametrize("given", ["", "http://localhost:4510", "http://127.0.0.1:4510/"])
def test_endpoint_may_be_the_installations_own(given: str):
    check_endpoint(given, OWN)


@pytest.mark.parametrize(
    "given",
    [
        "http://169.254.169.254",
        "http://localhost:4511",
        "http://localhost:4510@evil.example",
        "http://evil.example//localhost:4510",
        "https://logs.us-east-1.amazonaws.com",
        "localhost:45100",
    ],
)
def test_any_other_endpoint_is_refused(given: str):
    with pytest.raises(InvalidOption, match="can only be this installation's own"):
        check_endpoint(given, OWN)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"awslogs-group": ""}, "must specify a value for log opt 'awslogs-group'"),
        ({"awslogs-create-group": "yes"}, "must specify valid value for log opt"),
        ({"mode": "fast"}, "logging mode not supported: fast"),
        ({"max-buffer-size": "1m"}, "only supported with 'mode=non-blocking'"),
        ({"mode": "non-blocking", "max-buffer-size": "much"}, "invalid size: 'much'"),
        ({"awslogs-multiline-pattern": "(a"}, "could not parse multiline pattern"),
        ({"awslogs-multiline-pattern": "(a{9999}){9999}"}, "could not parse multiline pattern"),
        (
            {"awslogs-multiline-pattern": "a", "awslogs-datetime-format": "%Y"},
            "at the same time",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(given: dict[str, str], message: str):
    with pytest.raises(InvalidOption) as caught:
        parse_options("awslogs", {**GROUP, **given}, "c")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("dates", "line", "begins"),
    [
        ("[%b %d, %Y %H:%M:%S]", b"[May 01, 2017 19:00:01] A message", True),
        ("[%b %d, %Y %H:%M:%S]", b"Another line", False),
        ("[%b %d, %Y %H:%M:%S]", b"[May 32, 2017 19:00:01] A message", False),
        ("%Y-%m-%dT%H:%M:%S%L%z", b"2026-11-24T12:00:00.123+0000 started", True),
        ("%A %I:%M %p", b"Tuesday 11:59 PM", True),
        ("%j.%y", b"366x26", False),
        ("100%%", b"at 100%", True),
    ],
)
def test_datetime_format_finds_the_first_line_of_an_event(dates: str, line: bytes, begins: bool):
    options = parse_options("awslogs", {**GROUP, "awslogs-datetime-format": dates}, "c")
    found = begins_event(options.pattern)
    assert found is not None
    assert found(line) is begins


def test_pattern_that_never_ends_does_not_hold_up_the_agent():
    options = parse_options("awslogs", {**GROUP, "awslogs-multiline-pattern": "(a|aa)+$"}, "c")
    found = begins_event(options.pattern)
    assert found is not None
    before = time.process_time()
    assert not found(b"a" * 200 + b"b")
    for _ in range(1000):
        found(b"a" * 200 + b"b")
    assert time.process_time() - before < 5.0
