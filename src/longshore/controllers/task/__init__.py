"""Tasks: where they go (`placement`) and what state they are in (`lifecycle`)."""

from collections.abc import Sequence

from longshore.controllers.interface import Controller, Surroundings
from longshore.controllers.task.lifecycle import TaskLifecycle
from longshore.controllers.task.placement import TaskPlacement


def task_controllers(surroundings: Surroundings) -> Sequence[Controller]:
    """The controllers of tasks, for the registry."""
    return [TaskPlacement(surroundings), TaskLifecycle(surroundings)]
