"""All sessions of this control plane: the two websocket routes, and the watch that feeds them."""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from longshore.base.logs import logger
from longshore.controllers.interface import Surroundings
from longshore.controllers.session.health import record_health
from longshore.controllers.session.identity import Credentials, Identity, Polled
from longshore.controllers.session.instances import OWN_KINDS, concerns_instances
from longshore.controllers.session.session import HEARTBEAT_SECONDS, AgentSession, Tools
from longshore.controllers.session.volumes import VOLUME_KINDS
from longshore.model.ecs import CONNECTION, CONTAINER_INSTANCE, TASK, Connection, ContainerInstance
from longshore.model.errors import AwsError
from longshore.model.host import HOST, speaks_for_hosts
from longshore.model.principal import Principal
from longshore.nodeapi import acs, frames, tcs
from longshore.scheduler.view import instance_of
from longshore.store.interface import Change, Compacted, Transaction
from longshore.vpc.projection import KINDS as NETWORK_KINDS

REPLACED = 1001
RETURN_SECONDS = 15.0
"""How long after a start an agent that was connected before it is taken as connected still: agents
come back within a few seconds, and what is placed on their hosts meanwhile waits for them."""
CALLER = "longshore.caller"
"""Where the gateway puts the authenticated `Principal`."""
_NETWORK_NAMES = frozenset(kind.name for kind in NETWORK_KINDS)
_VOLUME_NAMES = frozenset(kind.name for kind in VOLUME_KINDS)
log = logger("controllers/session")


class AgentSessions:
    """Serves agents; see the package's docstring for how it is wired."""

    def __init__(self, surroundings: Surroundings, identity: Identity) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._installation = surroundings.installation
        self._identity = identity
        self._tools = Tools(
            store=surroundings.store,
            clock=surroundings.clock,
            ids=surroundings.ids,
            credentials=Credentials(identity, surroundings.clock),
            endpoint=surroundings.installation.endpoint_url,
        )
        self._sessions: dict[str, tuple[AgentSession, WebSocket]] = {}

    async def run(self) -> None:
        """Tell sessions what changes in the store, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_changes())
            if not self._installation.store:
                group.create_task(self._forget_those_who_stay_away())

    async def _forget_those_who_stay_away(self) -> None:
        await self._clock.sleep(RETURN_SECONDS)
        await self._store.transact(self._forget_connections)

    async def _tell_changes(self) -> None:
        while True:
            changes = self._store.watch(
                [TASK, CONTAINER_INSTANCE, *NETWORK_KINDS, *OWN_KINDS, *VOLUME_KINDS]
            )
            for session, _ in self._sessions.values():
                session.mark_everything()
            try:
                async for change in changes:
                    if change.key.kind == CONTAINER_INSTANCE.name:
                        await self._dismiss(change)
                    else:
                        self._dispatch(change)
            except Compacted:
                continue

    def _forget_connections(self, tx: Transaction) -> None:
        """With one control plane, whoever is not connected to it is so no more."""
        for record in tx.scan(CONNECTION):
            if record.value.connected and record.key.name not in self._sessions:
                gone = Connection(connected=False, since=self._clock.now())
                tx.put(CONNECTION, "", "", record.key.name, gone)

    async def _dismiss(self, change: Change) -> None:
        """An instance that is registered no more loses its session, and is told why on its next."""
        record: Any = change.after or change.before
        if change.after is None or record.value.status == "INACTIVE":
            found = self._sessions.get(record.value.arn)
            if found is not None:
                await _close(found[1])

    def _dispatch(self, change: Change) -> None:
        if change.key.kind != TASK.name:
            self._mark(change)
            return
        record: Any = change.after or change.before
        if record is not None and record.value.placement is not None:
            found = self._sessions.get(record.value.placement.instance_arn)
            if found is not None:
                found[0].mark(change.key)

    def _mark(self, change: Change) -> None:
        """What is not of one task may concern every host."""
        network, instances = change.key.kind in _NETWORK_NAMES, concerns_instances(change)
        volumes = change.key.kind in _VOLUME_NAMES
        for session, _ in self._sessions.values():
            if network:
                session.mark_network()
            if instances:
                session.mark_instances()
            if volumes:
                session.mark_volumes()

    async def acs(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application of `/ws`."""
        websocket = WebSocket(scope, receive, send)
        instance = await self._admit(websocket, "containerInstanceArn")
        if instance is None:
            return
        await websocket.accept()
        session = AgentSession(instance, self._tools, websocket.send_text)
        await self._enter(session, websocket)
        wants_credentials = websocket.query_params.get("sendCredentials") == "true"
        telling = asyncio.create_task(session.run(send_credentials=wants_credentials))
        listening = asyncio.create_task(self._listen(websocket, session))
        try:
            await asyncio.wait({telling, listening}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (telling, listening):
                each.cancel()
            ends = await asyncio.gather(telling, listening, return_exceptions=True)
            await self._leave(session, websocket)
            _log_ends(instance, ends)

    async def _listen(self, websocket: WebSocket, session: AgentSession) -> None:
        async for text in websocket.iter_text():
            try:
                message = frames.decode(text, acs.FROM_AGENT)
            except frames.FrameError as error:
                log.warning("frame not understood", reason=str(error))
                continue
            await session.receive(message)

    async def _admit(self, websocket: WebSocket, parameter: str) -> ContainerInstance | None:
        """The instance that the caller may poll for; else the handshake is refused."""
        arn = websocket.query_params.get(parameter) or ""
        record = instance_of(self._store.reader, arn)
        if record is None or record.value.status == "INACTIVE":
            await _refuse(websocket, "InactiveInstanceException", "The instance is not registered.")
            return None
        caller: Principal = websocket.scope[CALLER]
        try:
            if caller.account != record.key.account:
                raise AwsError("AccessDeniedException", "The instance is another account's.")
            if record.value.host and not speaks_for_hosts(caller, self._installation):
                raise AwsError("AccessDeniedException", "The instance is a host of Longshore's.")
            if self._installation.auth != "open":
                cluster = arn.replace(":container-instance/", ":cluster/").rpartition("/")[0]
                polled = Polled(arn, {"ecs:cluster": cluster})
                reader = self._store.reader
                self._identity.authorize(reader, caller, "ecs:Poll", polled, {}, None)
        except AwsError as error:
            await _refuse(websocket, error.code, error.message)
            return None
        return record.value

    async def _enter(self, session: AgentSession, websocket: WebSocket) -> None:
        """The newest session of an instance is the one that counts."""
        arn = session.instance.arn
        former = self._sessions.get(arn)
        self._sessions[arn] = (session, websocket)
        if former is not None:
            await _close(former[1])
        await self._store.transact(lambda tx: self._set_connected(tx, session.instance, True))
        log.info("agent connected", container_instance_arn=arn)

    async def _leave(self, session: AgentSession, websocket: WebSocket) -> None:
        arn = session.instance.arn
        current = self._sessions.get(arn)
        if current is None or current[0] is not session:
            return
        del self._sessions[arn]
        await _close(websocket)
        await self._store.transact(lambda tx: self._set_connected(tx, session.instance, False))
        log.info("agent disconnected", container_instance_arn=arn)

    def _set_connected(self, tx: Transaction, instance: ContainerInstance, connected: bool) -> None:
        now = self._clock.now()
        tx.put(CONNECTION, "", "", instance.arn, Connection(connected=connected, since=now))
        host = tx.get(HOST, "", "", instance.host) if instance.host else None
        if host is not None:
            changed = msgspec.structs.replace(host.value, connected=connected, last_seen=now)
            tx.put(HOST, "", "", instance.host, changed)

    async def tcs(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application of `/tcs`: metrics and health."""
        websocket = WebSocket(scope, receive, send)
        instance = await self._admit(websocket, "containerInstance")
        if instance is None:
            return
        await websocket.accept()
        beating = asyncio.create_task(self._beat(websocket))
        try:
            while True:
                await self._take_telemetry(websocket, instance, await _receive(websocket))
        except WebSocketDisconnect:
            pass
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _beat(self, websocket: WebSocket) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            await websocket.send_text(
                frames.encode(acs.HeartbeatMessage(message_id=self._ids.uuid()))
            )

    async def _take_telemetry(
        self, websocket: WebSocket, instance: ContainerInstance, frame: str | bytes
    ) -> None:
        try:
            message = tcs.decode_signed(frame)
        except frames.FrameError as error:
            log.warning("frame not understood", reason=str(error))
            return
        match message:
            case tcs.PublishMetricsRequest():
                answer: msgspec.Struct = tcs.AckPublishMetric()
            case tcs.PublishHealthRequest():
                await record_health(self._store, instance, message)
                answer = tcs.AckPublishHealth()
            case _:
                answer = tcs.AckPublishInstanceStatus()
        await websocket.send_text(frames.encode(answer))


async def _receive(websocket: WebSocket) -> str | bytes:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code") or 1006)
    content: str | bytes = message.get("text") or message.get("bytes") or b""
    return content


async def _refuse(websocket: WebSocket, code: str, message: str) -> None:
    """A handshake that is answered with an error body, as agents read it."""
    await websocket.receive()
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(JSONResponse({code: message}, status_code=400))
    else:
        await websocket.close(code=1008, reason=code)


async def _close(websocket: WebSocket) -> None:
    """Safe on a websocket that is closed already."""
    try:
        await websocket.close(REPLACED)
    except (RuntimeError, WebSocketDisconnect):
        return


def _log_ends(instance: ContainerInstance, ends: Iterable[Any]) -> None:
    """Say what ended a session, unless it was the agent's going."""
    for end in ends:
        if isinstance(end, BaseExceptionGroup):
            end = end.exceptions[0]  # noqa: PLW2901 - the first is the cause
        quiet = asyncio.CancelledError | WebSocketDisconnect
        if isinstance(end, BaseException) and not isinstance(end, quiet):
            log.warning("session ended", container_instance_arn=instance.arn, reason=repr(end))
