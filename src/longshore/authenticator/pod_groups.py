"""Which pods have security groups of their own: what EKS writes into them when they are made; pure.

A pod that a SecurityGroupPolicy means asks for an interface, so that the scheduler finds it a node
that may have one more. A pod on Fargate has its machine's, which gets the groups.
"""

from longshore.authenticator.pods import Asked, Pod
from longshore.kubernetes.fargate import SCHEDULER
from longshore.kubernetes.pod_groups import asking, groups_of, wants


def mutate(pod: Pod, asked: Asked) -> Pod:
    """The pod with what it asks for, where a policy means it; otherwise unchanged."""
    spec = pod.get("spec") or {}
    if spec.get("schedulerName") == SCHEDULER or not spec.get("containers"):
        return pod
    if wants(pod) or groups_of(pod, asked.account_labels, asked.policies):
        return asking(pod)
    return pod
