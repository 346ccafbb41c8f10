"""When keys are looked at again: one look is scheduled for each, however often it is asked for."""

from longshore.base.clock import Clock
from longshore.store.interface import Key


class Looks:
    """What a reconcile returns that would look again: None where an earlier look comes anyway.

    Each change has a key run; without this each of these runs would have looks of its own follow.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[Key, float] = {}

    def after(self, key: Key, seconds: float) -> float | None:
        now = self._clock.monotonic()
        due = self._due.get(key, 0.0)
        if now < due <= now + seconds:
            return None
        self._due[key] = now + seconds
        return seconds

    def forget(self, key: Key) -> None:
        self._due.pop(key, None)

    def clear(self) -> None:
        """No look that was scheduled comes any more."""
        self._due.clear()
