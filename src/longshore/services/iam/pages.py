"""Pages: a marker is the key of the last entry given, so that it stays good while lists change."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from longshore.services.iam.failures import validation

T = TypeVar("T")
DEFAULT_PAGE = 100
MARKER_BYTES = 240
"""Base64 of this many is as long as a marker may be (320 characters)."""


def page(
    entries: Iterable[T], key: Callable[[T], str], request: Any
) -> tuple[Sequence[T], dict[str, Any]]:
    """The entries asked for in the order of `key`, with `IsTruncated` and `Marker`."""
    after = _decode(request["Marker"]) if "Marker" in request else ""
    most = int(request.get("MaxItems", DEFAULT_PAGE))
    ordered = sorted(((_fitting(key(each)), each) for each in entries), key=lambda pair: pair[0])
    left = [pair for pair in ordered if pair[0] > after]
    given = [each for _, each in left[:most]]
    if len(left) <= most:
        return given, {"IsTruncated": False}
    marker = base64.b64encode(left[most - 1][0].encode()).decode()
    return given, {"IsTruncated": True, "Marker": marker}


def _fitting(key: str) -> str:
    """A key that is too long for a marker is cut, and told apart by its digest."""
    if len(key.encode()) <= MARKER_BYTES:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return key.encode()[: MARKER_BYTES - len(digest)].decode(errors="ignore") + digest


def _decode(marker: str) -> str:
    try:
        return base64.b64decode(marker, validate=True).decode()
    except ValueError:
        raise validation("Invalid Marker.") from None
