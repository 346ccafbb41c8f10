"""What becomes of pods that are to be made: a mutating webhook of Kubernetes.

("Dynamic Admission Control", Kubernetes' documentation, `admission.k8s.io/v1`.) The answer always
lets the pod in; API servers that get none do so, too (`failurePolicy`).
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from longshore.authenticator import fargate_pods, pod_credentials, pod_groups
from longshore.authenticator.pods import Asked, Pod

REVIEW = "AdmissionReview"
VERSION = "admission.k8s.io/v1"
Mutator = Callable[[Pod, Asked], Pod]
"""Gives the pod itself, or a changed copy."""
MUTATORS: tuple[Mutator, ...] = (pod_credentials.mutate, fargate_pods.mutate, pod_groups.mutate)
"""In this order: Fargate's pods have no interface of their own."""
CHANGED_PARTS = ("metadata", "spec")


class Request(msgspec.Struct, frozen=True):
    """The parts of an `AdmissionRequest` that matter; `object` is the pod."""

    uid: str
    object: dict[str, Any]
    namespace: str = ""


class Review(msgspec.Struct, frozen=True):
    """An `AdmissionReview` that asks."""

    request: Request


def answer(request: Request, asked: Asked) -> dict[str, Any]:
    """The `AdmissionReview` that answers."""
    pod = request.object
    for mutate in MUTATORS:
        pod = mutate(pod, asked)
    response: dict[str, Any] = {"uid": request.uid, "allowed": True}
    patch = patch_between(request.object, pod)
    if patch:
        encoded = base64.b64encode(msgspec.json.encode(patch)).decode()
        response |= {"patchType": "JSONPatch", "patch": encoded}
    return {"apiVersion": VERSION, "kind": REVIEW, "response": response}


def patch_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A JSON patch (RFC 6902) that changes whole members of the metadata and of the spec."""
    return [
        {"op": "add", "path": f"/{part}/{name}", "value": value}
        for part in CHANGED_PARTS
        for name, value in after.get(part, {}).items()
        if before.get(part, {}).get(name) != value
    ]


def service_account_of(pod: Pod) -> str:
    """The name of the pod's service account; empty where it has none of its own yet."""
    return str(pod.get("spec", {}).get("serviceAccountName") or "")
