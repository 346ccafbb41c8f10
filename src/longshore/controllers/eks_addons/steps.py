"""What becomes of an add-on's status, and of its update; pure.

("Amazon EKS add-ons", "Update an Amazon EKS add-on": an update that does not come about in time is
Failed, and what it has changed stays.)
"""

from collections.abc import Sequence

import msgspec

from longshore.model.eks import Issue, UpdateError
from longshore.model.eks_parts import Addon, AddonStatus

CREATE_SECONDS = 300.0
UPDATE_SECONDS = 1200.0
"""For so long pods may take to come, before the add-on is DEGRADED."""
FLICKER_SECONDS = 60.0
"""For so long some of them may be away."""
PATIENCE = {"CREATING": CREATE_SECONDS, "UPDATING": UPDATE_SECONDS, "ACTIVE": FLICKER_SECONDS}
FAILED = frozenset({"CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"})
RESTING_SECONDS, MOVING_SECONDS = 30.0, 3.0
SOON_SECONDS = 5.0


class Outcome(msgspec.Struct, frozen=True):
    """The new status; `update` is what becomes of the update in progress: Successful, Failed (with
    the status's issues as its errors) or nothing yet."""

    status: AddonStatus
    update: str = ""

    @property
    def errors(self) -> tuple[UpdateError, ...]:
        return tuple(
            UpdateError(issue.code, issue.message, issue.resources) for issue in self.status.issues
        )


def is_new(status: AddonStatus) -> bool:
    """Whether nothing of it has been installed yet."""
    return not status.version


def is_due(addon: Addon, status: AddonStatus) -> bool:
    """Whether it is to be applied: what failed is not tried again as it was."""
    return status.applied != addon.modified_at


def begun(status: AddonStatus) -> AddonStatus:
    state = "CREATING" if is_new(status) else "UPDATING"
    return msgspec.structs.replace(status, status=state, issues=())


def held_up(status: AddonStatus, reason: str) -> AddonStatus:
    """What it needs is not there yet; it is tried on."""
    return msgspec.structs.replace(status, issues=(Issue("InternalFailure", reason),))


def failed(addon: Addon, status: AddonStatus, issue: Issue) -> Outcome:
    """It was not applied, and is not until it is changed."""
    state = "CREATE_FAILED" if is_new(status) else "UPDATE_FAILED"
    changed = msgspec.structs.replace(
        status, status=state, applied=addon.modified_at, issues=(issue,)
    )
    return Outcome(changed, "Failed")


def conflicting(conflicts: Sequence[str]) -> Issue:
    return Issue(
        "ConfigurationConflict",
        "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. "
        "Conflicts:\n" + "\n".join(conflicts),
    )


def applied(addon: Addon, status: AddonStatus, now: float) -> Outcome:
    """Its objects are in the cluster; its pods are to come."""
    changed = msgspec.structs.replace(
        begun(status), version=addon.version, applied=addon.modified_at, unready_since=now
    )
    return Outcome(changed)


def looked(status: AddonStatus, wrong: Issue | None, now: float) -> Outcome:
    """After a look at what is wrong with its pods."""
    if status.status in FAILED:
        return Outcome(status)
    if wrong is None:
        changed = msgspec.structs.replace(status, status="ACTIVE", unready_since=0.0, issues=())
        return Outcome(changed, "Successful")
    since = status.unready_since or now
    late = now >= since + PATIENCE.get(status.status, 0.0)
    if not late:
        return Outcome(msgspec.structs.replace(status, unready_since=since))
    changed = msgspec.structs.replace(
        status, status="DEGRADED", unready_since=since, issues=(wrong,)
    )
    return Outcome(changed, "Failed")


def again(status: AddonStatus) -> float | None:
    """Seconds until the next look."""
    if status.status in FAILED:
        return None
    return RESTING_SECONDS if status.status == "ACTIVE" else MOVING_SECONDS
