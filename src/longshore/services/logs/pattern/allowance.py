"""How long one call may spend on matching: it is done where every other caller waits."""

from collections.abc import Callable
from time import perf_counter

import regex


class TooSlow(Exception):
    """The time is spent, in the middle of a message."""


class Allowance:
    """Seconds of matching that one call has, over all of its messages and expressions."""

    def __init__(self, seconds: float, now: Callable[[], float] = perf_counter) -> None:
        """`now` is a monotonic clock, in seconds."""
        self._now = now
        self._left = seconds
        self._deadline = 0.0
        self.begin()

    def begin(self) -> None:
        """Matching goes on; the time that passed since `pause` does not count."""
        self._deadline = self._now() + self._left

    def pause(self) -> None:
        """Matching stops for a while."""
        self._left = self.left

    @property
    def left(self) -> float:
        """Seconds; negative when more was spent."""
        return self._deadline - self._now()

    def search(self, compiled: "regex.Pattern[str]", text: str) -> bool:
        """Whether the expression is found in the text; raises `TooSlow`."""
        left = self.left
        if left <= 0:
            raise TooSlow
        try:
            return compiled.search(text, timeout=left) is not None
        except TimeoutError:
            raise TooSlow from None
