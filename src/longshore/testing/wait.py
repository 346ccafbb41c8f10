"""Waiting for a condition with a deadline, instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS, SLOWEST_SECONDS = 0.01, 0.25
"""The first pause, and the longest: what takes long is not asked about all the time."""


def wait_until(condition: Callable[[], T], seconds: float = 10.0, what: object = "") -> T:
    """What `condition` gives as soon as it is true; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    for pause in _pauses():
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            break
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s: {what or condition}")


async def eventually(
    condition: Callable[[], Awaitable[T]], seconds: float = 10.0, what: object = ""
) -> T:
    """The same for an asynchronous condition."""
    deadline = time.monotonic() + seconds
    for pause in _pauses():
        value = await condition()
        if value:
            return value
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(pause)
    raise AssertionError(f"not within {seconds} s: {what or condition}")


def _pauses() -> Iterator[float]:
    """Ever longer ones, without an end."""
    pause = POLL_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.2, SLOWEST_SECONDS)
