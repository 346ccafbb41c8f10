"""Access policies, compared with the tables of "Review access policy permissions"."""

from collections.abc import Iterator

import pytest

from longshore.authenticator.policies import RULES, granting
from longshore.authenticator.reviews import NonResourceAttributes, ResourceAttributes
from longshore.model.eks import ACCESS_POLICIES, POLICIES, AssociatedPolicy

READ = "get list watch"
WRITE = "create delete deletecollection patch update"

# The tables row by row, in the page's order: API group, resources, verbs.
VIEW = [
    (
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale"
        " deployments/status replicasets replicasets/scale replicasets/status statefulsets"
        " statefulsets/scale statefulsets/status",
        READ,
    ),
    ("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", READ),
    ("batch", "cronjobs cronjobs/status jobs jobs/status", READ),
    ("discovery.k8s.io", "endpointslices", READ),
    (
        "extensions",
        "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses"
        " ingresses/status networkpolicies replicasets replicasets/scale replicasets/status"
        " replicationcontrollers/scale",
        READ,
    ),
    ("networking.k8s.io", "ingresses ingresses/status networkpolicies", READ),
    ("policy", "poddisruptionbudgets poddisruptionbudgets/status", READ),
    (
        "",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods"
        " replicationcontrollers replicationcontrollers/scale serviceaccounts services"
        " services/status",
        READ,
    ),
    (
        "",
        "bindings events limitranges namespaces/status pods/log pods/status"
        " replicationcontrollers/status resourcequotas resourcequotas/status",
        READ,
    ),
    ("", "namespaces", READ),
]
EDIT = [
    (
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets"
        " replicasets/scale statefulsets statefulsets/scale",
        WRITE,
    ),
    (
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale"
        " deployments/status replicasets replicasets/scale replicasets/status statefulsets"
        " statefulsets/scale statefulsets/status",
        READ,
    ),
    ("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", READ),
    ("autoscaling", "horizontalpodautoscalers", WRITE),
    ("batch", "cronjobs jobs", WRITE),
    ("batch", "cronjobs cronjobs/status jobs jobs/status", READ),
    ("discovery.k8s.io", "endpointslices", READ),
    (
        "extensions",
        "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies"
        " replicasets replicasets/scale replicationcontrollers/scale",
        WRITE,
    ),
    (
        "extensions",
        "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses"
        " ingresses/status networkpolicies replicasets replicasets/scale replicasets/status"
        " replicationcontrollers/scale",
        READ,
    ),
    ("networking.k8s.io", "ingresses networkpolicies", WRITE),
    ("networking.k8s.io", "ingresses ingresses/status networkpolicies", READ),
    ("policy", "poddisruptionbudgets", WRITE),
    ("policy", "poddisruptionbudgets poddisruptionbudgets/status", READ),
    ("", "namespaces", READ),
    ("", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", READ),
    ("", "serviceaccounts", "impersonate"),
    ("", "pods pods/attach pods/exec pods/portforward pods/proxy", WRITE),
    (
        "",
        "configmaps events persistentvolumeclaims replicationcontrollers"
        " replicationcontrollers/scale secrets serviceaccounts services services/proxy",
        WRITE,
    ),
    (
        "",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods"
        " replicationcontrollers replicationcontrollers/scale serviceaccounts services"
        " services/status",
        READ,
    ),
    (
        "",
        "bindings events limitranges namespaces/status pods/log pods/status"
        " replicationcontrollers/status resourcequotas resourcequotas/status",
        READ,
    ),
]
ADMIN = [
    (
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets"
        " replicasets/scale statefulsets statefulsets/scale",
        WRITE,
    ),
    (
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale"
        " deployments/status replicasets replicasets/scale replicasets/status statefulsets"
        " statefulsets/scale statefulsets/status",
        READ,
    ),
    ("authorization.k8s.io", "localsubjectaccessreviews", "create"),
    ("autoscaling", "horizontalpodautoscalers", WRITE),
    ("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", READ),
    ("batch", "cronjobs jobs", WRITE),
    ("batch", "cronjobs cronjobs/status jobs jobs/status", READ),
    ("discovery.k8s.io", "endpointslices", READ),
    (
        "extensions",
        "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies"
        " replicasets replicasets/scale replicationcontrollers/scale",
        WRITE,
    ),
    (
        "extensions",
        "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses"
        " ingresses/status networkpolicies replicasets replicasets/scale replicasets/status"
        " replicationcontrollers/scale",
        READ,
    ),
    ("networking.k8s.io", "ingresses ingresses/status networkpolicies", READ),
    ("networking.k8s.io", "ingresses networkpolicies", WRITE),
    ("policy", "poddisruptionbudgets", WRITE),
    ("policy", "poddisruptionbudgets poddisruptionbudgets/status", READ),
    (
        "rbac.authorization.k8s.io",
        "rolebindings roles",
        "create delete deletecollection get list patch update watch",
    ),
    (
        "",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods"
        " replicationcontrollers replicationcontrollers/scale serviceaccounts services"
        " services/status",
        READ,
    ),
    ("", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", READ),
    (
        "",
        "configmaps events persistentvolumeclaims replicationcontrollers"
        " replicationcontrollers/scale secrets serviceaccounts services services/proxy",
        WRITE,
    ),
    ("", "pods pods/attach pods/exec pods/portforward pods/proxy", WRITE),
    ("", "serviceaccounts", "impersonate"),
    (
        "",
        "bindings events limitranges namespaces/status pods/log pods/status"
        " replicationcontrollers/status resourcequotas resourcequotas/status",
        READ,
    ),
    ("", "namespaces", READ),
]
TABLES = {
    "AmazonEKSViewPolicy": VIEW,
    "AmazonEKSEditPolicy": EDIT,
    "AmazonEKSAdminPolicy": ADMIN,
    "AmazonEKSAdminViewPolicy": [("*", "*", READ)],
    "AmazonEKSSecretReaderPolicy": [("", "secrets", READ)],
    "AmazonEKSClusterAdminPolicy": [("*", "*", "*")],
}
EVERYTHING = {
    entry
    for table in (VIEW, EDIT, ADMIN)
    for group, resources, verbs in table
    for resource in resources.split()
    for entry in ((group, resource, verb) for verb in verbs.split())
}


def permissions(name: str) -> set[tuple[str, str, str]]:
    """Group, resource and verb, of a policy of ours."""
    return {
        (group, resource, verb)
        for rule in RULES[POLICIES + name]
        for group in rule.groups
        for resource in rule.resources
        for verb in rule.verbs
    }


def tabled(name: str) -> Iterator[tuple[str, str, str]]:
    for group, resources, verbs in TABLES[name]:
        for resource in resources.split():
            for verb in verbs.split():
                yield group, resource, verb


def policy(name: str, *namespaces: str) -> AssociatedPolicy:
    return AssociatedPolicy(
        arn=POLICIES + name, namespaces=namespaces, associated_at=0.0, modified_at=0.0
    )


def asked(
    verb: str, resource: str, namespace: str = "default", group: str = ""
) -> ResourceAttributes:
    name, _, subresource = resource.partition("/")
    return ResourceAttributes(
        verb=verb, group=group, resource=name, subresource=subresource, namespace=namespace
    )


def allows(
    request: ResourceAttributes | NonResourceAttributes, *policies: AssociatedPolicy
) -> bool:
    return granting(policies, request) is not None


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_policy_permits_what_its_table_says_and_nothing_else(name: str) -> None:
    assert permissions(name) == set(tabled(name))


@pytest.mark.parametrize("name", ["AmazonEKSViewPolicy", "AmazonEKSEditPolicy"])
def test_a_request_is_allowed_exactly_where_a_row_of_the_table_names_it(name: str) -> None:
    own = set(tabled(name))
    for group, resource, verb in EVERYTHING:
        request = asked(verb, resource, group=group)
        assert allows(request, policy(name)) == ((group, resource, verb) in own)


def test_all_policies_that_a_principal_can_have_are_known() -> None:
    assert set(RULES) == {POLICIES + name for name in ACCESS_POLICIES}
    assert set(TABLES) == set(ACCESS_POLICIES)


def test_view_shows_pods_and_their_logs_but_neither_changes_them_nor_shows_secrets() -> None:
    view = policy("AmazonEKSViewPolicy")
    assert allows(asked("get", "pods"), view)
    assert allows(asked("get", "pods/log"), view)
    assert not allows(asked("create", "pods"), view)
    assert not allows(asked("get", "pods/exec"), view)
    assert not allows(asked("get", "secrets"), view)
    assert not allows(asked("get", "pods", group="metrics.k8s.io"), view)


def test_a_policy_for_the_whole_cluster_reaches_all_namespaces_and_what_is_in_none() -> None:
    view = policy("AmazonEKSAdminViewPolicy")
    assert allows(asked("list", "pods", namespace=""), view)
    assert allows(asked("list", "nodes", namespace=""), view)
    assert allows(asked("get", "widgets", group="example.com"), view)
    assert not allows(asked("delete", "nodes", namespace=""), view)


def test_a_policy_for_namespaces_is_good_in_these_alone() -> None:
    edit = policy("AmazonEKSEditPolicy", "shop", "blog")
    assert allows(asked("create", "pods", "shop"), edit)
    assert allows(asked("create", "pods", "blog"), edit)
    assert not allows(asked("create", "pods", "shops"), edit)
    assert not allows(asked("create", "pods", "default"), edit)
    assert not allows(asked("list", "pods", namespace=""), edit)


def test_a_policy_for_namespaces_shows_the_namespace_itself_but_not_the_list_of_them() -> None:
    view = policy("AmazonEKSViewPolicy", "shop")
    assert allows(asked("get", "namespaces", "shop"), view)
    assert not allows(asked("get", "namespaces", "blog"), view)
    assert not allows(asked("list", "namespaces", namespace=""), view)


def test_even_the_strongest_policy_for_namespaces_reaches_nothing_outside_of_them() -> None:
    admin = policy("AmazonEKSClusterAdminPolicy", "*")
    assert allows(asked("delete", "secrets", "anywhere"), admin)
    assert not allows(asked("get", "nodes", namespace=""), admin)
    assert not allows(NonResourceAttributes(path="/metrics", verb="get"), admin)


@pytest.mark.parametrize(
    ("pattern", "names", "others"),
    [
        ("dev-*", ["dev-", "dev-ann"], ["dev", "my-dev-ann", "Dev-ann"]),
        ("*-dev", ["ann-dev", "-dev"], ["ann-dev2"]),
        ("a*b*c", ["abc", "a1b2c"], ["acb", "abcd"]),
        ("*", ["default"], [""]),
        ("de?", [], ["dev"]),
        ("[a-z]ev", [], ["dev"]),
        ("d.v", [], ["dev"]),
    ],
)
def test_a_star_in_a_namespaces_name_stands_for_any_characters_and_nothing_else_does(
    pattern: str, names: list[str], others: list[str]
) -> None:
    view = policy("AmazonEKSViewPolicy", pattern)
    assert all(allows(asked("get", "pods", name), view) for name in names)
    assert not any(allows(asked("get", "pods", name), view) for name in others)


def test_paths_that_are_no_resources_are_for_cluster_administrators_alone() -> None:
    path = NonResourceAttributes(path="/metrics", verb="get")
    assert allows(path, policy("AmazonEKSClusterAdminPolicy"))
    others = [policy(name) for name in TABLES if name != "AmazonEKSClusterAdminPolicy"]
    assert not allows(path, *others)


def test_the_policy_that_allows_it_is_told_among_several() -> None:
    view, edit = policy("AmazonEKSViewPolicy"), policy("AmazonEKSEditPolicy", "shop")
    assert granting([view, edit], asked("create", "pods", "shop")) == edit
    assert granting([view, edit], asked("get", "pods", "shop")) == view
    assert granting([view, edit], asked("create", "pods", "blog")) is None


def test_a_policy_that_nobody_knows_allows_nothing() -> None:
    assert not allows(asked("get", "pods"), policy("AmazonEKSComputePolicy"))
    assert not allows(NonResourceAttributes(path="/", verb="get"), policy("AmazonEKSComputePolicy"))


def test_a_cluster_administrator_may_ask_for_everything_at_once() -> None:
    everything = ResourceAttributes(verb="*", group="*", resource="*")
    assert allows(everything, policy("AmazonEKSClusterAdminPolicy"))
    assert not allows(everything, policy("AmazonEKSAdminPolicy"))
