"""The command channel: one ACS websocket to the control plane, opened again whenever it ends."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from longshore.agent.engine import Engine
from longshore.agent.host import Host
from longshore.agent.network import NetworkApplier
from longshore.agent.volumes.keeper import VolumeKeeper
from longshore.agent.websocket import connect
from longshore.base.logs import logger
from longshore.model.errors import AwsError
from longshore.nodeapi import acs, frames
from longshore.nodeapi.own import InstancesMessage, NetworkMessage, VolumesMessage

SILENCE_SECONDS = 60.0
"""The control plane sends a heartbeat at least twice as often."""
LONGEST_WAIT_SECONDS = 5.0

Send = Callable[[msgspec.Struct], Awaitable[None]]
log = logger(__name__)


class Session:
    """The agent's end of ACS; see `run`."""

    def __init__(
        self, host: Host, engine: Engine, network: NetworkApplier, volumes: VolumeKeeper
    ) -> None:
        self._host = host
        self._engine = engine
        self._network = network
        self._volumes = volumes
        self._timeline = 0
        """One sequence covers payloads and manifests; an older manifest is no news."""
        self._wants_credentials = True

    async def run(self, registered: Callable[[], Awaitable[None]]) -> None:
        """Hold a session until cancelled. `registered` registers the host again: it is called
        before each connection that the last one's refusal makes necessary."""
        failures = 0
        while True:
            try:
                async with await self._connect() as websocket:
                    log.info("session opened")
                    failures = 0
                    await self._serve(websocket)
            except InvalidHandshake as error:
                log.warning("session refused", reason=str(error))
                await registered()
            except (OSError, ConnectionClosed, AwsError) as error:
                log.info("session ended", reason=str(error))
            failures += 1
            # Full jitter, so that a thousand agents do not come back in the same instant.
            longest = min(0.05 * 2**failures, LONGEST_WAIT_SECONDS)
            await self._host.clock.sleep(random.uniform(0.0, longest))  # noqa: S311 - no secret

    async def _connect(self) -> ClientConnection:
        host = self._host
        async with host.client() as client:
            found = await client.call(
                "ecs", "DiscoverPollEndpoint", {"containerInstance": host.instance_arn}
            )
        query = {
            "clusterArn": host.cluster,
            "containerInstanceArn": host.instance_arn,
            "agentVersion": "1.105.1",
            "protocolVersion": "2",
            "seqNum": "1",
            "sendCredentials": "true" if self._wants_credentials else "false",
        }
        return await connect(host, f"{found['endpoint'].rstrip('/')}/ws", query)

    async def _serve(self, websocket: ClientConnection) -> None:
        async def send(message: msgspec.Struct) -> None:
            await websocket.send(frames.encode(message))

        self._wants_credentials = False
        telling = [
            asyncio.create_task(self._acknowledge_networks(send)),
            asyncio.create_task(self._report_volumes(send)),
        ]
        try:
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    text = await websocket.recv()
                self._host.announce()
                with contextlib.suppress(frames.FrameError):
                    await self._receive(frames.decode(text, acs.TO_AGENT), send)
        finally:
            for each in telling:
                each.cancel()
            await asyncio.gather(*telling, return_exceptions=True)

    async def _acknowledge_networks(self, send: Send) -> None:
        async for applied in self._network.results():
            await send(applied)

    async def _report_volumes(self, send: Send) -> None:
        async for report in self._volumes.reports():
            await send(report)

    async def _receive(self, message: Any, send: Send) -> None:
        match message:
            case acs.HeartbeatMessage():
                await send(acs.HeartbeatAckRequest(message_id=message.message_id))
            case NetworkMessage() | InstancesMessage() | VolumesMessage():
                self._take_state(message)
            case acs.PayloadMessage():
                await self._take(message, send)
            case acs.TaskManifestMessage():
                await self._compare(message, send)
            case acs.TaskStopVerificationAck():
                for stop in message.stop_tasks:
                    self._engine.stop(stop.task_arn.rpartition("/")[2])
            case acs.IAMRoleCredentialsMessage():
                credentials = message.role_credentials
                if self._engine.renew(message.task_arn, message.role_type, credentials):
                    await self._acknowledge_credentials(message.message_id, credentials, send)

    def _take_state(self, message: NetworkMessage | InstancesMessage | VolumesMessage) -> None:
        """What the host is to have, whole."""
        match message:
            case NetworkMessage():
                self._network.offer(message)
            case InstancesMessage():
                self._host.instances.take(message.instances)
            case VolumesMessage():
                self._volumes.offer(message)

    async def _take(self, message: acs.PayloadMessage, send: Send) -> None:
        self._timeline = max(self._timeline, message.seq_num)
        self._engine.take(message.tasks)
        await self._acknowledge(message.message_id, send)
        for task in message.tasks:
            for credentials in (task.role_credentials, task.execution_role_credentials):
                if credentials is not None:
                    await self._acknowledge_credentials(message.message_id, credentials, send)

    async def _acknowledge(self, message_id: str, send: Send) -> None:
        await send(
            acs.AckRequest(
                cluster=self._host.cluster,
                container_instance=self._host.instance_arn,
                message_id=message_id,
            )
        )

    async def _acknowledge_credentials(
        self, message_id: str, credentials: acs.RoleCredentials, send: Send
    ) -> None:
        await send(
            acs.IAMRoleCredentialsAckRequest(
                message_id=message_id,
                credentials_id=credentials.credentials_id,
                expiration=credentials.expiration,
            )
        )

    async def _compare(self, message: acs.TaskManifestMessage, send: Send) -> None:
        """Ask about what runs here and is not on the list; nothing stops without the answer."""
        if message.timeline <= self._timeline:
            return
        self._timeline = message.timeline
        await self._acknowledge(message.message_id, send)
        wanted = {t.task_arn for t in message.tasks if t.desired_status == "RUNNING"}
        strange = [r.task.arn for r in self._engine.running() if r.task.arn not in wanted]
        if strange:
            await send(
                acs.TaskStopVerificationMessage(
                    message_id=message.message_id,
                    stop_candidates=tuple(acs.TaskIdentifier(task_arn=arn) for arn in strange),
                )
            )
