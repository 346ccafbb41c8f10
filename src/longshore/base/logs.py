"""Structured logging: constant sentences, values as fields, one JSON line each on stderr.

On the standard library's `logging`, so that libraries' records come out in the same form (decision
0003 says why nothing larger).
"""

import datetime
import json
import logging
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple


class Event(NamedTuple):
    """What a record says: the message object that `logging` carries along."""

    sentence: str
    fields: Mapping[str, object]

    def __str__(self) -> str:
        return " ".join((self.sentence, *(f"{name}={self.fields[name]!r}" for name in self.fields)))


class Logger:
    """Writes records; `exc_info` is an exception or True, as in `logging`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def is_enabled_for(self, level: int) -> bool:
        """Whether records of this level are written, for what is costly to compute."""
        return self._logger.isEnabledFor(level)

    def debug(self, sentence: str, **fields: object) -> None:
        self._write(logging.DEBUG, sentence, fields)

    def info(self, sentence: str, **fields: object) -> None:
        self._write(logging.INFO, sentence, fields)

    def warning(self, sentence: str, **fields: object) -> None:
        self._write(logging.WARNING, sentence, fields)

    def error(self, sentence: str, **fields: object) -> None:
        self._write(logging.ERROR, sentence, fields)

    def exception(self, sentence: str, **fields: object) -> None:
        """An error with the exception that is being handled."""
        self._write(logging.ERROR, sentence, {"exc_info": True, **fields})

    def _write(self, level: int, sentence: str, fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            exception = fields.pop("exc_info", None)
            self._logger.log(level, Event(sentence, fields), exc_info=exception)


class JsonLines(logging.Formatter):
    """A record as one line of JSON; values that JSON does not have as their `repr`."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, object] = {
            "timestamp": time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger_name": record.name,
        }
        if isinstance(record.msg, Event):
            line |= {"event": record.msg.sentence, **record.msg.fields}
        else:
            line["event"] = record.getMessage()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=repr)


def configure_logs(level: str = "info") -> None:
    """Send every record at `level` or above to standard error; call once per process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def logger(name: str) -> Logger:
    """A logger whose records carry `logger_name=name`; pass `__name__`."""
    return Logger(name)
