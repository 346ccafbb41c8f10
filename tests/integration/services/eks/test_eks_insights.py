"""Insights of clusters as boto3 sees them."""

from typing import Any

import pytest
from integration.services.eks.eks_plane import REGION, Clusters
from integration.services.iam.iam_plane import ACCOUNT, allow

from longshore.model import eks
from longshore.model.eks_insights import (
    INSIGHTS_REPORT,
    INSIGHTS_REQUEST,
    ROLLBACK,
    UPGRADE,
    AddonFit,
    DeprecatedApi,
    Insight,
    InsightResource,
    InsightsReport,
)

ARN = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/web"
NOW = 1_800_000_000.0


def insight(number: int, status: str = "PASSING", **fields: Any) -> Insight:
    return Insight(
        **{
            "id": f"{number:08}-0000-4000-8000-000000000000",
            "name": f"Check {number}",
            "category": UPGRADE,
            "version": "1.36",
            "description": "Checks.",
            "status": status,
            "reason": "It is so.",
            "refreshed_at": NOW + 60,
            "transitioned_at": NOW,
            "recommendation": "Go on.",
            **fields,
        }
    )


class Insights:
    """The active cluster `web`, and what its controller would find out."""

    def __init__(self, clusters: Clusters) -> None:
        self.clusters = clusters

    async def found(self, *insights: Insight, **fields: Any) -> None:
        store = self.clusters.plane.store
        record = store.reader.get(eks.CLUSTER, ACCOUNT, REGION, "web")
        assert record is not None
        report = InsightsReport(**{"id": record.value.id, "insights": insights, **fields})
        await store.transact(lambda tx: tx.put(INSIGHTS_REPORT, ACCOUNT, REGION, "web", report))

    async def listed(self, **request: Any) -> list[str]:
        told = await self.clusters.call("list_insights", clusterName="web", **request)
        return [each["name"] for each in told["insights"]]

    async def refresh(self) -> Any:
        return await self.clusters.call("describe_insights_refresh", clusterName="web")

    def asked_at(self) -> float:
        record = self.clusters.plane.store.reader.get(INSIGHTS_REQUEST, ACCOUNT, REGION, "web")
        assert record is not None
        return record.value.asked_at


@pytest.fixture
async def insights(clusters: Clusters) -> Insights:
    await clusters.create("web", version="1.35")
    await clusters.become("web", status="ACTIVE", version="1.35")
    return Insights(clusters)


async def test_an_insight_is_listed_in_short_and_described_in_full(insights: Insights):
    whole = insight(
        1,
        "ERROR",
        links=(("Guide", "https://example.com/"),),
        resources=(
            InsightResource(status="ERROR", reason="Old.", uri="/api/v1/nodes/a"),
            InsightResource(status="ERROR", reason="Ill.", arn=ARN),
        ),
        deprecations=(
            DeprecatedApi(
                usage="/apis/g/v1beta1/things",
                removed="1.36",
                replacement="/apis/g/v1/things",
                requests=3,
                last_request=NOW,
            ),
        ),
        addons=(AddonFit("coredns", ("v1.14.1-eksbuild.1",)),),
    )
    await insights.found(whole)
    (short,) = (await insights.clusters.call("list_insights", clusterName="web"))["insights"]
    assert {key: short[key] for key in ("id", "name", "category", "kubernetesVersion")} == {
        "id": whole.id,
        "name": "Check 1",
        "category": "UPGRADE_READINESS",
        "kubernetesVersion": "1.36",
    }
    assert short["insightStatus"] == {"status": "ERROR", "reason": "It is so."}
    assert short["lastTransitionTime"].timestamp() == NOW
    asked = {"clusterName": "web", "id": whole.id}
    full = (await insights.clusters.call("describe_insight", **asked))["insight"]
    assert {key: full[key] for key in short} == short
    assert full["additionalInfo"] == {"Guide": "https://example.com/"}
    assert full["resources"] == [
        {
            "insightStatus": {"status": "ERROR", "reason": "Old."},
            "kubernetesResourceUri": "/api/v1/nodes/a",
        },
        {"insightStatus": {"status": "ERROR", "reason": "Ill."}, "arn": ARN},
    ]
    summary = full["categorySpecificSummary"]
    (api,) = summary["deprecationDetails"]
    (client,) = api.pop("clientStats")
    assert api == {
        "usage": "/apis/g/v1beta1/things",
        "replacedWith": "/apis/g/v1/things",
        "stopServingVersion": "1.36",
    }
    assert client["numberOfRequestsLast30Days"] == 3
    assert client["lastRequestTime"].timestamp() == NOW
    assert summary["addonCompatibilityDetails"] == [
        {"name": "coredns", "compatibleVersions": ["v1.14.1-eksbuild.1"]}
    ]


async def test_a_filter_lets_through_what_fits_all_of_it(insights: Insights):
    await insights.found(
        insight(1),
        insight(2, "ERROR"),
        insight(3, "ERROR", version="1.37"),
        insight(4, category=ROLLBACK, version="1.34"),
    )
    listed = insights.listed
    assert len(await listed()) == 4
    assert await listed(filter={"statuses": ["ERROR", "UNKNOWN"]}) == ["Check 2", "Check 3"]
    assert await listed(filter={"categories": ["ROLLBACK_READINESS"]}) == ["Check 4"]
    both = {"statuses": ["ERROR"], "kubernetesVersions": ["1.36"]}
    assert await listed(filter=both) == ["Check 2"]
    assert await listed(filter={"categories": [], "statuses": []}) == await listed()
    assert await listed(filter={"kubernetesVersions": ["1.2"]}) == []


async def test_insights_are_listed_in_pages(insights: Insights):
    await insights.found(*(insight(number) for number in range(5)))
    names: list[str] = []
    request: dict[str, Any] = {"maxResults": 2}
    while True:
        told = await insights.clusters.call("list_insights", clusterName="web", **request)
        names += [each["name"] for each in told["insights"]]
        if "nextToken" not in told:
            break
        request["nextToken"] = told["nextToken"]
    assert names == [f"Check {number}" for number in range(5)]
    wrong = await insights.clusters.error("list_insights", clusterName="web", nextToken="?")
    assert wrong[0] == "InvalidParameterException"


async def test_insights_of_an_earlier_cluster_of_the_name_are_no_others(insights: Insights):
    await insights.found(insight(1), id="another")
    assert await insights.listed() == []
    missing = await insights.clusters.error("describe_insight", clusterName="web", id=insight(1).id)
    said = f"No insight found for ID: {insight(1).id}"
    assert missing == ("ResourceNotFoundException", said)


async def test_a_refresh_is_under_way_until_it_is_answered(insights: Insights):
    named = {"clusterName": "web"}
    none = await insights.clusters.error("describe_insights_refresh", **named)
    assert none[0] == "ResourceNotFoundException"
    started = await insights.clusters.call("start_insights_refresh", **named)
    assert started["status"] == "IN_PROGRESS"
    asked = insights.asked_at()
    await insights.clusters.call("start_insights_refresh", **named)
    assert insights.asked_at() == asked
    told = await insights.refresh()
    assert told["status"] == "IN_PROGRESS"
    assert told["startedAt"].timestamp() == pytest.approx(asked, abs=0.01)
    await insights.found(answers=asked, ended_at=asked + 2)
    told = await insights.refresh()
    assert told["status"] == "COMPLETED"
    assert (told["endedAt"] - told["startedAt"]).total_seconds() == pytest.approx(2, abs=0.01)
    await insights.found(answers=asked, ended_at=asked + 2, failure="Nobody answered.")
    told = await insights.refresh()
    assert (told["status"], told["message"]) == ("FAILED", "Nobody answered.")
    await insights.clusters.call("start_insights_refresh", **named)
    assert insights.asked_at() > asked
    assert (await insights.refresh())["status"] == "IN_PROGRESS"


async def test_only_an_active_cluster_is_looked_at_anew(insights: Insights):
    await insights.clusters.become("web", status="CREATING")
    assert await insights.clusters.error("start_insights_refresh", clusterName="web") == (
        "InvalidRequestException",
        "Cluster 'web' is not in ACTIVE status",
    )


@pytest.mark.parametrize(
    "operation", ["list_insights", "start_insights_refresh", "describe_insights_refresh"]
)
async def test_insights_are_of_a_cluster_that_the_caller_may_see(
    insights: Insights, operation: str
):
    missing = await insights.clusters.error(operation, clusterName="none")
    assert missing == ("ResourceNotFoundException", "No cluster found for name: none.")
    other = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/other"
    user = await insights.clusters.plane.user("other", allow("eks:*", resource=other))
    code, _ = await insights.clusters.error(operation, by=user, clusterName="web")
    assert code == "AccessDeniedException"
