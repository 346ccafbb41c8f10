"""A host whose containers' output the test writes; as a program it ships until it is killed."""

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
from integration.services.served import Served, serving

from longshore.agent.hooks.interface import Work
from longshore.agent.host import Host
from longshore.agent.logs.shipping import Shipping
from longshore.agent.plan import container_id
from longshore.agent.records import ContainerRecord, TaskRecord
from longshore.awsapi.signing import Keys
from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.nodeapi import acs
from longshore.runtime.simulated import SimulatedRuntime
from longshore.services.logs import service
from longshore.telemetry.logs import open_log_store
from longshore.testing.identity import KEY_ID, SECRET
from longshore.testing.wait import eventually

GROUP = "/ecs/web"


def make_host(data_dir: Path, port: int) -> Host:
    return Host(
        installation=Installation(data_dir=data_dir, port=port),
        runtime=SimulatedRuntime(SystemClock()),
        fabric=None,
        bridge=cast(Any, None),
        clock=SystemClock(),
        ids=RandomIds(),
        keys=lambda: Keys(KEY_ID, SECRET),
    )


def make_work(
    host: Host,
    task: str = "t1",
    driver: str = "awslogs",
    role: acs.RoleCredentials | None = None,
    options: Mapping[str, str] | None = None,
) -> Work:
    """A task of one container `app`, whose stream is `web/app/<task>`."""
    config = {"awslogs-group": GROUP, "awslogs-stream": f"web/app/{task}", **(options or {})}
    log_config = {"Type": driver, "Config": config if driver == "awslogs" else {}}
    host_config = msgspec.json.encode({"LogConfig": log_config}).decode()
    container = acs.Container(
        name="app", image="app", docker_config=acs.DockerConfig(host_config=host_config)
    )
    record = TaskRecord(
        task=acs.Task(
            arn=f"arn:aws:ecs:us-east-1:123456789012:task/default/{task}",
            containers=(container,),
            execution_role_credentials=role,
        ),
        containers={"app": ContainerRecord(name="app", id=container_id(task, "app"))},
    )
    return Work(host, record, lambda: None)


def directory_of(work: Work) -> Path:
    return work.host.log_directory(work.record.containers["app"].id)


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
        self.shipping.ended(work.record.containers["app"].id)


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


async def ship_for_ever(data_dir: Path, port: int, tasks: int, options: Mapping[str, str]) -> None:
    """Adopt the tasks t0, t1, … as an agent does after its start."""
    host = make_host(data_dir, port)
    shipping = Shipping(host)
    works = [make_work(host, f"t{number}", options=options) for number in range(tasks)]
    shipping.adopt([work.record for work in works])
    for work in works:
        shipping.follow(work, work.task.containers[0])
    await shipping.run()


if __name__ == "__main__":
    asyncio.run(
        ship_for_ever(
            Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), msgspec.json.decode(sys.argv[4])
        )
    )
