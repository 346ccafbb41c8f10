"""Access entries of clusters, and their access policies, as boto3 sees them."""

from typing import Any

import pytest
from integration.services.eks.eks_plane import Clusters
from integration.services.iam.iam_plane import ACCOUNT, allow, deny

from longshore.model.iam import USER, User

OTHER_ACCOUNT = "222222222222"
POLICIES = "arn:aws:eks::aws:cluster-access-policy/"
VIEW, EDIT = f"{POLICIES}AmazonEKSViewPolicy", f"{POLICIES}AmazonEKSEditPolicy"
EVERYWHERE = {"type": "cluster"}


class Entries:
    """The access entries of the cluster `web`, which has none at first, and a role for them."""

    def __init__(self, clusters: Clusters, role: str) -> None:
        self.clusters = clusters
        self.role = role

    async def call(self, operation: str, principal: str = "", **request: Any) -> Any:
        named = {"clusterName": "web", "principalArn": principal or self.role}
        return await self.clusters.call(operation, **named, **request)

    async def create(self, principal: str = "", **request: Any) -> Any:
        return (await self.call("create_access_entry", principal, **request))["accessEntry"]

    async def error(self, operation: str, principal: str = "", **request: Any) -> tuple[str, str]:
        named = {"clusterName": "web", "principalArn": principal or self.role}
        return await self.clusters.error(operation, **{**named, **request})

    async def refused(self, principal: str = "", **request: Any) -> str:
        """The message with which CreateAccessEntry finds a parameter invalid."""
        code, message = await self.error("create_access_entry", principal, **request)
        assert code == "InvalidParameterException"
        return message

    async def policies(self) -> Any:
        return (await self.call("list_associated_access_policies"))["associatedAccessPolicies"]


@pytest.fixture
async def entries(clusters: Clusters) -> Entries:
    await clusters.create_api("web")
    return Entries(clusters, (await clusters.plane.role("ops", Path="/team/"))["Arn"])


async def test_a_role_has_its_sessions_names_and_a_user_its_arn(entries: Entries):
    made = await entries.create(kubernetesGroups=["a", "b", "a"], tags={"stage": "test"})
    start = f"arn:aws:eks:us-east-1:{ACCOUNT}:access-entry/web/role/{ACCOUNT}/ops/"
    assert made["accessEntryArn"].startswith(start)
    assert made["username"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/{{{{SessionName}}}}"
    assert (made["type"], made["kubernetesGroups"]) == ("STANDARD", ["a", "b"])
    assert (made["clusterName"], made["principalArn"]) == ("web", entries.role)
    assert made["tags"] == {"stage": "test"}
    assert made["createdAt"] == made["modifiedAt"]
    assert (await entries.call("describe_access_entry"))["accessEntry"] == made
    await entries.clusters.plane.user("joe")
    user = await entries.create(f"arn:aws:iam::{ACCOUNT}:user/joe")
    assert user["username"] == f"arn:aws:iam::{ACCOUNT}:user/joe"
    assert f":access-entry/web/user/{ACCOUNT}/joe/" in user["accessEntryArn"]


async def test_a_principal_has_one_entry_but_the_same_call_may_come_again(entries: Entries):
    made = await entries.create(clientRequestToken="one")
    assert await entries.create(clientRequestToken="one") == made
    for more in ({}, {"clientRequestToken": "one", "username": "joe"}):
        assert await entries.error("create_access_entry", **more) == (
            "ResourceInUseException",
            "The specified access entry resource is already in use on this cluster.",
        )


async def test_the_clusters_mode_must_know_access_entries(clusters: Clusters, entries: Entries):
    await clusters.create("old")
    refused = (
        "InvalidRequestException",
        "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to"
        " perform this operation.",
    )
    for operation in ("create_access_entry", "describe_access_entry", "delete_access_entry"):
        assert await entries.error(operation, clusterName="old") == refused
    assert await clusters.error("list_access_entries", clusterName="old") == refused
    assert await entries.error("create_access_entry", clusterName="none") == (
        "ResourceNotFoundException",
        "No cluster found for name: none.",
    )


async def test_entries_of_a_cluster_that_is_being_deleted_stay_as_they_are(entries: Entries):
    await entries.create()
    await entries.clusters.call("delete_cluster", name="web")
    refused = ("InvalidRequestException", "Cluster 'web' is not in ACTIVE status")
    assert await entries.error("create_access_entry") == refused
    assert await entries.error("update_access_entry", username="joe") == refused
    assert await entries.error("delete_access_entry") == refused
    more = {"policyArn": VIEW, "accessScope": EVERYWHERE}
    assert await entries.error("associate_access_policy", **more) == refused
    assert await entries.call("describe_access_entry")


@pytest.mark.parametrize(
    ("principal", "message"),
    [
        ("joe", "The principalArn parameter format is not valid"),
        (
            f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/joe",
            "The principalArn parameter format is not valid",
        ),
        (
            f"arn:aws:iam::{ACCOUNT}:group/ops",
            "The principalArn parameter format is not valid",
        ),
        (
            f"arn:aws:iam::{ACCOUNT}:role/ops",
            "The specified principalArn is invalid: invalid principal.",
        ),
        (
            f"arn:aws:iam::{ACCOUNT}:user/absent",
            "The specified principalArn is invalid: invalid principal.",
        ),
        (
            f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/X",
            "The specified principalArn is invalid: service-linked roles are not supported.",
        ),
    ],
)
async def test_only_users_and_roles_that_are_there_may_have_entries(
    entries: Entries, principal: str, message: str
):
    assert await entries.refused(principal) == message


async def test_the_root_user_and_users_of_other_accounts_may_have_entries(entries: Entries):
    root = await entries.create(f"arn:aws:iam::{ACCOUNT}:root")
    assert root["username"] == f"arn:aws:iam::{ACCOUNT}:root"
    arn = f"arn:aws:iam::{OTHER_ACCOUNT}:user/ann"
    ann = User(name="ann", path="/", id="AIDAANN", arn=arn, created_at=0.0)
    store = entries.clusters.plane.store
    await store.transact(lambda tx: tx.put(USER, OTHER_ACCOUNT, "", "ann", ann))
    made = await entries.create(arn)
    start = f"arn:aws:eks:us-east-1:{ACCOUNT}:access-entry/web/user/{OTHER_ACCOUNT}/ann/"
    assert made["accessEntryArn"].startswith(start)


async def test_usernames_and_groups_of_eks_own_are_refused(entries: Entries):
    for prefix in ("system:", "eks:", "aws:", "amazon:", "iam:"):
        message = f"The username must not begin with {prefix}"
        assert await entries.refused(username=f"{prefix}joe") == message
        assert await entries.refused(kubernetesGroups=["a", f"{prefix}masters"]) == (
            f"The kubernetes group name {prefix}masters is invalid, it cannot start with {prefix}"
        )
    for name in ("{{SessionName}}", "{{SessionNameRaw}}"):
        assert await entries.refused(username=f"joe{name}:") == (
            f"The username must contain a colon before {name}"
        )
    made = await entries.create(username="team:{{SessionNameRaw}}")
    assert made["username"] == "team:{{SessionNameRaw}}"


@pytest.mark.parametrize(
    ("kind", "username", "groups"),
    [
        ("EC2_LINUX", "system:node:{{EC2PrivateDNSName}}", ["system:nodes"]),
        (
            "FARGATE_LINUX",
            "system:node:{{SessionName}}",
            ["system:bootstrappers", "system:nodes", "system:node-proxier"],
        ),
    ],
)
async def test_entries_of_nodes_are_as_eks_makes_them(
    entries: Entries, kind: str, username: str, groups: list[str]
):
    given = f"Groups and a username cannot be given with the type {kind}"
    assert await entries.refused(type=kind, kubernetesGroups=["a"]) == given
    assert await entries.refused(type=kind, username="joe") == given
    await entries.clusters.plane.user("joe")
    assert await entries.refused(f"arn:aws:iam::{ACCOUNT}:user/joe", type=kind) == (
        f"With the type {kind} the principalArn must be a role of the cluster's account"
    )
    made = await entries.create(type=kind)
    assert (made["type"], made["username"], made["kubernetesGroups"]) == (kind, username, groups)
    refused = (
        "InvalidParameterException",
        'This operation can only be performed on Access Entries with a type of "STANDARD".',
    )
    assert await entries.error("update_access_entry", kubernetesGroups=["a"]) == refused
    more = {"policyArn": VIEW, "accessScope": EVERYWHERE}
    assert await entries.error("associate_access_policy", **more) == refused


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("EC2", "EKS Auto Mode's nodes"),
        ("EC2_WINDOWS", "nodes with Windows"),
        ("HYBRID_LINUX", "hybrid nodes"),
    ],
)
async def test_nodes_that_are_not_built_say_so(entries: Entries, kind: str, what: str):
    assert await entries.error("create_access_entry", type=kind) == (
        "NotImplemented",
        f"Longshore does not implement access entries of {what} yet.",
    )
    assert (await entries.refused(type="LINUX")).startswith("The type LINUX is invalid")


async def test_whose_entry_is_for_nodes_must_be_passed(entries: Entries):
    user = await entries.clusters.plane.user("user", allow("eks:*"))
    code, message = await entries.error("create_access_entry", by=user, type="EC2_LINUX")
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {entries.role}" in message
    to_ec2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    passer = await entries.clusters.plane.user(
        "passer", allow("eks:*"), allow("iam:PassRole", Condition=to_ec2)
    )
    assert await entries.create(by=passer, type="EC2_LINUX")


async def test_an_entry_keeps_what_an_update_does_not_give(entries: Entries):
    made = await entries.create(kubernetesGroups=["a", "b"])
    changed = (await entries.call("update_access_entry", username="joe"))["accessEntry"]
    assert (changed["username"], changed["kubernetesGroups"]) == ("joe", ["a", "b"])
    assert changed["modifiedAt"] > made["modifiedAt"]
    changed = (await entries.call("update_access_entry", kubernetesGroups=[]))["accessEntry"]
    assert (changed["username"], changed["kubernetesGroups"]) == ("joe", [])
    assert changed["createdAt"] == made["createdAt"]
    assert await entries.error("update_access_entry", username="system:admin") == (
        "InvalidParameterException",
        "The username must not begin with system:",
    )


async def test_a_deleted_entry_is_not_found(entries: Entries):
    await entries.create()
    await entries.call("delete_access_entry")
    missing = (
        "ResourceNotFoundException",
        "The specified principalArn could not be found. You can view your available access entries"
        " with 'list-access-entries'.",
    )
    for operation in ("describe_access_entry", "update_access_entry", "delete_access_entry"):
        assert await entries.error(operation) == missing
    assert await entries.create()


async def test_entries_are_listed_in_pages_and_by_policy(entries: Entries):
    names = [f"user-{number}" for number in range(3)]
    for name in names:
        await entries.clusters.plane.admin.call("create_user", UserName=name)
    arns = [f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in names]
    for arn in reversed(arns):
        await entries.create(arn)
    await entries.clusters.create_api("web-2")

    async def listed(**more: Any) -> Any:
        return await entries.clusters.call("list_access_entries", clusterName="web", **more)

    first = await listed(maxResults=2)
    assert first["accessEntries"] == arns[:2]
    # The entry that the token names may be gone by then.
    await entries.call("delete_access_entry", arns[1])
    assert await listed(nextToken=first["nextToken"]) == {"accessEntries": [arns[2]]}
    more = {"policyArn": VIEW, "accessScope": EVERYWHERE}
    await entries.call("associate_access_policy", arns[2], **more)
    assert (await listed(associatedPolicyArn=VIEW))["accessEntries"] == [arns[2]]
    assert (await listed(associatedPolicyArn=EDIT))["accessEntries"] == []


async def test_access_policies_are_listed(clusters: Clusters):
    first = await clusters.call("list_access_policies", maxResults=4)
    last = await clusters.call("list_access_policies", nextToken=first["nextToken"])
    found = [*first["accessPolicies"], *last["accessPolicies"]]
    assert [policy["name"] for policy in found] == [
        "AmazonEKSAdminPolicy",
        "AmazonEKSAdminViewPolicy",
        "AmazonEKSClusterAdminPolicy",
        "AmazonEKSEditPolicy",
        "AmazonEKSSecretReaderPolicy",
        "AmazonEKSViewPolicy",
    ]
    assert all(policy["arn"] == POLICIES + policy["name"] for policy in found)


async def test_policies_are_associated_rescoped_and_taken_away(entries: Entries):
    await entries.create()
    scope = {"type": "namespace", "namespaces": ["dev-*", "test", "test"]}
    made = await entries.call("associate_access_policy", policyArn=VIEW, accessScope=scope)
    assert (made["clusterName"], made["principalArn"]) == ("web", entries.role)
    policy = made["associatedAccessPolicy"]
    assert policy["policyArn"] == VIEW
    assert policy["accessScope"] == {"type": "namespace", "namespaces": ["dev-*", "test"]}
    await entries.call("associate_access_policy", policyArn=EDIT, accessScope=EVERYWHERE)
    found = await entries.policies()
    assert [each["policyArn"] for each in found] == [EDIT, VIEW]
    again = await entries.call("associate_access_policy", policyArn=VIEW, accessScope=EVERYWHERE)
    changed = again["associatedAccessPolicy"]
    assert changed["accessScope"] == {"type": "cluster", "namespaces": []}
    assert changed["associatedAt"] == policy["associatedAt"] < changed["modifiedAt"]
    page = await entries.call("list_associated_access_policies", maxResults=1)
    assert [each["policyArn"] for each in page["associatedAccessPolicies"]] == [EDIT]
    rest = await entries.call("list_associated_access_policies", nextToken=page["nextToken"])
    assert rest["associatedAccessPolicies"] == [changed]
    await entries.call("disassociate_access_policy", policyArn=EDIT)
    assert [each["policyArn"] for each in await entries.policies()] == [VIEW]
    assert await entries.error("disassociate_access_policy", policyArn=EDIT) == (
        "ResourceNotFoundException",
        "The specified policyArn is not associated with the access entry.",
    )


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ({}, "The accessScope must have a type"),
        (
            {"type": "namespace"},
            "Namespaces must be given with an accessScope of type namespace",
        ),
        (
            {"type": "cluster", "namespaces": ["a"]},
            "Namespaces cannot be given with an accessScope of type cluster",
        ),
        ({"type": "namespace", "namespaces": ["A_b"]}, "The namespace A_b is invalid"),
    ],
)
async def test_scopes_that_are_none_are_refused(
    entries: Entries, scope: dict[str, Any], message: str
):
    await entries.create()
    refused = await entries.error("associate_access_policy", policyArn=VIEW, accessScope=scope)
    assert refused == ("InvalidParameterException", message)
    assert await entries.policies() == []


async def test_a_policy_that_eks_has_not_is_not_found(entries: Entries):
    await entries.create()
    for arn in (f"{POLICIES}AmazonEKSNoPolicy", "AmazonEKSViewPolicy"):
        more = {"policyArn": arn, "accessScope": EVERYWHERE}
        assert await entries.error("associate_access_policy", **more) == (
            "ResourceNotFoundException",
            "The specified policyArn could not be found.",
        )


async def test_tags_of_entries_are_changed_and_listed(entries: Entries):
    arn = (await entries.create(tags={"a": "1"}))["accessEntryArn"]
    call = entries.clusters.call
    await call("tag_resource", resourceArn=arn, tags={"b": "2"})
    await call("untag_resource", resourceArn=arn, tagKeys=["a"])
    assert await call("list_tags_for_resource", resourceArn=arn) == {"tags": {"b": "2"}}
    assert (await entries.call("describe_access_entry"))["accessEntry"]["tags"] == {"b": "2"}
    error = await entries.clusters.error("list_tags_for_resource", resourceArn=f"{arn}0")
    assert error == ("NotFoundException", f"No resource found for ARN: {arn}0")


async def test_policies_may_let_a_user_see_one_clusters_entries_only(entries: Entries):
    await entries.create()
    arn = f"arn:aws:eks:us-east-1:{ACCOUNT}:access-entry/other/*"
    user = await entries.clusters.plane.user("user", allow("eks:*", resource=arn))
    code, message = await entries.error("describe_access_entry", by=user)
    assert code == "AccessDeniedException"
    assert f":access-entry/web/role/{ACCOUNT}/ops/" in message
    # What is not there is denied by the name that it would have.
    code, message = await entries.error(
        "describe_access_entry", f"arn:aws:iam::{ACCOUNT}:user/joe", by=user
    )
    assert code == "AccessDeniedException"
    assert f":access-entry/web/user/{ACCOUNT}/joe/*" in message
    own = allow("eks:*", resource=arn.replace("other", "web"))
    other = await entries.clusters.plane.user("other", own)
    assert await entries.call("describe_access_entry", by=other)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("eks:clusterName", "web"),
        ("eks:policyArn", VIEW),
        ("eks:accessScope", "namespace"),
        ("eks:namespaces", "kube-system"),
        ("eks:kubernetesGroups", "admins"),
        ("eks:username", "ops"),
        ("eks:accessEntryType", "STANDARD"),
        ("aws:ResourceTag/stage", "prod"),
    ],
)
async def test_policies_may_go_by_what_is_associated_and_with_whom(
    entries: Entries, key: str, value: str
):
    await entries.create(username="ops", kubernetesGroups=["admins"], tags={"stage": "prod"})
    never = {"ForAnyValue:StringEquals": {key: [value]}}
    user = await entries.clusters.plane.user(
        "user", allow("*"), deny("eks:AssociateAccessPolicy", Condition=never)
    )
    scope = {"type": "namespace", "namespaces": ["kube-system"]}
    asked = {"policyArn": VIEW, "accessScope": scope}
    code, _ = await entries.error("associate_access_policy", by=user, **asked)
    assert code == "AccessDeniedException"
    assert await entries.call("associate_access_policy", **asked)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("eks:principalArn", f"arn:aws:iam::{ACCOUNT}:role/team/ops"),
        ("eks:kubernetesGroups", "admins"),
        ("eks:username", "joe"),
        ("eks:accessEntryType", "STANDARD"),
        ("aws:RequestTag/stage", "prod"),
    ],
)
async def test_policies_may_go_by_what_a_new_entry_is_to_be(entries: Entries, key: str, value: str):
    never = {"ForAnyValue:StringEquals": {key: [value]}}
    user = await entries.clusters.plane.user(
        "user", allow("*"), deny("eks:CreateAccessEntry", Condition=never)
    )
    asked = {"username": "joe", "kubernetesGroups": ["admins"], "tags": {"stage": "prod"}}
    code, _ = await entries.error("create_access_entry", by=user, **asked)
    assert code == "AccessDeniedException"
    assert await entries.create(**asked)
