"""As many members as are desired, in the zones and of the kind that they are to be."""

from collections.abc import Sequence

from longshore.controllers.auto_scaling import words
from longshore.controllers.auto_scaling.group import Group
from longshore.controllers.auto_scaling.launching import Source
from longshore.controllers.auto_scaling.patience import seconds_to_wait
from longshore.controllers.auto_scaling.refreshing import Refreshing, percents
from longshore.controllers.auto_scaling.replacing import Step, limits, step
from longshore.controllers.auto_scaling.seen import UNHEALTHY, Seen, counted
from longshore.controllers.auto_scaling.selection import Current, select
from longshore.controllers.auto_scaling.spread import imbalance, in_order
from longshore.model.auto_scaling import TERMINATING

AT_ONCE = 20
"""Members launched in one transaction."""


class Scaling:
    """What a turn does about the number of members, and about those that others are to follow."""

    def __init__(self, group: Group, refreshing: Refreshing) -> None:
        self._group = group
        self._refreshing = refreshing
        self._now = group.around.now

    def balance(self) -> None:
        """Launch what is missing, end what is too much; otherwise replace and rebalance."""
        desired = self._group.value.desired
        have = counted(self._group.members)
        if len(have) < desired:
            self._grow(have, desired)
        elif len(have) > desired:
            self._shrink(have, desired)
        else:
            self._replace()

    def _can_launch(self) -> bool:
        """Not while the process is suspended, nor too soon after launches that failed."""
        if self._group.suspended("Launch") or self._refreshing.source is None:
            return False
        wait = self._group.activities.retry_at() - self._now
        self._group.look_after(wait)
        return wait <= 0

    def _grow(self, have: Sequence[Seen], desired: int) -> None:
        if not self._can_launch():
            return
        cause = self._cause_of_growth(len(have), desired)
        for _ in range(min(desired - len(have), AT_ONCE)):
            if not self._launch(cause):
                return

    def _cause_of_growth(self, have: int, desired: int) -> str:
        change = self._group.activities.change()
        going = [each for each in self._group.members if each.lifecycle in TERMINATING]
        if not change and any(each.health == UNHEALTHY for each in going):
            return words.at(self._now, words.REPLACES_UNHEALTHY)
        if not change and self._refreshing.replacing:
            return words.at(self._now, words.LAUNCHED_FOR_REFRESH)
        return words.joined(change, words.at(self._now, words.grew(have, desired)))

    def _launch(self, cause: str, instead_of: str = "", zones: Sequence[str] = ()) -> bool:
        group, source = self._group, self._refreshing.source
        assert source is not None
        live = [each for each in group.members if each.live and each.id != instead_of]
        tried = list(zones) or self._zones([each.zone for each in live])
        spot = source.mixed and source.mix.next_is_spot(each.spot for each in live)
        if group.launch(source, cause, tried, spot=spot, instead_of=instead_of):
            return True
        group.look_after(seconds_to_wait(1))
        return False

    def _zones(self, taken: list[str]) -> list[str]:
        """The zones in which to try; the emptiest alone where the group is to be balanced."""
        zones = in_order(self._group.places.zones, taken)
        if self._group.value.zone_distribution != "balanced-only":
            return zones
        return [zone for zone in zones if taken.count(zone) == taken.count(zones[0])]

    def _current(self, source: Source | None) -> Current:
        if source is None:
            return Current()
        return Current(template_id=source.template.get("LaunchTemplateId", ""), mix=source.mix)

    def _chosen(self, among: Sequence[Seen], count: int) -> list[str]:
        policies = self._group.value.termination_policies or ("Default",)
        return select(among, count, policies, self._current(self._refreshing.source), self._now)

    def _shrink(self, have: Sequence[Seen], desired: int) -> None:
        if self._group.suspended("Terminate"):
            return
        change = self._group.activities.change()
        why = words.at(self._now, words.shrank(len(have), desired))
        for name in self._chosen(have, len(have) - desired):
            self._group.terminate(name, change, why, words.at(self._now, words.selected(name)))

    def finish_replacements(self) -> None:
        """End members whose followers are ready; a follower of nobody is one like all others."""
        group, warmup = self._group, self._refreshing.warmup
        for member in group.members:
            if not member.instead_of:
                continue
            old = group.find(member.instead_of)
            if old is None or not self._may_end(old):
                group.change(member.id, instead_of="")
            elif warmup.is_ready(member):
                if not group.suspended("Terminate"):
                    group.terminate(old.id, group.records[old.id].cause)
                    group.change(member.id, instead_of="")
            elif member.in_service_at:
                group.look_after(warmup.left(member))

    def _may_end(self, old: Seen) -> bool:
        """Scale-in protection spares what nothing but balance asks to go."""
        lifetime = self._group.value.max_instance_lifetime
        outlived = 0 < lifetime <= self._now - old.launched_at
        return old.live and (not old.protected or outlived or self._refreshing.may_replace(old))

    def _replace(self) -> None:
        if self._refreshing.active is not None:
            if self._refreshing.replacing and not self._group.suspended("InstanceRefresh"):
                self._refresh()
            return
        if not self._outlived():
            self._rebalance()

    def _refresh(self) -> None:
        group, refreshing = self._group, self._refreshing
        desired = group.value.desired
        todo = step(
            group.members,
            refreshing.old(),
            desired,
            refreshing.limits,
            refreshing.warmup,
        )
        self._wait_for_warmup()
        self._carry_out(todo, words.REFRESH, words.LAUNCHED_FOR_REFRESH)

    def _wait_for_warmup(self) -> None:
        for each in self._group.members:
            if each.lifecycle == "InService":
                self._group.look_after(self._refreshing.warmup.left(each))

    def _carry_out(self, todo: Step, reason: str, launched: str) -> None:
        group = self._group
        cause = words.at(self._now, words.taken_out(reason))
        if not group.suspended("Terminate"):
            for name in todo.terminate:
                selected = words.at(self._now, words.selected(name))
                group.terminate(name, cause, selected)
        if not todo.launch or not self._can_launch():
            return
        for name in todo.launch[:AT_ONCE]:
            if not self._launch(words.at(self._now, launched), instead_of=name):
                return
            group.change(name, cause=words.joined(cause))

    def _outlived(self) -> bool:
        """Replace members older than the group allows; whether there are any."""
        group, lifetime = self._group, self._group.value.max_instance_lifetime
        if not lifetime:
            return False
        live = sorted(counted(group.members), key=lambda each: (each.launched_at, each.id))
        left = [each.launched_at + lifetime - self._now for each in live]
        old = [each.id for each, rest in zip(live, left, strict=True) if rest <= 0]
        for rest in left:
            group.look_after(rest)
        if not old:
            return False
        allowed = limits(group.value.desired, *percents(group.value.maintenance_policy, {}))
        todo = step(group.members, old, group.value.desired, allowed, self._refreshing.warmup)
        self._carry_out(todo, words.LIFETIME, words.LAUNCHED_FOR_LIFETIME)
        return True

    def _rebalance(self) -> None:
        """Bring zones closer to each other by one member that another follows."""
        group = self._group
        live = [each for each in group.members if each.live]
        uneven = imbalance(group.places.zones, [each.zone for each in live])
        if uneven is None or not self._may_rebalance(live):
            return
        fullest, lacking = uneven
        chosen = self._chosen([each for each in live if each.zone == fullest], 1)
        cause = words.at(self._now, words.balancing(lacking))
        if chosen and self._launch(cause, chosen[0], [lacking]):
            gone = words.at(self._now, words.taken_out(words.REBALANCED))
            group.change(chosen[0], cause=gone)

    def _may_rebalance(self, live: Sequence[Seen]) -> bool:
        group = self._group
        if any(group.suspended(each) for each in ("AZRebalance", "Launch", "Terminate")):
            return False
        moving = any(each.instead_of or each.lifecycle != "InService" for each in live)
        return not moving and self._can_launch()
