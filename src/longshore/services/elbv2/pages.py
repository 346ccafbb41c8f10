"""Pages of lists: a marker names the last entry given, so that it stays good while lists change."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from longshore.services.elbv2.failures import invalid

T = TypeVar("T")
MOST = 400


def page(
    entries: Sequence[T], request: Mapping[str, Any], key: Callable[[T], str]
) -> tuple[Sequence[T], dict[str, str]]:
    """The entries after `Marker` in the order of their keys, at most `PageSize`, and the next
    marker; no two entries have the same key."""
    ordered = sorted(entries, key=key)
    if request.get("Marker"):
        last = _position(request["Marker"])
        ordered = [each for each in ordered if key(each) > last]
    size = request.get("PageSize") or MOST
    if size >= len(ordered):
        return ordered, {}
    found = ordered[:size]
    marker = base64.urlsafe_b64encode(f"after:{key(found[-1])}".encode()).decode()
    return found, {"NextMarker": marker}


def _position(marker: str) -> str:
    try:
        text = base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except ValueError:
        text = ""
    if not text.startswith("after:"):
        raise invalid(f"'{marker}' is not a valid marker")
    return text.removeprefix("after:")
