"""Access policies: what they let somebody do ("Review access policy permissions", EKS user guide).

They are matched as RBAC matches roles: a policy for the whole cluster as bound by a
ClusterRoleBinding, one for namespaces as bound by a RoleBinding in each of them. The latter so
allows to get the Namespace itself, which is a request in it, but not to list them all. Policies
that are not here are EKS's own (Auto Mode's, Hybrid Nodes'); they allow nothing.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from longshore.authenticator.reviews import NonResourceAttributes, ResourceAttributes
from longshore.model.eks import POLICIES, AssociatedPolicy
from longshore.policy.pattern import ANY, expression

ALL = frozenset({"*"})
READ = frozenset({"get", "list", "watch"})
WRITE = frozenset({"create", "delete", "deletecollection", "patch", "update"})


class Rule(NamedTuple):
    """Verbs for resources (`pods`, `pods/log`) of API groups; the core group's name is empty."""

    groups: frozenset[str]
    resources: frozenset[str]
    verbs: frozenset[str]


def _rule(group: str, resources: str, verbs: frozenset[str]) -> Rule:
    return Rule(frozenset({group}), frozenset(resources.split()), verbs)


VIEW = (
    _rule(
        "",
        "bindings configmaps endpoints events limitranges namespaces namespaces/status "
        "persistentvolumeclaims persistentvolumeclaims/status pods pods/log pods/status "
        "replicationcontrollers replicationcontrollers/scale replicationcontrollers/status "
        "resourcequotas resourcequotas/status serviceaccounts services services/status",
        READ,
    ),
    _rule(
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale "
        "deployments/status replicasets replicasets/scale replicasets/status statefulsets "
        "statefulsets/scale statefulsets/status",
        READ,
    ),
    _rule("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", READ),
    _rule("batch", "cronjobs cronjobs/status jobs jobs/status", READ),
    _rule("discovery.k8s.io", "endpointslices", READ),
    _rule(
        "extensions",
        "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses "
        "ingresses/status networkpolicies replicasets replicasets/scale replicasets/status "
        "replicationcontrollers/scale",
        READ,
    ),
    _rule("networking.k8s.io", "ingresses ingresses/status networkpolicies", READ),
    _rule("policy", "poddisruptionbudgets poddisruptionbudgets/status", READ),
)
EDIT = (
    *VIEW,
    _rule(
        "",
        "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy",
        READ | WRITE,
    ),
    _rule(
        "",
        "configmaps events persistentvolumeclaims pods replicationcontrollers "
        "replicationcontrollers/scale serviceaccounts services",
        WRITE,
    ),
    _rule("", "serviceaccounts", frozenset({"impersonate"})),
    _rule(
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets "
        "replicasets/scale statefulsets statefulsets/scale",
        WRITE,
    ),
    _rule("autoscaling", "horizontalpodautoscalers", WRITE),
    _rule("batch", "cronjobs jobs", WRITE),
    _rule(
        "extensions",
        "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies "
        "replicasets replicasets/scale replicationcontrollers/scale",
        WRITE,
    ),
    _rule("networking.k8s.io", "ingresses networkpolicies", WRITE),
    _rule("policy", "poddisruptionbudgets", WRITE),
)
ADMIN = (
    *EDIT,
    _rule("authorization.k8s.io", "localsubjectaccessreviews", frozenset({"create"})),
    _rule("rbac.authorization.k8s.io", "rolebindings roles", READ | WRITE),
)
CLUSTER_ADMIN = f"{POLICIES}AmazonEKSClusterAdminPolicy"
RULES: Mapping[str, tuple[Rule, ...]] = {
    f"{POLICIES}AmazonEKSViewPolicy": VIEW,
    f"{POLICIES}AmazonEKSEditPolicy": EDIT,
    f"{POLICIES}AmazonEKSAdminPolicy": ADMIN,
    f"{POLICIES}AmazonEKSAdminViewPolicy": (Rule(ALL, ALL, READ),),
    f"{POLICIES}AmazonEKSSecretReaderPolicy": (_rule("", "secrets", READ),),
    CLUSTER_ADMIN: (Rule(ALL, ALL, ALL),),
}
"""By the policy's ARN."""
NON_RESOURCES = frozenset({CLUSTER_ADMIN})
"""Policies that allow all verbs for all paths that are no resource's."""


def granting(
    policies: Iterable[AssociatedPolicy], asked: ResourceAttributes | NonResourceAttributes
) -> AssociatedPolicy | None:
    """The first of the policies that allows what is asked for, if one does."""
    for policy in policies:
        if _reaches(policy, asked) and _allows(policy.arn, asked):
            return policy
    return None


def _reaches(policy: AssociatedPolicy, asked: ResourceAttributes | NonResourceAttributes) -> bool:
    """Whether what is asked for lies where the policy is good."""
    if not policy.namespaces:
        return True
    if isinstance(asked, NonResourceAttributes) or not asked.namespace:
        return False
    return any(_names(name).fullmatch(asked.namespace) for name in policy.namespaces)


def _allows(policy_arn: str, asked: ResourceAttributes | NonResourceAttributes) -> bool:
    if isinstance(asked, NonResourceAttributes):
        return policy_arn in NON_RESOURCES
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    return any(
        _has(rule.verbs, asked.verb)
        and _has(rule.groups, asked.group)
        and _has(rule.resources, resource)
        for rule in RULES.get(policy_arn, ())
    )


def _has(names: frozenset[str], name: str) -> bool:
    return name in names or "*" in names


@lru_cache(maxsize=1024)
def _names(pattern: str) -> re.Pattern[str]:
    """What a namespace's name may be; `*` stands for any characters, nothing else for others."""
    parts = (part for part in re.split(r"(\*)", pattern) if part)
    return expression(tuple(ANY if part == "*" else part for part in parts))
