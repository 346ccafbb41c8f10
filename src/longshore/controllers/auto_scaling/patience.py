"""How long a group waits after launches that failed; pure."""

from collections.abc import Iterable

FIRST_SECONDS = 5.0
LAST_SECONDS = 300.0


def failures_in_a_row(outcomes: Iterable[bool]) -> int:
    """How many of the newest launches failed; `outcomes` newest first, True for a success."""
    count = 0
    for succeeded in outcomes:
        if succeeded:
            break
        count += 1
    return count


def seconds_to_wait(failures: int) -> float:
    """Doubling, with a ceiling; nothing after none."""
    if failures <= 0:
        return 0.0
    return float(min(LAST_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, 20)))
