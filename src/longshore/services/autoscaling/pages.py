"""Pages of lists: a token names the last entry given, so that it stays good while lists change."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from longshore.model.errors import AwsError
from longshore.services.autoscaling.failures import invalid

T = TypeVar("T")


def page(
    entries: Sequence[T],
    request: Mapping[str, Any],
    key: Callable[[T], str],
    *,
    usual: int = 50,
    most: int = 100,
) -> tuple[Sequence[T], dict[str, str]]:
    """The entries after `NextToken`, at most `MaxRecords`, and the next token.

    No two entries have the same key; of one that is gone meanwhile, the list begins anew.
    """
    limit = request.get("MaxRecords")
    if limit is not None and not 1 <= limit <= most:
        raise invalid(
            f"1 validation error detected: Value '{limit}' at 'maxRecords' failed to satisfy "
            f"constraint: Member must have value between 1 and {most}"
        )
    token = request.get("NextToken")
    start = 0
    if token:
        last = _position(token)
        start = next((place + 1 for place, each in enumerate(entries) if key(each) == last), 0)
    end = start + (limit or usual)
    if end >= len(entries):
        return entries[start:], {}
    return entries[start:end], {"NextToken": _token(key(entries[end - 1]))}


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(f"after:{key}".encode()).decode()


def _position(token: str) -> str:
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError:
        text = ""
    if not text.startswith("after:"):
        raise AwsError("InvalidNextToken", "The token is invalid.")
    return text.removeprefix("after:")
