"""What API servers write down of the requests that they get: one line of JSON for each.

The rules are those of EKS ("EKS Best Practices Guides", Auditing and logging): nothing of what a
cluster's own parts do all the time, the request and the answer of what changes something, and of
secrets never more than who asked for which.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

POLICY = "audit-policy.yaml"
"""The policy's file, among those of the control plane."""
LONGEST_EVENT = 262_000
"""Bytes; a log event takes a few more. What a longer one has of bodies is left out."""
STATUSES = ["nodes/status", "pods/status"]
GROUPS = (
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "extensions",
    "metrics.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "settings.k8s.io",
    "storage.k8s.io",
)
"""API groups whose requests are kept with their bodies."""


def _core(*resources: str) -> Mapping[str, Any]:
    return {"group": "", "resources": list(resources)}


def _own(name: str) -> str:
    """A service account of Kubernetes' own controllers."""
    return f"system:serviceaccount:kube-system:{name}"


RULES: tuple[Mapping[str, Any], ...] = (
    {
        "level": "RequestResponse",
        "namespaces": ["kube-system"],
        "verbs": ["update", "patch", "delete"],
        "resources": [{**_core("configmaps"), "resourceNames": ["aws-auth"]}],
    },
    {
        "level": "None",
        "users": ["system:kube-proxy"],
        "verbs": ["watch"],
        "resources": [_core("endpoints", "services", "services/status")],
    },
    {
        "level": "None",
        "userGroups": ["system:nodes"],
        "verbs": ["get"],
        "resources": [_core("nodes", "nodes/status")],
    },
    {
        "level": "None",
        "users": [
            "system:kube-controller-manager",
            "system:kube-scheduler",
            _own("endpoint-controller"),
        ],
        "verbs": ["get", "update"],
        "namespaces": ["kube-system"],
        "resources": [_core("endpoints")],
    },
    {
        "level": "None",
        "users": ["system:apiserver"],
        "verbs": ["get"],
        "resources": [_core("namespaces", "namespaces/status", "namespaces/finalize")],
    },
    {
        "level": "None",
        "users": ["system:kube-controller-manager"],
        "verbs": ["get", "list"],
        "resources": [{"group": "metrics.k8s.io"}],
    },
    {
        "level": "None",
        "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/swagger*"],
    },
    {"level": "None", "resources": [_core("events")]},
    {
        "level": "Request",
        "userGroups": ["system:nodes"],
        "verbs": ["update", "patch"],
        "resources": [_core(*STATUSES)],
    },
    {
        "level": "Request",
        "users": [_own("namespace-controller")],
        "verbs": ["deletecollection"],
    },
    {
        "level": "Metadata",
        "resources": [
            _core("secrets", "configmaps"),
            {"group": "authentication.k8s.io", "resources": ["tokenreviews"]},
        ],
    },
    {"level": "Request", "resources": [_core("serviceaccounts/token")]},
    {
        "level": "Request",
        "verbs": ["get", "list", "watch"],
        "resources": [{"group": name} for name in GROUPS],
    },
    {"level": "RequestResponse", "resources": [{"group": name} for name in GROUPS]},
    {"level": "Metadata"},
)
"""The first that a request matches decides ("Auditing", Kubernetes)."""


def audit_policy() -> bytes:
    """The file `POLICY`."""
    document = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": RULES,
    }
    return msgspec.json.encode(document)


def audit_flags(directory: str) -> Mapping[str, object]:
    """Options of an API server: to stdout, where nothing else goes, and without keeping a request
    waiting for whoever reads there."""
    return {
        "audit-policy-file": f"{directory}/{POLICY}",
        "audit-log-path": "-",
        "audit-log-format": "json",
        "audit-log-mode": "batch",
        "audit-log-truncate-enabled": "true",
        "audit-log-truncate-max-event-size": LONGEST_EVENT,
        "audit-log-truncate-max-batch-size": 40 * LONGEST_EVENT,
    }
