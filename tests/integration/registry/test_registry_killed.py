"""Pushes while the registry's process is killed, again and again."""

import base64
import contextlib
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from longshore.testing.ports import free_ports
from longshore.testing.registry_client import sha256

MIB = 1024 * 1024

PROCESS = """
import asyncio, sys
from pathlib import Path
from longshore.base.clock import SystemClock
from longshore.model.kinds import KINDS
from longshore.store import open_store
from longshore.testing.registry import RunningRegistry
directory = Path(sys.argv[1])
store = asyncio.run(open_store(f"sqlite://{directory}/state.db", KINDS, SystemClock()))
registry = RunningRegistry(directory, store, port=int(sys.argv[2]))
registry.create_repository("web")
print(registry.credentials(), flush=True)
sys.stdin.read()
"""


class Killed:
    """A registry process that is started anew after each kill -9."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_ports(4)
        self.process: subprocess.Popen[str] | None = None
        self.headers: dict[str, str] = {}
        self.start()
        ca = directory / "ca" / "ca.crt"
        self.pool = urllib3.PoolManager(ca_certs=str(ca), retries=False, timeout=20.0)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(self.directory), str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("AWS:"):
                encoded = base64.b64encode(line.strip().encode()).decode()
                self.headers = {"Authorization": f"Basic {encoded}"}
                return
        raise AssertionError("the registry did not start")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        self.pool.clear()

    def __call__(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"https://127.0.0.1:{self.port + 2}{path}"
        return self.pool.request(method, url, body=body, headers={**self.headers, **named})


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Killed]:
    running = Killed(tmp_path)
    yield running
    running.kill()


def test_an_upload_goes_on_where_the_killed_registry_had_it(registry: Killed) -> None:
    content = random.Random(1).randbytes(24 * MIB)
    location = registry("POST", "/v2/web/blobs/uploads/").headers["Location"]
    sent = 0
    for part in range(4):
        chunk = content[sent : sent + 6 * MIB]
        answer = registry("PATCH", location, chunk, content_range=f"{sent}-{sent + len(chunk) - 1}")
        assert answer.status == 202
        if part % 2 == 0:
            registry.kill()
            registry.start()
        told = registry("GET", location).headers["Range"]
        sent = int(told.partition("-")[2]) + 1
    digest = sha256(content)
    assert registry("PUT", f"{location}?digest={digest}").status == 201
    registry.kill()
    registry.start()
    assert registry("GET", f"/v2/web/blobs/{digest}").data == content


def test_a_blob_is_there_whole_or_not_at_all_whenever_the_registry_dies(
    registry: Killed, tmp_path: Path
) -> None:
    chance = random.Random(2)
    for _ in range(4):
        content = chance.randbytes(16 * MIB)
        digest = sha256(content)
        pusher = start_push(registry, digest, content, chance.randrange(32 * MIB))
        registry.kill()
        assert pusher.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            pusher.stdin.close()
        pusher.wait()
        registry.start()
        found = registry("GET", f"/v2/web/blobs/{digest}")
        assert found.status == 404 or found.data == content
        for path in (tmp_path / "registry" / "blobs").rglob("*"):
            assert path.is_dir() or sha256(path.read_bytes()) == f"sha256:{path.name}"
        again = registry("POST", f"/v2/web/blobs/uploads/?digest={digest}", content)
        assert again.status == 201
        assert registry("GET", f"/v2/web/blobs/{digest}").data == content


def start_push(
    registry: Killed, digest: str, content: bytes, sent: int
) -> "subprocess.Popen[bytes]":
    """A push of which `sent` bytes have left when this returns; all of them from 16 MiB on."""
    process = subprocess.Popen(
        [
            *("curl", "-sk", "-X", "POST", "-T", "-", "-o", "/dev/null"),
            *("-H", f"Authorization: {registry.headers['Authorization']}"),
            f"https://127.0.0.1:{registry.port + 2}/v2/web/blobs/uploads/?digest={digest}",
        ],
        stdin=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(content[:sent])
    process.stdin.flush()
    return process
