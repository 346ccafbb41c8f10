"""The sizes that Fargate has, for tasks and for pods alike ("Task size", Fargate)."""

from collections.abc import Mapping

GIB = 1024


def _steps(low: int, high: int, step: int) -> frozenset[int]:
    return frozenset(range(low * GIB, high * GIB + 1, step * GIB))


FARGATE_SIZES: Mapping[int, frozenset[int]] = {
    256: frozenset({512, 1 * GIB, 2 * GIB}),
    512: _steps(1, 4, 1),
    1024: _steps(2, 8, 1),
    2048: _steps(4, 16, 1),
    4096: _steps(8, 30, 1),
    8192: _steps(16, 60, 4),
    16384: _steps(32, 120, 8),
}
"""Memory in MiB for each CPU value."""
