"""A task protects itself from scale-in: the endpoint in front of a real ECS."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from integration.agent.endpoints.endpoint_client import Reply, endpoints
from integration.services.served import Served, serving
from unit.agent.endpoints.agent_host import make_engine, make_host
from unit.agent.endpoints.endpoint_records import CLUSTER, credentials, record

from longshore.agent.endpoints import choose_local_port, protection
from longshore.agent.host import Host
from longshore.agent.records import TaskRecord
from longshore.base.clock import SystemClock
from longshore.model.ecs import TASK, Task
from longshore.model.principal import Credential, Principal
from longshore.services.ecs import service
from longshore.store.interface import Transaction
from longshore.testing.identity import ACCOUNT
from longshore.testing.ports import free_ports
from longshore.testing.wait import eventually

STATE = "task-protection/v1/state"
ROLE = Principal(
    account=ACCOUNT,
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/app/1",
    kind="assumed-role",
    user_id="AROAEXAMPLE:1",
)


@pytest.fixture
async def ecs(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path, [service()]) as served:
        await served.call("create_cluster", clusterName="default")
        known = credentials("")
        served.identity._known[known.access_key_id] = Credential(
            access_key_id=known.access_key_id,
            secret_access_key=known.secret_access_key,
            session_token=known.session_token,
            principal=ROLE,
        )
        yield served


def known_to_ecs(task: TaskRecord, service: str) -> Task:
    return Task(
        id=task.id,
        arn=task.task.arn,
        cluster="default",
        cluster_arn=CLUSTER,
        definition_arn="arn:aws:ecs:us-east-1:123456789012:task-definition/web:3",
        created_at=1.0,
        launch_type="EC2",
        network_mode="host",
        service=service,
    )


@pytest.fixture
async def host(tmp_path: Path, ecs: Served) -> Host:
    made = make_host(tmp_path, SystemClock())
    return replace(made, installation=ecs.installation, local_port=choose_local_port(made.home))


@pytest.fixture
async def task(host: Host, ecs: Served) -> AsyncIterator[TaskRecord]:
    """A task of a service, in the host's network: it is known by its id alone."""
    made = record(7, mode="host", launch_type="EC2")

    def keep(tx: Transaction) -> None:
        known = known_to_ecs(made, "site")
        tx.put(TASK, ACCOUNT, "us-east-1", known.name, known)

    await ecs.store.transact(keep)
    engine = make_engine(host)
    engine.tasks[made.id] = made
    async with endpoints(host, engine):
        yield made


async def ask(
    host: Host, task: TaskRecord, method: str = "GET", body: object = None, what: str = STATE
) -> Reply:
    path = f"/api/{task.containers['web'].id}/{what}"

    async def answered() -> Reply | None:
        try:
            return await asyncio.to_thread(_ask, host.local_port, method, path, body)
        except ConnectionRefusedError:
            return None

    found = await eventually(answered)
    assert found is not None
    return found


def _ask(port: int, method: str, path: str, body: object) -> Reply:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, json.dumps(body) if body is not None else None)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


async def test_a_task_protects_itself_and_reads_until_when(
    host: Host, ecs: Served, task: TaskRecord
) -> None:
    arn = task.task.arn
    bare = {"protection": {"ExpirationDate": None, "ProtectionEnabled": False, "TaskArn": arn}}
    assert await ask(host, task) == (200, bare)
    wanted = {"ProtectionEnabled": True, "ExpiresInMinutes": 60}
    status, told = await ask(host, task, "PUT", wanted)
    assert status == 200
    assert told["protection"]["ProtectionEnabled"] is True
    assert await ask(host, task) == (200, told)
    seen = (await ecs.call("get_task_protection", cluster="default", tasks=[arn]))["protectedTasks"]
    until = datetime.fromisoformat(told["protection"]["ExpirationDate"])
    assert abs((until - seen[0]["expirationDate"]).total_seconds()) < 0.01
    assert await ask(host, task, "PUT", {"protectionEnabled": False}) == (200, bare)
    assert ("ecs:UpdateTaskProtection", arn) in [each[:2] for each in ecs.identity.asked]


async def test_what_the_task_role_may_not_is_refused_with_the_request_named(
    host: Host, ecs: Served, task: TaskRecord
) -> None:
    asked: list[Principal] = []

    def not_the_role(principal: Principal, action: str, resource: Any) -> bool:
        asked.append(principal)
        return principal != ROLE

    ecs.identity._allows = not_the_role
    status, told = await ask(host, task, "PUT", {"ProtectionEnabled": True})
    assert status == 400
    assert told["error"]["Arn"] == task.task.arn
    assert told["error"]["Code"] == "AccessDeniedException"
    assert ROLE.arn in told["error"]["Message"]
    assert len(told["requestID"]) == 36
    assert asked == [ROLE]


async def test_a_task_without_a_role_is_refused(host: Host, task: TaskRecord) -> None:
    task.task = msgspec.structs.replace(task.task, role_credentials=None)
    assert await ask(host, task) == (
        403,
        {
            "error": {
                "Arn": task.task.arn,
                "Code": "AccessDeniedException",
                "Message": "Invalid Request: no task IAM role credentials available for task",
            }
        },
    )


async def test_a_task_of_no_service_cannot_be_protected(
    host: Host, ecs: Served, task: TaskRecord
) -> None:
    def alone(tx: Transaction) -> None:
        known = known_to_ecs(task, "")
        tx.put(TASK, ACCOUNT, "us-east-1", known.name, known)

    await ecs.store.transact(alone)
    failure = {"Arn": task.task.arn, "Detail": None, "Reason": "TASK_NOT_VALID"}
    assert await ask(host, task, "PUT", {"ProtectionEnabled": True}) == (200, {"failure": failure})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"ExpiresInMinutes": 5}, "Invalid request: does not contain 'ProtectionEnabled' field"),
        ({"ProtectionEnabled": "yes"}, "UpdateTaskProtection: failed to decode request"),
        ({"ProtectionEnabled": True, "For": 5}, "UpdateTaskProtection: failed to decode request"),
        ([], "UpdateTaskProtection: failed to decode request"),
        (None, "UpdateTaskProtection: failed to decode request"),
    ],
)
async def test_a_body_that_makes_no_sense_is_refused(
    host: Host, task: TaskRecord, body: object, message: str
) -> None:
    status, told = await ask(host, task, "PUT", body)
    assert (status, told["error"]["Code"]) == (400, "InvalidParameterException")
    assert told["error"]["Message"] == message


async def test_what_ecs_refuses_is_told_as_it_says_it(host: Host, task: TaskRecord) -> None:
    wanted = {"ProtectionEnabled": True, "ExpiresInMinutes": 2881}
    status, told = await ask(host, task, "PUT", wanted)
    assert (status, told["error"]["Code"]) == (400, "InvalidParameterException")


async def test_an_id_of_nobody_finds_no_task(host: Host, task: TaskRecord) -> None:
    stranger = record(8)
    message = "Failed to find a task for the request"
    error = {"Code": "ResourceNotFoundException", "Message": message}
    for method, body in (("GET", None), ("PUT", {"ProtectionEnabled": True})):
        assert await ask(host, stranger, method, body) == (404, {"error": error})


async def test_a_control_plane_that_is_away_is_waited_for_and_then_told_of(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protection, "CALL_SECONDS", 0.3)
    away = msgspec.structs.replace(host.installation, port=free_ports(1))
    lonely = replace(host, installation=away)
    made = record(7, mode="host", launch_type="EC2")
    engine = make_engine(lonely)
    engine.tasks[made.id] = made
    async with endpoints(lonely, engine):
        status, told = await ask(lonely, made)
    assert (status, told["error"]["Code"]) == (504, "RequestCanceled")
    assert told["error"]["Message"] == "Timed out calling ECS Task Protection API"


async def test_what_is_not_built_says_so(host: Host, task: TaskRecord) -> None:
    status, told = await ask(host, task, what="fault/v1/network-latency/status")
    assert (status, told["error"]["Code"]) == (501, "NotImplemented")


async def test_metadata_takes_no_put(host: Host, task: TaskRecord) -> None:
    await ask(host, task)
    path = f"/v4/{task.containers['web'].id}"
    status, _ = await asyncio.to_thread(_ask, host.local_port, "PUT", path, {})
    assert status == 405
