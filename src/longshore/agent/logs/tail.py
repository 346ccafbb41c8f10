"""Follows one file of output and ships it, from where it was acknowledged last."""

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from longshore.agent.logs.batches import Mark, first_batch
from longshore.agent.logs.files import Growth, line_end_before, punch
from longshore.agent.logs.lines import cut
from longshore.agent.logs.options import LogOptions, begins_event
from longshore.agent.logs.positions import load_position, save_position
from longshore.agent.logs.streams import LogStream
from longshore.base.clock import Clock
from longshore.base.logs import logger
from longshore.base.waiting import first_of

CHUNK = 2**20
"""Bytes read at once."""
LINGER_SECONDS = 0.4
"""How long lines gather after the first one, unless a batch is full."""
QUIET_SECONDS = 1.0
"""After which the lines of an event are taken to be all."""
IDLE_SECONDS = 5.0
"""After which a connection is not kept for the next line."""
GIVE_BACK = 2**20
"""Bytes acknowledged before their blocks go back to the disk."""
SHORT_OF_DISK = 0.05
SHORT_BUFFER = 64 * 2**20
"""Where less of the disk is free than that share, output beyond so many bytes is given up."""
MARKS = 512

log = logger(__name__)


class Tail:
    """One of a container's two files; `run` again goes on where the last one ended."""

    def __init__(
        self,
        path: Path,
        producer: str,
        options: LogOptions,
        stream: LogStream,
        growth: Growth,
        clock: Clock,
        ended: asyncio.Event,
    ) -> None:
        self._path = path
        self._producer = producer
        self._options = options
        self._stream = stream
        self._growth = growth
        self._clock = clock
        self._ended = ended
        self._begins = begins_event(options.pattern)
        self._kept = path.with_suffix(".position")
        self._position = load_position(self._kept)
        self._marks: list[Mark] = []
        self._sending = 0
        self._seen = 0
        self._given_back = 0
        self._open_lines = False
        self._fd = -1

    async def run(self) -> None:
        """Ship until the output has ended and all of it is acknowledged."""
        self._open()
        try:
            quiet = False
            while True:
                ended = self._ended.is_set()
                if await self._ship(ended, quiet):
                    quiet = False
                elif ended:
                    return
                else:
                    quiet = not await self._grown()
        finally:
            self._close()

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)

    def _close(self) -> None:
        """A file at rest takes no descriptor."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    async def _ship(self, ended: bool, quiet: bool) -> bool:
        """Send one batch; False where nothing is complete yet."""
        self._look()
        self._go_on()
        await self._give_up_excess()
        self._position.jump()
        start = self._position.offset
        end, final = self._end(ended, quiet)
        data = os.pread(self._fd, min(CHUNK, end - start), start)
        pieces = cut(data, final and start + len(data) == end, self._begins)
        marks = [Mark(mark.size - start, mark.time) for mark in self._marks]
        batch = first_batch(pieces, marks)
        if not batch.end:
            self._open_lines = self._begins is not None and b"\n" in data
            return False
        self._sending = start + batch.end
        if batch.events:
            number = self._position.events
            await self._stream.put(self._producer, number, batch.events, self._while_waiting)
        self._position.advance(self._sending, len(batch.events))
        save_position(self._kept, self._position)
        if self._position.offset - self._given_back >= GIVE_BACK:
            await self._give_back(self._given_back, self._position.offset)
            self._given_back = self._position.offset
        return True

    def _look(self) -> None:
        """Note how long the file is by now, and when it was written last: lines get that time."""
        status = os.fstat(self._fd)
        self._seen = status.st_size
        if not self._marks or self._marks[-1].size < self._seen:
            time = int(min(status.st_mtime, self._clock.now()) * 1000)
            self._marks.append(Mark(self._seen, time))
        if len(self._marks) > MARKS:
            del self._marks[:-1:2]

    def _go_on(self) -> None:
        """Pass over what was given up, and over the marks that are behind."""
        if self._seen < self._position.offset:
            log.warning("a log file was cut short", file=str(self._path))
            self._position.offset, self._position.cuts = 0, []
            self._sending, self._marks = 0, []
            self._look()
        self._position.jump()
        behind = sum(mark.size <= self._position.offset for mark in self._marks[:-1])
        del self._marks[:behind]

    def _end(self, ended: bool, quiet: bool) -> tuple[int, bool]:
        """Up to where to read, and whether an event ends there in any case."""
        if not self._position.cuts and quiet and self._begins is not None:
            at = line_end_before(self._fd, self._seen, self._position.offset, CHUNK)
            self._position.cuts.append((at, at))
            save_position(self._kept, self._position)
        if self._position.cuts:
            return self._position.cuts[0][0], True
        return self._seen, ended

    async def _while_waiting(self) -> None:
        self._look()
        await self._give_up_excess()

    async def _give_up_excess(self) -> None:
        """Leave out the newest output beyond what may wait, as Docker's ring buffer does."""
        limit = self._limit()
        excess = self._position.waiting(self._seen) - limit
        if not limit or excess <= 0:
            return
        cuts = self._position.cuts
        floor = max(self._sending, self._position.offset, cuts[-1][1] if cuts else 0)
        at = line_end_before(self._fd, max(self._seen - excess, floor), floor)
        to = line_end_before(self._fd, self._seen, at)
        if to > at:
            self._position.leave_out(at, to)
            await self._give_back(at, to)
            log.warning("log output is given up", file=str(self._path), bytes=to - at)

    def _limit(self) -> int:
        """Bytes that may wait; 0 for any number."""
        if self._options.buffer or self._position.waiting(self._seen) <= SHORT_BUFFER:
            return self._options.buffer
        disk = os.fstatvfs(self._fd)
        return SHORT_BUFFER if disk.f_bavail < disk.f_blocks * SHORT_OF_DISK else 0

    async def _give_back(self, start: int, end: int) -> None:
        """The disk must know that the bytes are not needed before they are gone."""
        await asyncio.to_thread(save_position, self._kept, self._position, synced=True)
        await asyncio.to_thread(punch, self._path, start, end)

    async def _grown(self) -> bool:
        """Wait for more; False where nothing comes that the last lines could belong with."""
        patience = QUIET_SECONDS if self._open_lines else IDLE_SECONDS
        await self._news(self._clock.sleep(patience))
        if self._is_as_seen():
            if self._open_lines:
                return False
            self._stream.close()
            self._close()
            await self._news()
            self._open()
        self._look()
        if self._position.waiting(self._seen) < CHUNK:
            await first_of(self._clock.sleep(LINGER_SECONDS), self._ended.wait())
        return True

    def _is_as_seen(self) -> bool:
        return not self._ended.is_set() and os.fstat(self._fd).st_size == self._seen

    async def _news(self, *others: Coroutine[Any, Any, None]) -> None:
        """Wait until there is more, or until there will be no more."""
        await first_of(self._growth.wait(self._path, self._seen), self._ended.wait(), *others)
