"""What EKS finds out about clusters: insights ("Prepare for Kubernetes version upgrades and
troubleshoot misconfigurations with cluster insights", Amazon EKS User Guide).

Records lie in the account and region of their cluster and have its name. Times are epoch seconds.

Writers: the API writes `InsightsRequest`; the insights' controller writes `InsightsReport`, and
removes both once the cluster is gone.
"""

from collections.abc import Iterable

import msgspec

from longshore.model.eks import Update
from longshore.model.kind import Kind

UPGRADE, ROLLBACK = "UPGRADE_READINESS", "ROLLBACK_READINESS"
"""Categories of insights."""
VERSION_UPDATES = ("VersionUpdate", "VersionRollback")
"""Types of the updates that change a cluster's minor version."""
ROLLBACK_SECONDS = 7 * 86_400.0
"""For so long after an upgrade a cluster may be rolled back."""
PASSING, WARNING, ERROR, UNKNOWN = "PASSING", "WARNING", "ERROR", "UNKNOWN"


class InsightResource(msgspec.Struct, frozen=True, kw_only=True):
    """What of the cluster an insight is about: a Kubernetes object's path, or an ARN."""

    status: str
    reason: str
    uri: str = ""
    arn: str = ""


class DeprecatedApi(msgspec.Struct, frozen=True, kw_only=True):
    """A resource that is asked for in a version which goes: paths as `/apis/GROUP/VERSION/NAME`."""

    usage: str
    removed: str
    """The minor version that has it no more, as `1.37`."""
    replacement: str = ""
    requests: int = 0
    """In the last 30 days, as far as they were counted."""
    last_request: float = 0.0


class AddonFit(msgspec.Struct, frozen=True):
    """An add-on and its versions that fit the version which an insight is about."""

    name: str
    versions: tuple[str, ...]


class Insight(msgspec.Struct, frozen=True, kw_only=True):
    """One check and what came of it; `version` is the minor version that the cluster would go to.

    `links` are (title, URL).
    """

    id: str
    name: str
    category: str
    version: str
    description: str
    status: str
    reason: str
    refreshed_at: float
    transitioned_at: float
    recommendation: str
    links: tuple[tuple[str, str], ...] = ()
    resources: tuple[InsightResource, ...] = ()
    deprecations: tuple[DeprecatedApi, ...] = ()
    addons: tuple[AddonFit, ...] = ()


class ApiUse(msgspec.Struct, frozen=True, kw_only=True):
    """How often a deprecated API was asked for, from look to look.

    `counted` is what the API server's counter said at the last look; it begins anew with each
    start of an API server. `days` are (day since the epoch, requests), oldest first.
    """

    usage: str
    removed: str
    replacement: str = ""
    counted: int = 0
    days: tuple[tuple[int, int], ...] = ()
    last_seen: float = 0.0


class InsightsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants a refresh of the insights of the cluster of this id."""

    id: str
    asked_at: float


class InsightsReport(msgspec.Struct, frozen=True, kw_only=True):
    """The newest insights of the cluster of this id.

    `answers` is the `asked_at` of the newest request that a refresh has answered, well or not
    (`failure`, in words); `ended_at` is when that was.
    """

    id: str
    version: str = ""
    """What the control plane ran."""
    refreshed_at: float = 0.0
    insights: tuple[Insight, ...] = ()
    uses: tuple[ApiUse, ...] = ()
    answers: float = 0.0
    ended_at: float = 0.0
    failure: str = ""


def version_before(updates: Iterable[Update], runs: str, now: float) -> str:
    """The minor version that a cluster which runs `runs` may be rolled back to; empty where it may
    not: it was made as it is, has been rolled back already, or is so for longer than a week.

    ("Roll back a cluster to a previous Kubernetes version", Amazon EKS User Guide. The week begins
    with the upgrade here, where EKS counts from its end.)
    """
    changes = [
        each
        for each in updates
        if each.type in VERSION_UPDATES and each.status == "Successful" and not any(each.subject)
    ]
    last = max(changes, key=lambda each: each.created_at, default=None)
    if last is None or last.type != "VersionUpdate" or dict(last.params).get("Version") != runs:
        return ""
    if now >= last.created_at + ROLLBACK_SECONDS:
        return ""
    major, _, minor = runs.partition(".")
    return f"{major}.{int(minor) - 1}"


INSIGHTS_REQUEST = Kind("eks.insights-request", InsightsRequest)
INSIGHTS_REPORT = Kind("eks.insights-report", InsightsReport)
