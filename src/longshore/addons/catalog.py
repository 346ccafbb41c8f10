"""The add-ons that there are, and their versions."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from longshore.addons import (
    coredns,
    ebs_csi,
    ebs_csi_schema,
    kube_proxy,
    metrics_server,
    pod_identity_agent,
    snapshot_controller,
    vpc_cni,
    vpc_cni_schema,
)
from longshore.addons.settings import Settings
from longshore.components.pins import COMPONENTS, KUBERNETES_RELEASES

Object = dict[str, Any]
BUILD = "eksbuild.1"
"""What versions of add-ons end with."""
OLDEST = "0.0.0"
"""The version of a component that is not pinned."""


class AddonVersion(msgspec.Struct, frozen=True):
    """`name` as `v1.35.4-eksbuild.1`; `kubernetes` are the minor versions it is for."""

    name: str
    kubernetes: tuple[str, ...]

    @property
    def upstream(self) -> str:
        """As `1.35.4`."""
        return self.name.removeprefix("v").removesuffix(f"-{BUILD}")


class Addon(msgspec.Struct, frozen=True, kw_only=True):
    """An add-on: `kind` is what AWS calls its type, `versions` are newest first.

    `objects` gives what it consists of, `workload` is (kind, name) of the object that its pods
    are of.
    """

    name: str
    kind: str
    versions: tuple[AddonVersion, ...]
    schema: Mapping[str, Any]
    objects: Callable[[Settings, Mapping[str, Any]], list[Object]]
    workload: tuple[str, str]
    service_account: str
    further_workload: tuple[str, str] | None = None
    """Another object that has pods of it."""
    policies: tuple[str, ...] = ()
    """ARNs of the policies that a role of its service account should have, where that calls AWS's
    APIs."""
    bootstrapped: bool = False
    """Whether new clusters have it as a self-managed add-on unless they are to have none."""

    def version_for(self, kubernetes: str) -> AddonVersion | None:
        """The version that clusters of this minor version get where none is asked for."""
        fitting = (version for version in self.versions if kubernetes in version.kubernetes)
        return next(fitting, None)

    def version_named(self, name: str) -> AddonVersion | None:
        return next((version for version in self.versions if version.name == name), None)


def _of_kubernetes() -> tuple[AddonVersion, ...]:
    """One for each minor version, newest first: kube-proxy is of its cluster's own."""
    releases = sorted(KUBERNETES_RELEASES.items(), key=lambda each: _number(each[0]), reverse=True)
    return tuple(AddonVersion(f"v{patch}-{BUILD}", (minor,)) for minor, patch in releases)


def _number(minor: str) -> int:
    return int(minor.partition(".")[2])


def _of_component(name: str) -> tuple[AddonVersion, ...]:
    """The one that is pinned, for every minor version."""
    pinned = COMPONENTS.get(name)
    versions = [getattr(source, "version", "") for source in pinned.sources] if pinned else []
    version = next(filter(None, versions), OLDEST)
    return (AddonVersion(f"v{version}-{BUILD}", tuple(KUBERNETES_RELEASES)),)


def _own(version: str) -> tuple[AddonVersion, ...]:
    """One of Longshore's own making, for every minor version."""
    return (AddonVersion(f"v{version}-{BUILD}", tuple(KUBERNETES_RELEASES)),)


ADDONS: Mapping[str, Addon] = {
    addon.name: addon
    for addon in (
        Addon(
            name=ebs_csi.ADDON,
            kind="storage",
            versions=_of_component(ebs_csi.COMPONENT),
            schema=ebs_csi_schema.SCHEMA,
            objects=ebs_csi.objects,
            workload=("Deployment", ebs_csi.CONTROLLER),
            further_workload=("DaemonSet", ebs_csi.NODE),
            service_account=ebs_csi.ACCOUNT,
            policies=("arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy",),
        ),
        Addon(
            name="coredns",
            kind="networking",
            versions=_of_component("coredns"),
            schema=coredns.SCHEMA,
            objects=coredns.objects,
            workload=("Deployment", "coredns"),
            service_account="coredns",
            bootstrapped=True,
        ),
        Addon(
            name=pod_identity_agent.NAME,
            kind="security",
            versions=_own(pod_identity_agent.VERSION),
            schema=pod_identity_agent.SCHEMA,
            objects=pod_identity_agent.objects,
            workload=("DaemonSet", pod_identity_agent.NAME),
            service_account=pod_identity_agent.NAME,
        ),
        Addon(
            name="kube-proxy",
            kind="networking",
            versions=_of_kubernetes(),
            schema=kube_proxy.SCHEMA,
            objects=kube_proxy.objects,
            workload=("DaemonSet", "kube-proxy"),
            service_account="kube-proxy",
            bootstrapped=True,
        ),
        Addon(
            name="metrics-server",
            kind="observability",
            versions=_of_component("metrics-server"),
            schema=metrics_server.SCHEMA,
            objects=metrics_server.objects,
            workload=("Deployment", "metrics-server"),
            service_account="metrics-server",
        ),
        Addon(
            name=snapshot_controller.NAME,
            kind="storage",
            versions=_own(snapshot_controller.VERSION),
            schema=snapshot_controller.SCHEMA,
            objects=snapshot_controller.objects,
            workload=("Deployment", snapshot_controller.NAME),
            service_account=snapshot_controller.NAME,
        ),
        Addon(
            name=vpc_cni.ADDON,
            kind="networking",
            versions=_own(vpc_cni.VERSION),
            schema=vpc_cni_schema.SCHEMA,
            objects=vpc_cni.objects,
            workload=("DaemonSet", vpc_cni.NAME),
            service_account=vpc_cni.NAME,
            bootstrapped=True,
        ),
    )
}
