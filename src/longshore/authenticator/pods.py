"""What is known about a pod that is to be made."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from longshore.model import eks
from longshore.store.interface import Reader

Pod = dict[str, Any]
"""As Kubernetes' API has it; never changed in place."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pod is to be made."""

    reader: Reader
    account: str
    region: str
    cluster: eks.Cluster
    namespace: str
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Of the pod's service account."""
    account_labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Of the same."""
    policies: Sequence[Mapping[str, Any]] = ()
    """The SecurityGroupPolicies of the namespace."""
    api: str
    """URL of AWS's APIs as pods reach them."""


class ClusterObjects(Protocol):
    """Reads objects of clusters: what API servers do not say by themselves."""

    async def find(self, account: str, region: str, cluster: str, path: str) -> Pod | None:
        """The object at this path of the cluster's API; None where there is none, or nobody answers
        in the time that somebody waits for the authenticator."""


class NoObjects:
    """Of clusters without any: `ClusterObjects`."""

    async def find(self, account: str, region: str, cluster: str, path: str) -> Pod | None:
        return None
