"""Which deprecated APIs are asked for, by an API server's own metrics; pure.

("Deprecated API Migration Guide", Kubernetes' documentation: the gauge
`apiserver_requested_deprecated_apis` says which were asked for since the server began, with the
release that has them no more; `apiserver_request_total` says how often.)
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from longshore.model.eks_insights import ApiUse, DeprecatedApi

GAUGE, COUNTER = "apiserver_requested_deprecated_apis", "apiserver_request_total"
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
WINDOW_DAYS = 30
DAY = 86_400
Labels = Mapping[str, str]


def requested(metrics: str) -> dict[str, ApiUse]:
    """The APIs that were asked for and that some release removes, by path; `counted` is how often,
    at least once. `metrics` in Prometheus' text format."""
    found: dict[str, ApiUse] = {}
    for labels, value in _samples(metrics, GAUGE):
        path, removed = _path(labels), labels.get("removed_release", "")
        if value and removed:
            found[path] = ApiUse(usage=path, removed=removed, counted=1)
    counts = dict.fromkeys(found, 0.0)
    for labels, value in _samples(metrics, COUNTER) if found else ():
        path = _path(labels)
        if path in counts:
            counts[path] += value
    return {
        path: ApiUse(usage=path, removed=use.removed, counted=max(1, int(counts[path])))
        for path, use in found.items()
    }


def _samples(metrics: str, name: str) -> Iterator[tuple[Labels, float]]:
    start = name + "{"
    for line in metrics.splitlines():
        if not line.startswith(start):
            continue
        labels, _, value = line.removeprefix(start).rpartition("} ")
        try:
            yield dict(LABEL.findall(labels)), float(value.split()[0])
        except (IndexError, ValueError):
            continue


def _path(labels: Labels) -> str:
    """As a client's: `/apis/GROUP/VERSION/RESOURCE`, of the core group `/api/VERSION/RESOURCE`."""
    group, version = labels.get("group", ""), labels.get("version", "")
    start = f"/apis/{group}/{version}" if group else f"/api/{version}"
    parts = filter(None, (start, labels.get("resource", ""), labels.get("subresource", "")))
    return "/".join(parts)


def group_of(path: str) -> tuple[str, str, str]:
    """(group, version, resource) of such a path; the core group is empty."""
    _, api, *rest = path.split("/")
    group, version, resource = ("", *rest[:2]) if api == "api" else (*rest[:2], "/".join(rest[2:]))
    return group, version, resource


def counted(
    known: Iterable[ApiUse], now_asked: Mapping[str, ApiUse], now: float
) -> tuple[ApiUse, ...]:
    """The uses until now with those of this look, ordered by path; what is over a month old is
    left out."""
    before = {use.usage: use for use in known}
    paths = sorted({*before, *now_asked})
    merged = (_merged(before.get(path), now_asked.get(path), now) for path in paths)
    return tuple(use for use in merged if use.days or use.counted)


def _merged(before: ApiUse | None, seen: ApiUse | None, now: float) -> ApiUse:
    known = before or ApiUse(usage=seen.usage if seen else "", removed="")
    count = seen.counted if seen is not None else 0
    # A lower count is that of another server, which has counted from zero.
    fresh = count - known.counted if count >= known.counted else count
    today = int(now // DAY)
    days = {day: number for day, number in known.days if day > today - WINDOW_DAYS}
    if fresh:
        days[today] = days.get(today, 0) + fresh
    return ApiUse(
        usage=known.usage,
        removed=seen.removed if seen is not None else known.removed,
        replacement=(seen.replacement if seen is not None else "") or known.replacement,
        counted=count,
        days=tuple(sorted(days.items())),
        last_seen=now if fresh else known.last_seen,
    )


def deprecated(uses: Iterable[ApiUse], now: float) -> list[DeprecatedApi]:
    """Those that were asked for within the last 30 days."""
    oldest = int(now // DAY) - WINDOW_DAYS
    found = []
    for use in uses:
        requests = sum(number for day, number in use.days if day > oldest)
        if requests:
            found.append(
                DeprecatedApi(
                    usage=use.usage,
                    removed=use.removed,
                    replacement=use.replacement,
                    requests=requests,
                    last_request=use.last_seen,
                )
            )
    return found
