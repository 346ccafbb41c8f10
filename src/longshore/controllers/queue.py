"""The queue between changes and a controller: each key waits in it once, and runs once at a time.

After client-go's workqueue: a key that is added while it runs is run again afterwards, so no change
is lost and no two workers hold the same key.
"""

import asyncio
import heapq
import itertools
import math

from longshore.base.clock import Clock
from longshore.base.waiting import first_of
from longshore.store.interface import Key

FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 30.0


def retry_delay(failures: int) -> float:
    """Seconds to wait after this many failures in a row: doubling, with a ceiling."""
    return float(min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 20)))


class WorkQueue:
    """Keys that are due, and keys that will be."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._later: list[tuple[float, int, Key]] = []
        self._soonest: dict[Key, float] = {}
        """When what is to run later runs next; on the monotonic clock."""
        self._order = itertools.count()
        self._sooner = asyncio.Event()

    def add(self, key: Key) -> None:
        """Run `key` as soon as a worker is free."""
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._due.put_nowait(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Run `key` when `seconds` have gone by; nothing where it runs later, and no later, anyway.

        Each run may ask for another one: without this each change would have runs of its own
        follow for ever.
        """
        at = self._clock.monotonic() + seconds
        if self._soonest.get(key, math.inf) <= at:
            return
        self._soonest[key] = at
        heapq.heappush(self._later, (at, next(self._order), key))
        self._sooner.set()

    async def take(self) -> Key:
        """The next key; call `done` or `failed` for it."""
        key = await self._due.get()
        self._waiting.discard(key)
        self._running.add(key)
        return key

    def done(self, key: Key) -> None:
        """`key` went well."""
        self._failures.pop(key, None)
        self._leave(key)

    def failed(self, key: Key) -> float:
        """`key` raised: it runs again after the seconds that this returns."""
        self._failures[key] = self._failures.get(key, 0) + 1
        delay = retry_delay(self._failures[key])
        self._leave(key)
        self.add_after(key, delay)
        return delay

    def _leave(self, key: Key) -> None:
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    async def move_due_keys(self) -> None:
        """Add the keys whose time has come; runs for ever beside the workers."""
        while True:
            self._sooner.clear()
            while self._later and self._later[0][0] <= self._clock.monotonic():
                at, _, key = heapq.heappop(self._later)
                if self._soonest.get(key) == at:
                    del self._soonest[key]
                self.add(key)
            if not self._later:
                await self._sooner.wait()
                continue
            seconds = self._later[0][0] - self._clock.monotonic()
            await first_of(self._clock.sleep(seconds), self._sooner.wait())
