"""When a cluster's insights are looked for; pure."""

from longshore.model.eks_insights import InsightsReport, InsightsRequest

DAY_SECONDS = 86_400.0
"""How often insights are refreshed without being asked ("Considerations", EKS User Guide)."""
AGAIN_SECONDS = 5.0
"""After so long an API server that did not answer is asked again while somebody waits for it."""
LATER_SECONDS = 60.0
"""The same while nobody does."""
PATIENCE_SECONDS = 120.0
"""For so long after a request nobody need answer before the refresh has failed."""


def wait(
    report: InsightsReport | None, request: InsightsRequest | None, runs: str, now: float
) -> float:
    """Seconds until the next refresh; 0 where it is due."""
    if report is None or not report.refreshed_at or report.version != runs:
        return 0.0
    if is_asked(report, request):
        return 0.0
    return max(0.0, report.refreshed_at + DAY_SECONDS - now)


def is_asked(report: InsightsReport | None, request: InsightsRequest | None) -> bool:
    """Whether there is a request that no refresh has answered."""
    return request is not None and (report is None or request.asked_at > report.answers)


def has_failed(report: InsightsReport | None, request: InsightsRequest | None, now: float) -> bool:
    """Whether a request has waited long enough for a cluster that does not answer."""
    waits = is_asked(report, request)
    return waits and request is not None and now >= request.asked_at + PATIENCE_SECONDS
