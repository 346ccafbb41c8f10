"""Page tokens: a name at which the next page begins, in a form that invites no guessing."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from longshore.services.logs.resources import invalid_parameter


def seal(position: str) -> str:
    return base64.urlsafe_b64encode(position.encode()).decode()


def unseal(token: str | None) -> str:
    """The position in a token; empty where there is none."""
    if not token:
        return ""
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise invalid_parameter("The specified nextToken is invalid.") from None


def page(items: Sequence[Any], token: str | None, limit: int) -> tuple[Sequence[Any], str | None]:
    """Items from the token's number on, and the next token."""
    position = unseal(token)
    if position and not position.isdecimal():
        raise invalid_parameter("The specified nextToken is invalid.")
    start = int(position or 0)
    end = start + limit
    return items[start:end], seal(str(end)) if end < len(items) else None
