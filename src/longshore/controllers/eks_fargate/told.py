"""What Fargate's scheduler writes about pods into their cluster; pure."""

import hashlib
from collections.abc import Mapping
from typing import Any

from longshore.base.clock import rfc_3339
from longshore.kubernetes.fargate import COMPUTE_TYPE, PROVISIONED, SCHEDULER, Size

Object = Mapping[str, Any]
KUBE_PROXY = "eks:kube-proxy-fargate"
PROXY_BINDING_PATH = f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{KUBE_PROXY}"
PROXY_BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": KUBE_PROXY, "labels": {"eks.amazonaws.com/component": "kube-proxy"}},
    "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "system:node-proxier",
    },
    "subjects": [
        {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Group",
            "name": "system:node-proxier",
        }
    ],
}
"""Lets the kube-proxies of Fargate's machines, which are their kubelets' users, see Services."""
NODE_SELECTOR = f"{COMPUTE_TYPE}=fargate"


def pod_path(pod: Object) -> str:
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"


def events_path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/events"


def binding(pod: Object, node: str, size: Size) -> dict[str, Any]:
    """Has the pod run on its node; the pod gets the annotation with it."""
    metadata = pod["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {
            "name": metadata["name"],
            "uid": metadata["uid"],
            "annotations": {PROVISIONED: size.told},
        },
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }


def is_told(pod: Object, message: str) -> bool:
    """Whether the pod says so already."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(
        each["type"] == "PodScheduled" and each.get("message") == message for each in conditions
    )


def unschedulable(message: str, now: float) -> dict[str, Any]:
    """A patch of the pod's status."""
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
        "lastTransitionTime": rfc_3339(now),
    }
    return {"status": {"conditions": [condition]}}


def event(pod: Object, message: str, now: float) -> dict[str, Any]:
    """The event that says so; telling it twice makes no other one."""
    metadata = pod["metadata"]
    unique = hashlib.sha256(f"{metadata['uid']} {message}".encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{unique}", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": "Warning",
        "reason": "FailedScheduling",
        "message": message,
        "source": {"component": SCHEDULER},
        "firstTimestamp": rfc_3339(now),
        "lastTimestamp": rfc_3339(now),
        "count": 1,
    }
