"""Which pods are Fargate's: what EKS writes into them when they are made; pure.

The default scheduler leaves such a pod alone; the one that it names, `controllers/eks_fargate`,
finds a node of its own for it.
"""

from longshore.authenticator.pods import Asked, Pod
from longshore.kubernetes.fargate import PROFILE_LABEL, SCHEDULER, profile_of
from longshore.model.eks_parts import (
    FARGATE_PROFILE,
    FARGATE_PROFILE_STATUS,
    FargateProfile,
    part_name,
)

PRIORITY_CLASS, PRIORITY = "system-node-critical", 2_000_001_000


def mutate(pod: Pod, asked: Asked) -> Pod:
    """The pod with its profile, where it has one; otherwise unchanged."""
    profile = profile_of(pod, asked.namespace, _active(asked))
    if profile is None:
        return pod
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    labels = {**(metadata.get("labels") or {}), PROFILE_LABEL: profile.name}
    chosen = {
        "schedulerName": SCHEDULER,
        "priorityClassName": PRIORITY_CLASS,
        "priority": PRIORITY,
    }
    return {
        **pod,
        "metadata": {**metadata, "labels": labels},
        "spec": {**spec, **chosen},
    }


def _active(asked: Asked) -> list[FargateProfile]:
    place, prefix = (asked.account, asked.region), part_name(asked.cluster.name, "")
    found = []
    for record in asked.reader.scan(FARGATE_PROFILE, *place, prefix=prefix):
        status = asked.reader.get(FARGATE_PROFILE_STATUS, *place, record.key.name)
        active = status is not None and (status.value.id, status.value.status) == (
            record.value.id,
            "ACTIVE",
        )
        if active and not record.value.deleted_at:
            found.append(record.value)
    return found
