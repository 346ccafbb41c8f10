"""Byte ranges: of downloads (RFC 9110, section 14) and of uploads (distribution specification)."""

import re

_DOWNLOAD = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)
_UPLOAD = re.compile(r"(?:bytes[ =])?(\d{1,19})-(\d{1,19})(?:/(?:\*|\d{1,19}))?", re.ASCII)


class Unsatisfiable(Exception):
    """No byte of the content is in the range."""


def download_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last, or None for the whole content.

    A header that is not understood, several ranges among them, counts as none, as RFC 9110 has it.
    Raises Unsatisfiable.
    """
    match = _DOWNLOAD.fullmatch(header.strip()) if header else None
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        return _suffix(last, size)
    start, end = int(first), int(last) + 1 if last else size
    if end <= start and last:
        return None
    if start >= size:
        raise Unsatisfiable
    return start, min(end, size)


def _suffix(length: str, size: int) -> tuple[int, int] | None:
    """`bytes=-500`: the last 500."""
    if not length:
        return None
    if int(length) == 0 or size == 0:
        raise Unsatisfiable
    return max(size - int(length), 0), size


def upload_start(header: str | None, length: int | None) -> int | None:
    """Where a chunk says that it begins; None where it says nothing.

    `length` is the Content-Length, if there is one; raises ValueError where it does not agree.
    """
    if header is None:
        return None
    match = _UPLOAD.fullmatch(header.strip())
    if match is None:
        raise ValueError(f"invalid Content-Range '{header[:100]}'")
    start, end = int(match[1]), int(match[2])
    if end < start or (length is not None and end - start + 1 != length):
        raise ValueError(f"Content-Range '{header[:100]}' does not fit a body of {length} bytes")
    return start
