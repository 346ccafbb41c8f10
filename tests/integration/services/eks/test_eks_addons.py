"""Add-ons as boto3 sees them."""

import json
from typing import Any

import msgspec
import pytest
from integration.services.eks.eks_plane import REGION, Clusters
from integration.services.iam.iam_plane import ACCOUNT, allow

from longshore.addons import ADDONS
from longshore.components.pins import KUBERNETES_RELEASES
from longshore.model import eks
from longshore.model.eks_parts import ADDON, ADDON_STATUS, AddonStatus, part_name

COREDNS = ADDONS["coredns"].version_for("1.35")
assert COREDNS is not None
PODS = {"Service": "eks.amazonaws.com"}


class Addons:
    """The active cluster `web`, which runs 1.35, and its add-ons."""

    def __init__(self, clusters: Clusters) -> None:
        self.clusters = clusters

    async def create(self, name: str, **request: Any) -> Any:
        named = {"clusterName": "web", "addonName": name}
        return (await self.clusters.call("create_addon", **named, **request))["addon"]

    async def refused(self, operation: str = "create_addon", **request: Any) -> tuple[str, str]:
        named = {"clusterName": "web", "addonName": "coredns"}
        return await self.clusters.error(operation, **{**named, **request})

    async def describe(self, name: str) -> Any:
        named = {"clusterName": "web", "addonName": name}
        return (await self.clusters.call("describe_addon", **named))["addon"]

    async def update(self, name: str, **request: Any) -> Any:
        named = {"clusterName": "web", "addonName": name}
        return (await self.clusters.call("update_addon", **named, **request))["update"]

    async def described_update(self, name: str, update_id: str) -> Any:
        named = {"name": "web", "addonName": name, "updateId": update_id}
        return (await self.clusters.call("describe_update", **named))["update"]

    def wanted(self, name: str) -> Any:
        record = self.clusters.plane.store.reader.get(
            ADDON, ACCOUNT, REGION, part_name("web", name)
        )
        return record.value if record is not None else None

    async def become(self, name: str, **fields: Any) -> None:
        """What the add-on's controller would write."""
        place = (ACCOUNT, REGION, part_name("web", name))
        status = AddonStatus(id=self.wanted(name).id, **fields)
        await self.clusters.plane.store.transact(lambda tx: tx.put(ADDON_STATUS, *place, status))

    async def active(self, name: str, **request: Any) -> Any:
        await self.create(name, **request)
        await self.become(name, status="ACTIVE", version=self.wanted(name).version)
        return await self.describe(name)

    async def end(self, update_id: str, **fields: Any) -> None:
        place = (ACCOUNT, REGION, eks.update_name("web", update_id))

        def write(tx: Any) -> None:
            update = tx.get(eks.UPDATE, *place).value
            ended = msgspec.structs.replace(update, **{"status": "Successful", **fields})
            tx.put(eks.UPDATE, *place, ended)

        await self.clusters.plane.store.transact(write)


@pytest.fixture
async def addons(clusters: Clusters) -> Addons:
    await clusters.create("web", version="1.35")
    await clusters.become("web", status="ACTIVE", version="1.35")
    return Addons(clusters)


async def test_an_add_on_is_creating_with_the_version_for_its_cluster(addons: Addons) -> None:
    made = await addons.create("coredns", tags={"team": "a"})
    assert made["status"] == "CREATING"
    assert made["addonVersion"] == COREDNS.name
    assert made["addonArn"].startswith(f"arn:aws:eks:{REGION}:{ACCOUNT}:addon/web/coredns/")
    assert (made["health"], made["tags"]) == ({"issues": []}, {"team": "a"})
    assert await addons.describe("coredns") == made
    await addons.create("kube-proxy")
    patch = KUBERNETES_RELEASES["1.35"]
    assert (await addons.describe("kube-proxy"))["addonVersion"] == f"v{patch}-eksbuild.1"
    named = await addons.clusters.call("list_addons", clusterName="web")
    assert named == {"addons": ["coredns", "kube-proxy"]}


async def test_what_is_wrong_with_an_add_on_is_shown(addons: Addons) -> None:
    await addons.create("coredns")
    issue = eks.Issue("InsufficientNumberOfReplicas", "too few")
    await addons.become("coredns", status="DEGRADED", version="v1", issues=(issue,))
    shown = await addons.describe("coredns")
    assert shown["status"] == "DEGRADED"
    told = {"code": "InsufficientNumberOfReplicas", "message": "too few", "resourceIds": []}
    assert shown["health"]["issues"] == [told]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"addonName": "adot"}, "Addon specified is not supported"),
        ({"addonVersion": "v0.0.1"}, "Addon version specified is not supported"),
        (
            {
                "addonName": "kube-proxy",
                "addonVersion": f"v{KUBERNETES_RELEASES['1.36']}-eksbuild.1",
            },
            "Addon version specified is not supported",
        ),
        (
            {"configurationValues": '{"replicas": 1}'},
            "ConfigurationValue provided in request is not supported: Json schema validation failed"
            " with error: [$.replicas: is not defined in the schema and the schema does not allow"
            " additional properties]",
        ),
        (
            {"configurationValues": "a: b: c"},
            "ConfigurationValue provided in request is not supported: the configuration is neither"
            " JSON nor YAML",
        ),
        (
            {"serviceAccountRoleArn": f"arn:aws:iam::{ACCOUNT}:role/none"},
            f"The role with ARN arn:aws:iam::{ACCOUNT}:role/none cannot be found.",
        ),
        ({"tags": {"aws:x": "y"}}, "Tag keys must not begin with aws:"),
    ],
)
async def test_what_an_add_on_may_not_be_is_refused_and_nothing_is_made(
    addons: Addons, request_: dict[str, Any], message: str
) -> None:
    assert await addons.refused(**request_) == ("InvalidParameterException", message)
    assert await addons.clusters.call("list_addons", clusterName="web") == {"addons": []}


async def test_what_is_not_built_says_so(addons: Addons) -> None:
    other = {"namespaceConfig": {"namespace": "dns"}}
    assert (await addons.refused(**other))[0] == "NotImplemented"
    await addons.create("coredns", namespaceConfig={"namespace": "kube-system"})


async def test_a_role_is_one_that_there_is_and_that_the_caller_may_pass(addons: Addons) -> None:
    role = (await addons.clusters.plane.role("dns", PODS))["Arn"]
    made = await addons.create("coredns", serviceAccountRoleArn=role)
    assert made["serviceAccountRoleArn"] == role
    ann = await addons.clusters.plane.user("ann", allow("eks:*"))
    named = {"clusterName": "web", "addonName": "kube-proxy", "serviceAccountRoleArn": role}
    code, _ = await addons.clusters.error("create_addon", by=ann, **named)
    assert code == "AccessDeniedException"
    other = {**named, "serviceAccountRoleArn": "arn:aws:iam::999999999999:role/dns"}
    refused = ("AccessDeniedException", "Cross-account pass role is not allowed.")
    assert await addons.clusters.error("create_addon", **other) == refused


async def test_there_is_one_of_each_name_in_a_cluster(addons: Addons) -> None:
    await addons.create("coredns", clientRequestToken="one")
    assert await addons.refused() == ("ResourceInUseException", "Addon already exists.")
    other = {"addonName": "kube-proxy", "clientRequestToken": "one"}
    assert (await addons.refused(**other))[0] == "InvalidParameterException"
    again = await addons.create("coredns", clientRequestToken="one")
    assert again == await addons.describe("coredns")


async def test_add_ons_need_a_cluster_that_is_active(clusters: Clusters) -> None:
    named = {"clusterName": "web", "addonName": "coredns"}
    code, message = await clusters.error("create_addon", **named)
    assert (code, message) == ("ResourceNotFoundException", "No cluster found for name: web.")
    await clusters.create("web")
    code, message = await clusters.error("create_addon", **named)
    assert (code, message) == ("InvalidRequestException", "Cluster 'web' is not in ACTIVE status")


async def test_what_is_not_there_is_not_found(addons: Addons) -> None:
    missing = ("ResourceNotFoundException", "No addon: coredns found in cluster: web")
    for operation in ("describe_addon", "delete_addon", "update_addon"):
        assert await addons.refused(operation) == missing
    named = {"name": "web", "addonName": "coredns"}
    assert await addons.clusters.error("list_updates", **named) == missing


async def test_an_update_is_wanted_at_once_and_is_the_add_ons_own(addons: Addons) -> None:
    await addons.active("coredns")
    values = json.dumps({"replicaCount": 3})
    update = await addons.update(
        "coredns",
        addonVersion=COREDNS.name,
        configurationValues=values,
        resolveConflicts="PRESERVE",
    )
    assert (update["type"], update["status"]) == ("AddonUpdate", "InProgress")
    params = [(each["type"], each["value"]) for each in update["params"]]
    assert params == [
        ("AddonVersion", COREDNS.name),
        ("ResolveConflicts", "PRESERVE"),
        ("ConfigurationValues", values),
    ]
    assert await addons.described_update("coredns", update["id"]) == update
    shown = await addons.describe("coredns")
    assert (shown["status"], shown["configurationValues"]) == ("UPDATING", values)
    assert shown["modifiedAt"] > shown["createdAt"]
    wanted = addons.wanted("coredns")
    assert (wanted.resolve_conflicts, wanted.configuration_values) == ("PRESERVE", values)
    named = {"name": "web", "addonName": "coredns"}
    ids = (await addons.clusters.call("list_updates", **named))["updateIds"]
    assert ids == [update["id"]]
    assert (await addons.clusters.call("list_updates", name="web"))["updateIds"] == []
    assert (await addons.clusters.describe("web"))["status"] == "ACTIVE"
    await addons.end(update["id"])
    assert (await addons.describe("coredns"))["status"] == "ACTIVE"


async def test_an_update_keeps_version_and_configuration_and_takes_the_role_away(
    addons: Addons,
) -> None:
    role = (await addons.clusters.plane.role("dns", PODS))["Arn"]
    values = json.dumps({"replicaCount": 3})
    await addons.active("coredns", serviceAccountRoleArn=role, configurationValues=values)
    update = await addons.update("coredns")
    assert update["params"] == []
    shown = await addons.describe("coredns")
    assert (shown["addonVersion"], shown["configurationValues"]) == (COREDNS.name, values)
    assert "serviceAccountRoleArn" not in shown


@pytest.mark.parametrize("state", ["CREATING", "CREATE_FAILED", "UPDATING", "DELETE_FAILED"])
async def test_an_add_on_that_is_not_installed_is_not_updated(addons: Addons, state: str) -> None:
    await addons.create("coredns")
    await addons.become("coredns", status=state)
    message = f"Addon coredns cannot be updated as it is currently in {state} state"
    assert await addons.refused("update_addon") == ("ResourceInUseException", message)


async def test_one_update_at_a_time_and_the_same_call_makes_the_same_one(addons: Addons) -> None:
    await addons.active("coredns")
    update = await addons.update("coredns", clientRequestToken="one")
    assert await addons.update("coredns", clientRequestToken="one") == update
    reused = await addons.refused(
        "update_addon", clientRequestToken="one", resolveConflicts="OVERWRITE"
    )
    assert reused[0] == "InvalidParameterException"
    message = "Addon coredns cannot be updated as it is currently in UPDATING state"
    assert await addons.refused("update_addon") == ("ResourceInUseException", message)


async def test_an_update_that_is_refused_changes_nothing(addons: Addons) -> None:
    before = await addons.active("coredns")
    for asked in (
        {"addonVersion": "v0.0.1"},
        {"configurationValues": "[]"},
        {"serviceAccountRoleArn": f"arn:aws:iam::{ACCOUNT}:role/none"},
    ):
        assert (await addons.refused("update_addon", **asked))[0] == "InvalidParameterException"
    assert await addons.describe("coredns") == before


DRIVER, DRIVERS = "aws-ebs-csi-driver", "ebs-csi-controller-sa"


async def pod_role(addons: Addons, name: str) -> list[dict[str, str]]:
    """The driver's associations with a role that pods may have."""
    trusted = {"Service": "pods.eks.amazonaws.com"}
    role = (await addons.clusters.plane.role(name, trusted))["Arn"]
    return [{"serviceAccount": DRIVERS, "roleArn": role}]


async def association(addons: Addons) -> Any:
    """The only one of the cluster; None where there is none."""
    listed = await addons.clusters.call("list_pod_identity_associations", clusterName="web")
    if not listed["associations"]:
        return None
    (one,) = listed["associations"]
    asked = {"clusterName": "web", "associationId": one["associationId"]}
    return (await addons.clusters.call("describe_pod_identity_association", **asked))["association"]


async def test_an_add_on_comes_with_its_pods_roles_and_changes_them(addons: Addons) -> None:
    first = await pod_role(addons, "first")
    made = await addons.active(DRIVER, podIdentityAssociations=first)
    owned = await association(addons)
    assert made["podIdentityAssociations"] == [owned["associationArn"]]
    assert (owned["namespace"], owned["serviceAccount"]) == ("kube-system", DRIVERS)
    assert (owned["ownerArn"], owned["roleArn"]) == (made["addonArn"], first[0]["roleArn"])
    update = await addons.update(DRIVER)
    await addons.end(update["id"])
    assert await association(addons) == owned
    second = await pod_role(addons, "second")
    update = await addons.update(DRIVER, podIdentityAssociations=second)
    shown = {each["type"]: each["value"] for each in update["params"]}
    assert json.loads(shown["PodIdentityAssociations"]) == second
    await addons.end(update["id"])
    changed = await association(addons)
    assert (changed["associationId"], changed["roleArn"]) == (
        owned["associationId"],
        second[0]["roleArn"],
    )
    await addons.update(DRIVER, podIdentityAssociations=[])
    assert await association(addons) is None
    assert "podIdentityAssociations" not in await addons.describe(DRIVER)


async def test_an_add_ons_association_is_changed_through_the_add_on_alone(addons: Addons) -> None:
    await addons.active(DRIVER, podIdentityAssociations=await pod_role(addons, "first"))
    asked = {"clusterName": "web", "associationId": (await association(addons))["associationId"]}
    for operation in ("update_pod_identity_association", "delete_pod_identity_association"):
        code, _ = await addons.clusters.error(operation, **asked)
        assert code == "InvalidRequestException"


async def test_roles_are_for_the_service_accounts_that_need_one(addons: Addons) -> None:
    given = await pod_role(addons, "first")
    for name, account in (("coredns", "coredns"), (DRIVER, "ebs-csi-node-sa")):
        wrong = [{**given[0], "serviceAccount": account}]
        code, _ = await addons.refused(addonName=name, podIdentityAssociations=wrong)
        assert code == "InvalidParameterException"
        assert addons.wanted(name) is None
    await addons.clusters.call(
        "create_pod_identity_association", clusterName="web", namespace="kube-system", **given[0]
    )
    code, _ = await addons.refused(addonName=DRIVER, podIdentityAssociations=given)
    assert code == "ResourceInUseException"
    assert addons.wanted(DRIVER) is None


async def test_who_gives_an_add_on_roles_must_be_allowed_to_associate_them(addons: Addons) -> None:
    given = await pod_role(addons, "first")
    ann = await addons.clusters.plane.user("ann", allow("eks:CreateAddon", "iam:PassRole"))
    asked = {"clusterName": "web", "addonName": DRIVER, "podIdentityAssociations": given}
    code, _ = await addons.clusters.error("create_addon", by=ann, **asked)
    assert code == "AccessDeniedException"
    assert await association(addons) is None


async def test_a_deleted_add_on_is_deleting_until_it_is_gone(addons: Addons) -> None:
    await addons.active("coredns")
    named = {"clusterName": "web", "addonName": "coredns"}
    gone = (await addons.clusters.call("delete_addon", **named, preserve=True))["addon"]
    assert gone["status"] == "DELETING"
    assert addons.wanted("coredns").preserve
    again = (await addons.clusters.call("delete_addon", **named))["addon"]
    assert again == gone
    assert addons.wanted("coredns").preserve
    assert await addons.refused() == ("ResourceInUseException", "Addon already exists.")
    message = "Addon coredns cannot be updated as it is currently in DELETING state"
    assert await addons.refused("update_addon") == ("ResourceInUseException", message)


async def test_versions_are_told_for_each_version_of_kubernetes(addons: Addons) -> None:
    told = (await addons.clusters.call("describe_addon_versions"))["addons"]
    assert [each["addonName"] for each in told] == sorted(ADDONS)
    assert {each["defaultNamespace"] for each in told} == {"kube-system"}
    asked = {"addonName": "kube-proxy", "kubernetesVersion": "1.35"}
    (proxy,) = (await addons.clusters.call("describe_addon_versions", **asked))["addons"]
    (version,) = proxy["addonVersions"]
    assert version["addonVersion"] == f"v{KUBERNETES_RELEASES['1.35']}-eksbuild.1"
    fitting = {"clusterVersion": "1.35", "platformVersions": ["*"], "defaultVersion": True}
    assert version["compatibilities"] == [fitting]
    kept = (await addons.clusters.call("describe_addon_versions", types=["storage"]))["addons"]
    assert [each["addonName"] for each in kept] == ["aws-ebs-csi-driver", "snapshot-controller"]
    none = await addons.clusters.call("describe_addon_versions", types=["cost-management"])
    assert none["addons"] == []
    unknown = {"addonName": "adot"}
    refused = ("InvalidParameterException", "Addon specified is not supported")
    assert await addons.clusters.error("describe_addon_versions", **unknown) == refused


async def test_versions_come_in_pages(addons: Addons) -> None:
    first = await addons.clusters.call("describe_addon_versions", maxResults=2)
    assert [each["addonName"] for each in first["addons"]] == sorted(ADDONS)[:2]
    following = {"nextToken": first["nextToken"]}
    rest = await addons.clusters.call("describe_addon_versions", **following)
    assert [each["addonName"] for each in rest["addons"]] == sorted(ADDONS)[2:]
    assert "nextToken" not in rest


async def test_the_schema_of_a_version_is_what_its_configuration_is_checked_by(
    addons: Addons,
) -> None:
    asked = {"addonName": "coredns", "addonVersion": COREDNS.name}
    told = await addons.clusters.call("describe_addon_configuration", **asked)
    schema = json.loads(told["configurationSchema"])
    assert schema["additionalProperties"] is False
    assert "replicaCount" in schema["properties"]
    assert told["podIdentityConfiguration"] == []
    version = ADDONS[DRIVER].versions[0].name
    of_driver = {"addonName": DRIVER, "addonVersion": version}
    told = await addons.clusters.call("describe_addon_configuration", **of_driver)
    (account,) = told["podIdentityConfiguration"]
    assert account["serviceAccount"] == DRIVERS
    for wrong in ({**asked, "addonName": "x"}, {**asked, "addonVersion": "v1"}):
        code, _ = await addons.clusters.error("describe_addon_configuration", **wrong)
        assert code == "ResourceNotFoundException"


async def test_tags_of_an_add_on_can_be_changed_and_are_what_policies_see(addons: Addons) -> None:
    made = await addons.active("coredns", tags={"team": "a"})
    arn = {"resourceArn": made["addonArn"]}
    await addons.clusters.call("tag_resource", **arn, tags={"stage": "dev"})
    await addons.clusters.call("untag_resource", **arn, tagKeys=["team"])
    assert await addons.clusters.call("list_tags_for_resource", **arn) == {"tags": {"stage": "dev"}}
    shown = await addons.describe("coredns")
    assert (shown["tags"], shown["status"]) == ({"stage": "dev"}, "ACTIVE")
    tagged = {"StringEquals": {"aws:ResourceTag/stage": "dev"}}
    ann = await addons.clusters.plane.user("ann", allow("eks:DescribeAddon", Condition=tagged))
    named = {"clusterName": "web", "addonName": "coredns"}
    assert await addons.clusters.call("describe_addon", by=ann, **named)
    await addons.clusters.call("untag_resource", **arn, tagKeys=["stage"])
    code, message = await addons.clusters.error("describe_addon", by=ann, **named)
    assert code == "AccessDeniedException"
    assert made["addonArn"] in message


async def test_who_may_make_add_ons_in_one_cluster_may_not_in_another(addons: Addons) -> None:
    arn = eks.cluster_arn(REGION, ACCOUNT, "other")
    ann = await addons.clusters.plane.user("ann", allow("eks:CreateAddon", resource=arn))
    named = {"clusterName": "web", "addonName": "coredns"}
    code, _ = await addons.clusters.error("create_addon", by=ann, **named)
    assert code == "AccessDeniedException"


async def test_a_cluster_begins_with_its_own_add_ons_unless_it_is_to_have_none(
    clusters: Clusters,
) -> None:
    await clusters.create("web")
    await clusters.create("bare", bootstrapSelfManagedAddons=False)
    reader = clusters.plane.store.reader
    wanted = {
        name: record.value.self_managed_addons
        for name in ("web", "bare")
        if (record := reader.get(eks.CLUSTER, ACCOUNT, REGION, name)) is not None
    }
    assert wanted == {"web": True, "bare": False}
