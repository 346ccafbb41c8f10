"""A group's activities in the store: begun, ended, forgotten."""

import json
from collections.abc import Mapping

import msgspec

from longshore.controllers.auto_scaling import words
from longshore.controllers.auto_scaling.patience import failures_in_a_row, seconds_to_wait
from longshore.instances import Around
from longshore.model.auto_scaling import ACTIVITY, Activity, AutoScalingGroup, member_name
from longshore.store.interface import Record, Transaction

KEPT_SECONDS = 42 * 24 * 3600.0
"""Six weeks ("DescribeScalingActivities")."""
KEPT = 200
"""Of one group, those that have ended."""
LAUNCHING = "Launching a new EC2 instance"
WAITING = "MidLifecycleAction"


class Activities:
    """Those of one group, in one transaction."""

    def __init__(self, tx: Transaction, around: Around, group: Record[AutoScalingGroup]) -> None:
        self._tx = tx
        self._around = around
        self._group = group
        found = tx.find(ACTIVITY, *around.place, "group", group.value.name)
        self._revisions = {record.value.id: record.revision for record in found}
        """Of those that have not been written in this transaction."""
        self._all = {record.value.id: record.value for record in found}

    def begin(
        self,
        description: str,
        cause: str,
        *,
        instance_id: str = "",
        status: str = "InProgress",
        details: Mapping[str, str] | None = None,
    ) -> Activity:
        """One that starts now; one of the same description that goes on already goes on."""
        known = self.going_on(instance_id, description)
        if known is not None:
            return known
        activity = Activity(
            id=self._around.ids.uuid(),
            group=self._group.value.name,
            description=description,
            cause=cause,
            started_at=self._around.now,
            status=status,
            progress=30 if status == "PreInService" else 0,
            details=json.dumps(dict(details or {})),
            instance_id=instance_id,
        )
        self._put(activity)
        return activity

    def going_on(self, instance_id: str, start: str = "") -> Activity | None:
        """The one of this instance that goes on, whose description starts so."""
        for activity in self._all.values():
            about = activity.instance_id == instance_id and activity.description.startswith(start)
            if about and instance_id and not activity.ended_at:
                return activity
        return None

    def wait(self, instance_id: str) -> None:
        """What goes on for the instance waits for lifecycle actions."""
        for activity in list(self._all.values()):
            if activity.instance_id == instance_id and not activity.ended_at:
                waiting = msgspec.structs.replace(activity, status=WAITING, progress=60)
                self._put(waiting)

    def abandon(self, instance_id: str, message: str) -> None:
        """The launch of the instance came to nothing: its lifecycle action was abandoned."""
        activity = self.going_on(instance_id, LAUNCHING)
        if activity is not None:
            said = f"{activity.description}.  Status Reason: {message}"
            told = msgspec.structs.replace(activity, description=said)
            self.stop(told, "Cancelled", message)

    def end(self, instance_id: str) -> None:
        """Whatever goes on for the instance has come about."""
        for activity in list(self._all.values()):
            if activity.instance_id == instance_id and not activity.ended_at:
                self.stop(activity, "Successful", "")

    def refuse(self, cause: str, reason: str, details: Mapping[str, str] | None = None) -> None:
        """A launch that came to nothing at once."""
        description, message = words.failed_launch(reason)
        activity = self.begin(description, cause, details=details)
        self.stop(activity, "Failed", message)

    def stop(self, activity: Activity, status: str, message: str) -> None:
        """It ends now."""
        ended = msgspec.structs.replace(
            activity, status=status, ended_at=self._around.now, progress=100, message=message
        )
        self._put(ended)

    def _put(self, activity: Activity) -> None:
        self._all[activity.id] = activity
        self._revisions.pop(activity.id, None)
        name = member_name(activity.group, activity.id)
        self._tx.put(ACTIVITY, *self._around.place, name, activity)

    def retry_at(self) -> float:
        """When the next launch may be tried; epoch seconds. A change of the group is tried at
        once."""
        launches = [each for each in self._all.values() if self._is_launch_since_change(each)]
        launches.sort(key=lambda each: (each.started_at, each.status == "Failed"), reverse=True)
        failures = failures_in_a_row(each.status == "Successful" for each in launches)
        if not failures:
            return 0.0
        return max(each.ended_at for each in launches[:failures]) + seconds_to_wait(failures)

    def _is_launch_since_change(self, activity: Activity) -> bool:
        tried = activity.status in {"Successful", "Failed"}
        return (
            (tried or activity.message.startswith(words.NOT_COMPLETED))
            and activity.description.startswith(LAUNCHING)
            and self._revisions.get(activity.id, self._group.revision + 1) > self._group.revision
        )

    def change(self) -> str:
        """What changed the desired capacity, while nothing else has made the group act since."""
        sentence, since = self._group.value.change, self._group.value.changed_at
        later = [each for each in self._all.values() if each.started_at >= since]
        return sentence if all(sentence in each.cause for each in later) else ""

    def forget(self) -> None:
        """Remove those that are too old, and the oldest of too many."""
        ended = sorted(
            (each for each in self._all.values() if each.ended_at),
            key=lambda each: each.ended_at,
            reverse=True,
        )
        for position, activity in enumerate(ended):
            if position >= KEPT or activity.ended_at + KEPT_SECONDS < self._around.now:
                self.remove(activity)

    def remove_all(self) -> None:
        for activity in list(self._all.values()):
            self.remove(activity)

    def remove(self, activity: Activity) -> None:
        del self._all[activity.id]
        name = member_name(activity.group, activity.id)
        self._tx.delete(ACTIVITY, *self._around.place, name)
