"""metrics-server: `kubectl top`, and what autoscalers of pods go by.

(metrics-server's `components.yaml`, in its form for high availability.)
"""

from collections.abc import Mapping
from typing import Any

from longshore.addons import schema
from longshore.addons.objects import (
    CORE,
    NAMESPACE,
    Object,
    apart,
    cluster_role,
    cluster_role_binding,
    deployment,
    disruption_budget,
    linux_nodes,
    metadata,
    node_selector,
    role_binding,
    rule,
    service_account,
)
from longshore.addons.settings import Settings

NAME = "metrics-server"
LABELS = {"app.kubernetes.io/name": NAME, "k8s-app": NAME}
AGGREGATED = {
    **LABELS,
    "rbac.authorization.k8s.io/aggregate-to-admin": "true",
    "rbac.authorization.k8s.io/aggregate-to-edit": "true",
    "rbac.authorization.k8s.io/aggregate-to-view": "true",
}
PORT = 10251
"""10250 is the kubelet's."""
AUTHORITY = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
"""The cluster's, which certifies kubelets too."""
NOBODY = 1000
SCHEMA: schema.Schema = {
    "$schema": "http://json-schema.org/draft-06/schema#",
    **schema.an_object(
        {
            "affinity": schema.ANY_OBJECT,
            "nodeSelector": schema.TEXTS,
            "podAnnotations": schema.TEXTS,
            "podLabels": schema.TEXTS,
            "replicas": {"type": "integer", "minimum": 0, "maximum": 1000},
            "resources": schema.AMOUNTS,
            "tolerations": schema.LIST,
            "topologySpreadConstraints": schema.LIST,
        },
        title="MetricsServer",
    ),
}


def objects(settings: Settings, configuration: Mapping[str, Any]) -> list[Object]:
    return [
        service_account(NAME, LABELS, settings),
        cluster_role(
            "system:aggregated-metrics-reader",
            AGGREGATED,
            [rule("metrics.k8s.io", "pods nodes", "get list watch")],
        ),
        cluster_role(
            f"system:{NAME}",
            LABELS,
            [
                rule("core", "nodes/metrics", "get"),
                rule("core", "pods nodes", "get list watch"),
            ],
        ),
        # By which authority's certificates the API server speaks for its callers.
        role_binding(
            f"{NAME}-auth-reader", LABELS, "extension-apiserver-authentication-reader", NAME
        ),
        cluster_role_binding(
            f"{NAME}:system:auth-delegator", LABELS, "system:auth-delegator", NAME
        ),
        cluster_role_binding(f"system:{NAME}", LABELS, f"system:{NAME}", NAME),
        _service(),
        _deployment(settings, configuration),
        disruption_budget(NAME, LABELS, {"minAvailable": 1}),
        _api_service(),
    ]


def _service() -> Object:
    return {
        "apiVersion": CORE,
        "kind": "Service",
        "metadata": metadata(NAME, LABELS),
        "spec": {
            "selector": LABELS,
            "ports": [
                {
                    "name": "https",
                    "appProtocol": "https",
                    "port": 443,
                    "protocol": "TCP",
                    "targetPort": "https",
                }
            ],
        },
    }


def _api_service() -> Object:
    """Its certificate is its own, made at each start."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": metadata("v1beta1.metrics.k8s.io", LABELS, namespaced=False),
        "spec": {
            "group": "metrics.k8s.io",
            "groupPriorityMinimum": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": NAME, "namespace": NAMESPACE, "port": 443},
            "version": "v1beta1",
            "versionPriority": 100,
        },
    }


def _deployment(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    return deployment(
        NAME,
        LABELS,
        LABELS,
        configuration,
        _pod(settings, configuration),
        replicas=configuration.get("replicas", 2),
    )


def _pod(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    spread = configuration.get("topologySpreadConstraints", [])
    return {
        "affinity": configuration.get("affinity")
        or {"nodeAffinity": linux_nodes(), "podAntiAffinity": apart("k8s-app", NAME)},
        "containers": [_container(settings, configuration)],
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": NAME,
        "tolerations": configuration.get("tolerations", []),
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        **node_selector(configuration),
        **({"topologySpreadConstraints": spread} if spread else {}),
    }


def _container(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    return {
        "name": NAME,
        "image": settings.image,
        "args": [
            f"--secure-port={PORT}",
            "--cert-dir=/tmp",
            "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
            f"--kubelet-certificate-authority={AUTHORITY}",
            "--kubelet-use-node-status-port",
            "--metric-resolution=15s",
        ],
        "ports": [{"name": "https", "containerPort": PORT, "protocol": "TCP"}],
        "livenessProbe": _probe("/livez", 0),
        "readinessProbe": _probe("/readyz", 20),
        "resources": configuration.get("resources")
        or {"limits": {"memory": "400Mi"}, "requests": {"cpu": "100m", "memory": "200Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the container's own
    }


def _probe(path: str, delay: int) -> Object:
    return {
        "httpGet": {"path": path, "port": "https", "scheme": "HTTPS"},
        "initialDelaySeconds": delay,
        "periodSeconds": 10,
        "failureThreshold": 3,
    }
