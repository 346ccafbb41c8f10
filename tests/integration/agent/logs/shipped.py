"""CloudWatch Logs that comes and goes, and the log part of an agent that writes to it."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from integration.agent.logs.hosts import GROUP, directory_of, make_host
from integration.services.served import Served, serving

from longshore.agent.hooks.interface import Work
from longshore.agent.logs.shipping import Shipping
from longshore.services.logs import service
from longshore.telemetry.logs import open_log_store
from longshore.testing.wait import eventually


class Agent:
    """The log part of an agent: in this process, so that tests see it sleep and stop."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.host = make_host(data_dir, port)
        self.shipping = Shipping(self.host)
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._running = asyncio.create_task(self.shipping.run())

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def follow(self, work: Work) -> Path:
        self.shipping.follow(work, work.task.containers[0])
        return directory_of(work)

    def ended(self, work: Work) -> None:
        self.shipping.ended(work.record, work.record.containers["app"].id)


class Logs:
    """CloudWatch Logs that can be taken away and brought back."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._log_store = open_log_store(data_dir / "telemetry")
        self._stack = contextlib.AsyncExitStack()
        self.served: Served

    async def start(self, group: bool = True) -> None:
        serve = serving(self._data_dir, [service(self._log_store)])
        self.served = await self._stack.enter_async_context(serve)
        if group:
            await self.served.call("create_log_group", logGroupName=GROUP)

    async def end(self) -> None:
        await self._stack.aclose()
        await self._log_store.close()

    async def events(self, stream: str = "web/app/t1") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            page = await self.served.call(
                "get_log_events",
                logGroupName=GROUP,
                logStreamName=stream,
                startFromHead=True,
                **token,
            )
            found += page["events"]
            if token.get("nextToken") == page["nextForwardToken"]:
                return found
            token = {"nextToken": page["nextForwardToken"]}

    async def messages(self, stream: str = "web/app/t1") -> list[str]:
        with contextlib.suppress(self.served.client.exceptions.ResourceNotFoundException):
            return [event["message"] for event in await self.events(stream)]
        return []

    async def have(self, *messages: str, seconds: float = 10.0) -> None:
        async def all_there() -> bool:
            return await self.messages() == list(messages)

        await eventually(all_there, seconds, what=f"{messages} are there")


async def gone(path: Path, seconds: float = 10.0) -> None:
    async def is_gone() -> bool:
        return not path.exists()

    await eventually(is_gone, seconds, what=f"{path} is gone")
