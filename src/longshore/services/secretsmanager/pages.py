"""Pages of lists."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from longshore.model.errors import AwsError

T = TypeVar("T")


def page(
    items: Sequence[T], token: str | None, limit: int
) -> tuple[Sequence[T], Mapping[str, str]]:
    """Items from the token's number on, and `NextToken` where there are more."""
    if token is not None and not (token.isascii() and token.isdecimal() and len(token) < 12):
        raise AwsError("InvalidNextTokenException", "Invalid NextToken.")
    start = int(token or 0)
    end = start + limit
    return items[start:end], {"NextToken": str(end)} if end < len(items) else {}
