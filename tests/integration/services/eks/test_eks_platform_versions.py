"""Platform versions of control planes as boto3 sees them."""

from typing import Any

import msgspec
from integration.services.eks.eks_plane import REGION, Clusters
from integration.services.iam.iam_plane import ACCOUNT

from longshore.model import eks
from longshore.model.eks_platforms import PATCH, PLATFORM, Patch, Platform


async def test_a_patch_that_failed_is_told_among_the_health_issues(clusters: Clusters):
    await clusters.create("web")
    await clusters.become("web", status="ACTIVE", platform_version="eks.2")
    store = clusters.plane.store
    record = store.reader.get(eks.CLUSTER, ACCOUNT, REGION, "web")
    assert record is not None
    patch = Patch(
        id=record.value.id,
        minor="1.36",
        platform="eks.3",
        before="eks.2",
        state="FAILED",
        began_at=0.0,
        reason="Essential container in task exited",
    )

    async def issues(**fields: Any) -> list[str]:
        changed = msgspec.structs.replace(patch, **fields)
        await store.transact(lambda tx: tx.put(PATCH, ACCOUNT, REGION, "web", changed))
        return [each["message"] for each in (await clusters.describe("web"))["health"]["issues"]]

    assert await issues() == [
        "The control plane could not be brought to platform version eks.3, and stays at eks.2:"
        " Essential container in task exited"
    ]
    assert await issues(state="ROLLING") == []
    assert await issues(id="another") == []


async def test_platform_versions_are_known_once_there_is_one(clusters: Clusters):
    async def told() -> dict[str, str | None]:
        found = (await clusters.call("describe_cluster_versions"))["clusterVersions"]
        return {each["clusterVersion"]: each.get("defaultPlatformVersion") for each in found}

    assert set((await told()).values()) == {None}
    platform = Platform(minor="1.36", number=4, digest="", since=0.0)
    put = clusters.plane.store.transact
    await put(lambda tx: tx.put(PLATFORM, eks.SYSTEM_ACCOUNT, "", "1.36", platform))
    assert (await told())["1.36"] == "eks.4"
