"""Regular expressions that users write: compiled only where that costs little.

`regex` bounds a search in time, but not a compilation: `(a{1000}){1000}` is written out a million
times, in seconds and hundreds of MiB. What is matched still needs `timeout=`.
"""

import re

import regex

MOST_ATOMS = 20_000
"""Characters, classes and groups after every `{n}` was written out; 20 ms to compile."""
HIDING = re.compile(r"\(\?(?:#|\w*x)")
"""Comments and the verbose mode, in which text may look like what it is not."""
PARTS = re.compile(
    r"(?P<open>\()|(?P<close>\))|\{(?P<least>\d*)(?:,\d*)?\}|(?P<more>[*+?])"
    r"|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.",
    re.DOTALL,
)


class ExpressionError(ValueError):
    """The text is no regular expression, or one that costs too much; the message says which."""


def compile_expression(text: str) -> "regex.Pattern[str]":
    """The compiled expression; raises `ExpressionError`."""
    check_cost(text)
    try:
        return regex.compile(text)
    except (regex.error, ValueError, KeyError, OverflowError, RecursionError) as error:
        raise ExpressionError(str(error)) from None


def check_cost(text: str) -> None:
    """Raise `ExpressionError` for what costs too much to compile, be it an expression or not."""
    if HIDING.search(text):
        raise ExpressionError("comments and the flag x are not supported")
    if written_out(text) > MOST_ATOMS:
        raise ExpressionError("its repetitions are too many")


def written_out(text: str) -> int:
    """How many atoms the expression has with each `{n}` and `{n,m}` written out n times, at least.

    Never fewer than there are; without `HIDING` in the text.
    """
    groups, last = [0], 0
    for part in PARTS.finditer(text):
        if part["open"]:
            groups.append(0)
        elif part["close"]:
            last = groups.pop() if len(groups) > 1 else last
            groups[-1] += last
        elif part["least"] is not None:
            count = int(part["least"][:9] or 1)
            groups[-1] += last * max(count - 1, 0)
            last *= max(count, 1)
        elif not part["more"]:
            last = 1
            groups[-1] += 1
    return sum(groups)
