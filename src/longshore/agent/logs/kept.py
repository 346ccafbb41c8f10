"""Output that is not shipped: kept up to a size (json-file) or thrown away (none)."""

import asyncio
from pathlib import Path

from longshore.agent.logs.files import BLOCK, Growth, punch
from longshore.base.clock import Clock
from longshore.base.waiting import first_of

JSON_FILE_BYTES = 20 * 2**20
"""Of each of a container's two files."""
PAUSE_SECONDS = 0.5


class Kept:
    """One of a container's two files, of which the last `most` bytes stay."""

    def __init__(
        self, path: Path, most: int, growth: Growth, clock: Clock, ended: asyncio.Event
    ) -> None:
        self._path = path
        self._most = most
        self._growth = growth
        self._clock = clock
        self._ended = ended

    async def run(self) -> None:
        """Return when the output has ended."""
        gone = 0
        while not self._ended.is_set():
            size = self._path.stat().st_size
            upto = max(size - self._most, 0) // BLOCK * BLOCK
            if upto > gone:
                await asyncio.to_thread(punch, self._path, gone, upto)
                gone = upto
            await first_of(self._growth.wait(self._path, size), self._ended.wait())
            await first_of(self._clock.sleep(PAUSE_SECONDS), self._ended.wait())
