"""Who is ended for owing too long."""

import asyncio
from collections.abc import Callable

from longshore.base.admission import PATIENCE_SECONDS, Sweep


class Guest:
    """Owes what it is told to owe."""

    left: Callable[[], None]

    def __init__(self, owed: object) -> None:
        self.owed = owed
        self.aborted = False
        self.transport = self

    def awaited(self) -> object | None:
        return self.owed

    def abort(self) -> None:
        self.aborted = True


def test_client_that_goes_on_sending_is_never_cut() -> None:
    slow, silent, idle = Guest(0), Guest(0), Guest(None)
    sweep = Sweep({slow, silent, idle, asyncio.Protocol()})
    for turn in range(100):
        slow.owed = turn
        sweep.sweep(turn * PATIENCE_SECONDS / 2)
    assert silent.aborted
    assert not slow.aborted
    assert not idle.aborted


def test_client_that_is_found_owing_at_each_look_but_never_the_same_is_not_cut() -> None:
    busy = Guest(1)
    sweep = Sweep([busy])
    for turn in range(10):
        busy.owed = object() if turn % 2 else None
        sweep.sweep(turn * PATIENCE_SECONDS)
    assert not busy.aborted
