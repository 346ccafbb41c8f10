"""Which members go when there are too many; pure.

("Configure termination policies for Amazon EC2 Auto Scaling", "Use instance scale-in protection")
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from longshore.controllers.auto_scaling.mix import Mix
from longshore.controllers.auto_scaling.seen import HEALTHY, Seen

HOUR = 3600.0
Criterion = Callable[[Seen], tuple[float, ...]]
"""The lowest go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """What the group launches from now: the id of its launch template, and its mix."""

    template_id: str = ""
    mix: Mix = field(default_factory=Mix)


def select(
    members: Collection[Seen], count: int, policies: Sequence[str], current: Current, now: float
) -> list[str]:
    """Up to `count` members to terminate, in order; protected ones never.

    Unhealthy ones go before any policy is asked. Then the zone with the most members comes first,
    and the policies one after the other among what is left of it.
    """
    left = list(members)
    chosen: list[str] = []
    while len(chosen) < count:
        free = [each for each in left if not each.protected]
        if not free:
            break
        victim = _one(left, free, policies, current, now)
        left.remove(victim)
        chosen.append(victim.id)
    return chosen


def _one(
    left: Sequence[Seen],
    free: Sequence[Seen],
    policies: Sequence[str],
    current: Current,
    now: float,
) -> Seen:
    sick = [each for each in free if each.health != HEALTHY]
    if sick:
        return min(sick, key=lambda each: each.id)
    candidates = _fullest_zones(left, _surplus_option(left, free, current.mix))
    for policy in policies:
        for criterion in _criteria(policy, current, now):
            lowest = min(criterion(each) for each in candidates)
            candidates = [each for each in candidates if criterion(each) == lowest]
    return min(candidates, key=lambda each: (each.launched_at, each.id))


def _surplus_option(left: Sequence[Seen], free: Sequence[Seen], mix: Mix) -> Sequence[Seen]:
    """Those of the purchase option of which there are too many, Spot or On-Demand."""
    wanted = mix.on_demand_of(len(left) - 1)
    on_demand = sum(not each.spot for each in left)
    spot = on_demand <= wanted
    return [each for each in free if each.spot == spot] or free


def _fullest_zones(left: Sequence[Seen], free: Sequence[Seen]) -> list[Seen]:
    counts = Counter(each.zone for each in left)
    most = max(counts[each.zone] for each in free)
    return [each for each in free if counts[each.zone] == most]


def _criteria(policy: str, current: Current, now: float) -> Sequence[Criterion]:
    def outdated(each: Seen) -> tuple[float, ...]:
        template, version = each.template
        if not template:
            return (0.0,)
        return (1.0 + (template == current.template_id), float(version))

    def unaligned(each: Seen) -> tuple[float, ...]:
        return (-float(current.mix.rank(each.instance_type)),)

    def to_the_hour(each: Seen) -> tuple[float, ...]:
        return (HOUR - (now - each.launched_at) % HOUR,)

    table: dict[str, Sequence[Criterion]] = {
        "AllocationStrategy": (unaligned,),
        "ClosestToNextInstanceHour": (to_the_hour,),
        "Default": (unaligned, outdated, to_the_hour),
        "NewestInstance": (lambda each: (-each.launched_at,),),
        "OldestInstance": (lambda each: (each.launched_at,),),
        "OldestLaunchTemplate": (outdated,),
    }
    return table.get(policy, ())
