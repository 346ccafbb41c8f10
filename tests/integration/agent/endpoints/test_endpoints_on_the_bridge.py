"""The endpoints on the host's loopback: tasks on a real bridge, and in the host's network."""

import ipaddress
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from integration.agent.endpoints.endpoint_client import endpoints, get
from integration.fabric.fabric_traffic import REFUSED_SECONDS, reaches
from unit.agent.endpoints.agent_host import make_engine, make_host
from unit.agent.endpoints.endpoint_records import record

from longshore.agent.endpoints import choose_local_port
from longshore.agent.engine import Engine
from longshore.agent.host import Host
from longshore.base.clock import SystemClock
from longshore.runtime.bridge import Bridge
from longshore.testing.wait import eventually

LOOPBACK = "127.0.0.1"


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    made = make_host(tmp_path, SystemClock())
    port = choose_local_port(made.home)
    bridge = Bridge(made.installation, port)
    yield replace(made, bridge=bridge, local_port=port)
    bridge.destroy()


@pytest.fixture
async def engine(host: Host) -> Engine:
    made = make_engine(host)
    tasks = (
        record(5, mode="bridge", launch_type="EC2"),
        record(6, mode="", launch_type="EC2"),
        record(7, mode="host", launch_type="EC2"),
    )
    made.tasks.update({task.id: task for task in tasks})
    return made


def route_to_loopback(inside: Path, address: str) -> None:
    """Send what is for 127.0.0.1 to the bridge, whose address comes before the first task's."""
    gateway = str(ipaddress.ip_address(address) - 1)
    for command in (
        ("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1"),
        ("ip", "address", "delete", "127.0.0.1/8", "dev", "lo"),
        ("ip", "route", "add", "127.0.0.1", "via", gateway),
    ):
        subprocess.run(["ip", "netns", "exec", inside.name, *command], check=True)


def web_of(number: int) -> str:
    return record(number).containers["web"].id


async def listening(host: Host) -> None:
    async def heard() -> bool:
        try:
            await get(None, "/", LOOPBACK, host.local_port)
        except ConnectionRefusedError:
            return False
        return True

    await eventually(heard)


async def test_each_task_on_the_bridge_gets_its_own_credentials_and_no_others(
    host: Host, engine: Engine
) -> None:
    first = await host.bridge.attach(web_of(5), ())
    second = await host.bridge.attach(web_of(6), ())
    async with endpoints(host, engine):
        await listening(host)
        for inside, own, others in ((first, 5, (6, 7)), (second, 6, (5, 7))):
            status, body = await get(inside, f"/v2/credentials/credentials-{own}")
            assert (status, body["AccessKeyId"]) == (200, "ASIAEXAMPLE")
            for other in others:
                assert (await get(inside, f"/v2/credentials/credentials-{other}"))[0] == 400


async def test_a_task_on_the_bridge_reads_its_address_there(host: Host, engine: Engine) -> None:
    inside = await host.bridge.attach(web_of(5), ())
    web = record(5).containers["web"].id
    async with endpoints(host, engine):
        await listening(host)
        status, document = await get(inside, f"/v4/{web}")
        assert status == 200
        address = host.bridge.addresses()[web_of(5)]
        assert document["Networks"] == [{"NetworkMode": "bridge", "IPv4Addresses": [address]}]


async def test_in_the_hosts_network_the_id_tells_the_task_but_never_one_of_the_bridge(
    host: Host, engine: Engine
) -> None:
    await host.bridge.attach(web_of(5), ())
    async with endpoints(host, engine):
        await listening(host)
        path = "/v2/credentials/credentials-{}"
        assert (await get(None, path.format(7), LOOPBACK, host.local_port))[0] == 200
        assert (await get(None, path.format(5), LOOPBACK, host.local_port))[0] == 400


async def test_the_loopback_endpoint_comes_back_on_its_port(host: Host, engine: Engine) -> None:
    inside = await host.bridge.attach(web_of(5), ())
    for _ in range(2):
        async with endpoints(host, engine):
            await listening(host)
            assert (await get(inside, "/v2/credentials/credentials-5"))[0] == 200
    assert choose_local_port(host.home) == host.local_port


async def test_a_task_that_routes_to_the_hosts_loopback_reaches_nothing_there(
    host: Host, engine: Engine
) -> None:
    """As a container with NET_ADMIN can; the bridge has to route 127.0.0.0/8 for the endpoints."""
    inside = await host.bridge.attach(web_of(5), ())
    route_to_loopback(inside, host.bridge.addresses()[web_of(5)])
    async with endpoints(host, engine):
        await listening(host)
        assert not reaches(inside, LOOPBACK, host.local_port, REFUSED_SECONDS)
        assert (await get(inside, "/v2/credentials/credentials-5"))[0] == 200
