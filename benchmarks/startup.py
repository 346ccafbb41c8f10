"""Seconds from `longshore up` to its first answer, and memory at rest, beside MiniStack.

    .venv/bin/python benchmarks/startup.py [--runs N] [--rest SECONDS] [--runtime NAME]

The first answer is a signed DescribeClusters, asked for over and over from the moment that the
command is started: on a new data directory (first start: keys, certificates, a default VPC) and on
the same one again. Beside it, in turns and on the same machine: MiniStack from PyPI until its
first answer to the same call, and how long `import boto3` takes a Python. Memory is the resident
set of each process, as `longshore status` shows it, after ten seconds at rest. Needs root, as
`longshore up` does; the processors' load is printed, since other work makes all of it slower.
"""

import argparse
import compileall
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path

import psutil

import longshore
from longshore.awsapi.signing import Keys, sign
from longshore.testing.ports import free_ports

CACHE = Path.home() / ".cache/longshore-benchmarks"
LONGSHORE = [sys.executable, "-m", "longshore.main"]
PROCESSES = ("supervisor", "control-plane", "agent", "containerd")
LONGEST_SECONDS = 60.0
POLL_SECONDS = 0.005
BODY = b'{"clusters": ["default"]}'


def main() -> None:
    """Measure in turns and print the table."""
    options = _options()
    # As pip leaves an installed package; a work tree may not be compiled yet.
    compileall.compile_dir(Path(longshore.__file__).parent, quiet=2)
    program = _ministack()
    seconds: dict[str, list[float]] = {}
    memory: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="longshore-start-", dir="/tmp") as directory:
        for run in range(options.runs):
            found, memory = measure(Path(directory) / str(run), options)
            for name, value in (*found.items(), *references(program).items()):
                seconds.setdefault(name, []).append(value)
    report(seconds, memory, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rest", type=float, default=10.0)
    parser.add_argument("--runtime", default="containerd", choices=["containerd", "simulated"])
    return parser.parse_args()


def _ministack() -> Path:
    """MiniStack's program, installed on first use."""
    program = CACHE / "ministack/bin/ministack"
    if not program.exists():
        print("installing ministack…", flush=True)
        venv.create(CACHE / "ministack", with_pip=True)
        subprocess.run([program.parent / "pip", "install", "--quiet", "ministack"], check=True)
    return program


def measure(data_dir: Path, options: argparse.Namespace) -> tuple[dict[str, float], dict[str, int]]:
    """One installation, started twice: seconds by kind of start, bytes by process."""
    port = free_ports(3)
    command = [*LONGSHORE, "up", "--data-dir", str(data_dir), "--port", str(port)]
    command += ["--runtime", options.runtime]
    found = {}
    try:
        for start in ("longshore up, new data", "longshore up, old data"):
            process, found[start] = start_and_ask(command, port, lambda: _keys(data_dir))
            time.sleep(options.rest)
            memory = {name: _resident(data_dir, name) for name in PROCESSES}
            _end(process)
    finally:
        subprocess.run(
            [*LONGSHORE, "down", "--purge", "--data-dir", str(data_dir)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return found, memory


def references(ministack: Path) -> dict[str, float]:
    """Seconds until MiniStack's first answer, and until boto3 is imported."""
    port = free_ports(1)
    os.environ |= {"GATEWAY_PORT": str(port), "LOG_LEVEL": "ERROR"}
    process, first = start_and_ask([str(ministack)], port, lambda: Keys("test", "test"))
    _end(process)
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import boto3"], check=True)
    return {"ministack": first, "python: import boto3": time.monotonic() - started}


def start_and_ask(
    command: list[str], port: int, keys: Callable[[], Keys | None]
) -> tuple["subprocess.Popen[bytes]", float]:
    """Start a server and ask until it answers; `keys` gives None while there are none."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    while not _answers(port, keys()):
        if process.poll() is not None or time.monotonic() - started > LONGEST_SECONDS:
            _end(process)
            sys.exit(f"did not start: {' '.join(command)}")
        time.sleep(POLL_SECONDS)
    return process, time.monotonic() - started


def _answers(port: int, keys: Keys | None) -> bool:
    """Whether a signed call is answered with success."""
    if keys is None:
        return False
    headers = sign(
        keys,
        method="POST",
        url=f"http://127.0.0.1:{port}/",
        headers={
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": "AmazonEC2ContainerServiceV20141113.DescribeClusters",
        },
        body=BODY,
        region="us-east-1",
        service="ecs",
        now=time.time(),
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_SECONDS)
    try:
        connection.request("POST", "/", BODY, headers)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _keys(data_dir: Path) -> Keys | None:
    try:
        key = json.loads((data_dir / "administrator.json").read_bytes())
    except FileNotFoundError:
        return None
    return Keys(key["access_key_id"], key["secret_access_key"])


def _resident(data_dir: Path, name: str) -> int:
    """Bytes resident of one supervised process; 0 where there is none."""
    path = data_dir / "run" / f"{name}.pid"
    if not path.exists():
        return 0
    return int(psutil.Process(int(path.read_text().split()[0])).memory_info().rss)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def report(
    seconds: dict[str, list[float]], memory: dict[str, int], options: argparse.Namespace
) -> None:
    """The table."""
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{os.cpu_count()} processors, load {load}; {options.runs} runs, {options.runtime}\n")
    print(f"{'seconds to the first answer':<30}{'p50':>8}{'best':>8}{'worst':>8}")
    for name, values in seconds.items():
        print(f"{name:<30}{statistics.median(values):>8.2f}{min(values):>8.2f}{max(values):>8.2f}")
    print(f"\n{'memory at rest':<30}{'MiB':>8}")
    for name, resident in memory.items():
        print(f"{name:<30}{resident / 2**20:>8.0f}")


if __name__ == "__main__":
    main()
