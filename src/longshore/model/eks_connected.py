"""Clusters of elsewhere that EKS knows: what RegisterCluster was told of them.

Records lie in the account and region that registered them and have the cluster's name, which no
cluster of EKS's own has. Times are epoch seconds. The API alone writes them.
"""

import msgspec

from longshore.model.kind import Kind

ACTIVATION_SECONDS = 3 * 86_400.0
"""For so long a connector may be activated ("RegisterCluster", Amazon EKS API Reference)."""


class ConnectedCluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that a connector is to be installed in; `provider` is as EKS spells it."""

    name: str
    arn: str
    created_at: float
    provider: str
    role_arn: str
    activation_id: str
    activation_code: str
    """What a connector would show: only who registered the cluster is told."""
    client_token: str = ""
    request: str = ""
    """A digest of the request that made it: another one with the same token is refused."""
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def activation_expiry(self) -> float:
        return self.created_at + ACTIVATION_SECONDS


CONNECTED_CLUSTER = Kind("eks.connected-cluster", ConnectedCluster)
