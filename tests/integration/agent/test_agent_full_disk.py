"""An agent whose disk is full: it goes on, and writes down later what it could not."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from longshore.agent.outbox import Outbox
from longshore.agent.records import ContainerRecord, Records, TaskRecord
from longshore.nodeapi import acs
from longshore.testing import disks
from longshore.testing.clock import FakeClock

ARN = "arn:aws:ecs:us-east-1:123456789012:task/default/0123456789abcdef0123456789abcdef"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disks.small_disk(tmp_path / "disk") as disk:
        yield disk


def fill(disk: Path) -> Path:
    """Take all the room there is; the file to remove."""
    ballast = disk / "ballast"
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    return ballast


def task_record(status: str) -> TaskRecord:
    containers = {"main": ContainerRecord(name="main", id="main-1", status=status)}
    return TaskRecord(task=acs.Task(arn=ARN, desired_status="RUNNING"), containers=containers)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_record_without_room_keeps_its_older_state_and_is_saved_once_there_is_some(
    small_disk: Path,
) -> None:
    clock, records = FakeClock(), Records(small_disk / "tasks")
    record = task_record("PENDING")
    records.save(record)
    ballast = fill(small_disk)
    record.containers["main"].status = "RUNNING"
    records.save(record)
    assert [each.containers["main"].status for each in records.load()] == ["PENDING"]
    assert [path.suffix for path in (small_disk / "tasks").iterdir()] == [".json"]

    saving = asyncio.create_task(records.save_late(clock))
    await settle()
    record.containers["main"].status = "STOPPED"
    ballast.unlink()
    clock.advance(1)
    await settle()
    assert [each.containers["main"].status for each in records.load()] == ["STOPPED"]
    saving.cancel()


async def test_a_report_without_room_is_sent_all_the_same(small_disk: Path) -> None:
    clock, outbox, taken = FakeClock(), Outbox(small_disk / "outbox"), []
    away = True

    async def send(operation: str, request: Mapping[str, Any]) -> None:
        if away:
            raise ConnectionRefusedError
        taken.append(request["number"])

    outbox.add("SubmitTaskStateChange", {"number": 1})
    ballast = fill(small_disk)
    outbox.add("SubmitTaskStateChange", {"number": 2})
    sending = asyncio.create_task(outbox.send_all(send, clock))
    await settle()
    assert [path.name for path in (small_disk / "outbox").iterdir()] == ["000000000000.json"]
    away = False
    clock.advance(5)
    await settle()
    assert taken == [1, 2]
    ballast.unlink()
    assert list((small_disk / "outbox").iterdir()) == []
    sending.cancel()


async def test_reports_are_written_once_there_is_room_where_nobody_takes_them(
    small_disk: Path,
) -> None:
    clock, outbox = FakeClock(), Outbox(small_disk / "outbox")

    async def send(operation: str, request: Mapping[str, Any]) -> None:
        raise ConnectionRefusedError

    ballast = fill(small_disk)
    for number in (1, 2, 3):
        outbox.add("SubmitTaskStateChange", {"number": number})
    sending = asyncio.create_task(outbox.send_all(send, clock))
    await settle()
    ballast.unlink()
    clock.advance(5)
    await settle()
    sending.cancel()
    taken: list[int] = []

    async def take(operation: str, request: Mapping[str, Any]) -> None:
        taken.append(request["number"])

    sending = asyncio.create_task(Outbox(small_disk / "outbox").send_all(take, clock))
    await settle()
    assert taken == [1, 2, 3]
    sending.cancel()
