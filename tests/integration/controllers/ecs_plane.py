"""A control plane with ECS and EC2 alone, and an agent for it that is played by the test."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect

from longshore.awsapi.client import Client
from longshore.awsapi.signing import Keys, sign
from longshore.base.clock import Clock, SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.controllers.interface import Surroundings
from longshore.controllers.loop import run_controllers
from longshore.controllers.service import service_controllers
from longshore.controllers.session import AgentSessions
from longshore.controllers.task import task_controllers
from longshore.gateway.gateway import Gateway
from longshore.model.ec2 import SUBNET
from longshore.model.errors import AwsError
from longshore.model.host import HOST_USER
from longshore.model.iam import ROLE, Role
from longshore.model.kinds import KINDS
from longshore.model.principal import Credential, Principal, root
from longshore.services import ec2, ecs
from longshore.store import open_store
from longshore.store.interface import Reader, Store
from longshore.testing.identity import ACCOUNT, KEY_ID, SECRET, Allows, KnownKeys, everything
from longshore.testing.ports import free_ports
from longshore.testing.wait import eventually
from longshore.vpc import create_default_vpc

REGION = "us-east-1"
DEADLINE = 10.0
HOST_KEY_ID = "AKIAHOSTHOSTHOSTHOST"
HOST_CREDENTIAL = Credential(
    access_key_id=HOST_KEY_ID,
    secret_access_key=SECRET,
    principal=Principal(
        account=ACCOUNT,
        arn=f"arn:aws:iam::{ACCOUNT}:user/{HOST_USER}",
        user_id="AIDA",
        kind="user",
        user_name=HOST_USER,
    ),
)


@dataclass
class Plane:
    installation: Installation
    store: Store
    sessions: AgentSessions
    subnets: list[str] = field(default_factory=list)

    def client(self, key_id: str = KEY_ID) -> Client:
        keys = Keys(key_id, SECRET)
        return Client(self.installation.endpoint_url, lambda: keys, REGION, SystemClock())

    async def call(self, operation: str, **request: Any) -> dict[str, Any]:
        return await self.call_as(KEY_ID, operation, **request)

    async def call_as(self, key_id: str, operation: str, **request: Any) -> dict[str, Any]:
        async with self.client(key_id) as client:
            return await client.call("ecs", operation, request)

    @property
    def awsvpc(self) -> dict[str, Any]:
        return {"awsvpcConfiguration": {"subnets": self.subnets, "assignPublicIp": "ENABLED"}}

    async def task(self, arn: str) -> dict[str, Any]:
        found = await self.call("DescribeTasks", tasks=[arn])
        return found["tasks"][0]

    async def status(self, arn: str, wanted: str) -> dict[str, Any]:
        async def reached() -> dict[str, Any] | None:
            task = await self.task(arn)
            return task if task["lastStatus"] == wanted else None

        return await eventually(reached, DEADLINE, f"{arn} {wanted}")


class Roles(KnownKeys):
    """Issues credentials for the roles that there are."""

    def issue(
        self, reader: Reader, role_arn: str, session_name: str, seconds: float, now: float
    ) -> Credential:
        if reader.get(ROLE, ACCOUNT, "", role_arn.rpartition("/")[2]) is None:
            raise AwsError("AccessDenied", f"{role_arn} is gone")
        return Credential(
            access_key_id="ASIA" + session_name[:16].upper(),
            secret_access_key="secret",
            session_token="token",
            principal=root(ACCOUNT),
            expires=now + seconds,
        )


def role(name: str) -> Role:
    """A role that ECS's tasks may have."""
    trust = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
    return Role(
        name=name,
        path="/",
        id="AROA",
        arn=f"arn:aws:iam::{ACCOUNT}:role/{name}",
        created_at=0.0,
        trust=json.dumps(trust),
    )


@contextlib.asynccontextmanager
async def running_plane(
    data_dir: Path, allows: Allows = everything, session_clock: Clock | None = None
) -> AsyncIterator[Plane]:
    """The control plane on SQLite in `data_dir`; opened again there, it finds what it left."""
    installation = Installation(data_dir=data_dir, port=free_ports(4))
    clock, ids = SystemClock(), RandomIds()
    store = await open_store(f"sqlite://{data_dir}/state.db", KINDS, clock)
    surroundings = Surroundings(store=store, clock=clock, ids=ids, installation=installation)
    identity = Roles(HOST_CREDENTIAL, allows=allows)
    sessions = AgentSessions(replace(surroundings, clock=session_clock or clock), identity)
    vpc = await store.transact(lambda tx: create_default_vpc(tx, ACCOUNT, REGION, ids))
    gateway = Gateway(
        services=[ecs.service(), ec2.service()],
        store=store,
        clock=clock,
        ids=ids,
        installation=installation,
        identity=identity,
        routes={"/ws": sessions.acs, "/tcs": sessions.tcs},
    )
    await gateway.start()
    controllers = [*task_controllers(surroundings), *service_controllers(surroundings)]
    loops = asyncio.gather(
        sessions.run(), run_controllers(controllers, surroundings, "test", shared=False)
    )
    plane = Plane(installation, store, sessions)
    found = store.reader.find(SUBNET, ACCOUNT, REGION, "vpc", vpc.id)
    plane.subnets = [record.value.id for record in found]
    try:
        yield plane
    finally:
        loops.cancel()
        await asyncio.gather(loops, return_exceptions=True)
        await gateway.stop()
        await store.close()


class PlayedAgent:
    """Speaks ACS as an agent does; runs nothing, and reports what the test tells it to."""

    def __init__(
        self, plane: Plane, *, host: str = "", cluster: str = "default", automatic: bool = True
    ) -> None:
        self.plane = plane
        self.host = host
        self.key_id = HOST_KEY_ID if host else KEY_ID
        self.cluster = cluster
        self.arn = ""
        self.automatic = automatic
        """Whether each payload is acknowledged and brought up or ended at once."""
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.running: set[str] = set()
        self._socket: ClientConnection | None = None
        self._listening: asyncio.Task[None] | None = None

    async def register(self, cpu: int = 2048, memory: int = 8192, **attributes: str) -> None:
        stated = [{"name": name, "value": value} for name, value in attributes.items()]
        if self.host:
            stated.append({"name": "longshore.host", "value": self.host})
        stated += [{"name": name} for name in CAPABILITIES]
        response = await self.plane.call_as(
            self.key_id,
            "RegisterContainerInstance",
            cluster=self.cluster,
            containerInstanceArn=self.arn or None,
            attributes=stated,
            totalResources=[
                {"name": "CPU", "type": "INTEGER", "integerValue": cpu},
                {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
                {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22"]},
            ],
        )
        self.arn = response["containerInstance"]["containerInstanceArn"]

    async def connect(self, send_credentials: bool = True) -> None:
        query = {
            "clusterArn": self.cluster,
            "containerInstanceArn": self.arn,
            "protocolVersion": "2",
            "sendCredentials": str(send_credentials).lower(),
            "seqNum": "1",
        }
        target = f"/ws?{urlencode(query)}"
        self._socket = await self._dial(target)
        self._listening = asyncio.create_task(self._listen(self._socket))

    async def publish_health(self, arn: str, health: str) -> None:
        """On a TCS channel of its own, signed as each frame there is."""
        target = "/tcs/ws?" + urlencode({"cluster": self.cluster, "containerInstance": self.arn})
        names = [each["name"] for each in self.payload(arn)["containers"]]
        containers = [{"containerName": name, "healthStatus": health} for name in names]
        frame = {
            "type": "PublishHealthRequest",
            "message": {"metadata": {}, "tasks": [{"taskArn": arn, "containers": containers}]},
        }
        async with self._dial(target) as socket:
            await socket.send(f"Host: x\r\nX-Amz-Date: y\r\n\r\n{json.dumps(frame)}")
            assert json.loads(await socket.recv())["type"] == "AckPublishHealth"

    def _dial(self, target: str) -> connect:
        url = self.plane.installation.endpoint_url + target
        headers = sign(
            Keys(self.key_id, SECRET),
            method="GET",
            url=url,
            headers={},
            body=b"",
            region=REGION,
            service="ecs",
            now=SystemClock().now(),
        )
        headers.pop("host", None)
        return connect(url.replace("http://", "ws://"), additional_headers=headers, proxy=None)

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._listening is not None:
            await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self, socket: ClientConnection) -> None:
        async for text in socket:
            frame = json.loads(text)
            self.messages.append((frame["type"], frame["message"]))
            if self.automatic and frame["type"] == "PayloadMessage":
                await self._obey(frame["message"])

    async def _obey(self, message: dict[str, Any]) -> None:
        await self.send("AckRequest", messageId=message["messageId"])
        for task in message["tasks"]:
            if task.get("desiredStatus", "RUNNING") == "STOPPED":
                await self.report(task["arn"], "STOPPED", exit_code=143)
            elif task["arn"] not in self.running:
                await self.report(task["arn"], "RUNNING")

    async def send(self, kind: str, **message: Any) -> None:
        assert self._socket is not None
        await self._socket.send(json.dumps({"type": kind, "message": message}))

    async def report(
        self, arn: str, status: str, *, reason: str = "", exit_code: int | None = None
    ) -> None:
        if status == "RUNNING":
            self.running.add(arn)
        else:
            self.running.discard(arn)
        names = [each["name"] for each in self.payload(arn).get("containers", ())]
        containers = [{"containerName": name, "status": status} for name in names]
        for container in containers:
            if exit_code is not None:
                container["exitCode"] = exit_code
        await self.plane.call_as(
            self.key_id,
            "SubmitTaskStateChange",
            cluster=self.cluster,
            task=arn,
            status=status,
            reason=reason,
            containers=containers,
        )

    def payload(self, arn: str) -> dict[str, Any]:
        """The task as the agent was told of it first."""
        for kind, message in self.messages:
            if kind == "PayloadMessage":
                for task in message["tasks"]:
                    if task["arn"] == arn and task.get("containers"):
                        return task
        return {}

    def payloads(self, arn: str) -> list[dict[str, Any]]:
        return [
            task
            for kind, message in self.messages
            if kind == "PayloadMessage"
            for task in message["tasks"]
            if task["arn"] == arn
        ]

    async def told(self, seen: Callable[["PlayedAgent"], Any]) -> Any:
        async def answer() -> Any:
            return seen(self)

        return await eventually(answer, DEADLINE)


CAPABILITIES = (
    "ecs.capability.task-eni",
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.container-health-check",
    "ecs.capability.container-ordering",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
)
WEB = {
    "family": "web",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [{"name": "web", "image": "web:1"}],
}
BATCH = {
    "family": "batch",
    "containerDefinitions": [
        {"name": "job", "image": "job:1", "memory": 64, "command": ["work"]},
    ],
}
