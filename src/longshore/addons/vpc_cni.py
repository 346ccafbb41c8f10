"""Amazon VPC CNI: on each node, what enforces NetworkPolicies; machine images have the rest.

(`charts/aws-vpc-cni` of upstream.) On EKS its DaemonSet `aws-node` has two containers. The one that
lays the CNI plugin on the node is not wanted here, since machine images have it: a node is ready
without a pod. The other, `aws-eks-nodeagent`, is the component `network-policy`
(docs/decisions/0115).
"""

from collections.abc import Mapping
from typing import Any

from longshore.addons.objects import (
    CORE,
    NOT_FARGATE,
    Object,
    cluster_role,
    cluster_role_binding,
    daemon_set,
    linux_nodes,
    metadata,
    node_selector,
    rule,
    service_account,
)
from longshore.addons.settings import Settings
from longshore.addons.vpc_cni_schema import ENFORCING_MODE, STANDARD

ADDON = "vpc-cni"
VERSION = "1.21.1"
"""Of upstream's add-on, as which it answers."""
PROGRAM = "network-policy-agent"
NAME = "aws-node"
CONTAINER = "aws-eks-nodeagent"
SWITCH = "amazon-vpc-cni"
"""The ConfigMap that says whether NetworkPolicies are heeded at all."""
LABELS = {"k8s-app": NAME}
MARKED = {
    "app.kubernetes.io/instance": "aws-vpc-cni",
    "app.kubernetes.io/name": NAME,
    **LABELS,
}
PROBES_PORT = 8163
LEDGER = "/var/lib/cni/longshore"
"""Where the CNI plugin keeps who holds which address."""


def objects(settings: Settings, configuration: Mapping[str, Any]) -> list[Object]:
    labels = {**MARKED, **configuration.get("podLabels", {})}
    return [
        service_account(NAME, MARKED, settings),
        cluster_role(NAME, MARKED, _rules()),
        cluster_role_binding(NAME, MARKED, NAME, NAME),
        _switch(configuration),
        daemon_set(
            NAME,
            LABELS,
            MARKED,
            {**configuration, "podLabels": labels},
            _pod(settings, configuration),
        ),
    ]


def _rules() -> list[Object]:
    return [
        rule("core", "namespaces pods", "list watch"),
        rule("networking.k8s.io", "networkpolicies", "list watch"),
        {**rule("core", "configmaps", "list watch"), "resourceNames": [SWITCH]},
        {**rule("apps", "daemonsets", "list watch"), "resourceNames": [NAME]},
    ]


def _enabled(configuration: Mapping[str, Any]) -> str:
    """`true` or `false`: off unless it is asked for, as on EKS."""
    return str(configuration.get("enableNetworkPolicy", "false"))


def _switch(configuration: Mapping[str, Any]) -> Object:
    return {
        "apiVersion": CORE,
        "kind": "ConfigMap",
        "metadata": metadata(SWITCH, MARKED),
        "data": {"enable-network-policy-controller": _enabled(configuration)},
    }


def _pod(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    return {
        "affinity": configuration.get("affinity") or {"nodeAffinity": linux_nodes(NOT_FARGATE)},
        "containers": [_container(settings, configuration)],
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "serviceAccountName": NAME,
        "terminationGracePeriodSeconds": 10,
        "tolerations": configuration.get("tolerations") or [{"operator": "Exists"}],
        "volumes": [{"name": "ledger", "hostPath": {"path": LEDGER, "type": "DirectoryOrCreate"}}],
        **node_selector(configuration),
    }


def _container(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    asked = configuration.get("nodeAgent", {})
    return {
        "name": CONTAINER,
        "image": settings.image,
        "args": [
            f"--enable-network-policy={_enabled(configuration)}",
            f"--health-probe-bind-addr=127.0.0.1:{PROBES_PORT}",
        ],
        "env": _environment(settings, configuration),
        "livenessProbe": {
            **_probe("/healthz", configuration.get("livenessProbeTimeoutSeconds")),
            "initialDelaySeconds": 60,
        },
        "readinessProbe": {
            **_probe("/readyz", configuration.get("readinessProbeTimeoutSeconds")),
            "initialDelaySeconds": 1,
            "periodSeconds": 2,
        },
        "resources": asked.get("resources") or {"requests": {"cpu": "25m"}},
        # Of the node's network alone: packet filters are its namespace's.
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "ledger", "mountPath": LEDGER, "readOnly": True}],
    }


def _environment(settings: Settings, configuration: Mapping[str, Any]) -> list[Object]:
    """The endpoint itself: the Service `kubernetes` leads nowhere until kube-proxy runs."""
    own = {
        "CLUSTER_ENDPOINT": settings.endpoint,
        "CLUSTER_NAME": settings.cluster,
        ENFORCING_MODE: STANDARD,
    }
    told = {**own, **configuration.get("env", {})}
    node = {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}
    return [
        *({"name": name, "value": value} for name, value in told.items()),
        {"name": "MY_NODE_NAME", "valueFrom": node},
    ]


def _probe(path: str, seconds: int | None) -> Object:
    return {
        "httpGet": {"host": "localhost", "path": path, "port": PROBES_PORT, "scheme": "HTTP"},
        "timeoutSeconds": seconds or 10,
    }
