"""One group with its members inside a transaction: looked at, and changed."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.controllers.auto_scaling import words
from longshore.controllers.auto_scaling.activities import LAUNCHING, Activities
from longshore.controllers.auto_scaling.hooks import Verdict, verdict
from longshore.controllers.auto_scaling.launching import (
    GROUP_TAG,
    Failure,
    Source,
    launch,
    places_of,
)
from longshore.controllers.auto_scaling.seen import Seen, seen
from longshore.instances import Around, terminate_instance
from longshore.model.auto_scaling import (
    AUTO_SCALING_GROUP,
    LIFECYCLE_HOOK,
    MEMBER,
    ON_TERMINATION,
    AutoScalingGroup,
    LifecycleAction,
    Member,
    hook_name,
    is_suspended,
    member_name,
)
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, Instance, InstanceStatus
from longshore.store.interface import Record, Transaction


class Group:
    """What a turn acts on. `value` is the group, `members` are in the order of their ids."""

    def __init__(self, tx: Transaction, around: Around, record: Record[AutoScalingGroup]) -> None:
        self.tx = tx
        self.around = around
        self.value = record.value
        self.activities = Activities(tx, around, record)
        self.places = places_of(tx, around, record.value)
        self.later: list[float] = []
        """Seconds after which there may be something to do."""
        hooks = tx.find(LIFECYCLE_HOOK, *around.place, "group", record.value.name)
        self.hooks = {each.value.name: each.value for each in hooks}
        found = tx.find(MEMBER, *around.place, "group", record.value.name)
        self._members = {each.value.instance_id: each.value for each in found}
        self._seen = {each.instance_id: self._look(each) for each in self._members.values()}

    @property
    def members(self) -> list[Seen]:
        return list(self._seen.values())

    @property
    def records(self) -> Mapping[str, Member]:
        return self._members

    def look_after(self, seconds: float) -> None:
        """Look again then, if that is still to come."""
        if seconds > 0:
            self.later.append(seconds)

    def suspended(self, process: str) -> bool:
        return is_suspended(self.value, process)

    def find(self, instance_id: str) -> Seen | None:
        return self._seen.get(instance_id)

    def status(self, instance_id: str) -> InstanceStatus | None:
        record = self.tx.get(INSTANCE_STATUS, *self.around.place, instance_id)
        return record.value if record is not None else None

    def _instance(self, instance_id: str) -> Instance | None:
        record = self.tx.get(INSTANCE, *self.around.place, instance_id)
        return record.value if record is not None else None

    def _look(self, member: Member) -> Seen:
        instance_id = member.instance_id
        return seen(member, self._instance(instance_id), self.status(instance_id))

    def change(self, instance_id: str, **fields: Any) -> None:
        """Write the member with these fields."""
        self._put(msgspec.structs.replace(self._members[instance_id], **fields))

    def _put(self, member: Member) -> None:
        self._members[member.instance_id] = member
        self._seen[member.instance_id] = self._look(member)
        name = member_name(self.value.name, member.instance_id)
        self.tx.put(MEMBER, *self.around.place, name, member)

    def drop(self, instance_id: str) -> None:
        """The instance belongs to the group no more."""
        del self._members[instance_id]
        del self._seen[instance_id]
        name = member_name(self.value.name, instance_id)
        self.tx.delete(MEMBER, *self.around.place, name)

    def change_group(self, **fields: Any) -> None:
        self.value = msgspec.structs.replace(self.value, **fields)
        self.tx.put(AUTO_SCALING_GROUP, *self.around.place, self.value.name, self.value)

    def have_tag(self, instance_id: str, *, wanted: bool) -> None:
        """Whether the instance says that it is the group's."""
        instance = self._instance(instance_id)
        if instance is None:
            return
        others = tuple(tag for tag in instance.tags if tag[0] != GROUP_TAG)
        tags = (*others, (GROUP_TAG, self.value.name)) if wanted else others
        if dict(tags) != dict(instance.tags):
            tagged = msgspec.structs.replace(instance, tags=tags)
            self.tx.put(INSTANCE, *self.around.place, instance_id, tagged)

    def await_actions(self, instance_id: str, transition: str, lifecycle: str) -> bool:
        """Have the member wait in this state for what hooks of the transition ask for; whether any
        does."""
        now, done = self.around.now, self._members[instance_id].done
        names = [name for name, hook in self.hooks.items() if hook.transition == transition]
        actions = tuple(
            LifecycleAction(hook=name, token=self.around.ids.uuid(), since=now, heartbeat_at=now)
            for name in sorted(names)
            if name not in done
        )
        if actions:
            self.change(instance_id, lifecycle=lifecycle, actions=actions)
            self.activities.wait(instance_id)
        return bool(actions)

    def verdict(self, instance_id: str) -> Verdict:
        """What the actions that the member waits for have come to."""
        return verdict(self._members[instance_id].actions, self.hooks, self.around.now)

    def terminate(self, instance_id: str, *causes: str, failure: str = "") -> None:
        """Have the instance end, once its lifecycle actions are over; `failure` is what its launch
        came to where it never served. Nothing of a deleted group waits."""
        member = self._members[instance_id]
        launching = self.activities.going_on(instance_id, LAUNCHING)
        if launching is not None:
            message = failure or words.never_in_service("")
            self.activities.stop(launching, "Failed" if failure else "Cancelled", message)
        cause = words.joined(*causes) or member.cause
        self.activities.begin(words.terminating(instance_id), cause, instance_id=instance_id)
        self.change(instance_id, asked="", cause=cause, actions=())
        waits = not self.value.deleted_at and self.await_actions(
            instance_id, ON_TERMINATION, "Terminating:Wait"
        )
        if not waits:
            self.end(instance_id, "Terminating")

    def end(self, instance_id: str, lifecycle: str) -> None:
        """End the instance of a member that waits for nothing any more."""
        if terminate_instance(self.tx, self.around, instance_id) is None:
            self.activities.end(instance_id)
            self.drop(instance_id)
            return
        self.change(instance_id, lifecycle=lifecycle, actions=())

    def forget_hooks(self) -> None:
        for name in self.hooks:
            self.tx.delete(LIFECYCLE_HOOK, *self.around.place, hook_name(self.value.name, name))

    def launch(
        self,
        source: Source,
        cause: str,
        zones: list[str],
        *,
        spot: bool,
        instead_of: str = "",
    ) -> bool:
        """One more member, in the first of `zones` that has room; whether there is one."""
        try:
            made = launch(
                self.tx,
                self.around,
                self.value,
                source,
                self.places,
                zones,
                self._taken(),
                spot=spot,
            )
        except Failure as failure:
            self.activities.refuse(cause, failure.reason, failure.details)
            return False
        instance = made.instance
        member = Member(
            group=self.value.name,
            instance_id=instance.id,
            instance_type=instance.instance_type,
            zone=instance.zone,
            launch_template=dict(made.template),
            joined_at=self.around.now,
            protected=self.value.protect_from_scale_in,
            instead_of=instead_of,
        )
        self._put(member)
        self.activities.begin(
            words.launching(instance.id),
            cause,
            instance_id=instance.id,
            status="PreInService",
            details={"Subnet ID": instance.subnet_id, "Availability Zone": instance.zone},
        )
        return True

    def _taken(self) -> Counter[str]:
        """How many members each subnet has."""
        found = (self._instance(instance_id) for instance_id in self._members)
        return Counter(each.subnet_id for each in found if each is not None)
