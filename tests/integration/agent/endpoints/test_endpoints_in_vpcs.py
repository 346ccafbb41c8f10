"""The endpoints inside VPCs: a real fabric, asked from the namespaces of ENIs."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from integration.agent.endpoints.endpoint_client import Reply, endpoints, get, run_inside
from integration.fabric.fabric_builder import Builder, joined, make_installation
from unit.agent.endpoints.agent_host import make_engine, make_host, start
from unit.agent.endpoints.endpoint_records import record

from longshore.agent.engine import Engine
from longshore.agent.host import Host
from longshore.base.clock import SystemClock
from longshore.base.installation import Installation
from longshore.fabric import open_fabric
from longshore.fabric.kernel import KernelFabric
from longshore.fabric.names import namespace_path
from longshore.model.link_local import METADATA_ADDRESS
from longshore.testing.wait import eventually

CREDENTIALS = "/v2/credentials/credentials-5"
BOTO3 = """
import botocore.session
found = botocore.session.get_session().get_credentials()
frozen = found.get_frozen_credentials()
print(found.method, frozen.access_key, frozen.secret_key, frozen.token)
"""


@pytest.fixture(autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return make_installation(tmp_path)


@pytest.fixture
async def fabric(installation: Installation) -> AsyncIterator[KernelFabric]:
    opened = await open_fabric(installation)
    yield opened
    await opened.destroy()
    await opened.close()


@pytest.fixture
async def host(installation: Installation, fabric: KernelFabric) -> Host:
    """ENIs 5 and 6 in vpc-1, and an ENI of the same address as 5 in vpc-2."""
    builder = Builder(installation)
    other = Builder(installation, "vpc-2")
    interfaces = [builder.eni(5), builder.eni(6)]
    twin = other.eni(5)
    await fabric.apply(joined(builder.network(interfaces, {}), other.network([twin], {})))
    for interface in (*interfaces, twin):
        await fabric.attach(interface)
    made = make_host(installation.data_dir, SystemClock())
    return replace(made, installation=installation, fabric=fabric)


@pytest.fixture
async def engine(host: Host) -> Engine:
    made = make_engine(host)
    for number in (5, 6):
        task = record(number)
        made.tasks[task.id] = task
        await start(host, task)
    return made


def namespace(host: Host, name: str) -> Path:
    return namespace_path(host.installation.id, name)


async def answered(inside: Path, path: str) -> Reply:
    """As soon as somebody listens."""

    async def reply() -> Reply | None:
        try:
            return await get(inside, path)
        except ConnectionRefusedError:
            return None

    found = await eventually(reply)
    assert found is not None
    return found


async def test_boto3_in_a_task_has_the_task_roles_credentials(host: Host, engine: Engine) -> None:
    inside = namespace(host, "eni-15")
    async with endpoints(host, engine):
        await answered(inside, CREDENTIALS)
        code, output = await run_inside(
            inside, BOTO3, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=CREDENTIALS
        )
    assert (code, output) == (0, "container-role ASIAEXAMPLE secret token\n")


async def test_credentials_have_the_members_that_sdks_read(host: Host, engine: Engine) -> None:
    async with endpoints(host, engine):
        status, body = await answered(namespace(host, "eni-15"), CREDENTIALS)
    assert status == 200
    assert set(body) == {"RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"}


@pytest.mark.parametrize("other", ["eni-16", "eni-25"])
async def test_another_eni_that_knows_the_id_is_refused(
    host: Host, engine: Engine, other: str
) -> None:
    """`eni-16` is the neighbour in the subnet, `eni-25` has the same address in another VPC."""
    inside = namespace(host, other)
    task = record(5)
    web = task.containers["web"].id
    async with endpoints(host, engine):
        status, body = await answered(inside, CREDENTIALS)
        assert (status, body) == (
            400,
            {
                "code": "InvalidIdInRequest",
                "message": "CredentialsV2Request: Credentials not found",
                "HTTPErrorCode": 400,
            },
        )
        assert await get(inside, f"/v4/{web}") == (
            404,
            "V4 container metadata handler: unable to get container ID from request: "
            f"unable to get docker ID from v3 endpoint ID: {web}",
        )
        for path in ("task", "taskWithTags", "stats", "task/stats", "associations/x"):
            assert (await get(inside, f"/v4/{web}/{path}"))[0] == 404
            assert (await get(inside, f"/v3/{web}/{path}"))[0] == 400
        code, output = await run_inside(
            inside, BOTO3, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=CREDENTIALS
        )
    assert code != 0
    assert "ASIAEXAMPLE" not in output


async def test_a_container_reads_its_own_and_its_tasks_metadata(host: Host, engine: Engine) -> None:
    inside = namespace(host, "eni-15")
    task = record(5)
    web = task.containers["web"].id
    async with endpoints(host, engine):
        status, container = await answered(inside, f"/v4/{web}")
        assert (status, container["DockerId"]) == (200, web)
        status, whole = await get(inside, f"/v4/{web}/task")
        assert (status, whole["TaskARN"]) == (200, task.task.arn)
        assert whole["AvailabilityZone"] == "us-east-1a"
        assert whole["ClockDrift"]["ClockErrorBound"] > 0
        assert [each["DockerId"] for each in whole["Containers"]] == [web]
        status, older = await get(inside, f"/v3/{web}/task")
        assert (status, older["TaskARN"]) == (200, task.task.arn)
        assert "ClockDrift" not in older
        assert await get(inside, f"/v4/{web}/associations/elastic-inference") == (
            200,
            {"Associations": []},
        )


async def test_tags_that_the_control_plane_does_not_give_are_told_as_an_error(
    host: Host, engine: Engine
) -> None:
    inside = namespace(host, "eni-15")
    web = record(5).containers["web"].id
    async with endpoints(host, engine):
        status, whole = await answered(inside, f"/v4/{web}/taskWithTags")
    assert status == 200
    assert [each["ErrorField"] for each in whole["Errors"]] == ["TaskTags"]
    assert "TaskTags" not in whole


async def test_statistics_count_what_the_eni_carried(host: Host, engine: Engine) -> None:
    inside = namespace(host, "eni-15")
    web = record(5).containers["web"].id
    async with endpoints(host, engine):
        status, found = await answered(inside, f"/v4/{web}/stats")
        assert status == 200
        assert found["networks"]["eth0"]["rx_bytes"] > 0
        assert found["preread"] < found["read"]
        assert found["network_rate_stats"]["tx_bytes_per_sec"] >= 0
        status, whole = await get(inside, f"/v4/{web}/task/stats")
        assert (status, list(whole)) == (200, [web])


async def test_the_same_urls_answer_after_the_agent_came_back(host: Host, engine: Engine) -> None:
    inside = namespace(host, "eni-15")
    async with endpoints(host, engine):
        before = await answered(inside, CREDENTIALS)
    with pytest.raises(ConnectionRefusedError):
        await get(inside, CREDENTIALS)
    again = await open_fabric(host.installation)
    try:
        returned = replace(host, fabric=again)
        anew = make_engine(returned)
        anew.adopted.clear()
        async with endpoints(returned, anew):
            asking = asyncio.create_task(answered(inside, CREDENTIALS))
            anew.tasks.update(engine.tasks)
            anew.adopted.set()
            assert await asking == before
    finally:
        await again.close()


async def test_a_vpc_that_comes_later_is_served_and_one_that_went_is_not(
    host: Host, engine: Engine, fabric: KernelFabric
) -> None:
    builder = Builder(host.installation, "vpc-3")
    late = builder.eni(5)
    async with endpoints(host, engine):
        await answered(namespace(host, "eni-15"), CREDENTIALS)
        await fabric.apply(joined(fabric.network, builder.network([late], {})))
        inside = await fabric.attach(late)
        assert (await answered(inside, CREDENTIALS))[0] == 400
        await fabric.detach(late.id)
        first = Builder(host.installation)
        await fabric.apply(first.network([first.eni(5)], {}))
        assert (await answered(namespace(host, "eni-15"), CREDENTIALS))[0] == 200


async def test_nobody_in_a_task_answers_as_the_instance_metadata_service(
    host: Host, engine: Engine
) -> None:
    inside = namespace(host, "eni-15")
    async with endpoints(host, engine):
        await answered(inside, CREDENTIALS)
        with pytest.raises(OSError):
            await get(inside, "/latest/meta-data/", address=METADATA_ADDRESS)


async def test_curl_reads_the_document_as_json(host: Host, engine: Engine) -> None:
    inside = namespace(host, "eni-15")
    web = record(5).containers["web"].id
    async with endpoints(host, engine):
        await answered(inside, CREDENTIALS)
        code = (
            "import subprocess;"
            f"subprocess.run(['curl', '-sS', 'http://169.254.170.2/v4/{web}'], check=True)"
        )
        status, output = await run_inside(inside, code)
    assert status == 0
    assert json.loads(output)["Name"] == "web"


async def test_another_eni_that_knows_the_id_cannot_protect_the_task(
    host: Host, engine: Engine
) -> None:
    path = f"/api/{record(5).containers['web'].id}/task-protection/v1/state"
    async with endpoints(host, engine):
        status, body = await answered(namespace(host, "eni-16"), path)
    assert (status, body["error"]["Code"]) == (404, "ResourceNotFoundException")
