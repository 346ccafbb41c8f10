"""How long an instance waits for its lifecycle actions, and what follows; pure.

("How lifecycle hooks work in Amazon EC2 Auto Scaling groups"; "CompleteLifecycleAction", Amazon EC2
Auto Scaling API Reference)
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from longshore.model.auto_scaling import LifecycleAction, LifecycleHook

CONTINUE, ABANDON = "CONTINUE", "ABANDON"
COMPLETED = "Lifecycle Action Completed with ABANDON Result"
TIMED_OUT = "Heartbeat Timeout"


class Verdict(NamedTuple):
    """`result` is CONTINUE or ABANDON; empty while the instance is to wait, `seconds` at most."""

    result: str = ""
    seconds: float = 0.0
    token: str = ""
    """Of the action that was abandoned."""
    why: str = ""
    """Why it was."""


def verdict(
    actions: Sequence[LifecycleAction], hooks: Mapping[str, LifecycleHook], now: float
) -> Verdict:
    """What the actions have come to; `hooks` has the group's by name.

    All have to be continued; one that is abandoned ends the waiting for the others.
    """
    waiting: list[float] = []
    for action in actions:
        left = 0.0 if action.result else hooks[action.hook].deadline(action) - now
        if left > 0:
            waiting.append(left)
        elif action.result == ABANDON:
            return Verdict(ABANDON, token=action.token, why=COMPLETED)
        elif not action.result and hooks[action.hook].default_result == ABANDON:
            return Verdict(ABANDON, token=action.token, why=TIMED_OUT)
    return Verdict("", min(waiting)) if waiting else Verdict(CONTINUE)
