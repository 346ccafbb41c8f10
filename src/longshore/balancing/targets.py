"""Targets of a group, registered and deregistered; pure."""

from collections.abc import Collection, Iterable

import msgspec

from longshore.model.elbv2 import Target, TargetGroup


def register(group: TargetGroup, targets: Iterable[Target]) -> TargetGroup:
    """The group with these; one that is there stays as it is unless it was deregistered."""
    kept = {each.key: each for each in group.targets}
    for target in targets:
        before = kept.get(target.key)
        if before is None or before.deregistered_at:
            kept[target.key] = target
    return msgspec.structs.replace(group, targets=tuple(kept.values()))


def deregister(group: TargetGroup, keys: Collection[str], now: float, *, used: bool) -> TargetGroup:
    """The group with these draining, or without them where no load balancer uses it."""
    left = []
    for each in group.targets:
        if each.key not in keys or each.deregistered_at:
            left.append(each)
        elif used:
            left.append(msgspec.structs.replace(each, deregistered_at=now))
    return msgspec.structs.replace(group, targets=tuple(left))
