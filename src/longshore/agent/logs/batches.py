"""What of a file goes into one PutLogEvents call: pure.

Limits as of "PutLogEvents" (CloudWatch Logs API reference).
"""

import bisect
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from longshore.agent.logs.lines import Piece

BATCH_EVENTS = 10_000
BATCH_BYTES = 1_048_576
OVERHEAD = 26
"""Bytes that each event counts beside its message."""
SPAN = 24 * 3600 * 1000
"""Milliseconds between the first and the last event."""


class Mark(NamedTuple):
    """Up to `size` bytes were in the file at `time` (epoch milliseconds)."""

    size: int
    time: int


class Batch(NamedTuple):
    """Events (epoch milliseconds, message) in order; `end`: how many bytes they are made of."""

    events: Sequence[tuple[int, str]]
    end: int


def first_batch(pieces: Iterable[Piece], marks: Sequence[Mark]) -> Batch:
    """As many of the pieces as one call takes; each gets the time of the first mark behind it.

    Empty lines make no events; what is left over begins the next batch.
    """
    sizes = [mark.size for mark in marks]
    events: list[tuple[int, str]] = []
    end = size = 0
    for piece in pieces:
        if piece.message:
            time = marks[min(bisect.bisect_left(sizes, piece.end), len(marks) - 1)].time
            message = piece.message
            size += OVERHEAD + (len(message) if message.isascii() else len(message.encode()))
            if size > BATCH_BYTES or (events and not _follows(time, events)):
                break
            events.append((time, message))
        end = piece.end
        if len(events) == BATCH_EVENTS:
            break
    return Batch(events, end)


def _follows(time: int, events: Sequence[tuple[int, str]]) -> bool:
    """The clock may have been set back, or stood still for days, between two events."""
    return events[-1][0] <= time <= events[0][0] + SPAN
