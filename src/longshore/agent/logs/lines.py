"""Cuts a container's output into log events: pure, and the same whenever the same bytes come.

An event's number is counted from the file's first event, so what is cut must not depend on when it
was read: only on the bytes from the last event's end on, and on whether more may come.
"""

import codecs
from collections.abc import Callable, Iterator
from typing import NamedTuple

EVENT_BYTES = 262_118
"""Most bytes of one event's message: 256 KiB less the 26 that CloudWatch Logs counts for each
event, as the awslogs driver has it."""
REPLACEMENT_BYTES = 3
"""What the replacement of one byte that is not UTF-8 takes."""

Begins = Callable[[bytes], bool]
"""Whether a line begins a new event (`awslogs-multiline-pattern`)."""


class Piece(NamedTuple):
    """One event, or an empty line, which makes none; `end` counts from the first byte given."""

    end: int
    message: str


def cut(data: bytes, final: bool, begins: Begins | None = None) -> Iterator[Piece]:
    """The events that `data` holds, as far as they are complete; `final`: no byte follows.

    Give at least twice `EVENT_BYTES` where there is as much: then something comes out.
    """
    return _single_lines(data, final) if begins is None else _joined_lines(data, final, begins)


def _single_lines(data: bytes, final: bool) -> Iterator[Piece]:
    start, reach = 0, EVENT_BYTES // REPLACEMENT_BYTES + 1
    while True:
        found = data.find(b"\n", start, start + reach)
        if found >= 0:  # nearly every line: it fits, whatever it holds
            yield Piece(found + 1, data[start:found].decode("utf-8", "replace"))
            start = found + 1
            continue
        end = _line_end(data, start, final)
        if end is None:
            return
        yield Piece(end, _text(data[start:end].removesuffix(b"\n")))
        start = end


def _joined_lines(data: bytes, final: bool, begins: Begins) -> Iterator[Piece]:
    """A line that begins an event, and those that follow it, line ends included."""
    first = start = size = 0
    while (end := _line_end(data, start, final)) is not None:
        line = data[start:end]
        more = _encoded_size(line)
        if start > first and (size + more > EVENT_BYTES or begins(line)):
            yield Piece(start, _joined(data[first:start]))
            first, size = start, 0
        start, size = end, size + more
    if final and start > first:
        yield Piece(start, _joined(data[first:start]))


def _joined(lines: bytes) -> str:
    """The event's text; the last line end gives way where the limit is near."""
    text = _text(lines)
    return text if len(lines) * REPLACEMENT_BYTES <= EVENT_BYTES else text.removesuffix("\n")


def _line_end(data: bytes, start: int, final: bool) -> int | None:
    """Behind the line that begins at `start`, or behind the part of it that one event can hold;
    None where more must be seen first."""
    found = data.find(b"\n", start, start + EVENT_BYTES + 1)
    if found >= 0:
        line = data[start:found]
        return found + 1 if _fits(line) else start + _part(line)
    rest = len(data) - start
    if rest > EVENT_BYTES:
        return start + _part(data[start : start + EVENT_BYTES])
    if not final or not rest:
        return None
    return len(data) if _fits(data[start:]) else start + _part(data[start:])


def _fits(line: bytes) -> bool:
    return len(line) * REPLACEMENT_BYTES <= EVENT_BYTES or _encoded_size(line) <= EVENT_BYTES


def _part(line: bytes) -> int:
    """How many bytes of a line too long for one event go into one; no character is cut."""
    part = _whole(line)
    return len(part if _fits(part) else _whole(line[: EVENT_BYTES // REPLACEMENT_BYTES]))


def _whole(line: bytes) -> bytes:
    """The line without a character that is not all there at its end."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(line)
    return line[: len(line) - len(decoder.getstate()[0])]


def _encoded_size(line: bytes) -> int:
    return len(line) if line.isascii() else len(_text(line).encode())


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
