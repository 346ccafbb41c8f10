"""Which of the feasible instances is best: placement strategies, one after the other.

Each strategy keeps the best of what the one before left ("Amazon ECS placement strategies"):
`spread` the least used value of a field by the task's group, `binpack` the least of a resource
left, `random` any.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from longshore.scheduler.columns import Columns, Integers

Draw = Callable[[int], int]
"""A number from 0 to below the argument."""


def choose(
    columns: Columns,
    candidates: Integers,
    strategies: Sequence[Mapping[str, Any]],
    group: str,
    draw: Draw,
) -> int:
    """The position of the best candidate; there must be one."""
    for strategy in strategies:
        kind, name = strategy.get("type", "random"), strategy.get("field") or ""
        if kind == "spread":
            candidates = _least(candidates, spread_counts(columns, name, group))
        elif kind == "binpack":
            free = columns.cpu if name.lower() == "cpu" else columns.memory
            candidates = _least(candidates, free)
        else:
            return int(candidates[draw(len(candidates))])
    return int(candidates[0])


def _least(candidates: Integers, scores: Integers) -> Integers:
    own = scores[candidates]
    best: Integers = candidates[own == own.min()]
    return best


def spread_counts(columns: Columns, field: str, group: str) -> Integers:
    """For each instance, how many of the group's tasks share its value of `field`."""
    counts = columns.group_counts(group)
    if field in {"instanceId", "host"}:
        return counts
    totals: dict[str | None, int] = {}
    values = columns.values(field.removeprefix("attribute:"))
    for value, count in zip(values, counts.tolist(), strict=True):
        totals[value] = totals.get(value, 0) + count
    return np.array([totals[value] for value in values], dtype=np.int64)
