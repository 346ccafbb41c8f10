"""Fargate profiles as boto3 sees them; what their controller would write, the tests write."""

from typing import Any

import pytest
from integration.services.eks.eks_plane import REGION, Clusters
from integration.services.iam.iam_plane import ACCOUNT, allow

from longshore.model.eks_parts import (
    FARGATE_PROFILE,
    FARGATE_PROFILE_STATUS,
    FargateProfileStatus,
    part_name,
)

PODS = {"Service": "eks-fargate-pods.amazonaws.com"}
INVALID, IN_USE, MISSING = (
    "InvalidParameterException",
    "ResourceInUseException",
    "ResourceNotFoundException",
)
APPS = [{"namespace": "apps"}]


class Profiles:
    """The active cluster `web` with a private subnet, and its Fargate profiles."""

    def __init__(self, clusters: Clusters, role: str, subnet: str) -> None:
        self.clusters = clusters
        self.role = role
        self.subnet = subnet

    def request(self, name: str = "fp", **more: Any) -> dict[str, Any]:
        usual = {"podExecutionRoleArn": self.role, "subnets": [self.subnet], "selectors": APPS}
        return {"clusterName": "web", "fargateProfileName": name, **usual, **more}

    async def create(self, name: str = "fp", **more: Any) -> Any:
        call = self.clusters.call("create_fargate_profile", **self.request(name, **more))
        return (await call)["fargateProfile"]

    async def refused(self, name: str = "fp", **more: Any) -> tuple[str, str]:
        return await self.clusters.error("create_fargate_profile", **self.request(name, **more))

    async def describe(self, name: str = "fp") -> Any:
        found = await self.clusters.call(
            "describe_fargate_profile", clusterName="web", fargateProfileName=name
        )
        return found["fargateProfile"]

    async def delete(self, name: str = "fp") -> Any:
        found = await self.clusters.call(
            "delete_fargate_profile", clusterName="web", fargateProfileName=name
        )
        return found["fargateProfile"]

    async def names(self, **more: Any) -> Any:
        return await self.clusters.call("list_fargate_profiles", clusterName="web", **more)

    async def active(self, name: str = "fp", **more: Any) -> Any:
        made = await self.create(name, **more)
        place = (ACCOUNT, REGION, part_name("web", name))

        def write(tx: Any) -> None:
            profile = tx.get(FARGATE_PROFILE, *place).value
            status = FargateProfileStatus(id=profile.id, status="ACTIVE")
            tx.put(FARGATE_PROFILE_STATUS, *place, status)

        await self.clusters.plane.store.transact(write)
        return made


@pytest.fixture
async def profiles(clusters: Clusters) -> Profiles:
    await clusters.create("web", version="1.35")
    await clusters.become("web", status="ACTIVE", version="1.35")
    role = (await clusters.plane.role("pods", PODS))["Arn"]
    subnet = await clusters.subnet(clusters.vpc, "172.31.200.0/24", "us-east-1a")
    table = await clusters.ec2("create_route_table", VpcId=clusters.vpc)
    await clusters.ec2(
        "associate_route_table",
        RouteTableId=table["RouteTable"]["RouteTableId"],
        SubnetId=subnet,
    )
    return Profiles(clusters, role, subnet)


async def test_a_profile_is_created_and_described(profiles: Profiles):
    selectors = [{"namespace": "app-*", "labels": {"tier": "web?"}}, {"namespace": "jobs"}]
    made = await profiles.create(selectors=selectors, tags={"team": "a"})
    head = f"arn:aws:eks:{REGION}:{ACCOUNT}:fargateprofile/web/fp/"
    assert made["fargateProfileArn"].startswith(head)
    assert (made["status"], made["selectors"]) == ("CREATING", selectors)
    assert (made["podExecutionRoleArn"], made["subnets"]) == (profiles.role, [profiles.subnet])
    assert (made["tags"], made["health"]) == ({"team": "a"}, {"issues": []})
    assert await profiles.describe() == made
    assert await profiles.names() == {"fargateProfileNames": ["fp"]}


async def test_the_same_call_again_makes_no_other_profile(profiles: Profiles):
    made = await profiles.create(clientRequestToken="once")
    assert await profiles.create(clientRequestToken="once") == made
    code, message = await profiles.refused(clientRequestToken="once", tags={"a": "b"})
    assert (code, "used before" in message) == (INVALID, True)


async def test_one_profile_is_made_or_deleted_at_a_time(profiles: Profiles):
    await profiles.create("a")
    assert await profiles.refused("b") == (
        IN_USE,
        "Cannot create Fargate Profile b because cluster web currently has Fargate profile a in"
        " status CREATING",
    )
    await profiles.clusters.plane.store.transact(
        lambda tx: tx.delete(FARGATE_PROFILE, ACCOUNT, REGION, part_name("web", "a"))
    )
    await profiles.active("c")
    await profiles.active("d")
    assert (await profiles.delete("c"))["status"] == "DELETING"
    code, message = await profiles.clusters.error(
        "delete_fargate_profile", clusterName="web", fargateProfileName="d"
    )
    assert (code, "in status DELETING" in message) == (IN_USE, True)
    assert (await profiles.refused("e"))[0] == IN_USE
    assert await profiles.names(maxResults=1) == {
        "fargateProfileNames": ["c"],
        "nextToken": (await profiles.names(maxResults=1))["nextToken"],
    }


async def test_a_subnet_with_a_way_to_the_internet_is_refused(profiles: Profiles):
    public = profiles.clusters.subnets[0]
    assert await profiles.refused(subnets=[profiles.subnet, public]) == (
        INVALID,
        f"Subnet {public} provided in Fargate Profile is not a private subnet",
    )
    (other, _) = await profiles.clusters.network("10.5.0.0/16")
    code, message = await profiles.refused(subnets=[other])
    assert (code, "does not belong to the VPC" in message) == (INVALID, True)
    assert (await profiles.refused(subnets=["subnet-00000000"]))[0] == INVALID
    assert (await profiles.refused(subnets=[]))[0] == INVALID
    assert (await profiles.names())["fargateProfileNames"] == []


async def test_the_role_has_to_trust_fargates_pods(profiles: Profiles):
    role = (await profiles.clusters.plane.role("other", {"Service": "ec2.amazonaws.com"}))["Arn"]
    assert await profiles.refused(podExecutionRoleArn=role) == (
        INVALID,
        "Misconfigured PodExecutionRole Trust Policy; Please add the"
        " eks-fargate-pods.amazonaws.com Service Principal",
    )
    missing = f"arn:aws:iam::{ACCOUNT}:role/missing"
    assert (await profiles.refused(podExecutionRoleArn=missing))[0] == INVALID


@pytest.mark.parametrize(
    "selectors",
    [
        [],
        [{"namespace": f"n{number}"} for number in range(6)],
        [{"labels": {"a": "b"}}],
        [{"namespace": "Not_A_Namespace"}],
        [{"namespace": "apps", "labels": {f"l{number}": "x" for number in range(6)}}],
        [{"namespace": "apps", "labels": {"not a key": "x"}}],
        [{"namespace": "apps", "labels": {"a": "not a value"}}],
    ],
)
async def test_selectors_that_mean_no_pods_are_refused(profiles: Profiles, selectors: Any):
    assert (await profiles.refused(selectors=selectors))[0] == INVALID


@pytest.mark.parametrize("name", ["-a", "eks-a", "a.b", "a" * 64])
async def test_names_are_as_aws_has_them(profiles: Profiles, name: str):
    assert (await profiles.refused(name))[0] == INVALID


async def test_what_is_not_there_is_not_found(profiles: Profiles):
    for operation in ("describe_fargate_profile", "delete_fargate_profile"):
        assert await profiles.clusters.error(
            operation, clusterName="web", fargateProfileName="fp"
        ) == (MISSING, "No Fargate Profile found with name: fp.")


async def test_a_cluster_with_profiles_is_not_deleted(profiles: Profiles):
    await profiles.active()
    assert await profiles.clusters.error("delete_cluster", name="web") == (
        IN_USE,
        "Cluster has Fargate profiles attached",
    )


async def test_profiles_have_tags_by_their_arn(profiles: Profiles):
    arn = (await profiles.active())["fargateProfileArn"]
    await profiles.clusters.call("tag_resource", resourceArn=arn, tags={"team": "b"})
    assert (await profiles.describe())["tags"] == {"team": "b"}
    await profiles.clusters.call("untag_resource", resourceArn=arn, tagKeys=["team"])
    told = await profiles.clusters.call("list_tags_for_resource", resourceArn=arn)
    assert told["tags"] == {}


async def test_policies_name_profiles_by_their_arn(profiles: Profiles):
    made = await profiles.active()
    arn = made["fargateProfileArn"].rpartition("/")[0]
    ann = await profiles.clusters.plane.user(
        "ann", allow("eks:DescribeFargateProfile", resource=f"{arn}/*")
    )
    found = await profiles.clusters.call(
        "describe_fargate_profile", by=ann, clusterName="web", fargateProfileName="fp"
    )
    assert found["fargateProfile"]["status"] == "ACTIVE"
    code, _ = await profiles.clusters.error(
        "delete_fargate_profile", by=ann, clusterName="web", fargateProfileName="fp"
    )
    assert code == "AccessDeniedException"
