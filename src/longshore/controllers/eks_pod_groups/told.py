"""Events about pods and their interfaces; pure."""

import hashlib
from collections.abc import Mapping
from typing import Any

from longshore.base.clock import rfc_3339

COMPONENT = "vpc-resource-controller"
ALLOCATED, FAILED = "ResourceAllocated", "BranchAllocationFailed"


def event(pod: Mapping[str, Any], reason: str, message: str, now: float) -> dict[str, Any]:
    """The event that says so; telling it twice makes no other one. `now` in epoch seconds."""
    metadata = pod["metadata"]
    name, namespace, uid = metadata["name"], metadata["namespace"], metadata["uid"]
    unique = hashlib.sha256(f"{uid} {reason} {message}".encode()).hexdigest()[:16]
    at = rfc_3339(now)
    subject = {"kind": "Pod", "apiVersion": "v1", "name": name, "namespace": namespace, "uid": uid}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{unique}", "namespace": namespace},
        "involvedObject": subject,
        "type": "Warning" if reason == FAILED else "Normal",
        "reason": reason,
        "message": message,
        "source": {"component": COMPONENT},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
