"""The security groups that a cluster's policies give a pod, asked of the cluster."""

from collections.abc import Mapping
from typing import Any

from longshore.kubernetes.client import Client
from longshore.kubernetes.pod_groups import groups_of, policies_path

ACCOUNTS = "/api/v1/namespaces/{}/serviceaccounts/{}"


async def groups_in(client: Client, pod: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids, each once; empty where no policy means the pod. Raises as the client does."""
    namespace = pod["metadata"]["namespace"]
    answer = await client.find(policies_path(namespace))
    policies = (answer or {}).get("items") or []
    if not policies:
        return ()
    name = pod["spec"].get("serviceAccountName") or "default"
    account = await client.find(ACCOUNTS.format(namespace, name))
    labels = ((account or {}).get("metadata") or {}).get("labels") or {}
    return groups_of(pod, labels, policies)
