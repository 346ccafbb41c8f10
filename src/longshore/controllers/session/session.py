"""One agent's ACS session: what it was told, what it has acknowledged, what is to be told now.

Level-triggered: `refresh` compares the tasks that changed with what the agent was told on this
session, so a lost websocket costs nothing but telling it all again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from longshore.base.clock import Clock
from longshore.base.ids import Ids
from longshore.base.logs import logger
from longshore.controllers.session.identity import Credentials
from longshore.controllers.session.instances import HostInstances
from longshore.controllers.session.payload import Beside, Surrounding, stop_message, task_message
from longshore.controllers.session.volumes import host_volumes, record_volumes
from longshore.model.ec2 import NETWORK_INTERFACE, SUBNET, VPC
from longshore.model.ecs import (
    TASK,
    TASK_DEFINITION,
    ContainerInstance,
    Stop,
    Task,
    definition_of_arn,
)
from longshore.model.errors import AwsError
from longshore.model.network import Network
from longshore.nodeapi import acs
from longshore.nodeapi.frames import encode
from longshore.nodeapi.own import (
    InstancesMessage,
    NetworkAckRequest,
    NetworkMessage,
    VolumesMessage,
    VolumesReport,
)
from longshore.scheduler.view import reservation_of
from longshore.store.interface import Key, Reader, Record, Store, Transaction
from longshore.vpc import host_network
from longshore.vpc.lookup import require
from longshore.vpc.projection import resolver_address

REDELIVER_SECONDS = 30.0
HEARTBEAT_SECONDS = 30.0
"""The agent gives a session up after 60 s of silence."""
CREDENTIALS_RENEWED_SECONDS = 2 * 3600.0
ENDED = frozenset({"DEPROVISIONING", "STOPPED"})

Send = Callable[[str], Awaitable[None]]
log = logger("controllers/session")


@dataclass(slots=True)
class Told:
    """The last payload about one task on this session."""

    desired: str
    message_id: str
    at: float
    acknowledged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every session works with."""

    store: Store
    clock: Clock
    ids: Ids
    credentials: Credentials
    endpoint: str


def _unheard(told: Told, task: Task) -> bool:
    """Neither the payload's acknowledgement nor a report shows that the agent has it."""
    return not told.acknowledged and (told.desired == "STOPPED" or not task.reported.status)


def _end(tx: Transaction, key: Key, stop: Stop) -> None:
    """Stop a task, and take it as ended where its agent never heard of it."""
    record = tx.get(TASK, key.account, key.region, key.name)
    if record is None or record.value.stop is not None:
        return
    task = record.value
    reported = task.reported
    if not reported.status:
        reported = msgspec.structs.replace(reported, status="STOPPED", at=stop.at)
    ended = msgspec.structs.replace(task, desired_status="STOPPED", stop=stop, reported=reported)
    tx.put(TASK, key.account, key.region, key.name, ended)


class AgentSession:
    """The control plane's end of one ACS websocket."""

    def __init__(self, instance: ContainerInstance, tools: Tools, send: Send) -> None:
        self.instance = instance
        self.changed = asyncio.Event()
        self._tools = tools
        self._send_text = send
        self._dirty: set[Key] = set()
        self._network_dirty = bool(instance.host)
        self._network: Network | None = None
        self._instances_dirty = bool(instance.host)
        self._instances = HostInstances(instance.host, tools.credentials, tools.clock)
        self._volumes_dirty = bool(instance.host)
        self._volumes: VolumesMessage | None = None
        self._told: dict[str, Told] = {}
        self._sequence = 0
        self._credentials_at: dict[str, float] = {}

    def mark(self, key: Key) -> None:
        """A task of this instance has changed."""
        self._dirty.add(key)
        self.changed.set()

    def mark_network(self) -> None:
        """The host's network may have changed."""
        if self.instance.host:
            self._network_dirty = True
            self.changed.set()

    def mark_instances(self) -> None:
        """What the host's EC2 instances say of themselves may have changed."""
        if self.instance.host:
            self._instances_dirty = True
            self.changed.set()

    def mark_volumes(self) -> None:
        """The host's volumes or snapshots may have changed."""
        if self.instance.host:
            self._volumes_dirty = True
            self.changed.set()

    def mark_everything(self) -> None:
        """Changes may have been missed."""
        for key in self._keys():
            self.mark(key)
        self.mark_network()
        self.mark_instances()
        self.mark_volumes()

    async def run(self, *, send_credentials: bool) -> None:
        """Tell the agent everything, then what changes, until cancelled."""
        await self._send_network()
        await self._send_instances()
        await self._send_volumes()
        await self._send_manifest()
        for key in self._keys():
            self.mark(key)
        if send_credentials:
            await self._renew_credentials(everything=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._push())
            group.create_task(self._tick())

    async def _push(self) -> None:
        while True:
            await self.changed.wait()
            self.changed.clear()
            if self._network_dirty:
                await self._send_network()
            if self._instances_dirty:
                await self._send_instances()
            if self._volumes_dirty:
                await self._send_volumes()
            keys, self._dirty = self._dirty, set()
            for key in keys:
                await self._tell(key)

    async def _tick(self) -> None:
        while True:
            await self._tools.clock.sleep(HEARTBEAT_SECONDS)
            await self._send(acs.HeartbeatMessage(message_id=self._tools.ids.uuid()))
            self._redeliver()
            self.mark_instances()
            await self._renew_credentials(everything=False)

    def _keys(self) -> list[Key]:
        claims = reservation_of(self._reader, self.instance.arn).claims.values()
        return [Key(TASK.name, claim.account, claim.region, claim.name) for claim in claims]

    @property
    def _reader(self) -> Reader:
        return self._tools.store.reader

    async def _send(self, message: msgspec.Struct) -> None:
        await self._send_text(encode(message))

    def _next_sequence(self) -> int:
        """Grows over sessions and restarts too: payloads and manifests share it."""
        self._sequence = max(self._sequence + 1, int(self._tools.clock.now() * 1000))
        return self._sequence

    async def _send_network(self) -> None:
        """The host's whole network, if it differs from what was sent last."""
        if not self.instance.host:
            return
        self._network_dirty = False
        store = self._tools.store
        network = host_network(store.reader, self.instance.host, 0)
        if network == self._network:
            return
        self._network = network
        numbered = msgspec.structs.replace(network, revision=store.revision)
        await self._send(NetworkMessage(message_id=self._tools.ids.uuid(), network=numbered))

    async def _send_instances(self) -> None:
        """The host's EC2 instances, if that differs from what was sent last."""
        if not self.instance.host:
            return
        self._instances_dirty = False
        instances = self._instances.news(self._reader)
        if instances is not None:
            message_id = self._tools.ids.uuid()
            await self._send(InstancesMessage(message_id=message_id, instances=instances))

    async def _send_volumes(self) -> None:
        """The host's volumes and snapshots, if they differ from what was sent last."""
        if not self.instance.host:
            return
        self._volumes_dirty = False
        volumes = host_volumes(self._reader, self.instance.host)
        if volumes != self._volumes:
            self._volumes = volumes
            message_id = self._tools.ids.uuid()
            await self._send(msgspec.structs.replace(volumes, message_id=message_id))

    async def _ensure_interface(self, task: Task) -> None:
        """The ENI before the task: the sandbox takes its addresses when it starts."""
        eni = task.placement.eni_id if task.placement is not None else ""
        network = self._network or Network()
        if eni and all(each.id != eni for each in network.interfaces):
            await self._send_network()
        # An instance asks for its user data as soon as it runs.
        if task.interface is not None and not self._instances.knows(eni):
            await self._send_instances()

    async def _send_manifest(self) -> None:
        tasks = [task for _, task in self._tasks(self._keys()) if task.last_status not in ENDED]
        await self._send(
            acs.TaskManifestMessage(
                message_id=self._tools.ids.uuid(),
                cluster_arn=self._cluster_arn,
                container_instance_arn=self.instance.arn,
                timeline=self._next_sequence(),
                generated_at=int(self._tools.clock.now() * 1000),
                tasks=tuple(
                    acs.ManifestTask(
                        task_arn=task.arn,
                        desired_status=task.desired_status,
                        task_cluster_arn=task.cluster_arn,
                    )
                    for task in tasks
                ),
            )
        )

    @property
    def _cluster_arn(self) -> str:
        head = self.instance.arn.partition(":container-instance/")[0]
        return f"{head}:cluster/{self.instance.cluster}"

    def _tasks(self, keys: Iterable[Key]) -> list[tuple[Key, Task]]:
        found = ((key, self._record(key)) for key in keys)
        return [(key, record.value) for key, record in found if record is not None]

    def _record(self, key: Key) -> Record[Task] | None:
        return self._reader.get(TASK, key.account, key.region, key.name)

    async def _tell(self, key: Key) -> None:
        """Send the task's payload where the agent does not know its desired status yet."""
        record = self._record(key)
        if record is None:
            return
        task = record.value
        if task.last_status in ENDED or task.reported.status == "STOPPED":
            self._told.pop(task.arn, None)
            self._credentials_at.pop(task.arn, None)
            return
        placed = task.placement is not None and task.placement.instance_arn == self.instance.arn
        told = self._told.get(task.arn)
        if not placed or (told is not None and told.desired == task.desired_status):
            return
        try:
            message = self._message(key, task)
        except AwsError as error:
            await self._fail(key, error)
            return
        await self._ensure_interface(task)
        message_id = self._tools.ids.uuid()
        now = self._tools.clock.now()
        self._told[task.arn] = Told(task.desired_status, message_id, now)
        await self._send(
            acs.PayloadMessage(
                message_id=message_id,
                cluster_arn=self._cluster_arn,
                container_instance_arn=self.instance.arn,
                seq_num=self._next_sequence(),
                generated_at=int(now * 1000),
                tasks=(message,),
            )
        )

    def _message(self, key: Key, task: Task) -> acs.Task:
        if task.desired_status == "STOPPED":
            return stop_message(task)
        name = definition_of_arn(task.definition_arn)
        definition = self._reader.get(TASK_DEFINITION, key.account, key.region, name)
        if definition is None:
            raise AwsError("ClientException", "The task definition is gone.")
        around = self._around(key, task)
        role = self._issued(key, task, task.task_role_arn, task.task_credentials_id)
        execution = self._issued(key, task, task.execution_role_arn, task.execution_credentials_id)
        self._credentials_at[task.arn] = self._tools.clock.now()
        return task_message(task, definition.value, around, role, execution)

    def _issued(
        self, key: Key, task: Task, role: str, credentials_id: str
    ) -> acs.RoleCredentials | None:
        """Credentials of a role of the task; AwsError says that they are what it lacks."""
        issue = self._tools.credentials.of
        try:
            return issue(self._reader, task, key.account, role, credentials_id)
        except AwsError as error:
            said = f"ECS was unable to assume the role of the task: {error.message}"
            raise AwsError(error.code, said) from error

    def _around(self, key: Key, task: Task) -> Surrounding:
        place, reader = task.placement, self._reader
        owner = (place.account if place is not None else "") or key.account
        subnet = (
            reader.get(SUBNET, owner, key.region, place.subnet_id)
            if place is not None and place.subnet_id
            else None
        )
        vpc = reader.get(VPC, owner, key.region, subnet.value.vpc_id) if subnet else None
        return Surrounding(
            account=key.account,
            region=key.region,
            subnet_cidr=subnet.value.cidr if subnet is not None else "",
            resolver=resolver_address(vpc.value) if vpc is not None else "",
            endpoint=self._tools.endpoint,
            beside=tuple(self._beside(key.region, task)),
        )

    def _beside(self, region: str, task: Task) -> Iterator[Beside]:
        """The ENIs that the task has beside its own."""
        for each in task.network.beside if task.network is not None else ():
            try:
                eni = require(self._reader, NETWORK_INTERFACE, each.account, region, each.id)
                subnet = require(self._reader, SUBNET, each.account, region, eni.subnet_id)
            except AwsError as error:
                said = f"ResourceInitializationError: {error.message}"
                raise AwsError(error.code, said) from error
            yield Beside(eni, subnet.cidr)

    async def _fail(self, key: Key, error: AwsError) -> None:
        """End a task that the agent cannot be told of: a role is gone, or an interface beside its
        own."""
        stop = Stop(
            code="TaskFailedToStart",
            reason=error.message,
            at=self._tools.clock.now(),
        )
        await self._tools.store.transact(lambda tx: _end(tx, key, stop))

    def _redeliver(self) -> None:
        """Tell again what was neither acknowledged nor reported on in time."""
        late = self._tools.clock.now() - REDELIVER_SECONDS
        for key, task in self._tasks(self._keys()):
            told = self._told.get(task.arn)
            if told is None:
                self.mark(key)
            elif told.at <= late and _unheard(told, task):
                del self._told[task.arn]
                self.mark(key)

    async def _renew_credentials(self, *, everything: bool) -> None:
        due = self._tools.clock.now() - CREDENTIALS_RENEWED_SECONDS
        for key, task in self._tasks(self._keys()):
            if task.reported.status == "RUNNING" and (
                everything or self._credentials_at.setdefault(task.arn, due + 1) <= due
            ):
                await self._send_credentials(key, task)

    async def _send_credentials(self, key: Key, task: Task) -> None:
        self._credentials_at[task.arn] = self._tools.clock.now()
        for kind, role, credentials_id in (
            ("TaskApplication", task.task_role_arn, task.task_credentials_id),
            ("TaskExecution", task.execution_role_arn, task.execution_credentials_id),
        ):
            try:
                issued = self._tools.credentials.of(
                    self._reader, task, key.account, role, credentials_id
                )
            except AwsError as error:
                log.warning("credentials not renewed", task_arn=task.arn, code=error.code)
                continue
            if issued is not None:
                await self._send(
                    acs.IAMRoleCredentialsMessage(
                        message_id=self._tools.ids.uuid(),
                        task_arn=task.arn,
                        role_type=kind,
                        role_credentials=issued,
                    )
                )

    async def receive(self, message: msgspec.Struct) -> None:
        """Take in what the agent says."""
        match message:
            case acs.AckRequest():
                for told in self._told.values():
                    if told.message_id == message.message_id:
                        told.acknowledged = True
            case acs.TaskStopVerificationMessage():
                await self._verify_stops(message)
            case NetworkAckRequest() if message.error:
                log.error("host network not applied", host=self.instance.host, reason=message.error)
            # Whoever stands for no host has no volumes.
            case VolumesReport() if self.instance.host:
                await record_volumes(
                    self._tools.store, self.instance.host, message, self._tools.clock.now()
                )
            case acs.NackRequest():
                log.warning("message refused by the agent", reason=message.reason)

    async def _verify_stops(self, message: acs.TaskStopVerificationMessage) -> None:
        """Of the tasks that the manifest did not list, those that are not to run."""
        wanted = {
            task.arn for _, task in self._tasks(self._keys()) if task.last_status not in ENDED
        }
        wanted -= {t.arn for _, t in self._tasks(self._keys()) if t.desired_status == "STOPPED"}
        stops = [each for each in message.stop_candidates if each.task_arn not in wanted]
        await self._send(
            acs.TaskStopVerificationAck(
                message_id=message.message_id,
                generated_at=int(self._tools.clock.now() * 1000),
                stop_tasks=tuple(
                    msgspec.structs.replace(each, desired_status="STOPPED") for each in stops
                ),
            )
        )
