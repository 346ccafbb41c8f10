"""What insights are made of."""

from typing import NamedTuple

from longshore.model.eks import Cluster, Issue
from longshore.model.eks_insights import ApiUse
from longshore.model.eks_parts import Addon


class Part(NamedTuple):
    """Something of the cluster that has a version: `uri` is its path in Kubernetes' API.

    `version` is as the thing itself says it, as `v1.35.4`.
    """

    uri: str
    version: str


class Facts(NamedTuple):
    """A cluster as it is looked at; `runs` is the minor version of its control plane."""

    cluster: Cluster
    runs: str
    issues: tuple[Issue, ...] = ()
    nodes: tuple[Part, ...] = ()
    proxies: tuple[Part, ...] = ()
    addons: tuple[Addon, ...] = ()
    uses: tuple[ApiUse, ...] = ()
    before: str = ""
    """The minor version that the cluster may be rolled back to; empty where it may not."""


def minor_of(version: str) -> int | None:
    """35 of `1.35`, `v1.35.4` and `v1.35.4-eksbuild.1`; None where there is no number."""
    major, _, rest = version.removeprefix("v").partition(".")
    digits = rest.partition(".")[0].partition("-")[0]
    return int(digits) if major == "1" and digits.isascii() and digits.isdigit() else None


def after(version: str) -> str:
    """The minor version that comes after this one."""
    return f"1.{(minor_of(version) or 0) + 1}"
