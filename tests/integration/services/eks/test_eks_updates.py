"""Updates of clusters as boto3 sees them."""

from typing import Any

import msgspec
import pytest
from integration.services.eks.eks_plane import REGION, Clusters
from integration.services.iam.iam_plane import ACCOUNT, allow, deny

from longshore.base.clock import SystemClock
from longshore.model import eks
from longshore.model.eks_insights import (
    INSIGHTS_REPORT,
    ROLLBACK,
    UPGRADE,
    Insight,
    InsightsReport,
)
from longshore.model.iam import USER

CLUSTER_ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
ARN = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/web"
NARROW = {"publicAccessCidrs": ["203.0.113.7/24"]}
PROTECTED = {"deletionProtection": True}
STANDARD = {"upgradePolicy": {"supportType": "STANDARD"}}


def insight(category: str, version: str, status: str) -> Insight:
    return Insight(
        id=f"{category}-{version}",
        name="Kubelet version skew",
        category=category,
        version=version,
        description="",
        status=status,
        reason="",
        refreshed_at=0.0,
        transitioned_at=0.0,
        recommendation="",
    )


class Updates:
    """The active cluster `web`, which runs 1.35, and its updates."""

    def __init__(self, clusters: Clusters) -> None:
        self.clusters = clusters

    async def configure(self, **request: Any) -> Any:
        call = self.clusters.call("update_cluster_config", name="web", **request)
        return (await call)["update"]

    async def upgrade(self, version: str, **request: Any) -> Any:
        named = {"name": "web", "version": version}
        return (await self.clusters.call("update_cluster_version", **named, **request))["update"]

    async def refused(self, **request: Any) -> tuple[str, str]:
        """The code and message of UpdateClusterConfig."""
        return await self.clusters.error("update_cluster_config", name="web", **request)

    async def no_upgrade(self, version: str, **request: Any) -> tuple[str, str]:
        named = {"name": "web", "version": version}
        return await self.clusters.error("update_cluster_version", **named, **request)

    async def describe(self, update_id: str) -> Any:
        named = {"name": "web", "updateId": update_id}
        return (await self.clusters.call("describe_update", **named))["update"]

    async def become(self, **status: Any) -> None:
        """What the cluster's controller would write of the cluster."""
        shown = {"status": "ACTIVE", "version": "1.35", "platform_version": "eks.1", **status}
        await self.clusters.become("web", **shown)

    async def end(self, update_id: str, **fields: Any) -> None:
        """The same of an update."""
        place = (ACCOUNT, REGION, eks.update_name("web", update_id))

        def write(tx: Any) -> None:
            update = tx.get(eks.UPDATE, *place).value
            ended = msgspec.structs.replace(update, **{"status": "Successful", **fields})
            tx.put(eks.UPDATE, *place, ended)

        await self.clusters.plane.store.transact(write)

    async def report(self, up: str = "PASSING", back: str = "") -> None:
        """What the insights' controller would write."""
        found = [insight(UPGRADE, "1.36", up)]
        found += [insight(ROLLBACK, "1.35", back)] if back else []
        report = InsightsReport(id=self.wanted().id, insights=tuple(found))

        def write(tx: Any) -> None:
            tx.put(INSIGHTS_REPORT, ACCOUNT, REGION, "web", report)

        await self.clusters.plane.store.transact(write)

    def wanted(self) -> eks.Cluster:
        record = self.clusters.plane.store.reader.get(eks.CLUSTER, ACCOUNT, REGION, "web")
        assert record is not None
        return record.value


@pytest.fixture
async def updates(clusters: Clusters) -> Updates:
    await clusters.create("web", version="1.35")
    found = Updates(clusters)
    await found.become()
    return found


def params(update: Any) -> list[tuple[str, str]]:
    return [(each["type"], each["value"]) for each in update["params"]]


async def test_a_version_is_wanted_at_once_and_shown_once_it_runs(updates: Updates):
    update = await updates.upgrade("1.36", force=True)
    assert (update["type"], update["status"], update["errors"]) == (
        "VersionUpdate",
        "InProgress",
        [],
    )
    assert params(update) == [("Version", "1.36"), ("PlatformVersion", "eks.1")]
    assert await updates.describe(update["id"]) == update
    shown = await updates.clusters.describe("web")
    assert (shown["status"], shown["version"]) == ("UPDATING", "1.35")
    assert updates.wanted().version == "1.36"
    await updates.become(version="1.36")
    await updates.end(update["id"])
    shown = await updates.clusters.describe("web")
    assert (shown["status"], shown["version"]) == ("ACTIVE", "1.36")
    assert (await updates.describe(update["id"]))["status"] == "Successful"


async def test_an_update_that_failed_says_why_and_may_be_tried_again(updates: Updates):
    update = await updates.upgrade("1.36")
    error = eks.UpdateError("IpNotAvailable", "There are no addresses.", ("subnet-1",))
    await updates.end(update["id"], status="Failed", errors=(error,))
    failed = await updates.describe(update["id"])
    assert failed["status"] == "Failed"
    told = {
        "errorCode": "IpNotAvailable",
        "errorMessage": "There are no addresses.",
        "resourceIds": ["subnet-1"],
    }
    assert failed["errors"] == [told]
    shown = await updates.clusters.describe("web")
    assert (shown["status"], shown["version"]) == ("ACTIVE", "1.35")
    assert (await updates.upgrade("1.36"))["id"] != update["id"]


@pytest.mark.parametrize(
    ("runs", "wanted", "message"),
    [
        ("1.35", "1.35", "Unsupported Kubernetes minor version update from 1.35 to 1.35"),
        ("1.34", "1.36", "Unsupported Kubernetes minor version update from 1.34 to 1.36"),
        ("1.37", "1.35", "Unsupported Kubernetes minor version update from 1.37 to 1.35"),
        ("1.36", "1.37", "unsupported Kubernetes version 1.37"),
        ("1.35", "1.34", "unsupported Kubernetes version 1.34"),
        ("1.35", "1.36.3", "unsupported Kubernetes version 1.36.3"),
    ],
)
async def test_versions_go_up_one_at_a_time(updates: Updates, runs: str, wanted: str, message: str):
    await updates.become(version=runs)
    refused = ("InvalidParameterException", message)
    assert await updates.no_upgrade(wanted, force=True) == refused
    assert (await updates.clusters.describe("web"))["status"] == "ACTIVE"


async def upgraded(updates: Updates) -> None:
    """From 1.35 to 1.36, and looked at since."""
    update = await updates.upgrade("1.36")
    await updates.end(update["id"])
    await updates.become(version="1.36")
    await updates.report(back="PASSING")


async def test_an_upgraded_cluster_is_rolled_back_once(updates: Updates):
    await upgraded(updates)
    update = await updates.upgrade("1.35", rollbackConfig={"timeoutMinutes": 120})
    assert (update["type"], params(update)[0]) == ("VersionRollback", ("Version", "1.35"))
    assert updates.wanted().version == "1.35"
    await updates.end(update["id"])
    await updates.become(version="1.35")
    again = await updates.upgrade("1.36")
    assert again["type"] == "VersionUpdate"


async def test_a_cluster_goes_back_only_where_it_came_from_lately(updates: Updates):
    await updates.become(version="1.36")
    refused = (
        "InvalidRequestException",
        "Cluster web cannot be rolled back from 1.36 to 1.35: it was not upgraded from there within"
        " the last 7 days",
    )
    assert await updates.no_upgrade("1.35", force=True) == refused
    await updates.become(version="1.35")
    await upgraded(updates)
    (listed,) = (await updates.clusters.call("list_updates", name="web"))["updateIds"]
    age = SystemClock().now() - 7 * 86_400
    await updates.end(listed, created_at=age)
    assert await updates.no_upgrade("1.35", force=True) == refused


async def test_a_rollback_waits_until_somebody_has_looked_whether_it_is_safe(updates: Updates):
    await upgraded(updates)
    await updates.report()
    code, message = await updates.no_upgrade("1.35")
    assert (code, "is not known yet" in message) == ("InvalidStateException", True)
    await updates.report(back="ERROR")
    code, message = await updates.no_upgrade("1.35")
    assert (code, message[:33]) == ("InvalidStateException", "Upgrade readiness issues detected")
    await updates.report(back="UNKNOWN")
    await updates.upgrade("1.35")


async def test_errors_of_insights_stand_in_the_way_of_an_upgrade_that_is_not_forced(
    updates: Updates,
):
    for status in ("WARNING", "UNKNOWN"):
        await updates.report(up=status)
        update = await updates.upgrade("1.36")
        await updates.end(update["id"], status="Failed")
    await updates.report(up="ERROR")
    assert await updates.no_upgrade("1.36") == (
        "InvalidStateException",
        "Upgrade readiness issues detected. Call the EKS ListInsights API to view upgrade blocking"
        " issues detected by EKS. Pass the force flag to override upgrade readiness errors and"
        " proceed with upgrade.",
    )
    assert (await updates.clusters.describe("web"))["status"] == "ACTIVE"
    await updates.upgrade("1.36", force=True)


@pytest.mark.parametrize("minutes", [119, 10_081, -1])
async def test_the_time_of_a_rollback_is_bounded(updates: Updates, minutes: int):
    await upgraded(updates)
    config = {"timeoutMinutes": minutes}
    code, message = await updates.no_upgrade("1.35", rollbackConfig=config)
    assert (code, str(minutes) in message) == ("InvalidParameterException", True)


async def test_an_upgrade_is_no_rollback(updates: Updates):
    assert await updates.no_upgrade("1.36", rollbackConfig={"timeoutMinutes": 120}) == (
        "InvalidParameterException",
        "rollbackConfig is for version rollbacks alone",
    )


async def test_updates_cannot_be_cancelled(updates: Updates):
    async def refused(update_id: str) -> tuple[str, str]:
        return await updates.clusters.error("cancel_update", name="web", updateId=update_id)

    update = await updates.upgrade("1.36")
    said = "Updates of type VersionUpdate cannot be cancelled here"
    assert await refused(update["id"]) == ("InvalidRequestException", said)
    await updates.end(update["id"])
    over = f"Update {update['id']} is not in progress"
    assert await refused(update["id"]) == ("InvalidRequestException", over)
    assert (await refused("none"))[0] == "ResourceNotFoundException"


async def test_public_access_is_narrowed_and_widened(updates: Updates):
    update = await updates.configure(resourcesVpcConfig=NARROW)
    assert update["type"] == "EndpointAccessUpdate"
    assert params(update) == [
        ("EndpointPublicAccess", "true"),
        ("EndpointPrivateAccess", "false"),
        ("PublicAccessCidrs", '["203.0.113.0/24"]'),
    ]
    shown = await updates.clusters.describe("web")
    assert shown["status"] == "UPDATING"
    assert shown["resourcesVpcConfig"]["publicAccessCidrs"] == ["203.0.113.0/24"]
    await updates.end(update["id"])
    await updates.configure(resourcesVpcConfig={"publicAccessCidrs": []})
    shown = await updates.clusters.describe("web")
    assert shown["resourcesVpcConfig"]["publicAccessCidrs"] == ["0.0.0.0/0"]


async def test_private_access_comes_before_public_access_may_go(updates: Updates):
    update = await updates.configure(resourcesVpcConfig={"endpointPrivateAccess": True})
    assert params(update)[:2] == [
        ("EndpointPublicAccess", "true"),
        ("EndpointPrivateAccess", "true"),
    ]
    await updates.end(update["id"])
    update = await updates.configure(resourcesVpcConfig={"endpointPublicAccess": False})
    await updates.end(update["id"])
    shown = (await updates.clusters.describe("web"))["resourcesVpcConfig"]
    assert (shown["endpointPublicAccess"], shown["endpointPrivateAccess"]) == (False, True)
    assert await updates.refused(resourcesVpcConfig={"endpointPrivateAccess": False}) == (
        "InvalidParameterException",
        "Private and public endpoint access cannot be false",
    )


async def test_a_configuration_that_the_cluster_has_is_no_update(updates: Updates):
    async def refused(**request: Any) -> str:
        code, message = await updates.refused(**request)
        assert code == "InvalidParameterException"
        return message

    cidrs = ["203.0.113.0/24", "198.51.100.7/32"]
    update = await updates.configure(resourcesVpcConfig={"publicAccessCidrs": cidrs})
    await updates.end(update["id"])
    for network in (
        {"endpointPublicAccess": True},
        {"endpointPrivateAccess": False, "publicAccessCidrs": cidrs[::-1]},
    ):
        assert await refused(resourcesVpcConfig=network) == (
            "Cluster is already at the desired configuration with endpointPrivateAccess: false ,"
            " endpointPublicAccess: true, and Public Endpoint Restrictions: [203.0.113.0/24,"
            " 198.51.100.7/32]"
        )
    already = "Cluster is already at the desired configuration with"
    extended = {"supportType": "EXTENDED"}
    assert await refused(upgradePolicy=extended) == f"{already} supportType: EXTENDED"
    assert await refused(deletionProtection=False) == f"{already} deletionProtection: false"
    disabled = {"clusterLogging": [{"types": ["api", "audit"], "enabled": False}]}
    unneeded = "No changes needed for the logging config provided"
    assert await refused(logging=disabled) == unneeded
    assert (await updates.clusters.call("list_updates", name="web"))["updateIds"] == [update["id"]]


async def test_an_endpoint_must_stay_and_its_cidrs_must_be_some(updates: Updates):
    async def refused(**network: Any) -> tuple[str, str]:
        return await updates.refused(resourcesVpcConfig=network)

    invalid = "InvalidParameterException"
    neither = "Private and public endpoint access cannot be false"
    assert await refused(endpointPublicAccess=False) == (invalid, neither)
    wrong = "publicAccessCidrs has an invalid CIDR: all"
    assert await refused(publicAccessCidrs=["all"]) == (invalid, wrong)
    many = [f"203.0.113.{number}/32" for number in range(41)]
    most = "publicAccessCidrs can have at most 40 CIDRs, not 41"
    assert await refused(publicAccessCidrs=many) == (invalid, most)


async def test_a_cluster_is_protected_from_deletion_and_let_go(updates: Updates):
    update = await updates.configure(**PROTECTED)
    assert update["type"] == "DeletionProtectionUpdate"
    assert params(update) == [("DeletionProtection", "true")]
    await updates.end(update["id"])
    code, _ = await updates.clusters.error("delete_cluster", name="web")
    assert code == "InvalidRequestException"
    update = await updates.configure(deletionProtection=False)
    await updates.end(update["id"])
    deleted = await updates.clusters.call("delete_cluster", name="web")
    assert deleted["cluster"]["status"] == "DELETING"


async def test_the_upgrade_policy_is_changed(updates: Updates):
    update = await updates.configure(**STANDARD)
    assert update["type"] == "UpgradePolicyUpdate"
    assert params(update) == [("UpgradePolicy", '{"supportType":"STANDARD"}')]
    shown = await updates.clusters.describe("web")
    assert shown["upgradePolicy"] == {"supportType": "STANDARD"}


async def test_the_authentication_mode_goes_one_step_at_a_time_and_never_back(updates: Updates):
    async def refused(before: str, wanted: str) -> None:
        assert await updates.refused(accessConfig={"authenticationMode": wanted}) == (
            "InvalidParameterException",
            f"Unsupported authentication mode update from {before} to {wanted}",
        )

    await refused("CONFIG_MAP", "CONFIG_MAP")
    await refused("CONFIG_MAP", "API")
    for before, wanted in (("CONFIG_MAP", "API_AND_CONFIG_MAP"), ("API_AND_CONFIG_MAP", "API")):
        update = await updates.configure(accessConfig={"authenticationMode": wanted})
        assert update["type"] == "AccessConfigUpdate"
        assert params(update) == [("AuthenticationMode", f'"{wanted}"')]
        await updates.end(update["id"])
        shown = await updates.clusters.describe("web")
        assert shown["accessConfig"]["authenticationMode"] == wanted
        await refused(wanted, wanted)
        await refused(wanted, before)


async def test_who_made_a_cluster_is_its_administrator_with_access_entries_too(clusters: Clusters):
    maker = await clusters.plane.user("maker", allow("eks:*", "iam:PassRole"))
    await clusters.call("create_cluster", by=maker, **clusters.request("web", version="1.35"))
    updates = Updates(clusters)
    await updates.become()
    both = {"authenticationMode": "API_AND_CONFIG_MAP"}
    update = await updates.configure(accessConfig=both)
    arn = f"arn:aws:iam::{ACCOUNT}:user/maker"
    named = {"clusterName": "web", "principalArn": arn}
    (policy,) = (await clusters.call("list_associated_access_policies", **named))[
        "associatedAccessPolicies"
    ]
    assert policy["policyArn"] == CLUSTER_ADMIN
    # An entry that is deleted does not come back with the next mode.
    await updates.end(update["id"])
    await clusters.call("delete_access_entry", **named)
    await updates.configure(accessConfig={"authenticationMode": "API"})
    assert (await clusters.call("list_access_entries", clusterName="web"))["accessEntries"] == []


async def test_nobody_becomes_administrator_who_is_gone(clusters: Clusters):
    maker = await clusters.plane.user("maker", allow("eks:*", "iam:PassRole"))
    await clusters.call("create_cluster", by=maker, **clusters.request("web", version="1.35"))
    updates = Updates(clusters)
    await updates.become()
    await clusters.plane.store.transact(lambda tx: tx.delete(USER, ACCOUNT, "", "maker"))
    await updates.configure(accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"})
    assert (await clusters.call("list_access_entries", clusterName="web"))["accessEntries"] == []


async def test_nobody_becomes_administrator_who_was_not_to_be(updates: Updates):
    def write(tx: Any) -> None:
        cluster = msgspec.structs.replace(updates.wanted(), bootstrap_admin=False)
        tx.put(eks.CLUSTER, ACCOUNT, REGION, "web", cluster)

    await updates.clusters.plane.store.transact(write)
    await updates.configure(accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"})
    found = await updates.clusters.call("list_access_entries", clusterName="web")
    assert found["accessEntries"] == []


async def test_subnets_and_security_groups_are_exchanged_within_the_zones(updates: Updates):
    clusters = updates.clusters
    zones = {
        each["SubnetId"]: each["AvailabilityZone"]
        for each in (await clusters.ec2("describe_subnets"))["Subnets"]
    }
    kept, *others = clusters.subnets
    other = await clusters.subnet(clusters.vpc, "172.31.128.0/24", zones[kept])
    group = await clusters.ec2(
        "create_security_group", VpcId=clusters.vpc, GroupName="more", Description="more"
    )
    subnets, groups = [other, *others], [group["GroupId"]]
    update = await updates.configure(
        resourcesVpcConfig={"subnetIds": subnets, "securityGroupIds": groups}
    )
    assert update["type"] == "VpcConfigUpdate"
    assert {kind: msgspec.json.decode(value) for kind, value in params(update)} == {
        "Subnets": subnets,
        "SecurityGroups": groups,
    }
    await updates.end(update["id"])
    shown = (await clusters.describe("web"))["resourcesVpcConfig"]
    assert (shown["subnetIds"], shown["securityGroupIds"]) == (subnets, groups)
    code, message = await updates.refused(resourcesVpcConfig={"subnetIds": subnets[::-1]})
    assert (code, message[:24]) == ("InvalidParameterException", "Cluster is already at th")
    await updates.configure(resourcesVpcConfig={"securityGroupIds": []})
    assert updates.wanted().security_groups == ()


async def test_a_cluster_stays_in_its_vpc_and_its_zones(updates: Updates):
    async def refused(**network: Any) -> str:
        code, message = await updates.refused(resourcesVpcConfig=network)
        assert code == "InvalidParameterException"
        return message

    clusters = updates.clusters
    before = updates.wanted()
    assert "zones" not in await refused(subnetIds=[])
    few = list(clusters.subnets[:2])
    assert "exact set of AZs 'us-east-1a,us-east-1b,us-east-1c'" in await refused(subnetIds=few)
    elsewhere = await clusters.network("10.9.0.0/16")
    said = f"Provided subnets are not in the VPC {clusters.vpc} of the cluster"
    assert await refused(subnetIds=list(elsewhere)) == said
    assert "InvalidSubnetID.NotFound" in await refused(subnetIds=[few[0], "subnet-0"])
    vpc = (await clusters.ec2("describe_subnets", SubnetIds=[elsewhere[0]]))["Subnets"][0]["VpcId"]
    group = await clusters.ec2(
        "create_security_group", VpcId=vpc, GroupName="theirs", Description="theirs"
    )
    assert "same VPC" in await refused(securityGroupIds=[group["GroupId"]])
    assert updates.wanted() == before


async def test_an_update_is_of_one_thing(updates: Updates):
    only = ("InvalidParameterException", "Only one type of update can be allowed.")
    for request in (
        {**PROTECTED, **STANDARD},
        {"resourcesVpcConfig": {**NARROW, "subnetIds": list(updates.clusters.subnets)}},
        {"resourcesVpcConfig": NARROW, "logging": {"clusterLogging": []}},
    ):
        assert await updates.refused(**request) == only
    for nothing in ({}, {"accessConfig": {}}, {"resourcesVpcConfig": {}}):
        assert await updates.refused(**nothing) == (
            "InvalidParameterException",
            "Invalid type for cluster update.",
        )


NOT_BUILT = {
    "control planes whose egress the customer routes": {
        "resourcesVpcConfig": {"controlPlaneEgressMode": "CUSTOMER_ROUTED"}
    },
    "updates of EKS Auto Mode": {
        "computeConfig": {"enabled": True},
        "kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": True}},
        "storageConfig": {"blockStorage": {"enabled": True}},
    },
    "zonal shifts of clusters": {"zonalShiftConfig": {"enabled": True}},
    "hybrid nodes": {"remoteNetworkConfig": {"remoteNodeNetworks": []}},
    "provisioned control planes": {"controlPlaneScalingConfig": {"tier": "tier-xl"}},
    "options of clusters' control planes": {"kubeApiServerConfig": {"eventTtl": "1h"}},
}


@pytest.mark.parametrize("what", NOT_BUILT)
async def test_what_is_not_built_says_so(updates: Updates, what: str):
    assert await updates.refused(**NOT_BUILT[what]) == (
        "NotImplemented",
        f"Longshore does not implement {what} yet.",
    )


async def test_a_cluster_has_one_update_at_a_time(updates: Updates):
    update = await updates.configure(**PROTECTED)

    def in_use(kind: str) -> tuple[str, str]:
        return (
            "ResourceInUseException",
            f"Cannot {kind} because cluster web currently has update {update['id']} in progress",
        )

    assert await updates.no_upgrade("1.36") == in_use("VersionUpdate")
    assert await updates.refused(**STANDARD) == in_use("UpgradePolicyUpdate")
    await updates.end(update["id"])
    assert (await updates.upgrade("1.36"))["status"] == "InProgress"


@pytest.mark.parametrize("status", ["CREATING", "FAILED", "DELETING"])
async def test_only_an_active_cluster_is_updated(updates: Updates, status: str):
    if status == "DELETING":
        await updates.clusters.call("delete_cluster", name="web")
    else:
        await updates.become(status=status)
    refused = ("InvalidRequestException", "Cluster 'web' is not in ACTIVE status")
    assert await updates.no_upgrade("1.36") == refused
    assert await updates.refused(**PROTECTED) == refused
    assert (await updates.clusters.describe("web"))["status"] == status


async def test_a_cluster_is_not_deleted_during_an_update_unless_it_failed(updates: Updates):
    await updates.upgrade("1.36")
    assert await updates.clusters.error("delete_cluster", name="web") == (
        "ResourceInUseException",
        "Cannot delete because cluster web currently has an update in progress",
    )
    await updates.become(status="FAILED")
    deleted = await updates.clusters.call("delete_cluster", name="web")
    assert deleted["cluster"]["status"] == "DELETING"


async def test_the_same_call_again_is_the_same_update_and_another_one_is_refused(updates: Updates):
    update = await updates.configure(**PROTECTED, clientRequestToken="one")
    assert await updates.configure(**PROTECTED, clientRequestToken="one") == update
    used = (
        "InvalidParameterException",
        "The clientRequestToken was used before with different parameters",
    )
    assert await updates.refused(**STANDARD, clientRequestToken="one") == used
    assert await updates.no_upgrade("1.36", clientRequestToken="one") == used
    await updates.end(update["id"])
    again = await updates.configure(**PROTECTED, clientRequestToken="one")
    assert (again["id"], again["status"]) == (update["id"], "Successful")


async def test_updates_are_listed_newest_first_in_pages(updates: Updates):
    made = []
    for protected in (True, False, True):
        update = await updates.configure(deletionProtection=protected)
        await updates.end(update["id"])
        made.insert(0, update["id"])
    call = updates.clusters.call
    assert await call("list_updates", name="web") == {"updateIds": made}
    first = await call("list_updates", name="web", maxResults=2)
    assert first["updateIds"] == made[:2]
    # One that is made in between moves no page.
    await updates.upgrade("1.36")
    last = await call("list_updates", name="web", nextToken=first["nextToken"])
    assert last == {"updateIds": made[2:]}


async def test_what_is_not_there_has_no_updates(updates: Updates):
    update = await updates.configure(**PROTECTED)
    await updates.clusters.create("other")
    describe, missing = "describe_update", "ResourceNotFoundException"
    error = updates.clusters.error
    assert await error(describe, name="web", updateId="none") == (
        missing,
        "No update found for ID: none",
    )
    assert await error(describe, name="other", updateId=update["id"]) == (
        missing,
        f"No update found for ID: {update['id']}",
    )
    no_cluster = (missing, "No cluster found for name: none.")
    assert await error(describe, name="none", updateId=update["id"]) == no_cluster
    assert await error("list_updates", name="none") == no_cluster
    assert await error("update_cluster_config", name="none", **PROTECTED) == no_cluster
    assert await error("update_cluster_version", name="none", version="1.36") == no_cluster
    for what, message in (
        ("nodegroupName", "No node group found for name: a."),
        ("addonName", "No addon: a found in cluster: web"),
        ("capabilityName", "No capability found for name: a."),
    ):
        named = {"name": "web", what: "a"}
        assert await error("list_updates", **named) == (missing, message)
        assert await error(describe, **named, updateId=update["id"]) == (missing, message)


async def test_errors_have_the_http_statuses_of_eks(updates: Updates):
    admin = updates.clusters.plane.admin
    update = await updates.configure(**PROTECTED)
    for operation, request, status in (
        ("update_cluster_config", STANDARD, 409),
        ("update_cluster_config", {}, 400),
        ("describe_update", {"updateId": "none"}, 404),
        ("describe_update", {"updateId": update["id"], "addonName": "a"}, 404),
    ):
        assert (await admin.error(operation, service="eks", name="web", **request))[2] == status


async def test_a_policy_for_one_cluster_lets_nobody_update_another(updates: Updates):
    await updates.clusters.create("other")
    user = await updates.clusters.plane.user("user", allow("eks:*", resource=ARN))
    call, error = updates.clusters.call, updates.clusters.error
    update = (await call("update_cluster_config", by=user, name="web", **PROTECTED))["update"]
    assert await call("list_updates", by=user, name="web") == {"updateIds": [update["id"]]}
    assert await call("describe_update", by=user, name="web", updateId=update["id"])
    for operation, request in (
        ("update_cluster_config", PROTECTED),
        ("update_cluster_version", {"version": "1.36"}),
        ("list_updates", {}),
        ("describe_update", {"updateId": "none"}),
    ):
        code, message = await error(operation, by=user, name="other", **request)
        assert code == "AccessDeniedException"
        action = "eks:" + operation.title().replace("_", "")
        assert f"{action} on resource: {ARN.replace('web', 'other')}" in message


@pytest.mark.parametrize(
    ("key", "value", "request_"),
    [
        ("eks:deletionProtection", "true", PROTECTED),
        ("eks:supportType", "STANDARD", STANDARD),
        (
            "eks:authenticationMode",
            "API_AND_CONFIG_MAP",
            {"accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"}},
        ),
        (
            "eks:endpointPublicAccess",
            "true",
            {"resourcesVpcConfig": {**NARROW, "endpointPublicAccess": True}},
        ),
        ("eks:kubernetesVersion", "1.36", {"version": "1.36"}),
        ("aws:ResourceTag/stage", "prod", {"resourcesVpcConfig": NARROW}),
    ],
)
async def test_policies_may_go_by_what_a_cluster_is_to_become(
    updates: Updates, key: str, value: str, request_: dict[str, Any]
):
    await updates.clusters.call("tag_resource", resourceArn=ARN, tags={"stage": "prod"})
    never = {"StringEquals": {key: value}}
    user = await updates.clusters.plane.user(
        "user", allow("*"), deny("eks:Update*", Condition=never)
    )
    operation = "update_cluster_version" if "version" in request_ else "update_cluster_config"
    code, _ = await updates.clusters.error(operation, by=user, name="web", **request_)
    assert code == "AccessDeniedException"
    assert await updates.clusters.call(operation, name="web", **request_)
