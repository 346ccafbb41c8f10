"""Platform versions of EKS's control planes, and how clusters come from one to the next.

("View Amazon EKS platform versions for each Kubernetes version", Amazon EKS User Guide.) `Platform`
lies in the system account, without a region, named by the minor version of Kubernetes; `Patch` in
the account and region of its cluster, and has its name. Times are epoch seconds.

Writers: the clusters' controller writes `Platform`, the patches' controller writes `Patch`.
"""

import msgspec

from longshore.model.kind import Kind

ROLLING, DONE, FAILED = "ROLLING", "DONE", "FAILED"
"""States of a patch."""


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """The newest platform version of a minor version, as this installation makes it.

    `digest` says what control planes are made of; another one is another `number`.
    """

    minor: str
    number: int
    digest: str
    since: float

    @property
    def name(self) -> str:
        """As `eks.3`."""
        return f"eks.{self.number}"


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster's control plane is to come to a platform version, has, or could not."""

    id: str
    """The cluster's."""
    minor: str
    platform: str
    """As `eks.3`."""
    before: str
    """What it ran; empty where that is not known."""
    state: str = ROLLING
    began_at: float
    ended_at: float = 0.0
    """0 while it rolls."""
    reason: str = ""
    """Why it failed, in words."""


PLATFORM = Kind("eks.platform", Platform)
PATCH = Kind("eks.patch", Patch)
