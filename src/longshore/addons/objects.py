"""Parts that the objects of add-ons have in common, and where objects lie in the API."""

import platform
from collections.abc import Mapping
from typing import Any

from longshore.addons.settings import Settings

Object = dict[str, Any]
NAMESPACE = "kube-system"
ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PLURALS: Mapping[str, str] = {
    "APIService": "apiservices",
    "CSIDriver": "csidrivers",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ConfigMap": "configmaps",
    "CustomResourceDefinition": "customresourcedefinitions",
    "DaemonSet": "daemonsets",
    "Deployment": "deployments",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "StorageClass": "storageclasses",
}
CORE = "v1"
APPS = "apps/v1"
RBAC = "rbac.authorization.k8s.io"


def path_of(found: Mapping[str, Any]) -> str:
    """Where the object is in the API."""
    version, metadata = found["apiVersion"], found["metadata"]
    root = f"/api/{version}" if version == CORE else f"/apis/{version}"
    namespace = metadata.get("namespace")
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{within}/{PLURALS[found['kind']]}/{metadata['name']}"


def workload_path(kind: str, name: str) -> str:
    """Where a Deployment or DaemonSet of an add-on is in the API."""
    metadata = {"name": name, "namespace": NAMESPACE}
    return path_of({"apiVersion": APPS, "kind": kind, "metadata": metadata})


def architecture() -> str:
    """This machine's, as Kubernetes and AWS call it."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def metadata(name: str, labels: Mapping[str, str], *, namespaced: bool = True) -> Object:
    place = {"namespace": NAMESPACE} if namespaced else {}
    return {"name": name, **place, "labels": dict(labels)}


def service_account(name: str, labels: Mapping[str, str], settings: Settings) -> Object:
    found = metadata(name, labels)
    if settings.role_arn:
        found["annotations"] = {ROLE_ANNOTATION: settings.role_arn}
    return {"apiVersion": CORE, "kind": "ServiceAccount", "metadata": found}


def cluster_role(name: str, labels: Mapping[str, str], rules: list[Object]) -> Object:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": metadata(name, labels, namespaced=False),
        "rules": rules,
    }


def cluster_role_binding(name: str, labels: Mapping[str, str], role: str, account: str) -> Object:
    """The service account has the ClusterRole everywhere."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata(name, labels, namespaced=False),
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}],
    }


def role(name: str, labels: Mapping[str, str], rules: list[Object]) -> Object:
    """A Role in the namespace of add-ons."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": metadata(name, labels),
        "rules": rules,
    }


def role_binding(name: str, labels: Mapping[str, str], role: str, account: str) -> Object:
    """The service account has the Role in the namespace of add-ons."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": metadata(name, labels),
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}],
    }


def rule(groups: str, resources: str, verbs: str) -> Object:
    """A rule of a role: words parted by blanks; the core group is `core`."""
    return {
        "apiGroups": ["" if group == "core" else group for group in groups.split()],
        "resources": resources.split(),
        "verbs": verbs.split(),
    }


def disruption_budget(name: str, labels: Mapping[str, str], settings: Object) -> Object:
    """`settings` as a PodDisruptionBudget's, without what it selects."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(name, labels),
        "spec": {**settings, "selector": {"matchLabels": dict(labels)}},
    }


NOT_FARGATE: Object = {
    "key": "eks.amazonaws.com/compute-type",
    "operator": "NotIn",
    "values": ["fargate"],
}
"""Of node affinity: what is on every node is not on those of Fargate's pods."""


def linux_nodes(*more: Object) -> Object:
    """Node affinity: nodes with Linux of this architecture, and what `more` says."""
    return {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {
                    "matchExpressions": [
                        _one_of("kubernetes.io/os", "linux"),
                        _one_of("kubernetes.io/arch", architecture()),
                        *more,
                    ]
                }
            ]
        }
    }


def _one_of(label: str, *values: str) -> Object:
    return {"key": label, "operator": "In", "values": list(values)}


def apart(key: str, value: str) -> Object:
    """Pod affinity: rather not on a node that has another pod of this label."""
    selector = {"matchExpressions": [_one_of(key, value)]}
    term = {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"}
    return {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "podAffinityTerm": term}
        ]
    }


def daemon_set(
    name: str,
    labels: Mapping[str, str],
    marked: Mapping[str, str],
    configuration: Mapping[str, Any],
    pod: Object,
) -> Object:
    """A DaemonSet of pods with these labels, rolled a tenth at a time; it is itself `marked`."""
    return {
        "apiVersion": APPS,
        "kind": "DaemonSet",
        "metadata": metadata(name, marked),
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "10%"},
            },
            "template": _template(labels, configuration, pod),
        },
    }


def deployment(
    name: str,
    labels: Mapping[str, str],
    marked: Mapping[str, str],
    configuration: Mapping[str, Any],
    pod: Object,
    *,
    replicas: int,
    **rolling: int,
) -> Object:
    """A Deployment of pods with these labels, rolled one at a time; it is itself `marked`.

    `rolling` is what else its rolling updates keep to.
    """
    return {
        "apiVersion": APPS,
        "kind": "Deployment",
        "metadata": metadata(name, marked),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 1, **rolling},
            },
            "template": _template(labels, configuration, pod),
        },
    }


def _template(labels: Mapping[str, str], configuration: Mapping[str, Any], pod: Object) -> Object:
    """Of pods, which have the labels and annotations of the add-on's configuration too."""
    annotations = configuration.get("podAnnotations", {})
    return {
        "metadata": {
            "labels": {**configuration.get("podLabels", {}), **labels},
            **({"annotations": annotations} if annotations else {}),
        },
        "spec": pod,
    }


def node_selector(configuration: Mapping[str, Any]) -> Object:
    """Of a pod, where the add-on's configuration has one."""
    selector = configuration.get("nodeSelector", {})
    return {"nodeSelector": selector} if selector else {}
