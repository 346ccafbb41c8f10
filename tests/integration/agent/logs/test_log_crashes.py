"""Log lines survive whatever dies between the container and CloudWatch Logs."""

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import psutil
import pytest
from integration.agent.logs import hosts
from integration.agent.logs.hosts import GROUP, directory_of, make_host, make_work
from integration.agent.logs.shipped import Agent, Logs, gone

from longshore.testing.wait import eventually

TASKS = 3
KILLS = 8


@pytest.fixture
async def logs(tmp_path: Path) -> AsyncIterator[Logs]:
    logs = Logs(tmp_path)
    await logs.start()
    yield logs
    await logs.end()


@contextlib.contextmanager
def shipper(
    data_dir: Path, port: int, tasks: int, options: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """The log part of an agent in a process of its own; killed at the end."""
    arguments = [str(data_dir), str(port), str(tasks), json.dumps(options)]
    environment = {**os.environ, "PYTHONPATH": str(Path(hosts.__file__).parents[3])}
    process = subprocess.Popen([sys.executable, hosts.__file__, *arguments], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Writer:
    """Containers that write without caring who reads: whole lines, halves, many at once."""

    def __init__(self, outputs: list[Path], seed: int) -> None:
        self._files = [output.open("ab", buffering=0) for output in outputs]
        self.written = [b""] * len(outputs)
        self._random = random.Random(seed)

    async def write_until(self, event: asyncio.Event) -> None:
        while not event.is_set():
            for number in range(len(self._files)):
                self._write(number, self._random.randrange(1, 20))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), 0.01)

    def _write(self, number: int, lines: int) -> None:
        first = self.written[number].count(b"\n")
        for line in range(first, first + lines):
            head, tail = b"%06d by %d" % (line, number), b" in two parts\n \xc3\xa9 and more\n"
            for part in (head, tail) if self._random.random() < 0.01 else (head + tail,):
                self._files[number].write(part)
                self.written[number] += part

    def close(self) -> None:
        for file in self._files:
            file.close()


def acknowledged(directory: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return int(json.loads((directory / "stdout.position").read_bytes()).get("offset", 0))
    return 0


async def moved_on(directory: Path, process: "subprocess.Popen[bytes]") -> None:
    before = acknowledged(directory)

    async def has_moved() -> bool:
        assert process.poll() is None
        return acknowledged(directory) > before

    await eventually(has_moved, 20.0)


@pytest.mark.parametrize("pattern", ["", r"^\d"])
async def test_no_line_is_lost_or_doubled_when_the_agent_is_killed(
    tmp_path: Path, logs: Logs, pattern: str
):
    host = make_host(tmp_path, logs.served.installation.port)
    options = {"awslogs-multiline-pattern": pattern} if pattern else {}
    agent = Agent(tmp_path, host.installation.port)
    works = [make_work(host, f"t{number}", options=options) for number in range(TASKS)]
    directories = [agent.follow(work) for work in works]
    writer = Writer([directory / "stdout" for directory in directories], seed=len(pattern))
    done = asyncio.Event()
    writing = asyncio.create_task(writer.write_until(done))
    for number in range(KILLS):
        with shipper(tmp_path, host.installation.port, TASKS, options) as process:
            for _ in range(1 + number % 3):
                await moved_on(directories[number % TASKS], process)
    done.set()
    await writing
    writer.close()
    last = Agent(tmp_path, host.installation.port)
    last.start()
    for work in works:
        last.follow(work)
        last.ended(work)
    for number, work in enumerate(works):
        await gone(directory_of(work), 60.0)
        messages = await logs.messages(f"web/app/t{number}")
        text = "".join(messages if pattern else [message + "\n" for message in messages])
        assert text == writer.written[number].decode()
    await last.stop()


class LossyWire:
    """A proxy that passes every request on and swallows some of the answers."""

    def __init__(self, port: int, seed: int, share: float = 0.4) -> None:
        self._port = port
        self._share = share
        self._random = random.Random(seed)
        self._serving: set[asyncio.Task[None]] = set()
        self.swallowed = 0

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*self._serving)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self._port)
        forward = asyncio.create_task(_copy(reader, back_writer))
        while answer := await back_reader.read(65_536):
            if self._random.random() < self._share:
                self.swallowed += 1
                break
            writer.write(answer)
        writer.close()
        await asyncio.gather(forward, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def test_no_line_is_doubled_when_answers_get_lost(tmp_path: Path, logs: Logs):
    wire = LossyWire(logs.served.installation.port, seed=1)
    lines = [f"line {number}" for number in range(60_000)]
    async with wire as port:
        agent = Agent(tmp_path, port)
        agent.start()
        work = make_work(agent.host)
        (agent.follow(work) / "stdout").write_text("".join(line + "\n" for line in lines))
        agent.ended(work)
        await gone(directory_of(work), 30.0)
        await agent.stop()
    assert wire.swallowed
    assert await logs.messages() == lines


async def test_event_that_a_quiet_moment_ended_keeps_its_number_over_a_crash(
    tmp_path: Path, logs: Logs
):
    """Stored, but not acknowledged: the line that follows later must not be taken for its part."""
    await logs.served.call("create_log_stream", logGroupName=GROUP, logStreamName="web/app/t1")
    options = {"awslogs-multiline-pattern": "^[^ ]"}
    async with LossyWire(logs.served.installation.port, seed=1, share=1.0) as port:
        dead = Agent(tmp_path, port)
        dead.start()
        output = dead.follow(make_work(dead.host, options=options)) / "stdout"
        output.write_bytes(b"error\n")
        await logs.have("error\n")
        await dead.stop()
    with output.open("ab") as file:
        file.write(b" at once\nnext\n")
    agent = Agent(tmp_path, logs.served.installation.port)
    agent.start()
    agent.follow(make_work(agent.host))
    await logs.have("error\n", " at once\n", "next\n")
    await agent.stop()


async def test_outputs_at_rest_cost_nothing(tmp_path: Path, logs: Logs):
    host = make_host(tmp_path, logs.served.installation.port)
    directories = [directory_of(make_work(host, f"t{number}")) for number in range(100)]
    with shipper(tmp_path, host.installation.port, 100, {}) as process:
        for directory in (directories[0], directories[99]):
            output = directory / "stdout"

            async def is_there(output: Path = output) -> bool:
                return output.exists()

            await eventually(is_there)
            output.write_bytes(b"begin\n")
            await moved_on(directory, process)
        before = sum(psutil.Process(process.pid).cpu_times()[:2])
        for number in range(5):
            with (directories[0] / "stdout").open("ab") as file:
                file.write(b"line %d\n" % number)
            await moved_on(directories[0], process)
        assert sum(psutil.Process(process.pid).cpu_times()[:2]) - before < 0.15
