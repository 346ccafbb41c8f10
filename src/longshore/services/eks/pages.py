"""Pages of lists: a token names the last entry given, so that it stays good while lists change."""

import base64
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from longshore.services.eks.failures import invalid_parameter

T = TypeVar("T")
DEFAULT_PAGE = 100


def page(
    entries: Sequence[T], request: Any, key: Callable[[T], str]
) -> tuple[Sequence[T], dict[str, str]]:
    """The entries of `maxResults` and `nextToken`, and the next token; they are ordered by key."""
    start = bisect_right(entries, _position(request.get("nextToken") or ""), key=key)
    end = start + int(request.get("maxResults") or DEFAULT_PAGE)
    if end >= len(entries):
        return entries[start:], {}
    token = base64.urlsafe_b64encode(key(entries[end - 1]).encode()).decode()
    return entries[start:end], {"nextToken": token}


def _position(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise invalid_parameter("The specified nextToken is invalid.") from None
