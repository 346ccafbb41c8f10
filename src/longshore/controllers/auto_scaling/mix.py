"""Instance types and purchase options of groups with a mixed instances policy; pure.

("Auto Scaling groups with multiple instance types and purchase options")
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """`types` in the order in which they are tried; none where the launch template says it."""

    types: tuple[str, ...] = ()
    on_demand_base: int = 0
    on_demand_percent: int = 100
    """Of what is above the base."""

    def on_demand_of(self, total: int) -> int:
        """How many of `total` instances are to be On-Demand ones."""
        above = max(0, total - self.on_demand_base)
        base = min(max(0, total), self.on_demand_base)
        return base + math.ceil(above * self.on_demand_percent / 100)

    def next_is_spot(self, spot: Iterable[bool]) -> bool:
        """Whether one more instance is a Spot one; `spot` has a value for each that there is."""
        options = list(spot)
        return options.count(False) >= self.on_demand_of(len(options) + 1)

    def rank(self, instance_type: str) -> int:
        """Where a type is in the order; those that are not in it come last."""
        return self.types.index(instance_type) if instance_type in self.types else len(self.types)


def mix_of(policy: Document | None) -> Mix:
    """The mix of a `MixedInstancesPolicy`."""
    if policy is None:
        return Mix()
    distribution = policy.get("InstancesDistribution") or {}
    overrides = (policy.get("LaunchTemplate") or {}).get("Overrides") or ()
    types = [each["InstanceType"] for each in overrides if each.get("InstanceType")]
    return Mix(
        types=tuple(dict.fromkeys(types)),
        on_demand_base=distribution.get("OnDemandBaseCapacity", 0),
        on_demand_percent=distribution.get("OnDemandPercentageAboveBaseCapacity", 100),
    )
