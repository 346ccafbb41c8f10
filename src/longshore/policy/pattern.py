"""Wildcards and policy variables ("IAM policy elements: Variables and tags")."""

import re
from collections.abc import Callable
from functools import lru_cache

Values = Callable[[str], list[str] | None]
"""The values of a condition key in the request, by its name; None where the key is absent."""

VARIABLE = re.compile(r"\$\{([^}]*)\}")
LITERALS = {"*": "[*]", "?": "[?]", "$": "[$]"}
"""`${*}`, `${?}` and `${$}` stand for the characters themselves."""


@lru_cache(maxsize=8192)
def wildcard(pattern: str, ignore_case: bool = False) -> re.Pattern[str]:
    """A regular expression for `*` (any characters) and `?` (one); `[*]` is a literal one."""
    parts = []
    for piece in re.findall(r"\[[*?$]\]|.", pattern, re.DOTALL):
        if len(piece) == 3:
            parts.append(re.escape(piece[1]))
        else:
            parts.append({"*": ".*", "?": "."}.get(piece) or re.escape(piece))
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def substitute(pattern: str, values: Values) -> str | None:
    """`pattern` with its variables replaced; None where one has no single value and no default.

    What a variable brings in is taken literally: its `*` and `?` are no wildcards.
    """
    missing = False

    def replace(found: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = (part.strip() for part in found[1].partition(","))
        if name in LITERALS:
            return LITERALS[name]
        value = values(name)
        if value is not None and len(value) == 1:
            return _literal(value[0])
        if len(default) >= 2 and default[0] == default[-1] == "'":
            return _literal(default[1:-1])
        missing = True
        return ""

    text = VARIABLE.sub(replace, pattern)
    return None if missing else text


def _literal(text: str) -> str:
    return re.sub(r"[*?$]", lambda found: f"[{found[0]}]", text)


def plain(pattern: str) -> str:
    """`pattern` after substitution as text, for operators without wildcards."""
    return re.sub(r"\[([*?$])\]", r"\1", pattern)


def matches(pattern: str, text: str, values: Values, *, ignore_case: bool = False) -> bool:
    """Whether `text` is what `pattern` means in this request."""
    if pattern == "*":
        return True
    if "${" in pattern:
        replaced = substitute(pattern, values)
        if replaced is None:
            return False
        pattern = replaced
    return wildcard(pattern, ignore_case).fullmatch(text) is not None


def arn_matches(pattern: str, text: str, values: Values) -> bool:
    """The same part by part: a wildcard in one part of an ARN does not reach into the next."""
    if "*" in (pattern, text):
        return pattern == "*"
    if "${" in pattern:
        replaced = substitute(pattern, values)
        if replaced is None:
            return False
        pattern = replaced
    wanted, given = pattern.split(":", 5), text.split(":", 5)
    return len(wanted) == len(given) and all(
        wildcard(part).fullmatch(value) is not None
        for part, value in zip(wanted, given, strict=True)
    )
