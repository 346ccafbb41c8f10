"""Asking the endpoints from inside a network namespace, as a container does."""

import asyncio
import contextlib
import http.client
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from integration.fabric.fabric_traffic import connect

from longshore.agent.endpoints import run_endpoints
from longshore.agent.engine import Engine
from longshore.agent.host import Host
from longshore.model.link_local import CREDENTIALS_ADDRESS

SECONDS = 5.0
Reply = tuple[int, Any]


async def get(
    namespace: Path | None, path: str, address: str = CREDENTIALS_ADDRESS, port: int = 80
) -> Reply:
    """Status and JSON of a GET; OSError where nobody listens. None: from the host."""
    return await asyncio.to_thread(_get, namespace, path, address, port)


def _get(namespace: Path | None, path: str, address: str, port: int) -> Reply:
    connection = http.client.HTTPConnection(address, port, timeout=SECONDS)
    connection.sock = connect(namespace, address, port, SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


async def run_inside(namespace: Path, code: str, **environment: str) -> tuple[int, str]:
    """Exit code and output of a Python program inside the namespace."""
    process = await asyncio.create_subprocess_exec(
        *("ip", "netns", "exec", namespace.name, sys.executable, "-c", code),
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@contextlib.asynccontextmanager
async def endpoints(host: Host, engine: Engine) -> AsyncIterator[None]:
    serving = asyncio.create_task(run_endpoints(host, engine))
    try:
        yield
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
