"""Calls that wait for a control plane that is away, on a clock moved by hand."""

import asyncio

import pytest

from longshore.agent.patience import RETRY_SECONDS, patiently
from longshore.model.errors import AwsError
from longshore.testing.clock import FakeClock

HOUR = 3600


class Server:
    """Answers with `answer` from `back` on (on the clock), and raises `error` before that."""

    def __init__(self, clock: FakeClock, back: float, error: Exception) -> None:
        self._clock = clock
        self._back = back
        self._error = error
        self.calls = 0

    async def call(self) -> str:
        self.calls += 1
        if self._clock.monotonic() < self._back:
            raise self._error
        return "answer"


async def _pass(clock: FakeClock, seconds: float, step: float = 0.1) -> None:
    for _ in range(round(seconds / step)):
        for _ in range(5):
            await asyncio.sleep(0)
        clock.advance(step)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("nobody listens"),
        TimeoutError("no answer"),
        AwsError("InternalFailure", "it broke", 500),
        AwsError("ServiceUnavailable", "it starts", 503),
    ],
)
async def test_a_call_waits_an_hour_for_the_control_plane_and_is_answered(
    error: Exception,
) -> None:
    clock = FakeClock()
    server = Server(clock, HOUR, error)
    waiting = asyncio.create_task(patiently(server.call, clock))
    await _pass(clock, HOUR - 1, step=1)
    assert not waiting.done()
    await _pass(clock, 1 + RETRY_SECONDS[-1])
    assert await asyncio.wait_for(waiting, 1) == "answer"
    # Every few seconds, neither in a hurry nor at long last.
    assert HOUR / RETRY_SECONDS[-1] * 0.9 < server.calls < HOUR / RETRY_SECONDS[-1] * 1.1


async def test_a_short_absence_costs_a_moment_only() -> None:
    clock = FakeClock()
    server = Server(clock, 0.05, ConnectionRefusedError())
    waiting = asyncio.create_task(patiently(server.call, clock))
    await _pass(clock, 0.2)
    assert await asyncio.wait_for(waiting, 1) == "answer"
    assert server.calls == 2


@pytest.mark.parametrize(
    "error",
    [
        AwsError("AccessDeniedException", "not allowed", 400),
        AwsError("ResourceNotFoundException", "not there", 404),
        AwsError("NotImplemented", "not built", 501),
    ],
)
async def test_an_answer_that_will_stay_the_same_is_told_at_once(error: AwsError) -> None:
    clock = FakeClock()
    server = Server(clock, HOUR, error)
    with pytest.raises(AwsError) as raised:
        await patiently(server.call, clock)
    assert raised.value is error
    assert server.calls == 1


async def test_who_waits_can_be_called_off() -> None:
    clock = FakeClock()
    server = Server(clock, HOUR, ConnectionRefusedError())
    waiting = asyncio.create_task(patiently(server.call, clock))
    await _pass(clock, 5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
