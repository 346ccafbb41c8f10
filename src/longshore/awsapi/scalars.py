"""Timestamps and numbers between their wire forms and plain values."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime

Timestamp = float | int | datetime
EARLIEST = -62_135_596_800.0
LATEST = 253_402_300_799.999


def epoch(value: Timestamp) -> float:
    """Epoch seconds of what a service function gave; naive datetimes are UTC."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return aware.timestamp()
    return value


def format_iso8601(value: Timestamp) -> str:
    """`2026-01-31T12:00:00Z`, with milliseconds where there are any."""
    seconds = epoch(value)
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    if round(seconds * 1000) % 1000 == 0:
        return moment.isoformat(timespec="seconds") + "Z"
    return moment.isoformat(timespec="milliseconds") + "Z"


def format_iso8601_millis(value: Timestamp) -> str:
    """`2026-01-31T12:00:00.000Z`, as EC2 writes it."""
    moment = datetime.fromtimestamp(epoch(value), UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds") + "Z"


def format_rfc822(value: Timestamp) -> str:
    """`Sat, 31 Jan 2026 12:00:00 GMT`."""
    return formatdate(epoch(value), usegmt=True)


def format_unix(value: Timestamp) -> str:
    """Epoch seconds in decimal."""
    seconds = epoch(value)
    return str(int(seconds)) if seconds == int(seconds) else f"{seconds:.3f}"


FORMATS: dict[str, Callable[[Timestamp], str]] = {
    "iso8601": format_iso8601,
    "rfc822": format_rfc822,
    "unixTimestamp": format_unix,
}


def parse_timestamp(text: str) -> float:
    """Epoch seconds of any of the three formats; raises ValueError."""
    try:
        return in_range(float(text))
    except ValueError:
        pass
    if text[:4].isdigit():
        return in_range(epoch(datetime.fromisoformat(text)))
    return in_range(epoch(parsedate_to_datetime(text)))


def in_range(seconds: float) -> float:
    """The same, provided that a calendar has such a date; raises ValueError."""
    if math.isnan(seconds) or not EARLIEST <= seconds <= LATEST:
        raise ValueError("the time is out of range")
    return seconds


def parse_integer(text: str) -> int:
    """A decimal integer of at most 64 bits, in ASCII; raises ValueError."""
    if not text.isascii() or "_" in text or len(text) > 20:
        raise ValueError("not an integer")
    return int(text)


def parse_float(text: str) -> float:
    """A decimal number, `NaN`, `Infinity` or `-Infinity`; raises ValueError."""
    if not text.isascii() or "_" in text:
        raise ValueError("not a number")
    return float(text)


def format_float(value: float) -> str:
    """The shortest text that reads back the same."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return "NaN" if math.isnan(value) else repr(value)
