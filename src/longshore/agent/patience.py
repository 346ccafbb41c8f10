"""Waiting for a control plane that is away: a task in the middle of its start waits, it never fails
because of it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from longshore.base.clock import Clock
from longshore.base.logs import logger
from longshore.model.errors import AwsError

RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
UNAVAILABLE = 500
"""HTTP statuses from here on say that the server could not, not that the caller may not."""
NOT_BUILT = 501

T = TypeVar("T")
log = logger(__name__)


async def patiently(call: Callable[[], Awaitable[T]], clock: Clock) -> T:
    """What `call` gives, tried again for as long as nobody answers it.

    Raises `AwsError` for every answer that will stay the same.
    """
    attempt = 0
    while True:
        try:
            return await call()
        except AwsError as error:
            if error.status < UNAVAILABLE or error.status == NOT_BUILT:
                raise
            reason: Exception = error
        except OSError as error:
            reason = error
        if not attempt:
            log.info("the control plane is away, a call waits", error=str(reason))
        await clock.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
        attempt += 1
