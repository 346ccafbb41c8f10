"""The log configuration of a container: `LogConfiguration` (ECS API reference) and the awslogs
driver's own options ("Amazon CloudWatch Logs logging driver", Docker)."""

import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

import msgspec

from longshore.agent.logs.lines import Begins

DEFAULT_BUFFER = 10 * 2**20
"""`max-buffer-size` where it is not stated: 10m."""
STDOUT_STREAM = "longshore-stdout-stream"
"""An option of our own, of control planes: what they audit comes by stdout, what they log by
stderr."""
MATCH_SECONDS = 0.1
"""How long a pattern of a user's own may look at one line."""
MOST_FAILURES = 10
UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}
SIZE = re.compile(r"(\d{1,12})\s*([bkmg]?)b?", re.IGNORECASE)

DATES = {
    "A": "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day",
    "B": "(?:January|February|March|April|May|June|July|August|September|October|November"
    "|December)",
    "H": "(?:[01][0-9]|2[0-3])",
    "I": "(?:0[1-9]|1[0-2])",
    "L": r"\.[0-9]{3}",
    "M": "[0-5][0-9]",
    "S": "[0-5][0-9]",
    "Y": "[0-9]{4}",
    "Z": "[A-Z]{1,4}T",
    "a": "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)",
    "b": "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "d": "(?:0[1-9]|[12][0-9]|3[01])",
    "f": "[0-9]{6}",
    "j": "(?:0[0-9][1-9]|0[1-9][0-9]|[12][0-9]{2}|3[0-5][0-9]|36[0-6])",
    "m": "(?:0[1-9]|1[0-2])",
    "p": "[AP]M",
    "w": "[0-6]",
    "y": "[0-9]{2}",
    "z": "[+-][0-9]{4}",
    "%": "%",
}
"""What stands for a conversion of strftime in `awslogs-datetime-format`."""


class InvalidOption(ValueError):
    """The driver cannot work with these options; the message is the driver's own."""


class LogOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Kept on disk beside the output, since secrets are not fetched again for an adopted task."""

    driver: str = ""
    group: str = ""
    stream: str = ""
    stdout_stream: str = ""
    """Where what goes to stdout has a stream of its own."""
    region: str = ""
    by_host: bool = False
    """Whether the host's own key signs, where nothing else is known of the task any more."""
    create_group: bool = False
    create_stream: bool = True
    pattern: str = ""
    """A line that it is found in begins an event; empty: each line is one."""
    buffer: int = 0
    """Bytes that wait at most (`mode` non-blocking); 0: as many as the disk holds."""


def parse_options(driver: str, given: Mapping[str, str], container_id: str) -> LogOptions:
    """Raises `InvalidOption`."""
    if driver != "awslogs":
        return LogOptions(driver=driver or "json-file")
    if not given.get("awslogs-group"):
        raise InvalidOption("must specify a value for log opt 'awslogs-group'")
    return LogOptions(
        driver=driver,
        group=given["awslogs-group"],
        stream=given.get("awslogs-stream") or container_id,
        stdout_stream=given.get(STDOUT_STREAM, ""),
        region=given.get("awslogs-region", ""),
        create_group=_flag(given, "awslogs-create-group", False),
        create_stream=_flag(given, "awslogs-create-stream", True),
        pattern=_pattern(given),
        buffer=_buffer(given),
    )


def check_endpoint(given: str, own: Collection[str]) -> None:
    """Refuse an `awslogs-endpoint` other than this installation's. Raises `InvalidOption`.

    `own` are host and port as URLs have them. The agent asks from the host's network, where tasks
    may not reach everything that it could.
    """
    if given and urlsplit(given if "//" in given else f"//{given}").netloc not in own:
        raise InvalidOption(
            f"log opt 'awslogs-endpoint' can only be this installation's own, not '{given}'"
        )


class Beginning:
    """The test of a line for `LogOptions.pattern`."""

    def __init__(self, pattern: str) -> None:
        import regex  # see _pattern

        self._compiled = regex.compile(pattern.encode())
        self._failures = 0

    def __call__(self, line: bytes) -> bool:
        """Each line begins an event where the pattern took too long for many of them: the agent
        has others to serve."""
        if self._failures >= MOST_FAILURES:
            return True
        try:
            return self._compiled.search(line, timeout=MATCH_SECONDS) is not None
        except TimeoutError:
            self._failures += 1
            return False


def begins_event(pattern: str) -> Begins | None:
    """None where each line is an event."""
    return Beginning(pattern) if pattern else None


def _flag(given: Mapping[str, str], name: str, default: bool) -> bool:
    """As Go's ParseBool reads it."""
    value = given.get(name, "")
    if not value:
        return default
    if value in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if value in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise InvalidOption(
        f"must specify valid value for log opt '{name}': "
        f'strconv.ParseBool: parsing "{value}": invalid syntax'
    )


def _buffer(given: Mapping[str, str]) -> int:
    mode, size = given.get("mode", ""), given.get("max-buffer-size", "")
    if mode not in {"", "blocking", "non-blocking"}:
        raise InvalidOption(f"logger: logging mode not supported: {mode}")
    if mode != "non-blocking":
        if size:
            raise InvalidOption(
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
            )
        return 0
    return _bytes(size) if size else DEFAULT_BUFFER


def _bytes(size: str) -> int:
    found = SIZE.fullmatch(size)
    if found is None:
        raise InvalidOption(f"error parsing option max-buffer-size: invalid size: '{size}'")
    return int(found[1]) * UNITS[found[2].lower()]


def _pattern(given: Mapping[str, str]) -> str:
    dates, pattern = given.get("awslogs-datetime-format"), given.get("awslogs-multiline-pattern")
    if dates and pattern:
        raise InvalidOption(
            "you cannot configure log opt 'awslogs-datetime-format' and "
            "'awslogs-multiline-pattern' at the same time"
        )
    found = pattern or date_pattern(dates or "")
    if not found:
        return ""
    # Here, since few tasks have such an option, and regex takes 1.4 MiB.
    import regex

    from longshore.base.expressions import ExpressionError, check_cost

    try:
        check_cost(found)
        regex.compile(found.encode())
    except (regex.error, ExpressionError) as error:
        raise InvalidOption(
            f"awslogs could not parse multiline pattern key {found!r}: {error}"
        ) from error
    return found


def date_pattern(dates: str) -> str:
    """A regular expression that finds times of a strftime format."""
    parts = re.split(r"%(.)", dates)
    literals, conversions = parts[::2], parts[1::2]
    found = [re.escape(literals[0])]
    for conversion, literal in zip(conversions, literals[1:], strict=True):
        found.append(DATES.get(conversion, re.escape(f"%{conversion}")))
        found.append(re.escape(literal))
    return "".join(found)
