"""Log lines as an operator's tools read them."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.base.logs import configure_logs, logger

log = logger("longshore.test")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The root logger as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)


def test_record_is_one_line_of_json_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    log.warning("a port is taken", port=4566, path=Path("/run"))
    written = capsys.readouterr().err
    line = json.loads(written)
    assert written.count("\n") == 1
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "warning",
        "logger_name": "longshore.test",
        "event": "a port is taken",
        "port": 4566,
        "path": repr(Path("/run")),
    }


def test_exception_is_written_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    try:
        raise ValueError("broken\nin two lines")
    except ValueError as error:
        log.exception("it failed")
        log.error("it failed", exc_info=error)
    written = capsys.readouterr().err
    first, second = (json.loads(line) for line in written.splitlines())
    assert "ValueError: broken" in first["exception"]
    assert first["exception"] == second["exception"]
    assert first["level"] == "error"


def test_records_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning")
    log.info("nothing to see")
    assert not log.is_enabled_for(logging.INFO)
    assert capsys.readouterr().err == ""


def test_text_that_is_not_unicode_is_written_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs()
    log.info("a strange name", name="\udcff", percent="100%s")
    line = json.loads(capsys.readouterr().err)
    assert (line["name"], line["percent"]) == ("\udcff", "100%s")


def test_libraries_records_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    logging.getLogger("asyncio").error("task of %s was lost", "nobody")
    line = json.loads(capsys.readouterr().err)
    assert (line["logger_name"], line["event"]) == ("asyncio", "task of nobody was lost")
