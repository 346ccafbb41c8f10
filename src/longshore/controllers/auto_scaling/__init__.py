"""Auto Scaling groups: each has as many instances as are desired of it, where and as it is asked.

Enters: `AutoScalingGroup`, its members with their instances and what has become of them, refreshes,
lifecycle hooks with what was made of their actions (docs/decisions/0122).
Leaves: instances launched and ended (by `longshore.instances`), members, activities, and nothing of
all that when the group is deleted. `health`, `hooks`, `mix`, `patience`, `replacing`, `selection`
and `spread` decide; `turn` acts, in one transaction for a look at a group.
"""

from collections.abc import Sequence

from longshore.controllers.auto_scaling.controller import AutoScaling
from longshore.controllers.interface import Controller, Surroundings


def auto_scaling_controllers(surroundings: Surroundings) -> Sequence[Controller]:
    """The controller of groups, for the registry."""
    return [AutoScaling(surroundings)]
