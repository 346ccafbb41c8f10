"""Insights of clusters: to show what the insights' controller has found, and to ask for more.

("View cluster insights", Amazon EKS User Guide.)
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from longshore.model import eks
from longshore.model.eks_insights import (
    ERROR,
    INSIGHTS_REPORT,
    INSIGHTS_REQUEST,
    ROLLBACK,
    UPGRADE,
    DeprecatedApi,
    Insight,
    InsightsReport,
    InsightsRequest,
)
from longshore.model.errors import AwsError
from longshore.services.eks.failures import not_found
from longshore.services.eks.pages import page
from longshore.services.eks.records import cluster_named
from longshore.services.eks.requests import check_active
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        DescribeInsightRequestTypeDef,
        DescribeInsightsRefreshRequestTypeDef,
        ListInsightsRequestTypeDef,
        StartInsightsRefreshRequestTypeDef,
    )

UNDER_WAY = "The insights of the cluster are being refreshed."
THROUGH = "The insights of the cluster were refreshed."
NOT_READY = (
    "Upgrade readiness issues detected. Call the EKS ListInsights API to view upgrade blocking"
    " issues detected by EKS. Pass the force flag to override upgrade readiness errors and proceed"
    " with upgrade."
)
NOT_LOOKED = (
    "The cluster's readiness for a rollback is not known yet. Refresh its insights, or pass the"
    " force flag."
)
CATEGORIES = {"VersionUpdate": UPGRADE, "VersionRollback": ROLLBACK}
"""Of insights, by the type of update that they are asked about."""


def list_insights(context: Context, request: "ListInsightsRequestTypeDef") -> Response:
    """Ordered by id; a new cluster has none for a moment."""
    report = _report(context, cluster_named(context, request["clusterName"]))
    wanted: Mapping[str, Any] = request.get("filter") or {}
    found = [each for each in report.insights if _is_wanted(each, wanted)]
    given, following = page(found, request, lambda each: each.id)
    return {"insights": [_summary(each) for each in given], **following}


def _is_wanted(insight: Insight, wanted: Mapping[str, Any]) -> bool:
    """All that a filter names has to fit; a list without entries lets everything through."""
    members = {
        "categories": insight.category,
        "kubernetesVersions": insight.version,
        "statuses": insight.status,
    }
    return all(not wanted.get(name) or value in wanted[name] for name, value in members.items())


def describe_insight(context: Context, request: "DescribeInsightRequestTypeDef") -> Response:
    cluster = cluster_named(context, request["clusterName"])
    found = [each for each in _report(context, cluster).insights if each.id == request["id"]]
    if not found:
        raise not_found(f"No insight found for ID: {request['id']}", cluster.name)
    return {"insight": _shape(found[0])}


def start_insights_refresh(
    context: Context, request: "StartInsightsRefreshRequestTypeDef"
) -> Response:
    """Asked for again while one is under way, it is that one."""
    cluster = cluster_named(context, request["clusterName"])
    check_active(context, cluster)
    asked = _request(context, cluster)
    if asked is None or asked.asked_at <= _report(context, cluster).answers:
        # The clock may stand: each request is a later one than that which was answered.
        at = max(context.now, asked.asked_at + 0.001) if asked is not None else context.now
        made = InsightsRequest(id=cluster.id, asked_at=at)
        context.tx.put(INSIGHTS_REQUEST, context.account, context.region, cluster.name, made)
    return {"message": UNDER_WAY, "status": "IN_PROGRESS"}


def describe_insights_refresh(
    context: Context, request: "DescribeInsightsRefreshRequestTypeDef"
) -> Response:
    """The newest that was asked for; those of each day are not among them."""
    cluster = cluster_named(context, request["clusterName"])
    asked, report = _request(context, cluster), _report(context, cluster)
    if asked is None:
        raise not_found(f"No insights refresh found for cluster: {cluster.name}", cluster.name)
    if asked.asked_at > report.answers:
        return {"message": UNDER_WAY, "status": "IN_PROGRESS", "startedAt": asked.asked_at}
    return {
        "message": report.failure or THROUGH,
        "status": "FAILED" if report.failure else "COMPLETED",
        "startedAt": asked.asked_at,
        "endedAt": report.ended_at,
    }


def check_ready(context: Context, cluster: eks.Cluster, update: str, version: str) -> None:
    """InvalidStateException where insights stand in the way of an update of this type to this
    version; also while nobody has looked yet whether a rollback is safe.

    (hashicorp/terraform-provider-aws#42031 has EKS's words; "Roll back a cluster to a previous
    Kubernetes version", EKS User Guide: what is not known does not stand in the way.)
    """
    report, category = _report(context, cluster), CATEGORIES[update]
    known = {
        each.status
        for each in report.insights
        if (each.category, each.version) == (category, version)
    }
    if ERROR in known:
        raise AwsError("InvalidStateException", NOT_READY, members={"clusterName": cluster.name})
    if not known and category == ROLLBACK:
        raise AwsError("InvalidStateException", NOT_LOOKED, members={"clusterName": cluster.name})


def _report(context: Context, cluster: eks.Cluster) -> InsightsReport:
    """An empty one while nothing is known of this very cluster."""
    record = context.tx.get(INSIGHTS_REPORT, context.account, context.region, cluster.name)
    if record is None or record.value.id != cluster.id:
        return InsightsReport(id=cluster.id)
    return record.value


def _request(context: Context, cluster: eks.Cluster) -> InsightsRequest | None:
    record = context.tx.get(INSIGHTS_REQUEST, context.account, context.region, cluster.name)
    return record.value if record is not None and record.value.id == cluster.id else None


def _summary(insight: Insight) -> dict[str, Any]:
    """An `InsightSummary`."""
    return {
        "id": insight.id,
        "name": insight.name,
        "category": insight.category,
        "kubernetesVersion": insight.version,
        "lastRefreshTime": insight.refreshed_at,
        "lastTransitionTime": insight.transitioned_at,
        "description": insight.description,
        "insightStatus": {"status": insight.status, "reason": insight.reason},
    }


def _shape(insight: Insight) -> dict[str, Any]:
    """An `Insight`."""
    return {
        **_summary(insight),
        "recommendation": insight.recommendation,
        "additionalInfo": dict(insight.links),
        "resources": [
            {
                "insightStatus": {"status": each.status, "reason": each.reason},
                **({"kubernetesResourceUri": each.uri} if each.uri else {}),
                **({"arn": each.arn} if each.arn else {}),
            }
            for each in insight.resources
        ],
        "categorySpecificSummary": {
            "deprecationDetails": [_deprecation(each) for each in insight.deprecations],
            "addonCompatibilityDetails": [
                {"name": each.name, "compatibleVersions": list(each.versions)}
                for each in insight.addons
            ],
        },
    }


def _deprecation(api: DeprecatedApi) -> dict[str, Any]:
    """A `DeprecationDetail`; which client asked is not known, so that all are one."""
    return {
        "usage": api.usage,
        "stopServingVersion": api.removed,
        **({"replacedWith": api.replacement} if api.replacement else {}),
        "clientStats": [
            {"numberOfRequestsLast30Days": api.requests, "lastRequestTime": api.last_request}
        ],
    }


OPERATIONS: Mapping[str, Operation] = {
    "DescribeInsight": describe_insight,
    "DescribeInsightsRefresh": describe_insights_refresh,
    "ListInsights": list_insights,
    "StartInsightsRefresh": start_insights_refresh,
}
