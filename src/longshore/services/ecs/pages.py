"""Pages of ARNs, as ECS's list operations give them."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from longshore.services.ecs.naming import invalid

LONGEST_PAGE = 100


def page(items: Sequence[str], request: Any, member: str) -> dict[str, Any]:
    """One page of ordered `items` as the response's `member`, with the token for the next."""
    size = request.get("maxResults")
    if size is None:
        size = LONGEST_PAGE
    elif not 1 <= size <= LONGEST_PAGE:
        raise invalid(f"maxResults should be between 1 and {LONGEST_PAGE}")
    start = _start(items, request.get("nextToken") or "")
    chosen = list(items[start : start + size])
    response: dict[str, Any] = {member: chosen}
    if start + size < len(items):
        response["nextToken"] = base64.urlsafe_b64encode(chosen[-1].encode()).decode()
    return response


def _start(items: Sequence[str], token: str) -> int:
    """Behind the item that the token names; where it is gone, behind where it was."""
    if not token:
        return 0
    try:
        last = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid("Invalid token") from error
    if last in items:
        return items.index(last) + 1
    return sum(1 for item in items if item <= last)
