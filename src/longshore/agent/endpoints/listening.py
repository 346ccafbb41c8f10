"""Where the endpoints and IMDS listen: every VPC router's namespace, and the host's loopback."""

import asyncio
import hashlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from longshore.agent.endpoints.answers import Answers
from longshore.agent.endpoints.callers import Caller
from longshore.agent.endpoints.http import (
    LONGEST_HEAD,
    Door,
    Refusal,
    Request,
    Response,
    json_refusal,
)
from longshore.agent.engine import Engine
from longshore.agent.host import Host
from longshore.base.files import replace_file
from longshore.base.logs import logger
from longshore.fabric.interface import Fabric
from longshore.fabric.resolver import router_identity
from longshore.fabric.sockets import listen_in
from longshore.model.link_local import CREDENTIALS_ADDRESS

PORT = 80
LOCAL_ADDRESS = "127.0.0.1"
LOCAL_PORTS = range(61000, 65536)
"""Above the ports that Linux, and ECS for containers, give out by themselves."""
AGAIN_SECONDS = 1.0

Open = Callable[[], socket.socket]


class Site(NamedTuple):
    """What answers at an address of every VPC, and how it refuses what is no request."""

    address: str
    answer: Callable[[Caller, Request], Awaitable[Response | None]]
    refusal: Refusal = json_refusal


log = logger(__name__)


def choose_local_port(home: Path) -> int:
    """The port of the host's loopback endpoint: a free one at first, from then on the same.

    Running containers have it in their environment. It is kept in `<home>/local-port`. Raises
    OSError where no port is free.
    """
    path = home / "local-port"
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        pass
    port = _free_port(str(home))
    home.mkdir(parents=True, exist_ok=True)
    replace_file(path, str(port).encode())
    return port


def _free_port(seed: str) -> int:
    """Begins somewhere else for each installation: another's port is free while that is down."""
    first = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")
    for number in range(len(LOCAL_PORTS)):
        port = LOCAL_PORTS[(first + number) % len(LOCAL_PORTS)]
        try:
            _open_local(port).close()
        except OSError:
            continue
        return port
    raise OSError("no port is free on the loopback interface")


def _open_local(port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((LOCAL_ADDRESS, port))
        opened.listen(socket.SOMAXCONN)
    except OSError:
        opened.close()
        raise
    return opened


async def run_endpoints(host: Host, engine: Engine) -> None:
    """Serve every task of this host until cancelled, VPCs as they come and go."""
    answers = Answers(host, engine)
    site = Site(CREDENTIALS_ADDRESS, answers.answer)
    async with asyncio.TaskGroup() as group:
        if host.local_port:
            group.create_task(
                _serve(host, site, "", lambda: _open_local(host.local_port)), name="loopback"
            )
        if host.fabric is not None:
            group.create_task(serve_vpcs(host, host.fabric, site), name="VPCs")


async def serve_vpcs(host: Host, fabric: Fabric, site: Site) -> None:
    """Listen in the router of each VPC that the fabric has now, until cancelled."""
    serving: dict[tuple[str, int], asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as group:
        while True:
            wanted = {
                (vpc.id, router_identity(fabric, vpc.id)): fabric.router(vpc.id)
                for vpc in fabric.network.vpcs
            }
            for key in serving.keys() - wanted.keys():
                serving.pop(key).cancel()
            for key, router in wanted.items():
                if key not in serving:
                    opener = _opener(router, site.address)
                    serving[key] = group.create_task(_serve(host, site, key[0], opener))
            await fabric.changed()


def _opener(router: Path, address: str) -> Open:
    return lambda: listen_in(router, address, PORT)


async def _serve(host: Host, site: Site, vpc_id: str, open_socket: Open) -> None:
    """Answer at one listener until cancelled."""

    async def answer(peer: str, request: Request) -> Response | None:
        return await site.answer(Caller(peer, vpc_id), request)

    opened = await _opened(host, vpc_id, open_socket)
    door = Door(answer, site.refusal)
    async with asyncio.TaskGroup() as group:

        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            group.create_task(door.serve(reader, writer))

        server = await asyncio.start_server(begin, sock=opened, limit=LONGEST_HEAD)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()


async def _opened(host: Host, vpc_id: str, open_socket: Open) -> socket.socket:
    """The listener, as soon as it can be had."""
    told = False
    while True:
        try:
            return open_socket()
        except OSError as error:
            if not told:
                log.warning("endpoints could not listen yet", vpc_id=vpc_id, error=str(error))
            told = True
        await host.clock.sleep(AGAIN_SECONDS)
