"""State changes on their way to the control plane: on disk until it has acknowledged them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from longshore.agent.records import write_synced
from longshore.base.clock import Clock
from longshore.base.logs import logger
from longshore.model.errors import AwsError

RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
REFUSALS = frozenset({"ClientException", "InvalidParameterException", "ClusterNotFoundException"})
"""Errors after which sending the same again is of no use."""

Send = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""(operation, request) to its response."""

log = logger(__name__)


class Outbox:
    """A queue of API calls, in order, that outlives the agent."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        waiting = self._waiting()
        self._next = int(waiting[-1].stem) + 1 if waiting else 0
        self._added = asyncio.Event()

    def add(self, operation: str, request: Mapping[str, Any]) -> None:
        """Keep the call; it is on disk when this returns."""
        entry = msgspec.json.encode({"operation": operation, "request": request})
        write_synced(self._directory / f"{self._next:012d}.json", entry)
        self._next += 1
        self._added.set()

    async def send_all(self, send: Send, clock: Clock) -> None:
        """Send what is there and what comes, in order, until cancelled."""
        while True:
            self._added.clear()
            for path in self._waiting():
                await self._deliver(path, send, clock)
            await self._added.wait()

    async def _deliver(self, path: Path, send: Send, clock: Clock) -> None:
        try:
            entry = msgspec.json.decode(path.read_bytes())
        except msgspec.DecodeError:
            path.unlink()
            return
        attempt = 0
        while True:
            with contextlib.suppress(OSError):
                try:
                    await send(entry["operation"], entry["request"])
                    break
                except AwsError as error:
                    if error.code in REFUSALS:
                        log.warning("a state change was refused", error=str(error))
                        break
                    log.info("a state change will be sent again", error=str(error))
            await clock.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1
        path.unlink(missing_ok=True)

    def _waiting(self) -> list[Path]:
        return sorted(self._directory.glob("*.json"))
