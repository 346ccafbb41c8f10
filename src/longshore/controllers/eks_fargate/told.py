"""What Fargate's scheduler writes about pods into their cluster; pure."""

from typing import Any

from longshore.base.clock import rfc_3339
from longshore.kubernetes.fargate import COMPUTE_TYPE, PROVISIONED, SCHEDULER, Size
from longshore.kubernetes.objects import Object, Said

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


def waits(message: str) -> Said:
    return Said("Pod", SCHEDULER, "FailedScheduling", message, warning=True)
