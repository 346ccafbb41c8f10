"""Managed node groups as boto3 sees them; what their controller would write, the tests write."""

import base64
from typing import Any

import msgspec
import pytest
from integration.services.eks.eks_plane import REGION, Clusters
from integration.services.iam.iam_plane import ACCOUNT, allow, deny, trust

from longshore.instances import machine_images
from longshore.model import eks
from longshore.model.auto_scaling import AUTO_SCALING_GROUP, AutoScalingGroup
from longshore.model.eks_parts import NODEGROUP, NODEGROUP_STATUS, NodegroupStatus, part_name

EC2 = {"Service": "ec2.amazonaws.com"}
INVALID, REQUEST, IN_USE = (
    "InvalidParameterException",
    "InvalidRequestException",
    "ResourceInUseException",
)
RELEASES = {image.kubernetes: image.release_version for image in machine_images(REGION)}
USED_TOKEN = "The clientRequestToken was used before with different parameters"
BUSY = "Nodegroup cannot be updated as it is currently not in Active State"


class Groups:
    """The active cluster `web`, which runs 1.35, and its node groups."""

    def __init__(self, clusters: Clusters, role: str) -> None:
        self.clusters = clusters
        self.role = role

    def request(self, name: str = "ng", **more: Any) -> dict[str, Any]:
        named = {"clusterName": "web", "nodegroupName": name, "nodeRole": self.role}
        return {**named, "subnets": list(self.clusters.subnets), **more}

    async def create(self, name: str = "ng", **more: Any) -> Any:
        call = self.clusters.call("create_nodegroup", **self.request(name, **more))
        return (await call)["nodegroup"]

    async def refused(self, name: str = "ng", **more: Any) -> tuple[str, str]:
        """The code and message of CreateNodegroup."""
        return await self.clusters.error("create_nodegroup", **self.request(name, **more))

    async def call(self, operation: str, name: str = "ng", **more: Any) -> Any:
        named = {"clusterName": "web", "nodegroupName": name}
        return await self.clusters.call(operation, **named, **more)

    async def error(self, operation: str, name: str = "ng", **more: Any) -> tuple[str, str]:
        named = {"clusterName": "web", "nodegroupName": name}
        return await self.clusters.error(operation, **named, **more)

    async def describe(self, name: str = "ng") -> Any:
        return (await self.call("describe_nodegroup", name))["nodegroup"]

    async def become(self, name: str = "ng", **fields: Any) -> None:
        """What the node group's controller would write."""
        place = (ACCOUNT, REGION, part_name("web", name))

        def write(tx: Any) -> None:
            nodegroup = tx.get(NODEGROUP, *place).value
            shown = {
                "id": nodegroup.id,
                "status": "ACTIVE",
                "version": nodegroup.version,
                "release_version": nodegroup.release_version,
                **fields,
            }
            tx.put(NODEGROUP_STATUS, *place, NodegroupStatus(**shown))

        await self.clusters.plane.store.transact(write)

    async def active(self, name: str = "ng", **more: Any) -> Any:
        made = await self.create(name, **more)
        await self.become(name)
        return made

    async def group(self, name: str, desired: int) -> None:
        """An Auto Scaling group of this name, which Auto Scaling has brought to this size."""
        group = AutoScalingGroup(
            name=name, arn="", min_size=0, max_size=9, desired=desired, created_at=0.0
        )
        store = self.clusters.plane.store
        await store.transact(lambda tx: tx.put(AUTO_SCALING_GROUP, ACCOUNT, REGION, name, group))

    async def end(self, update: Any, **fields: Any) -> None:
        place = (ACCOUNT, REGION, eks.update_name("web", update["id"]))

        def write(tx: Any) -> None:
            found = tx.get(eks.UPDATE, *place).value
            ended = msgspec.structs.replace(found, **{"status": "Successful", **fields})
            tx.put(eks.UPDATE, *place, ended)

        await self.clusters.plane.store.transact(write)

    async def configure(self, name: str = "ng", **more: Any) -> Any:
        return (await self.call("update_nodegroup_config", name, **more))["update"]

    async def upgrade(self, name: str = "ng", **more: Any) -> Any:
        return (await self.call("update_nodegroup_version", name, **more))["update"]

    async def template(self, name: str, **data: Any) -> dict[str, str]:
        made = await self.clusters.ec2(
            "create_launch_template", LaunchTemplateName=name, LaunchTemplateData=data
        )
        return {"id": made["LaunchTemplate"]["LaunchTemplateId"], "version": "1"}


@pytest.fixture
async def groups(clusters: Clusters) -> Groups:
    await clusters.create("web", version="1.35")
    await clusters.become("web", status="ACTIVE", version="1.35")
    role = (await clusters.plane.role("node", EC2))["Arn"]
    return Groups(clusters, role)


def params(update: Any) -> list[tuple[str, str]]:
    return [(each["type"], each["value"]) for each in update["params"]]


async def test_a_node_group_has_eks_defaults(groups: Groups):
    made = await groups.create(tags={"team": "a"})
    assert made["nodegroupArn"].startswith(f"arn:aws:eks:{REGION}:{ACCOUNT}:nodegroup/web/ng/")
    assert made["status"] == "CREATING"
    assert made["scalingConfig"] == {"minSize": 1, "maxSize": 2, "desiredSize": 2}
    assert made["instanceTypes"] == ["t3.medium"]
    assert (made["amiType"], made["capacityType"]) == ("AL2023_x86_64_STANDARD", "ON_DEMAND")
    assert (made["version"], made["releaseVersion"]) == ("1.35", RELEASES["1.35"])
    assert made["diskSize"] == 20
    assert made["updateConfig"] == {"maxUnavailable": 1, "updateStrategy": "DEFAULT"}
    assert made["health"] == {"issues": []}
    assert made["tags"] == {"team": "a"}
    assert made["subnets"] == list(groups.clusters.subnets)
    assert not {"launchTemplate", "taints", "nodeRepairConfig", "remoteAccess"} & set(made)
    assert await groups.describe() == made
    listed = await groups.clusters.call("list_nodegroups", clusterName="web")
    assert listed == {"nodegroups": ["ng"]}


async def test_a_node_group_is_shown_as_it_was_asked_for(groups: Groups):
    asked = {
        "scalingConfig": {"minSize": 0, "maxSize": 4, "desiredSize": 3},
        "instanceTypes": ["m5.large", "m6i.large"],
        "capacityType": "SPOT",
        "diskSize": 40,
        "labels": {"tier": "web", "node.kubernetes.io/pool": "a"},
        "taints": [{"key": "only", "value": "web", "effect": "NO_SCHEDULE"}],
        "updateConfig": {"maxUnavailablePercentage": 50, "updateStrategy": "MINIMAL"},
        "nodeRepairConfig": {"enabled": True},
    }
    made = await groups.create(**asked)
    assert {member: made[member] for member in asked} == asked


async def test_a_description_shows_what_became_of_the_node_group(groups: Groups):
    await groups.create(scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 1})
    issue = eks.Issue("NodeCreationFailure", "It failed.", ("i-1",))
    await groups.become(status="DEGRADED", group="eks-ng-1", issues=(issue,))
    await groups.group("eks-ng-1", desired=3)
    shown = await groups.describe()
    assert shown["status"] == "DEGRADED"
    assert shown["resources"] == {"autoScalingGroups": [{"name": "eks-ng-1"}]}
    told = {"code": "NodeCreationFailure", "message": "It failed.", "resourceIds": ["i-1"]}
    assert shown["health"]["issues"] == [told]
    assert shown["scalingConfig"] == {"minSize": 1, "maxSize": 3, "desiredSize": 3}


async def test_a_node_group_needs_an_active_cluster(groups: Groups):
    await groups.clusters.become("web", status="CREATING")
    not_active = "Cluster 'web' is not in ACTIVE status"
    assert await groups.refused() == (REQUEST, not_active)
    await groups.clusters.become("web", status="ACTIVE", version="1.35")
    await groups.clusters.call("update_cluster_version", name="web", version="1.36")
    code, message = await groups.refused()
    assert code == IN_USE
    assert "currently has an update in progress" in message
    missing = await groups.clusters.error("list_nodegroups", clusterName="none")
    assert missing == ("ResourceNotFoundException", "No cluster found for name: none.")


async def test_versions_are_the_clusters(groups: Groups):
    code, message = await groups.refused(version="1.36")
    assert (code, "1.35" in message) == (INVALID, True)
    invalid = "Requested release version 1.35.1-20200101 is not valid for kubernetes version 1.35."
    assert await groups.refused(releaseVersion="1.35.1-20200101") == (INVALID, invalid)
    made = await groups.create(version="1.35", releaseVersion=RELEASES["1.35"])
    assert made["version"] == "1.35"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"scalingConfig": {"minSize": 2, "desiredSize": 1}},
            "minSize can't be greater than desiredSize",
        ),
        (
            {"scalingConfig": {"maxSize": 2, "desiredSize": 3}},
            "desiredSize can't be greater than maxSize",
        ),
        (
            {"updateConfig": {"maxUnavailable": 1, "maxUnavailablePercentage": 10}},
            "maxUnavailable and maxUnavailablePercentage cannot both be specified",
        ),
        ({"updateConfig": {"maxUnavailable": 101}}, "maxUnavailable must be at most 100"),
        (
            {"labels": {"eks.amazonaws.com/mine": "a"}},
            "Label cannot contain reserved prefixes [kubernetes.io/, k8s.io/, eks.amazonaws.com/]",
        ),
        (
            {"labels": {"node-role.kubernetes.io/worker": "a"}},
            "Label cannot contain reserved prefixes [kubernetes.io/, k8s.io/, eks.amazonaws.com/]",
        ),
        (
            {"instanceTypes": ["t3.medium", "x9.huge"]},
            "The following supplied instance types do not exist: [x9.huge]",
        ),
        (
            {"instanceTypes": ["t4g.medium"]},
            "[t4g.medium] is not a valid instance type for requested amiType"
            " AL2023_x86_64_STANDARD",
        ),
        ({"diskSize": 0}, "diskSize 0 must be at least 1"),
        ({"subnets": []}, "subnets cannot be empty."),
        (
            {"amiType": "CUSTOM"},
            "The amiType CUSTOM needs a launch template with the ID of an image",
        ),
    ],
)
async def test_what_a_node_group_may_not_be_is_refused(
    groups: Groups, asked: dict[str, Any], message: str
):
    assert await groups.refused(**asked) == (INVALID, message)
    assert (await groups.clusters.call("list_nodegroups", clusterName="web"))["nodegroups"] == []


@pytest.mark.parametrize(
    "asked",
    [
        {"labels": {"tier": "-web"}},
        {"labels": {"Not A Key": "web"}},
        {"labels": {"example.com//tier": "web"}},
        {"taints": [{"key": "a b", "value": "c", "effect": "NO_SCHEDULE"}]},
        {"taints": [{"key": "a", "value": ",", "effect": "NO_SCHEDULE"}]},
        {"taints": [{"key": "a"}]},
        {"taints": [{"key": "a", "value": v, "effect": "NO_EXECUTE"} for v in "xy"]},
        {"taints": [{"key": f"k{n}", "effect": "NO_EXECUTE"} for n in range(51)]},
        {"nodeRepairConfig": {"nodeRepairConfigOverrides": [{"repairAction": "Reboot"}]}},
    ],
)
async def test_labels_taints_and_repairs_have_a_shape(groups: Groups, asked: dict[str, Any]):
    code, message = await groups.refused(**asked)
    assert code == INVALID
    assert message


@pytest.mark.parametrize("name", ["-ng", "_ng", "n g", "n" * 64, "ng/1"])
async def test_names_have_a_shape(groups: Groups, name: str):
    code, message = await groups.refused(name)
    assert (code, "invalid characters" in message) == (INVALID, True)


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"amiType": "BOTTLEROCKET_x86_64"}, "node groups of the AMI type BOTTLEROCKET_x86_64"),
        ({"capacityType": "CAPACITY_BLOCK"}, "node groups of the capacity type CAPACITY_BLOCK"),
        ({"remoteAccess": {"ec2SshKey": "a"}}, "remote access to nodes"),
        ({"warmPoolConfig": {"enabled": True}}, "warm pools of node groups"),
    ],
)
async def test_what_is_not_built_says_so(groups: Groups, asked: dict[str, Any], what: str):
    refused = ("NotImplemented", f"Longshore does not implement {what} yet.")
    assert await groups.refused(**asked) == refused


async def test_subnets_are_of_the_clusters_vpc(groups: Groups):
    code, message = await groups.refused(subnets=["subnet-0"])
    assert (code, "InvalidSubnetID.NotFound" in message) == (INVALID, True)
    first, _ = await groups.clusters.network("10.7.0.0/16")
    code, message = await groups.refused(subnets=[groups.clusters.subnets[0], first])
    assert code == INVALID
    assert f"[{first}] are not in the VPC" in message
    made = await groups.create(subnets=[groups.clusters.subnets[0]] * 2)
    assert made["subnets"] == [groups.clusters.subnets[0]]


async def test_the_node_role_must_be_there_and_be_for_instances(groups: Groups):
    none = f"arn:aws:iam::{ACCOUNT}:role/none"
    missing = (INVALID, f"The role with ARN {none} cannot be found.")
    assert await groups.refused(nodeRole=none) == missing
    assert await groups.refused(nodeRole=groups.clusters.role) == (
        INVALID,
        "Following required service principals [ec2.amazonaws.com] were not found in the trust"
        f" relationships of nodeRole {groups.clusters.role}",
    )


async def test_who_makes_a_node_group_must_be_allowed_to_pass_its_role(groups: Groups):
    plane = groups.clusters.plane
    user = await plane.user("user", allow("eks:*"))
    code, message = await groups.clusters.error("create_nodegroup", by=user, **groups.request())
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {groups.role}" in message
    condition = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    passing = allow("iam:PassRole", resource=groups.role, Condition=condition)
    passer = await plane.user("passer", allow("eks:*"), passing)
    code, message = await groups.clusters.error("create_nodegroup", by=passer, **groups.request())
    assert code == "AccessDeniedException"
    linked = "role/aws-service-role/eks-nodegroup.amazonaws.com/AWSServiceRoleForAmazonEKSNodegroup"
    assert f"iam:CreateServiceLinkedRole on resource: arn:aws:iam::{ACCOUNT}:{linked}" in message
    await groups.create("first")
    role = await plane.admin.call("get_role", RoleName="AWSServiceRoleForAmazonEKSNodegroup")
    assert role["Role"]["Path"] == "/aws-service-role/eks-nodegroup.amazonaws.com/"
    # Once there is the role, who makes another node group needs not be allowed to make it.
    assert await groups.clusters.call("create_nodegroup", by=passer, **groups.request())


async def test_the_same_call_again_is_the_same_node_group_and_another_one_is_refused(
    groups: Groups,
):
    made = await groups.create(clientRequestToken="one")
    assert await groups.create(clientRequestToken="one") == made
    assert await groups.refused(clientRequestToken="one", diskSize=30) == (INVALID, USED_TOKEN)
    exists = "NodeGroup already exists with name ng and cluster name web"
    assert await groups.refused(clientRequestToken="two") == (IN_USE, exists)


async def test_a_template_says_what_the_node_group_does_not(groups: Groups):
    template = await groups.template("mine", InstanceType="m5.large", KeyName="")
    made = await groups.create(launchTemplate=template)
    assert made["launchTemplate"] == {**template, "name": "mine"}
    assert not {"instanceTypes", "diskSize"} & set(made)
    assert made["version"] == "1.35"
    by_name = await groups.create("two", launchTemplate={"name": "mine", "version": "$Latest"})
    assert by_name["launchTemplate"] == {**template, "name": "mine"}
    both = (REQUEST, "Cannot specify instance types in launch template and API request")
    assert await groups.refused("a", launchTemplate=template, instanceTypes=["t3.large"]) == both
    disk = (INVALID, "Disk size must be specified within the launch template.")
    assert await groups.refused("a", launchTemplate=template, diskSize=30) == disk
    remote = (INVALID, "Remote access configuration cannot be specified with a launch template.")
    access = {"ec2SshKey": "a"}
    assert await groups.refused("a", launchTemplate=template, remoteAccess=access) == remote


async def test_a_template_with_an_image_makes_the_node_group_custom(groups: Groups):
    image = machine_images(REGION)[1].id
    template = await groups.template("mine", ImageId=image)
    made = await groups.create(launchTemplate=template)
    assert (made["amiType"], made["releaseVersion"]) == ("CUSTOM", image)
    assert "version" not in made
    assert made["instanceTypes"] == ["t3.medium"]
    for member, field in (("version", "kubernetesVersion"), ("releaseVersion", "releaseVersion")):
        assert await groups.refused("a", launchTemplate=template, **{member: "1.35"}) == (
            INVALID,
            f"You cannot specify the field {field} when using custom AMIs.",
        )
    await groups.become()
    null = "Launch template details can't be null for Custom ami type node group"
    assert await groups.error("update_nodegroup_version") == (INVALID, null)


@pytest.mark.parametrize(
    "data",
    [
        {"IamInstanceProfile": {"Name": "mine"}},
        {"NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": "subnet-1"}]},
        {"InstanceInitiatedShutdownBehavior": "stop"},
        {"InstanceMarketOptions": {"MarketType": "spot"}},
        {"SecurityGroupIds": ["sg-1"], "NetworkInterfaces": [{"DeviceIndex": 0}]},
    ],
)
async def test_a_template_leaves_to_the_node_group_what_is_its_own(
    groups: Groups, data: dict[str, Any]
):
    def write(tx: Any) -> None:
        from longshore.model.instances import (
            LAUNCH_TEMPLATE,
            LaunchTemplate,
            LaunchTemplateVersion,
        )

        version = LaunchTemplateVersion(number=1, data=data, created_at=0.0, created_by="")
        template = LaunchTemplate(
            id="lt-1", name="mine", created_at=0.0, created_by="", versions=(version,)
        )
        tx.put(LAUNCH_TEMPLATE, ACCOUNT, REGION, "lt-1", template)

    await groups.clusters.plane.store.transact(write)
    code, message = await groups.refused(launchTemplate={"id": "lt-1"})
    assert code == REQUEST
    assert message.startswith("Launch template should not specify")


async def test_a_template_must_be_there(groups: Groups):
    for asked in (
        {"id": "lt-0123456789abcdef0"},
        {"name": "none"},
        {},
        {"id": "lt-1", "name": "a"},
    ):
        code, message = await groups.refused(launchTemplate=asked)
        assert code == INVALID
        assert message
    template = await groups.template("mine", InstanceType="m5.large")
    code, message = await groups.refused(launchTemplate={**template, "version": "7"})
    assert (code, "7" in message) == (INVALID, True)


async def test_a_deleted_node_group_goes_and_its_cluster_waits_for_that(groups: Groups):
    await groups.active()
    attached = (IN_USE, "Cluster has nodegroups attached")
    assert await groups.clusters.error("delete_cluster", name="web") == attached
    assert (await groups.call("delete_nodegroup"))["nodegroup"]["status"] == "DELETING"
    assert (await groups.describe())["status"] == "DELETING"
    assert await groups.clusters.error("delete_cluster", name="web") == attached
    code, _ = await groups.error("delete_nodegroup")
    assert code == IN_USE
    assert await groups.error("update_nodegroup_version") == (REQUEST, BUSY)
    none = ("ResourceNotFoundException", "No node group found for name: none.")
    assert await groups.error("delete_nodegroup", "none") == none
    assert await groups.error("describe_nodegroup", "none") == none


async def test_sizes_are_changed_from_what_they_are(groups: Groups):
    await groups.create(scalingConfig={"minSize": 1, "maxSize": 5, "desiredSize": 2})
    await groups.become(group="eks-ng-1")
    await groups.group("eks-ng-1", desired=3)
    error = "update_nodegroup_config"
    assert await groups.error(error, scalingConfig={"minSize": 4}) == (
        INVALID,
        "Minimum capacity 4 can't be greater than desired size 3",
    )
    assert await groups.error(error, scalingConfig={"maxSize": 2}) == (
        INVALID,
        "desired capacity 3 can't be greater than max size 2",
    )
    update = await groups.configure(scalingConfig={"maxSize": 4})
    assert (update["type"], update["status"]) == ("ConfigUpdate", "InProgress")
    assert params(update) == [("MinSize", "1"), ("MaxSize", "4"), ("DesiredSize", "3")]
    shown = await groups.describe()
    assert shown["status"] == "UPDATING"
    assert shown["scalingConfig"] == {"minSize": 1, "maxSize": 4, "desiredSize": 3}
    await groups.end(update)
    assert (await groups.describe())["status"] == "ACTIVE"


async def test_labels_and_taints_are_added_and_removed(groups: Groups):
    first = {"key": "a", "value": "1", "effect": "NO_SCHEDULE"}
    other = {"key": "a", "value": "1", "effect": "NO_EXECUTE"}
    await groups.active(labels={"x": "1", "y": "1"}, taints=[first, other])
    changed = {**first, "value": "2"}
    update = await groups.configure(
        labels={"addOrUpdateLabels": {"x": "2", "z": "3"}, "removeLabels": ["y"]},
        taints={"addOrUpdateTaints": [changed], "removeTaints": [other]},
    )
    assert dict(params(update)).keys() == {
        "LabelsToAdd",
        "LabelsToRemove",
        "TaintsToAdd",
        "TaintsToRemove",
    }
    shown = await groups.describe()
    assert (shown["labels"], shown["taints"]) == ({"x": "2", "z": "3"}, [changed])
    await groups.end(update)
    both = {"addOrUpdateLabels": {"x": "1"}, "removeLabels": ["x"]}
    code, _ = await groups.error("update_nodegroup_config", labels=both)
    assert code == INVALID


async def test_rules_of_updates_and_repairs_are_changed(groups: Groups):
    await groups.active()
    update = await groups.configure(
        updateConfig={"maxUnavailablePercentage": 40}, nodeRepairConfig={"enabled": True}
    )
    assert ("MaxUnavailablePercentage", "40") in params(update)
    assert ("NodeRepairEnabled", "true") in params(update)
    await groups.end(update)
    await groups.configure(updateConfig={"updateStrategy": "MINIMAL"})
    shown = await groups.describe()
    assert shown["updateConfig"] == {"maxUnavailablePercentage": 40, "updateStrategy": "MINIMAL"}
    assert shown["nodeRepairConfig"] == {"enabled": True}


async def test_a_node_group_has_one_update_at_a_time_and_only_when_it_is_active(groups: Groups):
    await groups.create()
    sizes = {"scalingConfig": {"maxSize": 3}}
    assert await groups.error("update_nodegroup_config", **sizes) == (REQUEST, BUSY)
    await groups.become()
    update = await groups.configure(**sizes, clientRequestToken="one")
    assert await groups.configure(**sizes, clientRequestToken="one") == update
    code, message = await groups.error("update_nodegroup_version")
    assert (code, update["id"] in message) == (IN_USE, True)
    code, message = await groups.error("delete_nodegroup")
    assert (code, "update in progress" in message) == (IN_USE, True)
    used = await groups.error("update_nodegroup_config", labels={}, clientRequestToken="one")
    assert used == (INVALID, USED_TOKEN)
    await groups.end(update)
    code, _ = await groups.error("update_nodegroup_config")
    assert code == INVALID


async def test_a_version_is_shown_once_the_nodes_run_it(groups: Groups):
    await groups.active()
    code, message = await groups.error("update_nodegroup_version", version="1.36")
    assert (code, "cannot be newer" in message) == (INVALID, True)
    await groups.clusters.become("web", status="ACTIVE", version="1.36")
    update = await groups.upgrade(force=True)
    assert update["type"] == "VersionUpdate"
    assert params(update) == [("Version", "1.36"), ("ReleaseVersion", RELEASES["1.36"])]
    shown = await groups.describe()
    assert (shown["status"], shown["version"]) == ("UPDATING", "1.35")
    error = eks.UpdateError("PodEvictionFailure", "They stay.", ("ip-1",))
    await groups.end(update, status="Failed", errors=(error,))
    shown = await groups.describe()
    assert (shown["status"], shown["version"]) == ("ACTIVE", "1.35")
    await groups.end(await groups.upgrade(version="1.36"))
    await groups.become()
    shown = await groups.describe()
    assert (shown["version"], shown["releaseVersion"]) == ("1.36", RELEASES["1.36"])
    code, message = await groups.error("update_nodegroup_version", version="1.35")
    assert (code, "back to 1.35" in message) == (INVALID, True)


async def test_versions_go_back_where_the_cluster_may_go_or_has_gone(groups: Groups):
    await groups.create()
    await groups.become()
    await groups.clusters.call("update_cluster_version", name="web", version="1.36")
    await groups.clusters.end_updates("web")
    await groups.clusters.become("web", status="ACTIVE", version="1.36")
    await groups.become(version="1.36")
    back = await groups.upgrade(version="1.35")
    assert dict(params(back))["Version"] == "1.35"
    await groups.clusters.end_updates("web")
    await groups.become(version="1.36")
    await groups.clusters.become("web", status="ACTIVE", version="1.35")
    assert dict(params(await groups.upgrade()))["Version"] == "1.35"


async def test_a_cluster_waits_for_the_versions_of_its_node_groups(groups: Groups):
    await groups.create()
    await groups.become(version="1.34")
    upgrade = {"name": "web", "version": "1.36"}
    assert await groups.clusters.error("update_cluster_version", **upgrade, force=True) == (
        INVALID,
        "Nodegroups ng must be updated to match cluster version 1.35 before updating cluster"
        " version to 1.36",
    )
    await groups.become(version="1.35")
    await groups.clusters.call("update_cluster_version", **upgrade)


async def test_a_template_is_updated_to_its_other_versions_alone(groups: Groups):
    template = await groups.template("mine", InstanceType="m5.large")
    data = base64.b64encode(b"MIME-Version: 1.0").decode()
    await groups.clusters.ec2(
        "create_launch_template_version",
        LaunchTemplateId=template["id"],
        LaunchTemplateData={"InstanceType": "m5.xlarge", "UserData": data},
    )
    await groups.active(launchTemplate=template)
    await groups.active("plain")
    other = await groups.template("other", InstanceType="m5.large")
    operation = "update_nodegroup_version"
    for name, asked in (("ng", other), ("plain", template)):
        code, _ = await groups.error(operation, name, launchTemplate=asked)
        assert code == INVALID
    update = await groups.upgrade(launchTemplate={"name": "mine", "version": "2"})
    assert params(update)[2:] == [("LaunchTemplateName", "mine"), ("LaunchTemplateVersion", "2")]


async def test_updates_of_node_groups_are_told_apart_from_the_clusters(groups: Groups):
    await groups.active()
    update = await groups.configure(scalingConfig={"maxSize": 3})
    call, error = groups.clusters.call, groups.clusters.error
    named = {"name": "web", "nodegroupName": "ng"}
    assert (await call("list_updates", **named))["updateIds"] == [update["id"]]
    assert (await call("list_updates", name="web"))["updateIds"] == []
    found = await call("describe_update", **named, updateId=update["id"])
    assert found["update"] == update
    missing = await error("describe_update", name="web", updateId=update["id"])
    assert missing == ("ResourceNotFoundException", f"No update found for ID: {update['id']}")
    # A cluster goes its way meanwhile.
    assert await call("update_cluster_config", name="web", deletionProtection=True)


async def test_node_groups_have_tags_that_policies_go_by(groups: Groups):
    made = await groups.create(tags={"team": "a"})
    arn = made["nodegroupArn"]
    await groups.clusters.call("tag_resource", resourceArn=arn, tags={"stage": "prod"})
    await groups.clusters.call("untag_resource", resourceArn=arn, tagKeys=["team"])
    listed = await groups.clusters.call("list_tags_for_resource", resourceArn=arn)
    assert listed == {"tags": {"stage": "prod"}}
    never = {"StringEquals": {"aws:ResourceTag/stage": "prod"}}
    user = await groups.clusters.plane.user(
        "user", allow("eks:*"), deny("eks:DeleteNodegroup", Condition=never)
    )
    named = {"clusterName": "web", "nodegroupName": "ng"}
    code, message = await groups.clusters.error("delete_nodegroup", by=user, **named)
    assert code == "AccessDeniedException"
    assert f"eks:DeleteNodegroup on resource: {arn}" in message
    assert await groups.clusters.call("describe_nodegroup", by=user, **named)


async def test_a_policy_for_one_node_group_is_good_for_no_other(groups: Groups):
    await groups.create("one")
    await groups.create("two")
    resource = f"arn:aws:eks:{REGION}:{ACCOUNT}:nodegroup/web/one/*"
    user = await groups.clusters.plane.user("user", allow("eks:*", resource=resource))
    call, error = groups.clusters.call, groups.clusters.error
    assert await call("describe_nodegroup", by=user, clusterName="web", nodegroupName="one")
    for name in ("two", "none"):
        code, _ = await error("describe_nodegroup", by=user, clusterName="web", nodegroupName=name)
        assert code == "AccessDeniedException"


async def test_errors_name_the_node_group(groups: Groups):
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        await groups.describe("none")
    response = caught.value.response
    assert (response["clusterName"], response["nodegroupName"]) == ("web", "none")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 404


async def test_a_trust_policy_that_changes_later_does_not_matter_to_who_asks_again(groups: Groups):
    made = await groups.create(clientRequestToken="one")
    await groups.clusters.plane.admin.call(
        "update_assume_role_policy", RoleName="node", PolicyDocument=trust(EC2 | {"AWS": "*"})
    )
    assert await groups.create(clientRequestToken="one") == made
