"""One look at one group: what has happened, what is asked of it, what it lacks."""

from collections.abc import Callable

from longshore.controllers.auto_scaling import words
from longshore.controllers.auto_scaling.group import Group
from longshore.controllers.auto_scaling.health import (
    BY_USER,
    time_left,
    trouble,
)
from longshore.controllers.auto_scaling.hooks import CONTINUE
from longshore.controllers.auto_scaling.refreshing import Refreshing
from longshore.controllers.auto_scaling.scaling import Scaling
from longshore.controllers.auto_scaling.seen import HEALTHY, UNHEALTHY, Seen
from longshore.model.auto_scaling import (
    AUTO_SCALING_GROUP,
    COUNTED,
    ON_LAUNCH,
    PENDING,
    TERMINATING,
)


def turn(group: Group) -> float | None:
    """Do the next things; seconds after which to look again."""
    follow(group)
    obey(group)
    if group.value.deleted_at:
        take_away(group)
        return None
    check_health(group)
    refreshing = Refreshing(group)
    refreshing.look()
    scaling = Scaling(group, refreshing)
    scaling.finish_replacements()
    scaling.balance()
    refreshing.settle()
    group.activities.forget()
    return min(group.later, default=None)


def follow(group: Group) -> None:
    """Members become what their instances have become."""
    for member in group.members:
        _FOLLOWED.get(member.lifecycle, _nothing)(group, member)


def _nothing(group: Group, member: Seen) -> None:
    """In service, it is looked at by its health; in standby nobody looks at it."""


def _terminating_wait(group: Group, member: Seen) -> None:
    found = group.verdict(member.id)
    if found.result:
        group.end(member.id, "Terminating:Proceed")
    else:
        group.look_after(found.seconds)


def _terminating(group: Group, member: Seen) -> None:
    if member.state == "terminated":
        group.activities.end(member.id)
        group.drop(member.id)


def _pending(group: Group, member: Seen) -> None:
    if member.state == "running":
        group.have_tag(member.id, wanted=True)
        if not group.await_actions(member.id, ON_LAUNCH, "Pending:Wait"):
            _proceed(group, member)


def _pending_wait(group: Group, member: Seen) -> None:
    found = group.verdict(member.id)
    if not found.result:
        group.look_after(found.seconds)
    elif found.result == CONTINUE:
        group.change(member.id, lifecycle="Pending:Proceed", actions=())
    else:
        group.activities.abandon(member.id, words.abandoned(found.token, found.why))
        cause = words.at(group.around.now, words.taken_out(words.ABANDONED))
        group.terminate(member.id, cause)


def _proceed(group: Group, member: Seen) -> None:
    group.change(member.id, lifecycle="InService", in_service_at=group.around.now)
    group.activities.end(member.id)


def _detaching(group: Group, member: Seen) -> None:
    group.have_tag(member.id, wanted=False)
    group.activities.end(member.id)
    group.drop(member.id)


def _entering_standby(group: Group, member: Seen) -> None:
    group.change(member.id, lifecycle="Standby")
    group.activities.end(member.id)


_FOLLOWED: dict[str, Callable[[Group, Seen], None]] = {
    "Detaching": _detaching,
    "EnteringStandby": _entering_standby,
    "Pending": _pending,
    "Pending:Proceed": _proceed,
    "Pending:Wait": _pending_wait,
    "Terminating": _terminating,
    "Terminating:Proceed": _terminating,
    "Terminating:Wait": _terminating_wait,
}


def obey(group: Group) -> None:
    """What the API asked of members."""
    now = group.around.now
    for member in group.members:
        if member.lifecycle not in COUNTED | {"Standby"} or not member.asked:
            continue
        said = group.records[member.id].cause
        cause = said or words.at(now, words.taken_out("a user request"))
        if member.asked == "terminate":
            group.terminate(member.id, cause)
        elif member.asked == "detach":
            description = words.detaching(member.id)
            group.activities.begin(description, cause, instance_id=member.id)
            group.change(member.id, lifecycle="Detaching", asked="", instead_of="")
        else:
            description = words.entering_standby(member.id)
            group.activities.begin(description, cause, instance_id=member.id)
            group.change(member.id, lifecycle="EnteringStandby", asked="", instead_of="")


def check_health(group: Group) -> None:
    """Find unhealthy members, and end them."""
    now, grace = group.around.now, float(group.value.health_check_grace_seconds)
    for member in group.members:
        why = trouble(member, grace, now)
        if why and (why == BY_USER or not group.suspended("HealthCheck")):
            _replace(group, member, why)
        elif not why and member.impaired_since and member.lifecycle == "InService":
            group.look_after(time_left(member, grace, now))


def _replace(group: Group, member: Seen, why: str) -> None:
    if member.health == HEALTHY:
        group.change(member.id, health=UNHEALTHY)
    if group.suspended("ReplaceUnhealthy") or group.suspended("Terminate"):
        return
    status = group.status(member.id)
    reason = status.reason.message if status is not None and status.reason is not None else ""
    failure = words.never_in_service(reason) if member.lifecycle in PENDING else ""
    cause = words.at(group.around.now, words.taken_out(why))
    group.terminate(member.id, cause, failure=failure)


def take_away(group: Group) -> None:
    """End the members of a deleted group; when none is left, the group and all of it go."""
    cause = words.at(group.around.now, words.taken_out(words.GROUP_DELETED))
    for member in group.members:
        if member.lifecycle == "Terminating:Wait":
            group.end(member.id, "Terminating:Proceed")
        elif member.lifecycle not in TERMINATING:
            group.terminate(member.id, cause)
    if group.members:
        return
    group.activities.remove_all()
    group.forget_hooks()
    Refreshing(group).remove_all()
    group.tx.delete(AUTO_SCALING_GROUP, *group.around.place, group.value.name)
