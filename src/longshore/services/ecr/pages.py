"""Pages: a token is the key of the last entry given, so that it stays good while lists change."""

import base64
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from longshore.images.failures import invalid_parameter

T = TypeVar("T")
DEFAULT_PAGE = 100


def page(
    entries: Sequence[T], key: Callable[[T], str], request: Any
) -> tuple[Sequence[T], dict[str, str]]:
    """The entries asked for, and `nextToken` where more follow; `entries` are ordered by `key`."""
    after = _decode(request["nextToken"]) if request.get("nextToken") else None
    limit = int(request.get("maxResults") or DEFAULT_PAGE)
    left = entries if after is None else [entry for entry in entries if key(entry) > after]
    given = left[:limit]
    if len(left) <= limit:
        return given, {}
    return given, {"nextToken": base64.urlsafe_b64encode(key(given[-1]).encode()).decode()}


def _decode(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise invalid_parameter("nextToken", "Invalid token") from None
