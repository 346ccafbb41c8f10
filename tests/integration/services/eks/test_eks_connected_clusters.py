"""Clusters of elsewhere as boto3 sees them."""

import pytest
from integration.services.eks.eks_plane import REGION, Clusters
from integration.services.iam.iam_plane import ACCOUNT, allow, deny

SSM = {"Service": "ssm.amazonaws.com"}
ARN = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/far"
DAY = 86_400


class Connected:
    def __init__(self, clusters: Clusters, role: str) -> None:
        self.clusters, self.role = clusters, role

    def request(self, name="far", **more):
        config = {"roleArn": self.role, "provider": "GKE"}
        return {"name": name, "connectorConfig": config, **more}

    async def register(self, name="far", by=None, **more):
        call = self.clusters.call("register_cluster", by=by, **self.request(name, **more))
        return (await call)["cluster"]

    async def refused(self, name="far", by=None, **more):
        return await self.clusters.error("register_cluster", by=by, **self.request(name, **more))


@pytest.fixture
async def connected(clusters: Clusters) -> Connected:
    return Connected(clusters, (await clusters.plane.role("connector", SSM))["Arn"])


async def test_a_registered_cluster_waits_for_its_connector(connected: Connected):
    made = await connected.register(tags={"team": "far"})
    assert (made["name"], made["arn"], made["status"]) == ("far", ARN, "PENDING")
    config = made["connectorConfig"]
    assert (config["provider"], config["roleArn"]) == ("GKE", connected.role)
    assert len(config["activationCode"]) == 20
    left = config["activationExpiry"] - made["createdAt"]
    assert left.total_seconds() == 3 * DAY
    shown = await connected.clusters.describe("far")
    # The code is told once.
    del config["activationCode"]
    assert shown["connectorConfig"] == config
    assert (shown["status"], shown["tags"]) == ("PENDING", {"team": "far"})
    assert "version" not in shown


async def test_connected_clusters_are_listed_where_they_are_asked_for(connected: Connected):
    async def listed(**request):
        return (await connected.clusters.call("list_clusters", **request))["clusters"]

    await connected.register("far")
    await connected.clusters.create("near")
    await connected.register("zoo")
    assert await listed() == ["near"]
    assert await listed(include=["all"]) == ["far", "near", "zoo"]
    first = await connected.clusters.call("list_clusters", include=["all"], maxResults=2)
    assert first["clusters"] == ["far", "near"]
    assert await listed(include=["all"], nextToken=first["nextToken"]) == ["zoo"]
    code, _ = await connected.clusters.error("list_clusters", include=["ALL"])
    assert code == "InvalidParameterException"


async def test_a_name_is_given_once_whatever_the_cluster_is(connected: Connected):
    await connected.register("far")
    taken = ("ResourceInUseException", "Cluster already exists with name: far")
    assert await connected.refused("far") == taken
    assert await connected.clusters.refused("far") == taken
    await connected.clusters.create("near")
    assert (await connected.refused("near"))[0] == "ResourceInUseException"


async def test_the_same_registration_is_answered_again(connected: Connected):
    made = await connected.register(clientRequestToken="once")
    assert await connected.register(clientRequestToken="once") == made
    code, _ = await connected.refused("other", clientRequestToken="once")
    assert code == "InvalidParameterException"


async def test_a_connected_cluster_does_what_clusters_of_eks_do_only_in_part(connected: Connected):
    await connected.register()
    refused = (
        "InvalidRequestException",
        "The operation is not supported for the connected cluster far",
    )
    error = connected.clusters.error
    assert await error("list_nodegroups", clusterName="far") == refused
    assert await error("list_insights", clusterName="far") == refused
    assert await error("update_cluster_version", name="far", version="1.36") == refused
    assert await error("delete_cluster", name="far") == refused


async def test_a_deregistered_cluster_is_gone(connected: Connected):
    await connected.register()
    gone = (await connected.clusters.call("deregister_cluster", name="far"))["cluster"]
    assert (gone["name"], gone["status"]) == ("far", "DELETING")
    missing = ("ResourceNotFoundException", "No cluster found for name: far.")
    assert await connected.clusters.error("describe_cluster", name="far") == missing
    assert await connected.clusters.error("deregister_cluster", name="far") == missing
    await connected.clusters.create("near")
    code, _ = await connected.clusters.error("deregister_cluster", name="near")
    assert code == "ResourceNotFoundException"
    await connected.clusters.create("far")


async def test_tags_of_a_connected_cluster_change(connected: Connected):
    await connected.register(tags={"team": "far"})
    call = connected.clusters.call
    await call("tag_resource", resourceArn=ARN, tags={"stage": "test"})
    await call("untag_resource", resourceArn=ARN, tagKeys=["team"])
    told = await call("list_tags_for_resource", resourceArn=ARN)
    assert told["tags"] == {"stage": "test"}


async def test_a_role_that_no_connector_may_have_is_refused(connected: Connected):
    for role in (connected.clusters.role, f"arn:aws:iam::{ACCOUNT}:role/none"):
        config = {"roleArn": role, "provider": "GKE"}
        code, message = await connected.refused(connectorConfig=config)
        assert (code, "could not be assumed" in message) == ("InvalidParameterException", True)
    foreign = {"roleArn": "arn:aws:iam::999999999999:role/theirs", "provider": "GKE"}
    assert (await connected.refused(connectorConfig=foreign))[0] == "AccessDeniedException"
    unknown = {"roleArn": connected.role, "provider": "SOMEBODY"}
    assert (await connected.refused(connectorConfig=unknown))[0] == "InvalidParameterException"
    assert (await connected.clusters.call("list_clusters", include=["all"]))["clusters"] == []


async def test_ten_clusters_are_registered_at_most(connected: Connected):
    for number in range(10):
        await connected.register(f"far-{number}")
    assert (await connected.refused("far-10"))[0] == "ResourceLimitExceededException"


@pytest.mark.parametrize(
    "withheld", ["eks:RegisterCluster", "iam:PassRole", "ssm:CreateActivation", "eks:TagResource"]
)
async def test_who_registers_a_cluster_needs_to_be_allowed_all_of_it(
    connected: Connected, withheld: str
):
    user = await connected.clusters.plane.user("half", allow("*"), deny(withheld))
    code, _ = await connected.refused(by=user, tags={"a": "b"})
    assert code == "AccessDeniedException"
    missing = await connected.clusters.error("describe_cluster", name="far")
    assert missing[0] == "ResourceNotFoundException"


async def test_tags_of_a_connected_cluster_decide_who_may_deregister_it(connected: Connected):
    await connected.register(tags={"stage": "prod"})
    condition = {"StringNotEquals": {"aws:ResourceTag/stage": "prod"}}
    statements = (
        allow("eks:DeregisterCluster", Condition=condition),
        allow("ssm:DeleteActivation", "eks:DescribeCluster"),
    )
    user = await connected.clusters.plane.user("careful", *statements)
    code, _ = await connected.clusters.error("deregister_cluster", by=user, name="far")
    assert code == "AccessDeniedException"
    await connected.clusters.call("untag_resource", resourceArn=ARN, tagKeys=["stage"])
    await connected.clusters.call("deregister_cluster", by=user, name="far")
