"""Instance refreshes of one group: begun, led on, ended.

("Use an instance refresh to update instances in an Auto Scaling group", "How instance refresh
rollbacks work")
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from longshore.controllers.auto_scaling.group import Group
from longshore.controllers.auto_scaling.launching import Source, is_of, source_of
from longshore.controllers.auto_scaling.replacing import Limits, limits
from longshore.controllers.auto_scaling.seen import Seen, Warmup, counted
from longshore.model.auto_scaling import (
    ACTIVE_REFRESHES,
    PENDING,
    REFRESH,
    TERMINATING,
    Refresh,
    member_name,
    rolled_back,
)

PATIENCE_SECONDS = 3600.0
"""For so long a refresh waits for the next replacement."""
KEPT_SECONDS = 42 * 24 * 3600.0
MINIMUM_PERCENT, MAXIMUM_PERCENT = 90, 100
FAILED = "The instance refresh failed because no instance could be replaced within one hour."
REPLACING = frozenset({"InProgress", "RollbackInProgress"})


def percents(policy: dict[str, Any] | None, preferences: dict[str, Any]) -> tuple[int, int]:
    """The minimum and maximum healthy percentage: the refresh's, the group's, or AWS's own."""
    kept = policy or {}
    low = preferences.get("MinHealthyPercentage", kept.get("MinHealthyPercentage"))
    high = preferences.get("MaxHealthyPercentage", kept.get("MaxHealthyPercentage"))
    return (
        MINIMUM_PERCENT if low is None or low < 0 else low,
        MAXIMUM_PERCENT if high is None or high < 0 else high,
    )


class Refreshing:
    """The refresh that goes on, if any, and those that have ended."""

    def __init__(self, group: Group) -> None:
        self._group = group
        found = group.tx.find(REFRESH, *group.around.place, "group", group.value.name)
        self._all = [record.value for record in found]
        active = (each for each in self._all if each.status in ACTIVE_REFRESHES)
        self.active: Refresh | None = next(active, None)

    @property
    def warmup(self) -> Warmup:
        """What new members need before they count as ready; those of before a refresh do not."""
        active, now = self.active, self._group.around.now
        since = (active.rollback_at or active.started_at) if active is not None else 0.0
        return Warmup(seconds=self._warmup_seconds(), since=since, now=now)

    def _warmup_seconds(self) -> float:
        own = self.active.preferences.get("InstanceWarmup") if self.active is not None else None
        if own is not None and own >= 0:
            return float(own)
        default = self._group.value.default_warmup
        if default >= 0:
            return float(default)
        grace = self._group.value.health_check_grace_seconds
        return float(grace) if self.active is not None else 0.0

    @property
    def replacing(self) -> bool:
        """Members are to be replaced now."""
        active = self.active
        return active is not None and active.status in REPLACING and bool(active.moved_at)

    @property
    def limits(self) -> Limits:
        preferences = self.active.preferences if self.active is not None else {}
        low, high = percents(self._group.value.maintenance_policy, preferences)
        return limits(self._group.value.desired, low, high)

    @property
    def source(self) -> Source | None:
        """What the group's members are launched from now."""
        active, group = self.active, self._group.value
        if active is not None and active.status in {"Pending", "InProgress", "Cancelling"}:
            desired = active.desired
            template, mixed = desired.get("LaunchTemplate"), desired.get("MixedInstancesPolicy")
            if template or mixed:
                return source_of(template, mixed)
        return source_of(group.launch_template, group.mixed_instances)

    def old(self) -> list[str]:
        """Members that the refresh may replace now, in order."""
        if self.active is None or not self.replacing:
            return []
        members = (self._group.find(each) for each in self.active.to_replace)
        return [each.id for each in members if each is not None and self._may_go(each)]

    def _may_go(self, member: Seen) -> bool:
        preferences = self.active.preferences if self.active is not None else {}
        if not member.live:
            return False
        return not member.protected or preferences.get("ScaleInProtectedInstances") == "Refresh"

    def may_replace(self, member: Seen) -> bool:
        """Whether the refresh may end a member, protected though it be."""
        return self.replacing and self._may_go(member)

    def look(self) -> None:
        """Begin what is to begin, and see what has been replaced."""
        active = self.active
        if active is None:
            return
        if active.status == "Pending" and not self._group.suspended("InstanceRefresh"):
            self._begin(active)
        elif active.status == "RollbackInProgress" and not active.moved_at:
            self._begin_rollback(active)
        elif self.replacing:
            self._note(active)

    def _begin(self, refresh: Refresh) -> None:
        old = self._outdated(refresh.preferences, self.source)
        if not refresh.preferences.get("SkipMatching"):
            old = self._candidates(refresh.preferences)
        now = self._group.around.now
        self._put(refresh, status="InProgress", to_replace=tuple(old), total=len(old), moved_at=now)
        self._end_standby(refresh.preferences)

    def _candidates(self, preferences: dict[str, Any]) -> list[str]:
        """All members but those that the refresh is to leave alone."""
        standby = preferences.get("StandbyInstances", "Wait")
        protected = preferences.get("ScaleInProtectedInstances", "Wait")
        return [
            each.id
            for each in sorted(self._group.members, key=lambda each: (each.launched_at, each.id))
            if (each.live and not (each.protected and protected == "Ignore"))
            or (each.lifecycle == "Standby" and standby != "Ignore")
        ]

    def _outdated(self, preferences: dict[str, Any], source: Source | None) -> list[str]:
        """Those of them that are not as they would be made now."""
        group = self._group
        return [
            name
            for name in self._candidates(preferences)
            if source is None or not is_of(group.tx, group.around, source, group.records[name])
        ]

    def _end_standby(self, preferences: dict[str, Any]) -> None:
        if preferences.get("StandbyInstances") != "Terminate":
            return
        for member in self._group.members:
            if member.lifecycle == "Standby":
                self._group.change(member.id, asked="terminate")

    def _note(self, refresh: Refresh) -> None:
        """Drop from the list what is gone or going."""
        left = tuple(each for each in refresh.to_replace if self._is_left(each))
        now = self._group.around.now
        if left != refresh.to_replace:
            self._put(refresh, to_replace=left, moved_at=now)
            return
        late = refresh.moved_at + PATIENCE_SECONDS + self.warmup.seconds - now
        if late <= 0:
            self._fail(refresh)
        else:
            self._group.look_after(late)

    def _is_left(self, instance_id: str) -> bool:
        member = self._group.find(instance_id)
        if member is None or member.asked == "terminate":
            return False
        return member.live or member.lifecycle in {"Standby", "EnteringStandby"}

    def _fail(self, refresh: Refresh) -> None:
        now = self._group.around.now
        if refresh.status == "RollbackInProgress":
            self._put(refresh, status="RollbackFailed", reason=FAILED, ended_at=now)
        elif refresh.preferences.get("AutoRollback") and refresh.desired:
            self._begin_rollback(rolled_back(refresh, FAILED, now))
        else:
            self._put(refresh, status="Failed", reason=FAILED, ended_at=now)

    def _begin_rollback(self, refresh: Refresh) -> None:
        before = refresh.before
        source = source_of(before.get("LaunchTemplate"), before.get("MixedInstancesPolicy"))
        old = self._outdated(refresh.preferences, source)
        now = self._group.around.now
        self._put(refresh, to_replace=tuple(old), total=len(old), moved_at=now)

    def settle(self) -> None:
        """End the refresh once all is as it is to be, or what it began is over."""
        active = self.active
        if active is None:
            self._forget()
            return
        if self.replacing:
            if not active.to_replace and self._is_steady():
                self._succeed(active)
        elif active.status == "Cancelling" and not (active.wait and self._is_moving()):
            now = self._group.around.now
            self._put(active, status="Cancelled", reason="Cancelled due to user request.",
                      ended_at=now)  # fmt: skip

    def _is_steady(self) -> bool:
        """As many members as wanted, all of them ready; looks again when the last one may be."""
        group, warmup = self._group, self.warmup
        live = counted(group.members)
        if len(live) != group.value.desired or any(each.instead_of for each in live):
            return False
        waiting = [each for each in live if not warmup.is_ready(each)]
        for each in waiting:
            group.look_after(warmup.left(each))
        return not waiting

    def _is_moving(self) -> bool:
        members = self._group.members
        return any(each.instead_of or each.lifecycle in PENDING | TERMINATING for each in members)

    def _succeed(self, refresh: Refresh) -> None:
        rolled_back = refresh.status == "RollbackInProgress"
        status = "RollbackSuccessful" if rolled_back else "Successful"
        self._put(refresh, status=status, ended_at=self._group.around.now)
        template = refresh.desired.get("LaunchTemplate")
        mixed = refresh.desired.get("MixedInstancesPolicy")
        if not rolled_back and (template or mixed):
            self._group.change_group(launch_template=template, mixed_instances=mixed)

    def _put(self, refresh: Refresh, **fields: Any) -> None:
        changed = msgspec.structs.replace(refresh, **fields)
        self.active = changed if changed.status in ACTIVE_REFRESHES else None
        group = self._group
        name = member_name(group.value.name, refresh.id)
        group.tx.put(REFRESH, *group.around.place, name, changed)

    def _forget(self) -> None:
        oldest = self._group.around.now - KEPT_SECONDS
        self._remove([each for each in self._all if each.ended_at and each.ended_at < oldest])

    def remove_all(self) -> None:
        self._remove(self._all)

    def _remove(self, refreshes: Sequence[Refresh]) -> None:
        group = self._group
        for each in refreshes:
            name = member_name(group.value.name, each.id)
            group.tx.delete(REFRESH, *group.around.place, name)
