"""State changes reach a control plane that was away: each once, in order, also after a restart."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.agent.outbox import GIVE_UP_SECONDS, REFUSALS, Outbox, Outlook, is_set_aside, outlook
from longshore.model.errors import AwsError
from longshore.testing.clock import FakeClock

HOUR = 3600
OPERATION = "SubmitTaskStateChange"


class ControlPlane:
    """Takes calls, except while `trouble` says what is wrong with the next ones."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.tries = 0
        self.trouble: Iterator[Exception | None] = iter(())
        self.away: Exception | None = None
        self.refused_tasks: set[str] = set()

    async def send(self, operation: str, request: Mapping[str, Any]) -> None:
        self.tries += 1
        trouble = self.away or next(self.trouble, None)
        if trouble is not None:
            raise trouble
        if request["task"] in self.refused_tasks:
            raise AwsError("AccessDeniedException", "not authorized", 400)
        assert operation == OPERATION
        self.taken.append(request["number"])


@asynccontextmanager
async def sending(outbox: Outbox, plane: ControlPlane, clock: FakeClock) -> AsyncIterator[None]:
    """The agent's life: what is in the outbox is sent inside of the block."""
    task = asyncio.create_task(outbox.send_all(plane.send, clock))
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def add(outbox: Outbox, *numbers: int, task: str = "t") -> None:
    for number in numbers:
        outbox.add(OPERATION, {"number": number, "task": task})


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def go_by(clock: FakeClock, seconds: int, step: int = 1) -> None:
    for _ in range(0, seconds, step):
        await settle()
        clock.advance(step)
    await settle()


def left(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize(
    "error",
    [ConnectionRefusedError("nobody listens"), AwsError("ServerException", "it broke", 500)],
)
async def test_what_happened_in_an_hour_away_arrives_once_and_in_order(
    tmp_path: Path, error: Exception
) -> None:
    clock, plane, outbox = FakeClock(), ControlPlane(), Outbox(tmp_path)
    plane.away = error
    async with sending(outbox, plane, clock):
        for minute in range(60):
            add(outbox, minute)
            await go_by(clock, 60, step=5)
        assert plane.taken == []
        assert plane.tries < HOUR / 4
        plane.away = None
        await go_by(clock, 5)
        assert plane.taken == list(range(60))
        tries = plane.tries
        await go_by(clock, 60)
        assert plane.tries == tries
    assert left(tmp_path) == []


async def test_a_change_is_sent_at_once_when_the_control_plane_is_there(tmp_path: Path) -> None:
    clock, plane, outbox = FakeClock(), ControlPlane(), Outbox(tmp_path)
    async with sending(outbox, plane, clock):
        for number in range(3):
            await settle()
            add(outbox, number)
        await settle()
        assert plane.taken == [0, 1, 2]


@pytest.mark.parametrize("code", sorted(REFUSALS))
async def test_a_refused_change_is_set_aside_and_holds_up_nothing(
    tmp_path: Path, code: str
) -> None:
    clock, plane, outbox = FakeClock(), ControlPlane(), Outbox(tmp_path)
    plane.trouble = iter([None, AwsError(code, "no such task", 400)])
    add(outbox, 1, 2, 3)
    async with sending(outbox, plane, clock):
        await settle()
    assert plane.taken == [1, 3]
    assert plane.tries == 3
    assert left(tmp_path) == ["refused"]
    (refused,) = (tmp_path / "refused").iterdir()
    assert b'"number":2' in refused.read_bytes()


async def test_a_change_that_may_not_be_made_waits_an_hour_and_no_other_task_with_it(
    tmp_path: Path,
) -> None:
    clock, plane, outbox = FakeClock(), ControlPlane(), Outbox(tmp_path)
    plane.refused_tasks = {"denied"}
    async with sending(outbox, plane, clock):
        add(outbox, 1, 2, task="denied")
        add(outbox, 3, task="other")
        await settle()
        assert plane.taken == [3]
        await go_by(clock, HOUR // 2, step=10)
        add(outbox, 4, task="other")
        await settle()
        assert plane.taken == [3, 4]
        await go_by(clock, HOUR // 2 + 60, step=10)
        assert plane.tries < HOUR / 10
        plane.refused_tasks = set()
        await go_by(clock, 60)
    assert plane.taken == [3, 4, 2]
    assert left(tmp_path / "refused") == ["000000000000.json"]


async def test_a_denied_change_arrives_when_the_policy_was_mended_within_the_hour(
    tmp_path: Path,
) -> None:
    clock, plane, outbox = FakeClock(), ControlPlane(), Outbox(tmp_path)
    plane.refused_tasks = {"denied"}
    async with sending(outbox, plane, clock):
        add(outbox, 1, 2, task="denied")
        await go_by(clock, HOUR // 2, step=10)
        plane.refused_tasks = set()
        await go_by(clock, 60)
    assert plane.taken == [1, 2]
    assert left(tmp_path) == []


async def test_a_number_is_not_given_again_after_its_change_was_set_aside(tmp_path: Path) -> None:
    clock, plane = FakeClock(), ControlPlane()
    for number in (1, 2):
        outbox = Outbox(tmp_path)
        plane.trouble = iter([AwsError("ClientException", "no", 400)])
        add(outbox, number)
        async with sending(outbox, plane, clock):
            await settle()
    assert len(left(tmp_path / "refused")) == 2


codes = st.sampled_from(
    [*sorted(REFUSALS), "AccessDeniedException", "ThrottlingException", "InvalidSignatureException"]
)
errors = st.builds(AwsError, codes, st.just(""), st.sampled_from([400, 403, 429, 500, 501, 503]))


@given(errors, st.floats(0, 1e7), st.floats(0, 1e7))
def test_only_refusals_are_set_aside_and_what_is_set_aside_stays_so(
    error: AwsError, early: float, later: float
) -> None:
    expected = outlook(error)
    if is_set_aside(expected, early):
        assert is_set_aside(expected, early + later)
        assert error.code in REFUSALS or early >= GIVE_UP_SECONDS
    assert is_set_aside(expected, GIVE_UP_SECONDS) == (expected is not Outlook.TEMPORARY)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AwsError("ServerException", "", 500), Outlook.TEMPORARY),
        (AwsError("UnknownError", "", 429), Outlook.TEMPORARY),
        (AwsError("ThrottlingException", "", 400), Outlook.TEMPORARY),
        (AwsError("ExpiredTokenException", "", 400), Outlook.TEMPORARY),
        (AwsError("InvalidSignatureException", "Signature expired", 400), Outlook.TEMPORARY),
        (AwsError("UnrecognizedClientException", "", 400), Outlook.TEMPORARY),
        (AwsError("AccessDeniedException", "", 400), Outlook.UNCERTAIN),
        (AwsError("NotImplemented", "", 501), Outlook.UNCERTAIN),
        (AwsError("UnknownError", "", 413), Outlook.UNCERTAIN),
        (AwsError("ClientException", "", 400), Outlook.FINAL),
    ],
)
def test_what_an_error_promises(error: AwsError, expected: Outlook) -> None:
    assert outlook(error) is expected


async def test_what_waits_survives_the_agent_and_comes_before_what_is_new(tmp_path: Path) -> None:
    clock, plane = FakeClock(), ControlPlane()
    first = Outbox(tmp_path)
    add(first, 0, 1, 2)
    async with sending(first, plane, clock):
        await settle()
    assert plane.taken == [0, 1, 2]

    plane.away = ConnectionRefusedError()
    async with sending(first, plane, clock):
        add(first, 3, 4)
        await go_by(clock, 10)
    second = Outbox(tmp_path)
    add(second, 5)
    plane.away = None
    async with sending(second, plane, clock):
        await go_by(clock, 5)
    assert plane.taken == [0, 1, 2, 3, 4, 5]
    assert left(tmp_path) == []


async def test_a_file_that_a_crash_cut_short_holds_up_nothing(tmp_path: Path) -> None:
    clock, plane, outbox = FakeClock(), ControlPlane(), Outbox(tmp_path)
    add(outbox, 1, 2)
    (tmp_path / left(tmp_path)[0]).write_bytes(b'{"operation": "Sub')
    async with sending(outbox, plane, clock):
        await settle()
    assert plane.taken == [2]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans()), max_size=8))
def test_whatever_fails_and_whoever_restarts_each_change_arrives_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, lives: list[tuple[int, int, bool]]
) -> None:
    directory = tmp_path_factory.mktemp("outbox")

    async def live() -> None:
        clock, plane, number = FakeClock(), ControlPlane(), 0
        for added, failures, away in (*lives, (0, 0, False)):
            outbox = Outbox(directory)
            plane.trouble = iter([ConnectionResetError()] * failures)
            plane.away = ConnectionRefusedError() if away else None
            async with sending(outbox, plane, clock):
                add(outbox, *range(number, number + added))
                number += added
                await go_by(clock, 3)
        assert plane.taken == list(range(number))

    asyncio.run(live())
    assert left(directory) == []
