"""The telemetry channel: one TCS websocket to the control plane, opened again whenever it ends."""

import asyncio
import random
from collections.abc import Coroutine
from importlib.metadata import version
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from longshore.agent.engine import Engine
from longshore.agent.host import Host
from longshore.agent.records import ContainerRecord, TaskRecord
from longshore.agent.sampling import Sampler
from longshore.agent.telemetry.health import health_messages, health_of, news
from longshore.agent.telemetry.metrics import Meter, metrics_messages
from longshore.agent.websocket import connect, signed_headers
from longshore.base.logs import logger
from longshore.model.errors import AwsError
from longshore.nodeapi import frames, tcs

METRICS_SECONDS = 20.0
SAMPLES_A_MESSAGE = 2
HEALTH_SECONDS = 60.0
STATUS_SECONDS = 60.0
PROBE_SECONDS = 10.0
SILENCE_SECONDS = 120.0
"""Every message is acknowledged, so a peer that says nothing for so long is gone."""
LONGEST_WAIT_SECONDS = 30.0

log = logger(__name__)


async def publish_telemetry(host: Host, engine: Engine) -> None:
    """Publish until cancelled."""
    failures = 0
    while True:
        began = host.clock.monotonic()
        try:
            await _hold_session(host, engine)
        except* (OSError, InvalidHandshake, ConnectionClosed, AwsError) as ended:
            log.info("telemetry ended", reason=str(ended.exceptions[0]))
        held = host.clock.monotonic() - began
        failures = 1 if held > LONGEST_WAIT_SECONDS else failures + 1
        # Full jitter, so that a thousand agents do not come back in the same instant.
        longest = min(0.05 * 2**failures, LONGEST_WAIT_SECONDS)
        await host.clock.sleep(random.uniform(0.0, longest))  # noqa: S311 - no secret


async def _hold_session(host: Host, engine: Engine) -> None:
    """Publish on one websocket until it ends, with whatever ended it."""
    async with host.client() as client:
        found = await client.call(
            "ecs", "DiscoverPollEndpoint", {"containerInstance": host.instance_arn}
        )
    url = f"{found['telemetryEndpoint'].rstrip('/')}/ws"
    query = {
        "agentVersion": version("longshore"),
        "cluster": host.cluster,
        "containerInstance": host.instance_arn,
    }
    async with await connect(host, url, query) as websocket, asyncio.TaskGroup() as group:
        publisher = Publisher(host, engine, websocket, url)
        for work in publisher.works():
            group.create_task(work)


class Publisher:
    """What goes out on one websocket."""

    def __init__(self, host: Host, engine: Engine, websocket: ClientConnection, url: str) -> None:
        self._host = host
        self._engine = engine
        self._websocket = websocket
        self._url = url
        self._sampler = Sampler(host)

    def works(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """What runs side by side; the first to fail ends the session."""
        return (
            self._listen(),
            self._publish_metrics(),
            self._publish_health(),
            self._publish_status(),
        )

    async def _listen(self) -> None:
        """Acknowledgements need nothing done; they show that somebody is there."""
        while True:
            async with asyncio.timeout(SILENCE_SECONDS):
                await self._websocket.recv()

    async def _send(self, message: msgspec.Struct) -> None:
        # Each frame is signed as a request of its own.
        headers = signed_headers(self._host, self._url, frames.encode(message).encode())
        await self._websocket.send(tcs.encode_signed(message, headers))

    async def _publish_metrics(self) -> None:
        meter = Meter()
        host = self._host
        while True:
            for _ in range(SAMPLES_A_MESSAGE):
                await self._sample(meter)
                await host.clock.sleep(METRICS_SECONDS / SAMPLES_A_MESSAGE)
            metadata = tcs.MetricsMetadata(
                cluster=host.cluster,
                container_instance=host.instance_arn,
                message_id=host.ids.uuid(),
            )
            metrics = meter.task_metrics(self._engine.running())
            for message in metrics_messages(metrics, metadata, host.clock.now()):
                await self._send(message)

    async def _sample(self, meter: Meter) -> None:
        seen = set()
        for record in self._engine.running():
            for container in record.containers.values():
                if container.status == "RUNNING":
                    seen.add(container.id)
                    await self._observe(meter, record, container)
        self._sampler.keep_only(seen)
        meter.keep_only(seen)

    async def _observe(self, meter: Meter, record: TaskRecord, container: ContainerRecord) -> None:
        """A runtime that does not answer costs a sample; its state goes out by itself."""
        try:
            pair = await self._sampler.latest(record, container)
        except Exception as error:
            log.info("a container was not sampled", container=container.id, error=str(error))
            return
        if pair is not None:
            meter.observe(container.id, *pair)

    async def _publish_health(self) -> None:
        """Everything at first and once a minute, and at once what has changed."""
        said: dict[str, tcs.TaskHealth] = {}
        due = self._host.clock.monotonic()
        while True:
            if self._host.clock.monotonic() >= due:
                said = {}
                due = self._host.clock.monotonic() + HEALTH_SECONDS
            known = health_of(self._engine.running())
            await self._say_health(news(said, known))
            said = known
            await self._until_health_differs(said, due)

    async def _say_health(self, healths: list[tcs.TaskHealth]) -> None:
        metadata = tcs.HealthMetadata(
            cluster=self._host.cluster,
            container_instance=self._host.instance_arn,
            message_id=self._host.ids.uuid(),
        )
        for message in health_messages(healths, metadata, self._host.clock.now()):
            await self._send(message)

    async def _until_health_differs(self, said: dict[str, tcs.TaskHealth], due: float) -> None:
        """Return when there is news, or at `due`, of the monotonic clock."""
        clock = self._host.clock
        waits = (
            asyncio.create_task(clock.sleep(max(0.0, due - clock.monotonic()))),
            asyncio.create_task(
                self._engine.changes.until(
                    lambda: bool(news(said, health_of(self._engine.running())))
                )
            ),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _publish_status(self) -> None:
        """Whether the container runtime answers."""
        host = self._host
        status, since = "", 0.0
        while True:
            probed = await self._probe()
            now = host.clock.now()
            if probed != status:
                status, since = probed, now
            metadata = tcs.InstanceStatusMetadata(
                cluster=host.cluster,
                container_instance=host.instance_arn,
                request_id=host.ids.uuid(),
            )
            shown = tcs.InstanceStatus(status=status, last_status_change=since, last_updated=now)
            await self._send(
                tcs.PublishInstanceStatusRequest(
                    metadata=metadata, statuses=(shown,), timestamp=now
                )
            )
            await host.clock.sleep(STATUS_SECONDS)

    async def _probe(self) -> str:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._host.runtime.containers()
        except Exception as error:
            log.warning("the container runtime does not answer", error=str(error))
            return "IMPAIRED"
        return "OK"
