"""The telemetry channel against the control plane's own TCS."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from integration.controllers.ecs_plane import WEB, Plane, PlayedAgent, running_plane
from unit.agent.endpoints.agent_host import make_engine, make_host, start
from unit.agent.endpoints.endpoint_records import container, record
from websockets.exceptions import InvalidHandshake

from longshore.agent.engine import Engine
from longshore.agent.host import Host
from longshore.agent.records import TaskRecord
from longshore.agent.telemetry import publish_telemetry, session
from longshore.agent.websocket import connect
from longshore.awsapi.signing import Keys
from longshore.base.clock import SystemClock
from longshore.nodeapi import tcs
from longshore.runtime.interface import RuntimeFailure
from longshore.testing.identity import SECRET
from longshore.testing.wait import eventually


@contextlib.asynccontextmanager
async def publishing(host: Host, engine: Engine) -> AsyncIterator[None]:
    work = asyncio.create_task(publish_telemetry(host, engine))
    try:
        yield
        assert not work.done()
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path / "plane") as plane:
        await plane.call("RegisterTaskDefinition", **WEB)
        yield plane


@pytest.fixture
async def agent(plane: Plane) -> AsyncIterator[PlayedAgent]:
    played = PlayedAgent(plane, host="host-1")
    await played.register()
    await played.connect()
    yield played
    await played.close()


async def make_parts(plane: Plane, agent: PlayedAgent, directory: Path) -> tuple[Host, Engine]:
    """A host that is the played agent's instance, running whatever that one was told to."""
    host = make_host(directory, SystemClock())
    host.installation = plane.installation
    host.keys = lambda: Keys(agent.key_id, SECRET)
    host.instance_arn = agent.arn
    return host, make_engine(host)


async def run_task(plane: Plane, host: Host, engine: Engine) -> TaskRecord:
    reply = await plane.call(
        "RunTask", taskDefinition="web", launchType="FARGATE", networkConfiguration=plane.awsvpc
    )
    arn = reply["tasks"][0]["taskArn"]
    await plane.status(arn, "RUNNING")
    made = record(5, containers=(container("web"),))
    made.task = msgspec.structs.replace(made.task, arn=arn)
    made.containers["web"].health = "UNKNOWN"
    engine.tasks[made.id] = made
    await start(host, made)
    return made


async def shown(plane: Plane, arn: str, health: str) -> bool:
    return bool((await plane.task(arn))["healthStatus"] == health)


async def test_health_is_described_within_a_second_of_its_change(
    plane: Plane, agent: PlayedAgent, tmp_path: Path
) -> None:
    host, engine = await make_parts(plane, agent, tmp_path)
    task = await run_task(plane, host, engine)
    async with publishing(host, engine):
        await eventually(heard)
        for health in ("HEALTHY", "UNHEALTHY", "HEALTHY"):
            task.containers["web"].health = health
            engine.changes.tell()
            await eventually(lambda h=health: shown(plane, task.task.arn, h), 1.0, health)


async def test_telemetry_goes_on_when_the_control_plane_comes_back(
    agent: PlayedAgent, plane: Plane, tmp_path: Path
) -> None:
    host, engine = await make_parts(plane, agent, tmp_path)
    task = await run_task(plane, host, engine)
    async with publishing(host, engine):
        task.containers["web"].health = "HEALTHY"
        engine.changes.tell()
        await eventually(lambda: shown(plane, task.task.arn, "HEALTHY"))
        await drop_websockets(plane)
        task.containers["web"].health = "UNHEALTHY"
        await eventually(lambda: shown(plane, task.task.arn, "UNHEALTHY"))


async def drop_websockets(plane: Plane) -> None:
    """End every telemetry session, as a control plane that dies does."""
    received.clear()
    for websocket in open_sockets:
        await websocket.close(1012)


received: list[Any] = []
open_sockets: list[Any] = []


@pytest.fixture(autouse=True)
def _record(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the control plane takes in."""
    received.clear()
    open_sockets.clear()
    take = plane.sessions._take_telemetry

    async def taking(websocket: Any, instance: Any, frame: Any) -> None:
        if websocket not in open_sockets:
            open_sockets.append(websocket)
        received.append(tcs.decode_signed(frame))
        await take(websocket, instance, frame)

    monkeypatch.setattr(plane.sessions, "_take_telemetry", taking)


async def heard() -> bool:
    return bool(received)


async def test_metrics_of_each_container_and_the_runtimes_state_are_published(
    plane: Plane, agent: PlayedAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "METRICS_SECONDS", 0.2)
    host, engine = await make_parts(plane, agent, tmp_path)
    task = await run_task(plane, host, engine)
    async with publishing(host, engine):

        async def published() -> Any:
            return next((m for m in received if isinstance(m, tcs.PublishMetricsRequest)), None)

        message = await eventually(published)
        (metric,) = message.task_metrics
        assert (metric.task_arn, metric.task_definition_family) == (task.task.arn, "web")
        (web,) = metric.container_metrics
        assert (web.container_name, web.memory_stats_set.sample_count) == ("web", 2)
        statuses = [m for m in received if isinstance(m, tcs.PublishInstanceStatusRequest)]
        assert [each.status for each in statuses[0].statuses] == ["OK"]


async def test_a_runtime_that_does_not_answer_is_told_as_impaired(
    plane: Plane, agent: PlayedAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "METRICS_SECONDS", 0.1)
    host, engine = await make_parts(plane, agent, tmp_path)
    await run_task(plane, host, engine)

    async def broken(*arguments: str) -> None:
        raise RuntimeFailure("CannotInspectContainerError", "containerd is down")

    monkeypatch.setattr(host.runtime, "containers", broken)
    monkeypatch.setattr(host.runtime, "statistics", broken)
    async with publishing(host, engine):

        async def published() -> Any:
            return next(
                (m for m in received if isinstance(m, tcs.PublishInstanceStatusRequest)), None
            )

        assert (await eventually(published)).statuses[0].status == "IMPAIRED"

        async def went_on() -> bool:
            metrics = [m for m in received if isinstance(m, tcs.PublishMetricsRequest)]
            return len(metrics) > 1 and not metrics[-1].task_metrics

        await eventually(went_on)


async def test_an_instance_that_is_registered_late_is_heard_then(
    plane: Plane, agent: PlayedAgent, tmp_path: Path
) -> None:
    host, engine = await make_parts(plane, agent, tmp_path)
    host.instance_arn = agent.arn[:-1] + ("0" if agent.arn[-1] != "0" else "1")
    with pytest.raises(InvalidHandshake):
        await connect(host, f"{plane.installation.endpoint_url}/tcs/ws", {})
    async with publishing(host, engine):
        host.instance_arn = agent.arn
        await eventually(heard)
