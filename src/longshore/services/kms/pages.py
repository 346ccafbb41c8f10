"""Pages of lists."""

from collections.abc import Sequence
from typing import Any, TypeVar

from longshore.model.errors import AwsError

T = TypeVar("T")


def page(items: Sequence[T], request: Any, limit: int) -> tuple[Sequence[T], dict[str, Any]]:
    """Items from the marker on; `Truncated`, and `NextMarker` where there are more."""
    marker = request.get("Marker")
    if marker is not None and not (marker.isascii() and marker.isdecimal() and len(marker) < 12):
        raise AwsError("InvalidMarkerException", "The marker is not valid.")
    start = int(marker or 0)
    end = start + request.get("Limit", limit)
    if end < len(items):
        return items[start:end], {"Truncated": True, "NextMarker": str(end)}
    return items[start:end], {"Truncated": False}
