"""Frames of ACS and TCS: `{"type": …, "message": …}` in JSON, one a websocket message."""

from collections.abc import Mapping
from typing import Any

import msgspec

MAX_FRAME_BYTES = 8 * 2**20


class FrameError(ValueError):
    """What came is not a frame that this side knows."""


class Frame(msgspec.Struct, frozen=True):
    """A frame before its message is read."""

    type: str
    message: msgspec.Raw = msgspec.Raw(b"{}")


def encode(message: msgspec.Struct) -> str:
    """The frame of a message; its type is the struct's name."""
    return msgspec.json.encode({"type": type(message).__name__, "message": message}).decode()


def decode(text: str | bytes, types: Mapping[str, type[msgspec.Struct]]) -> Any:
    """The message of a frame; raises `FrameError` for what is malformed or of an unknown type."""
    try:
        frame = msgspec.json.decode(text, type=Frame)
        kind = types.get(frame.type)
        if kind is None:
            raise FrameError(f"unknown frame type {frame.type!r}")
        return msgspec.json.decode(frame.message, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FrameError(str(error)) from error


def by_name(*types: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct]]:
    """Struct types by the type names of their frames."""
    return {kind.__name__: kind for kind in types}
