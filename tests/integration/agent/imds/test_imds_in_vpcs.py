"""Instance metadata inside VPCs: a real fabric, asked from the namespaces of interfaces."""

import asyncio
import contextlib
import http.client
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest
from integration.agent.endpoints.endpoint_client import run_inside
from integration.fabric.fabric_builder import Builder, joined, make_installation
from integration.fabric.fabric_traffic import connect
from unit.agent.endpoints.agent_host import make_host
from unit.agent.imds.metadata_instance import make_instance

from longshore.agent.host import Host
from longshore.agent.imds import run_imds
from longshore.base.clock import SystemClock
from longshore.base.installation import Installation
from longshore.fabric import open_fabric
from longshore.fabric.kernel import KernelFabric
from longshore.fabric.names import namespace_path
from longshore.model.link_local import METADATA_ADDRESS
from longshore.model.network import SecondaryAddress
from longshore.testing.wait import eventually

SECONDS = 5.0
LOST_SECONDS = 1.0
"""Long enough for an answer, if there may be one."""
TOKEN = "x-aws-ec2-metadata-token"
TOKEN_SECONDS = "x-aws-ec2-metadata-token-ttl-seconds"
MAC = "meta-data/mac"
BOTO3 = """
import botocore.session
from botocore.utils import InstanceMetadataRegionFetcher
session = botocore.session.Session()
found = session.get_credentials()
frozen = found.get_frozen_credentials()
region = InstanceMetadataRegionFetcher(timeout=5, num_attempts=1).retrieve_region()
print(found.method, frozen.access_key, frozen.secret_key, frozen.token, region)
"""
POD = "10.0.1.60"


@dataclass(frozen=True)
class Reply:
    status: int
    body: str
    headers: dict[str, str]


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
    """Instance 5 and task 6 in vpc-1, instance 5 of the same address in vpc-2."""
    builder, other = Builder(installation), Builder(installation, "vpc-2")
    own = msgspec.structs.replace(builder.eni(5), secondary=(SecondaryAddress(POD),))
    task, twin = builder.eni(6), other.eni(5)
    await fabric.apply(joined(builder.network([own, task], {}), other.network([twin], {})))
    for interface in (own, task, twin):
        await fabric.attach(interface)
    made = replace(
        make_host(installation.data_dir, SystemClock()), installation=installation, fabric=fabric
    )
    made.instances.take(
        (
            make_instance(),
            make_instance(interface_id="eni-25", instance_id="i-0123456789abcdef2"),
        )
    )
    return made


@contextlib.asynccontextmanager
async def imds(host: Host) -> AsyncIterator[None]:
    serving = asyncio.create_task(run_imds(host))
    try:
        await eventually(lambda: _listening(host))
        yield
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def _listening(host: Host) -> bool:
    try:
        await get(namespace(host, "eni-25"), "/")
    except ConnectionRefusedError:
        return False
    return True


def namespace(host: Host, name: str) -> Path:
    return namespace_path(host.installation.id, name)


async def ask(
    inside: Path, method: str, path: str, headers: dict[str, str], seconds: float = SECONDS
) -> Reply:
    return await asyncio.to_thread(_ask, inside, method, path, headers, seconds)


def _ask(inside: Path, method: str, path: str, headers: dict[str, str], seconds: float) -> Reply:
    connection = http.client.HTTPConnection(METADATA_ADDRESS, timeout=seconds)
    connection.sock = connect(inside, METADATA_ADDRESS, 80, seconds)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return Reply(response.status, response.read().decode(), dict(response.headers))


async def get(inside: Path, path: str, token: str = "") -> Reply:
    return await ask(inside, "GET", path, {TOKEN: token} if token else {})


async def token_of(inside: Path, seconds: float = SECONDS) -> str:
    reply = await ask(inside, "PUT", "/latest/api/token", {TOKEN_SECONDS: "60"}, seconds)
    assert reply.status == 200
    return reply.body


async def test_an_instance_reads_its_own_metadata_with_a_token(host: Host) -> None:
    inside = namespace(host, "eni-15")
    async with imds(host):
        token = await token_of(inside)
        reply = await get(inside, "/latest/meta-data/instance-id", token)
        assert (reply.status, reply.body) == (200, "i-0123456789abcdef5")
        assert 0 < int(reply.headers[TOKEN_SECONDS]) <= 60
        assert (await get(inside, "/latest/meta-data/local-ipv4", token)).body == "10.0.1.5"
        assert (await get(inside, "/latest/meta-data/nothing", token)).status == 404
        assert (await get(inside, "/latest/meta-data/instance-id")).status == 401


async def test_an_instance_of_the_same_address_in_another_vpc_reads_its_own(host: Host) -> None:
    first, second = namespace(host, "eni-15"), namespace(host, "eni-25")
    async with imds(host):
        token = await token_of(second)
        reply = await get(second, "/latest/meta-data/instance-id", token)
        assert (reply.status, reply.body) == (200, "i-0123456789abcdef2")
        assert (await get(first, "/latest/meta-data/instance-id", token)).status == 401


async def test_a_task_that_is_no_instance_is_told_nothing(host: Host) -> None:
    inside = namespace(host, "eni-16")
    async with imds(host):
        token = await token_of(namespace(host, "eni-15"))
        for method, path in (
            ("GET", "/"),
            ("GET", "/latest/user-data"),
            ("PUT", "/latest/api/token"),
        ):
            with pytest.raises(ConnectionError):
                await ask(inside, method, path, {TOKEN: token, TOKEN_SECONDS: "60"})


async def test_botocore_in_an_instance_has_the_profiles_role_and_the_region(host: Host) -> None:
    inside = namespace(host, "eni-15")
    async with imds(host):
        code, output = await run_inside(inside, BOTO3)
    assert (code, output) == (0, "iam-role ASIAEXAMPLE secret token us-east-1\n")


async def test_curl_reads_as_awss_examples_have_it(host: Host) -> None:
    script = f"""
base=http://{METADATA_ADDRESS}
token=$(curl -sSf -X PUT $base/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 21600')
curl -sSf -H "X-aws-ec2-metadata-token: $token" $base/latest/meta-data/{MAC[10:]}; echo
curl -sSf -H "X-aws-ec2-metadata-token: $token" $base/latest/user-data | od -An -tx1
curl -s -o /dev/null -w '%{{http_code}}\\n' $base/latest/user-data
curl -s -o /dev/null -w '%{{http_code}}\\n' -X PUT $base/latest/api/token \\
    -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' -H 'X-Forwarded-For: 10.0.1.6'
"""
    inside = namespace(host, "eni-15")
    program = f"import subprocess; subprocess.run(['sh', '-c', {script!r}])"
    async with imds(host):
        code, output = await run_inside(inside, program)
    assert code == 0
    assert output.splitlines() == [
        "02:00:00:00:01:05",
        " 23 21 2f 62 69 6e 2f 73 68 0a 00 ff",
        "401",
        "403",
    ]


async def test_a_token_outlives_the_agent_and_metadata_need_no_control_plane(host: Host) -> None:
    inside = namespace(host, "eni-15")
    async with imds(host):
        token = await token_of(inside)
    with pytest.raises(ConnectionRefusedError):
        await get(inside, "/")
    again = await open_fabric(host.installation)
    try:
        returned = replace(host, fabric=again)
        async with imds(returned):
            reply = await get(inside, "/latest/meta-data/instance-id", token)
    finally:
        await again.close()
    assert (reply.status, reply.body) == (200, "i-0123456789abcdef5")


@pytest.fixture
def pod(host: Host) -> Iterator[Path]:
    """A namespace behind the instance's, one hop further from the router, with an address of its
    interface's."""
    node, name = namespace(host, "eni-15").name, f"{host.installation.id}-pod"
    inside = ["ip", "netns", "exec", node]
    in_pod = ["ip", "-n", name]
    for command in (
        ["ip", "netns", "add", name],
        ["ip", "-n", node, "link", "add", "pod0", "type", "veth", "peer", "eth0", "netns", name],
        ["ip", "-n", node, "link", "set", "pod0", "up"],
        ["ip", "-n", node, "route", "add", f"{POD}/32", "dev", "pod0"],
        [*inside, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.pod0.proxy_arp=1"],
        [*in_pod, "link", "set", "eth0", "up"],
        [*in_pod, "address", "add", f"{POD}/32", "dev", "eth0"],
        [*in_pod, "route", "add", "default", "dev", "eth0"],
    ):
        subprocess.run(command, check=True)
    yield Path("/run/netns") / name
    subprocess.run(["ip", "netns", "delete", name], check=True)


async def test_a_pod_is_its_instance_two_hops_away(host: Host, pod: Path) -> None:
    async with imds(host):
        token = await token_of(pod)
        reply = await get(pod, "/latest/meta-data/instance-id", token)
    assert (reply.status, reply.body) == (200, "i-0123456789abcdef5")


async def test_a_token_does_not_get_past_a_hop_limit_of_one(host: Host, pod: Path) -> None:
    near = make_instance(hop_limit=1, tokens_required=False)
    host.instances.take((near, make_instance(interface_id="eni-25")))
    async with imds(host):
        with pytest.raises(TimeoutError):
            await token_of(pod, LOST_SECONDS)
        token = await token_of(namespace(host, "eni-15"))
        assert (await get(pod, "/latest/meta-data/instance-id", token)).status == 200
        assert (await get(pod, "/latest/meta-data/instance-id")).status == 200


async def test_an_instance_that_comes_later_is_answered_and_one_that_went_is_not(
    host: Host,
) -> None:
    inside = namespace(host, "eni-15")
    async with imds(host):
        host.instances.take((make_instance(interface_id="eni-16"),))
        await token_of(namespace(host, "eni-16"))
        with pytest.raises(ConnectionError):
            await token_of(inside)
