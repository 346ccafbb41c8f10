"""Time as an argument: nothing above this room reads the system clock by itself."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


def rfc_3339(moment: float) -> str:
    """Epoch seconds as `2026-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock(Protocol):
    """Gives the time and lets a loop wait for it; tests pass a clock they move by hand."""

    def now(self) -> float:
        """Wall-clock time, in seconds since the epoch (UTC)."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes backwards."""

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have gone by on this clock."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
