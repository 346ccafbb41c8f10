"""What access policies allow, asked by an API server."""

from typing import Any

from integration.authenticator.api_server import ACCOUNT, ApiServer, policy

from longshore.authenticator.proofs import EXTRA, LIFETIME_SECONDS
from longshore.model import eks


async def let_in(server: ApiServer, *policies: eks.AssociatedPolicy) -> dict[str, Any]:
    ann, keys = await server.user("ann")
    await server.entry(ann, *policies)
    return await server.user_of(keys)


async def test_the_view_policy_allows_to_get_pods_but_neither_to_create_them_nor_secrets(
    server: ApiServer,
) -> None:
    ann = await let_in(server, policy("AmazonEKSViewPolicy"))
    assert await server.may(ann, "get", "pods")
    assert await server.may(ann, "get", "pods", subresource="log")
    assert await server.may(ann, "list", "deployments", group="apps")
    assert await server.may(ann, "list", "pods", namespace="")
    assert not await server.may(ann, "create", "pods")
    assert not await server.may(ann, "get", "secrets")
    assert not await server.may(ann, "create", "pods", subresource="exec")


async def test_a_policy_for_namespaces_allows_nothing_elsewhere(server: ApiServer) -> None:
    ann = await let_in(
        server, policy("AmazonEKSEditPolicy", "shop"), policy("AmazonEKSViewPolicy", "dev-*")
    )
    assert await server.may(ann, "create", "pods", namespace="shop")
    assert await server.may(ann, "get", "pods", namespace="dev-ann")
    assert not await server.may(ann, "create", "pods", namespace="dev-ann")
    assert not await server.may(ann, "get", "pods", namespace="default")
    assert not await server.may(ann, "list", "pods", namespace="")
    assert not await server.may(ann, "list", "nodes", namespace="")


async def test_a_cluster_administrator_reaches_everything_and_a_mere_one_no_paths(
    server: ApiServer,
) -> None:
    path = {"path": "/metrics", "verb": "get"}
    ann = await let_in(server, policy("AmazonEKSClusterAdminPolicy"))
    assert await server.may(ann, "delete", "nodes", namespace="")
    assert (await server.authorize(ann, nonResourceAttributes=path))["allowed"]
    ann = await let_in(server, policy("AmazonEKSAdminPolicy"))
    assert not (await server.authorize(ann, nonResourceAttributes=path))["allowed"]


async def test_the_reason_names_the_policy_as_the_audit_logs_of_eks_do(server: ApiServer) -> None:
    role = await server.role("deploy")
    await server.entry(role, policy("AmazonEKSViewPolicy"), policy("AmazonEKSEditPolicy", "shop"))
    user = await server.user_of(server.session(role, "ci"))
    view, edit = (f"{eks.POLICIES}AmazonEKS{name}Policy" for name in ("View", "Edit"))
    attributes = {"verb": "get", "resource": "pods", "namespace": "shop"}
    assert await server.authorize(user, resourceAttributes=attributes) == {
        "allowed": True,
        "reason": f'EKS Access Policy: allowed by ClusterRoleBinding "{role.arn}+{view}" '
        f'of ClusterRole "{view}" to User "{role.id}"',
    }
    attributes["verb"] = "create"
    assert await server.authorize(user, resourceAttributes=attributes) == {
        "allowed": True,
        "reason": f'EKS Access Policy: allowed by RoleBinding "{role.arn}+{edit}/shop" '
        f'of ClusterRole "{edit}" to User "{role.id}"',
    }


async def test_who_has_no_policies_is_left_to_rbac(server: ApiServer) -> None:
    ann = await let_in(server)
    assert await server.authorize(ann, resourceAttributes={"verb": "get", "resource": "pods"}) == {
        "allowed": False
    }
    assert await server.authorize(ann) == {"allowed": False}


async def test_users_of_other_authenticators_have_no_access_policies(server: ApiServer) -> None:
    ann = await let_in(server, policy("AmazonEKSClusterAdminPolicy"))
    assert await server.may(ann, "get", "pods")
    assert not await server.may({**ann, "uid": ""}, "get", "pods")
    assert not await server.may({**ann, "uid": ann["extra"]["principalId"][0]}, "get", "pods")
    assert not await server.may({**ann, "extra": {}}, "get", "pods")
    twice = {"canonicalArn": ann["extra"]["canonicalArn"] * 2}
    assert not await server.may({**ann, "extra": twice}, "get", "pods")
    other = {"canonicalArn": [f"arn:aws:iam::{ACCOUNT}:user/bob"]}
    assert not await server.may({**ann, "extra": other}, "get", "pods")
    account = {"username": "system:serviceaccount:default:ann", "uid": "f00d"}
    assert not await server.may(account, "get", "pods")


def aggregated(user: dict[str, Any], **extra: Any) -> dict[str, Any]:
    """The user as an aggregated API server is told of: without UID, extras in lower case."""
    lowered = {name.lower(): value for name, value in user["extra"].items()}
    return {**user, "uid": "", "extra": {**lowered, **extra}}


async def test_policies_are_good_through_an_aggregated_api_server_too(server: ApiServer) -> None:
    ann = await let_in(server, policy("AmazonEKSClusterAdminPolicy"))
    assert await server.may(aggregated(ann), "list", "pods", group="metrics.k8s.io")
    await server.entry((await server.user("ann"))[0])
    assert not await server.may(aggregated(ann), "list", "pods", group="metrics.k8s.io")


async def test_who_impersonates_another_user_has_no_access_policies(server: ApiServer) -> None:
    ann = await let_in(server, policy("AmazonEKSClusterAdminPolicy"))
    made = ann["extra"][EXTRA][0].split(".")
    for forged in ([], [""], [f"{made[0]}.{'0' * 64}"], [f"{int(made[0]) + 1}.{made[1]}"]):
        assert not await server.may(aggregated(ann, **{EXTRA: forged}), "get", "pods")
    arn = {"canonicalarn": [f"arn:aws:iam::{ACCOUNT}:user/bob"]}
    assert not await server.may(aggregated(ann, **arn), "get", "pods")
    assert not await server.may({**ann, "extra": {EXTRA: ann["extra"][EXTRA]}}, "get", "pods")


async def test_a_proof_of_one_user_is_none_of_another_or_in_another_cluster(
    server: ApiServer,
) -> None:
    ann = await let_in(server, policy("AmazonEKSClusterAdminPolicy"))
    bob, keys = await server.user("bob")
    await server.entry(bob, policy("AmazonEKSViewPolicy"))
    viewer = aggregated(await server.user_of(keys))
    assert await server.may(viewer, "get", "pods")
    arn = aggregated(ann)["extra"]["canonicalarn"]
    stolen = {**viewer, "extra": {**viewer["extra"], "canonicalarn": arn}}
    assert not await server.may(stolen, "delete", "pods")
    assert not await server.may({**stolen, "username": ann["username"]}, "delete", "pods")
    assert not await server.may({**aggregated(ann), "username": "eve"}, "delete", "pods")
    await server.cluster()
    assert not await server.may(aggregated(ann), "delete", "pods")


async def test_a_proof_that_somebody_has_kept_is_worth_nothing(server: ApiServer) -> None:
    ann = aggregated(await let_in(server, policy("AmazonEKSClusterAdminPolicy")))
    server.clock.advance(LIFETIME_SECONDS - 1)
    assert await server.may(ann, "get", "pods")
    server.clock.advance(2)
    assert not await server.may(ann, "get", "pods")


async def test_a_user_let_in_before_its_role_was_made_anew_has_not_the_new_ones_policies(
    server: ApiServer,
) -> None:
    role = await server.role("deploy")
    await server.entry(role)
    user = await server.user_of(server.session(role, "ci"))
    again = await server.role("deploy")
    await server.entry(again, policy("AmazonEKSClusterAdminPolicy"))
    assert not await server.may(user, "get", "pods")
    assert await server.may(await server.user_of(server.session(again, "ci")), "get", "pods")


async def test_access_entries_mean_nothing_to_a_cluster_that_goes_by_its_config_map(
    server: ApiServer,
) -> None:
    ann = await let_in(server, policy("AmazonEKSClusterAdminPolicy"))
    await server.cluster(authentication_mode="CONFIG_MAP")
    assert not await server.may(ann, "get", "pods")
