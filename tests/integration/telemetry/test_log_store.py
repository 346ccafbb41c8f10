"""The log store: durable, without duplicates, in order, and quick to forget."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import longshore
from longshore.telemetry.interface import (
    Event,
    LogStore,
    LogStoreUnavailable,
    Position,
    Query,
)
from longshore.telemetry.logs import open_log_store
from longshore.testing import disks


@pytest.fixture
async def logs(tmp_path: Path) -> AsyncIterator[LogStore]:
    store = open_log_store(tmp_path)
    yield store
    await store.close()


def events(*messages: str, at: int = 1000) -> list[Event]:
    return [Event(at + number, message) for number, message in enumerate(messages)]


async def texts(logs: LogStore, **query: object) -> list[str]:
    found = await logs.read("g", Query(**query))  # type: ignore[arg-type]
    return [event.message for event in found]


async def test_events_of_all_streams_are_read_in_order_of_time(logs: LogStore):
    await asyncio.gather(
        logs.append("g", "one", events("b", "d", at=1001), 5000),
        logs.append("g", "two", events("a", "c", at=1000), 5000),
        logs.append("other", "three", events("x"), 5000),
    )
    assert sorted(await texts(logs)) == ["a", "b", "c", "d"]
    assert await texts(logs, streams=("two",)) == ["a", "c"]
    assert await texts(logs, start=1002) == ["d"]
    assert await texts(logs, end=1000) == ["a"]


async def test_cursors_walk_through_everything_both_ways(logs: LogStore):
    await logs.append("g", "s", [Event(1000, str(number)) for number in range(10)], 5000)
    forward: list[str] = []
    cursor = None
    while page := await logs.read("g", Query(after=cursor, limit=3)):
        forward += [event.message for event in page]
        cursor = page[-1].cursor
    assert forward == [str(number) for number in range(10)]
    backward: list[str] = []
    cursor = None
    while page := await logs.read("g", Query(before=cursor, limit=4, newest=True)):
        backward = [event.message for event in page] + backward
        cursor = page[0].cursor
    assert backward == forward


async def test_positions_leave_out_what_was_stored_before(logs: LogStore):
    for number, batch in ((0, "abc"), (0, "abc"), (1, "bcd"), (4, "e"), (2, "cd")):
        await logs.append("g", "s", events(*batch, at=1000 + number), 1, Position("p", number))
    await logs.append("g", "s", events("other", at=2000), 1, Position("q", 0))
    assert await texts(logs) == ["a", "b", "c", "d", "e", "other"]
    state = (await logs.states(["s", "none"]))["s"]
    assert state.positions == {"p": 5, "q": 1}
    assert (state.first_event, state.last_event) == (1000, 2000)


async def test_deleted_streams_and_groups_leave_nothing(logs: LogStore):
    for stream in ("one", "two"):
        await logs.append("g", stream, events(stream), 1, Position("p", 0))
    await logs.delete("g", ["one"])
    assert await texts(logs) == ["two"]
    await logs.delete("g")
    assert await logs.groups() == {}
    assert await logs.stored_bytes(["g"]) == {"g": 0}
    await logs.append("g", "one", events("again"), 1, Position("p", 0))
    assert await texts(logs) == ["again"]


async def test_expiry_forgets_the_old_and_keeps_the_figures_right(logs: LogStore):
    await logs.append("g", "s", events("old", at=1000), 1)
    await logs.append("g", "s", events("new é", at=9000), 1)
    assert await logs.expire("g", 5000) == 1
    assert await texts(logs) == ["new é"]
    assert await logs.stored_bytes(["g"]) == {"g": 26 + 6}
    assert (await logs.states(["s"]))["s"].first_event == 9000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disks.small_disk(tmp_path / "disk") as disk:
        yield disk


async def test_full_disk_is_told_and_keeps_nothing_of_the_batch(small_disk: Path):
    logs = open_log_store(small_disk)
    await logs.append("g", "s", events("kept"), 1)
    with pytest.raises(LogStoreUnavailable):
        await logs.append("g", "s", events(*["x" * 1000] * 2000), 1, Position("p", 0))
    assert await texts(logs) == ["kept"]
    await logs.append("g", "s", events("after", at=1001), 1, Position("p", 0))
    assert await texts(logs) == ["kept", "after"]
    await logs.close()


async def test_store_that_is_opened_on_a_full_disk_answers_once_there_is_room(small_disk: Path):
    before = open_log_store(small_disk)
    await before.append("g", "s", events("kept"), 1)
    killed = small_disk / "killed"
    killed.mkdir()
    for name in ("logs.db", "logs.db-wal"):
        shutil.copy(small_disk / name, killed)
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(2**21))

    logs = open_log_store(killed)
    with pytest.raises(LogStoreUnavailable):
        await logs.append("g", "s", events("lost", at=1001), 1)
    ballast.unlink()
    await logs.append("g", "s", events("after", at=1001), 1)
    assert await texts(logs) == ["kept", "after"]
    await logs.close()
    await before.close()


WRITER = """
import asyncio, pathlib, sys
from longshore.telemetry.interface import Event, Position
from longshore.telemetry.logs import open_log_store

async def main():
    logs = open_log_store(pathlib.Path(sys.argv[1]))
    start = int(sys.argv[2])
    for number in range(start, 10**6, 3):
        batch = [Event(1000 + each, str(each)) for each in range(number, number + 3)]
        await logs.append("g", "s", batch, 1, Position("p", number))
        print(number + 3, flush=True)

asyncio.run(main())
"""


def written_until_killed(directory: Path, start: int, lines: int) -> int:
    """How many events a writer was told to be stored before it was killed."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, directory, str(start)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(longshore.__file__).parents[1])},
    )
    with writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline() for _ in range(lines)]
        writer.kill()
        told += writer.stdout.readlines()
    return max(int(line) for line in told if line.endswith(b"\n"))


async def test_killed_writer_loses_no_acknowledged_event_and_doubles_none(tmp_path: Path):
    acknowledged = 0
    for lines in (1, 40, 200):
        # As an agent does: begin again at what is known to be stored, not at what was sent.
        acknowledged = written_until_killed(tmp_path, max(0, acknowledged - 7), lines)
        logs = open_log_store(tmp_path)
        found = [int(text) for text in await texts(logs)]
        await logs.close()
        assert found == list(range(len(found)))
        assert len(found) >= acknowledged
