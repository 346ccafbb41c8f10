"""API calls a second: Longshore's control plane beside MiniStack, the same calls from wrk.

    .venv/bin/python benchmarks/gateway.py [--seconds N] [--rounds N] [--connections N]

Longshore verifies each signature, evaluates IAM policies and answers a write once it is fsynced;
MiniStack checks neither and keeps everything in memory. Both run as one process, in turns, on the
same machine as wrk. MiniStack is installed from PyPI into a virtual environment of its own under
~/.cache/longshore-benchmarks. Prints medians; also the time from the process's start to its first
answer and its memory before the load. Needs `wrk`.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil

from longshore.awsapi.signing import Keys, sign
from longshore.base.installation import Installation
from longshore.registry import uninstall
from longshore.testing.ports import free_ports

CACHE = Path.home() / ".cache/longshore-benchmarks"
REGION = "us-east-1"
START_SECONDS = 60.0
IDLE_PERCENT = 5.0
TASK_DEFINITION = {
    "family": "web",
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {
            "name": "web",
            "image": "nginx:1.27",
            "essential": True,
            "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
            "environment": [{"name": "STAGE", "value": "test"}],
        }
    ],
}


@dataclass(frozen=True)
class Case:
    """One operation, its service's X-Amz-Target prefix and a request."""

    service: str
    target: str
    operation: str
    request: Mapping[str, object]
    durable: bool = False


CASES = (
    Case(
        "ecs",
        "AmazonEC2ContainerServiceV20141113",
        "DescribeClusters",
        {"clusters": ["bench"]},
    ),
    Case(
        "ecs",
        "AmazonEC2ContainerServiceV20141113",
        "RegisterTaskDefinition",
        TASK_DEFINITION,
        durable=True,
    ),
    Case(
        "ecr",
        "AmazonEC2ContainerRegistry_V20150921",
        "DescribeRepositories",
        {"repositoryNames": ["bench"]},
    ),
)


@dataclass
class Server:
    """A server that answers, what its process was before the load, and a key for it."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    keys: Keys
    first_answer: float
    resident: int


@dataclass(frozen=True)
class Figures:
    """One run of wrk: calls a second, milliseconds, CPU microseconds a call."""

    rate: float
    p50: float
    p99: float
    cpu: float


def main() -> None:
    """Run every case on both servers and print the table."""
    options = _options()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    with (
        tempfile.TemporaryDirectory(prefix="longshore-bench-") as directory,
        contextlib.ExitStack() as stack,
    ):
        servers = [
            stack.enter_context(longshore(Path(directory))),
            stack.enter_context(ministack()),
        ]
        for server in servers:
            prepare(server)
            settle(server)
        found = {
            (case.operation, server.name): measure(server, case, options, Path(directory))
            for case in CASES
            for server in servers
        }
        report(servers, found, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    return parser.parse_args()


@contextlib.contextmanager
def longshore(directory: Path) -> Iterator[Server]:
    """The control plane alone, as `longshore up` starts it."""
    installation = Installation(data_dir=directory / "data", port=free_ports(3))
    installation.save()
    command = [sys.executable, "-m", "longshore.main.control_plane", str(installation.data_dir)]
    health = f"{installation.endpoint_url}/_longshore/health"

    def keys() -> Keys:
        key = json.loads((installation.data_dir / "administrator.json").read_bytes())
        return Keys(key["access_key_id"], key["secret_access_key"])

    try:
        with running(
            "longshore", command, dict(os.environ), installation.endpoint_url, health, keys
        ) as server:
            yield server
    finally:
        # What `longshore down` would take away: the control plane alone makes nothing else.
        uninstall(installation)


@contextlib.contextmanager
def ministack() -> Iterator[Server]:
    """MiniStack from PyPI, quiet, without files."""
    program = CACHE / "ministack/bin/ministack"
    if not program.exists():
        print("installing ministack…", flush=True)
        venv.create(CACHE / "ministack", with_pip=True)
        subprocess.run([program.parent / "pip", "install", "--quiet", "ministack"], check=True)
    port = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "GATEWAY_PORT": str(port), "LOG_LEVEL": "ERROR"}
    command = [str(program)]

    def keys() -> Keys:
        return Keys("test", "test")

    with running(
        "ministack", command, environment, url, f"{url}/_ministack/health", keys
    ) as server:
        yield server


@contextlib.contextmanager
def running(
    name: str,
    command: list[str],
    environment: dict[str, str],
    url: str,
    health: str,
    keys: Callable[[], Keys],
) -> Iterator[Server]:
    """Start a server, wait for its first answer, end it."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not answers(health):
            if process.poll() is not None or time.monotonic() - started > START_SECONDS:
                sys.exit(f"{name} did not start: {' '.join(command)}")
            time.sleep(0.01)
        first = time.monotonic() - started
        resident = psutil.Process(process.pid).memory_info().rss
        yield Server(name, url, process, keys(), first, resident)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    """Whether the server says that it is ready."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def prepare(server: Server) -> None:
    """What the reads find."""
    settings: dict[str, Any] = {
        "endpoint_url": server.url,
        "region_name": REGION,
        "aws_access_key_id": server.keys.access_key_id,
        "aws_secret_access_key": server.keys.secret_access_key,
    }
    boto3.client("ecs", **settings).create_cluster(clusterName="bench")
    boto3.client("ecr", **settings).create_repository(repositoryName="bench")


def settle(server: Server) -> None:
    """Wait until the process is idle: what it does after its start is not the load's."""
    process = psutil.Process(server.process.pid)
    deadline = time.monotonic() + START_SECONDS
    while process.cpu_percent(interval=1.0) > IDLE_PERCENT and time.monotonic() < deadline:
        pass


def measure(server: Server, case: Case, options: argparse.Namespace, directory: Path) -> Figures:
    """Medians of some rounds."""
    runs = [run_wrk(server, case, options, directory) for _ in range(options.rounds)]
    return Figures(
        *(
            statistics.median(getattr(run, field) for run in runs)
            for field in ("rate", "p50", "p99", "cpu")
        )
    )


def run_wrk(server: Server, case: Case, options: argparse.Namespace, directory: Path) -> Figures:
    """One run of wrk with a request signed for it; exits where an answer was not a 2xx."""
    script = directory / f"{server.name}-{case.operation}.lua"
    script.write_text(request_script(server, case))
    process = psutil.Process(server.process.pid)
    before = process.cpu_times()
    output = subprocess.run(
        [
            "wrk",
            "--threads=1",
            f"--connections={options.connections}",
            f"--duration={options.seconds}s",
            "--latency",
            f"--script={script}",
            server.url,
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    after = process.cpu_times()
    if "Non-2xx" in output:
        sys.exit(f"{server.name} refused {case.operation}:\n{output}")
    count = int(re.search(r"(\d+) requests in", output).group(1))  # type: ignore[union-attr]
    used = after.user + after.system - before.user - before.system
    return Figures(
        float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)),  # type: ignore[union-attr]
        percentile(output, "50"),
        percentile(output, "99"),
        used / count * 1e6,
    )


def percentile(output: str, which: str) -> float:
    """Milliseconds from wrk's latency distribution."""
    found = re.search(rf"\n\s+{which}%\s+([\d.]+)(us|ms|s)", output)
    if found is None:
        return float("nan")
    return float(found.group(1)) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[found.group(2)]


def request_script(server: Server, case: Case) -> str:
    """wrk's script: the request, signed now (good for five minutes)."""
    body = json.dumps(case.request).encode()
    headers = sign(
        server.keys,
        method="POST",
        url=f"{server.url}/",
        headers={
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"{case.target}.{case.operation}",
        },
        body=body,
        region=REGION,
        service=case.service,
        now=time.time(),
    )
    del headers["host"]  # wrk sends its own
    lines = ['wrk.method = "POST"', 'wrk.path = "/"', f"wrk.body = {json.dumps(body.decode())}"]
    lines += [
        f"wrk.headers[{json.dumps(name)}] = {json.dumps(text)}" for name, text in headers.items()
    ]
    return "\n".join(lines)


def report(
    servers: list[Server], found: dict[tuple[str, str], Figures], options: argparse.Namespace
) -> None:
    """The table."""
    for server in servers:
        print(
            f"{server.name}: first answer after {server.first_answer:.2f} s, "
            f"{server.resident / 2**20:.0f} MiB resident"
        )
    print(f"\n{options.connections} connections, median of {options.rounds} x {options.seconds} s")
    print(f"{'operation':<26}{'server':<11}{'calls/s':>9}{'p50 ms':>8}{'p99 ms':>8}{'CPU us':>8}")
    for case in CASES:
        ours, theirs = (found[case.operation, server.name] for server in servers)
        kind = " (fsynced)" if case.durable else ""
        for server, figures in zip(servers, (ours, theirs), strict=True):
            print(
                f"{case.operation:<26}{server.name:<11}{figures.rate:>9.0f}{figures.p50:>8.2f}"
                f"{figures.p99:>8.2f}{figures.cpu:>8.0f}"
            )
        print(f"  {ours.rate / theirs.rate:.1f} times ministack{kind}")


if __name__ == "__main__":
    main()
