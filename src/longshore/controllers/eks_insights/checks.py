"""The insights of a cluster; pure.

("Prepare for Kubernetes version upgrades and troubleshoot misconfigurations with cluster insights",
"Roll back a cluster to a previous Kubernetes version", Amazon EKS User Guide; names, descriptions
and the reasons of what passes are EKS's. How far versions may be apart: "Version Skew Policy",
Kubernetes' documentation.)
"""

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from longshore.addons import ADDONS
from longshore.components.pins import KUBERNETES_RELEASES
from longshore.controllers.eks_insights.facts import Facts, Part, after, minor_of
from longshore.controllers.eks_insights.uses import deprecated
from longshore.model.eks_insights import (
    ERROR,
    PASSING,
    ROLLBACK,
    UNKNOWN,
    UPGRADE,
    WARNING,
    AddonFit,
    DeprecatedApi,
    Insight,
    InsightResource,
)

MOST_BEHIND = 3
"""So many minor versions a kubelet and a kube-proxy may be older than their API server."""
GRAVITY = (PASSING, UNKNOWN, WARNING, ERROR)
GUIDE = "https://docs.aws.amazon.com/eks/latest/userguide/"
POLICY = "https://kubernetes.io/releases/version-skew-policy/"
DEPRECATIONS = "https://kubernetes.io/docs/reference/using-api/deprecation-guide/"


class Finding(NamedTuple):
    """What a check has found: an `Insight` but for when and for whom."""

    name: str
    category: str
    version: str
    description: str
    passes: str
    """The reason where it passes."""
    recommendation: str
    links: tuple[tuple[str, str], ...] = ()
    resources: tuple[InsightResource, ...] = ()
    deprecations: tuple[DeprecatedApi, ...] = ()
    addons: tuple[AddonFit, ...] = ()
    status: str = PASSING
    reason: str = ""


def insights(facts: Facts, known: Iterable[Insight], now: float) -> tuple[Insight, ...]:
    """What is to be known of the cluster, ordered by id; `known` are the insights until now."""
    before = {each.id: each for each in known}
    found = [_insight(facts, finding, before, now) for finding in _findings(facts, now)]
    return tuple(sorted(found, key=lambda each: each.id))


def _findings(facts: Facts, now: float) -> list[Finding]:
    upcoming = after(facts.runs)
    found = [
        *_deprecations(facts, now),
        _kubelets(facts, UPGRADE, upcoming),
        _proxies(facts, UPGRADE, upcoming),
        _health(facts, UPGRADE, upcoming),
    ]
    if upcoming in KUBERNETES_RELEASES:
        found.append(_addons(facts, UPGRADE, upcoming))
    if facts.before:
        checks = (_kubelets, _proxies, _addons, _health)
        found += [check(facts, ROLLBACK, facts.before) for check in checks]
    return found


def _insight(facts: Facts, finding: Finding, known: Mapping[str, Insight], now: float) -> Insight:
    insight_id = _id(facts.cluster.id, finding)
    status, reason = finding.status, finding.reason or finding.passes
    earlier = known.get(insight_id)
    same = earlier is not None and earlier.status == status
    return Insight(
        id=insight_id,
        name=finding.name,
        category=finding.category,
        version=finding.version,
        description=finding.description,
        status=status,
        reason=reason,
        refreshed_at=now,
        transitioned_at=earlier.transitioned_at if earlier is not None and same else now,
        recommendation=finding.recommendation,
        links=finding.links,
        resources=finding.resources,
        deprecations=finding.deprecations,
        addons=finding.addons,
    )


def _id(cluster_id: str, finding: Finding) -> str:
    """Of a cluster, a check and a version it is always the same one."""
    said = msgspec.json.encode((cluster_id, finding.category, finding.version, finding.name))
    return str(uuid.UUID(bytes=hashlib.sha256(said).digest()[:16], version=4))


def _with(finding: Finding, resources: Iterable[InsightResource], reason: str) -> Finding:
    """The finding, as grave as the gravest of its resources; `reason` where one does not pass."""
    graver = tuple(each for each in resources if each.status != PASSING)
    if not graver:
        return finding
    status = max((each.status for each in graver), key=GRAVITY.index)
    return finding._replace(resources=graver, status=status, reason=reason)


def _kubelets(facts: Facts, category: str, version: str) -> Finding:
    finding = Finding(
        name="Kubelet version skew",
        category=category,
        version=version,
        description=(
            "Checks for kubelet versions of worker nodes in the cluster to see if"
            f" {_move(category)} would cause noncompliance with supported Kubernetes kubelet"
            " version skew policy."
        ),
        passes="Node kubelet versions match the cluster control plane version.",
        recommendation=(
            "Upgrade your worker nodes to match the Kubernetes version of your cluster control"
            " plane."
            if category == UPGRADE
            else f"Roll your worker nodes back to Kubernetes v{version} first."
        ),
        links=(
            ("Kubelet version skew policy", f"{POLICY}#kubelet"),
            ("Updating a managed node group", f"{GUIDE}update-managed-node-group.html"),
        ),
    )
    reason = (
        f"Kubelet versions of nodes do not match the control plane's, Kubernetes v{facts.runs}."
        if category == UPGRADE
        else f"Kubelets of nodes are newer than Kubernetes v{version}."
    )
    return _with(finding, _skews(facts, facts.nodes, category, version), reason)


def _proxies(facts: Facts, category: str, version: str) -> Finding:
    finding = Finding(
        name="kube-proxy version skew",
        category=category,
        version=version,
        description=(
            f"Checks version of kube-proxy in cluster to see if {_move(category)} would cause"
            " noncompliance with supported Kubernetes kube-proxy version skew policy."
        ),
        passes="kube-proxy versions match the cluster control plane version.",
        recommendation=(
            "Upgrade kube-proxy to match the Kubernetes version of your cluster control plane."
            if category == UPGRADE
            else f"Have a kube-proxy of Kubernetes v{version} first."
        ),
        links=(
            ("kube-proxy version skew policy", f"{POLICY}#kube-proxy"),
            ("Managing the kube-proxy add-on", f"{GUIDE}managing-kube-proxy.html"),
        ),
    )
    reason = (
        f"kube-proxy does not match the control plane's version, Kubernetes v{facts.runs}."
        if category == UPGRADE
        else f"kube-proxy is newer than Kubernetes v{version}."
    )
    return _with(finding, _skews(facts, facts.proxies, category, version), reason)


def _move(category: str) -> str:
    return "upgrade" if category == UPGRADE else "rollback"


def _skews(
    facts: Facts, parts: Sequence[Part], category: str, version: str
) -> Iterable[InsightResource]:
    runs, wanted = minor_of(facts.runs) or 0, minor_of(version) or 0
    for part in parts:
        status, reason = _skew(minor_of(part.version), runs, wanted, category)
        yield InsightResource(status=status, reason=f"{part.version}: {reason}", uri=part.uri)


def _skew(has: int | None, runs: int, wanted: int, category: str) -> tuple[str, str]:
    """What becomes of a part of the minor version `has` when its API server goes from the minor
    version `runs` to `wanted`."""
    if has is None:
        return UNKNOWN, "the version cannot be read."
    if has > wanted:
        return ERROR, f"it must not be newer than the API server, Kubernetes v1.{wanted}."
    if has < wanted - MOST_BEHIND:
        return ERROR, f"Kubernetes v1.{wanted} supports v1.{wanted - MOST_BEHIND} and newer."
    if category == UPGRADE and has < runs:
        return WARNING, f"it is older than the control plane, Kubernetes v1.{runs}."
    return PASSING, "it may stay as it is."


def _health(facts: Facts, category: str, version: str) -> Finding:
    """Issues of the cluster's health prevent updates."""
    finding = Finding(
        name="Cluster health issues",
        category=category,
        version=version,
        description=(
            f"Checks for any cluster health issues that prevent successful {_move(category)} to the"
            f" {'next' if category == UPGRADE else 'previous'} Kubernetes version on EKS."
        ),
        passes="No cluster health issues detected.",
        recommendation=f"Resolve the cluster's health issues before the {_move(category)}.",
        links=(("Cluster health FAQs and error codes", f"{GUIDE}troubleshooting.html"),),
    )
    resources = [
        InsightResource(status=ERROR, reason=f"{each.code}: {each.message}", arn=facts.cluster.arn)
        for each in facts.issues
    ]
    return _with(finding, resources, "Cluster health issues detected.")


def _addons(facts: Facts, category: str, version: str) -> Finding:
    """kube-proxy has an insight of its own: it follows its cluster, and may be older."""
    place = "next" if category == UPGRADE else "previous"
    finding = Finding(
        name="EKS add-on version compatibility",
        category=category,
        version=version,
        description=(
            "Checks version of installed EKS add-ons to ensure they are compatible with the"
            f" {place} version of Kubernetes."
        ),
        passes=f"All installed EKS add-on versions are compatible with {place} Kubernetes version.",
        recommendation=(
            f"Update EKS add-ons to versions that are compatible with Kubernetes v{version} before"
            f" the {_move(category)}."
        ),
        links=(("Updating an EKS add-on", f"{GUIDE}updating-an-add-on.html"),),
    )
    installed = [each for each in facts.addons if each.name != "kube-proxy"]
    resources = []
    for each in installed:
        status, reason = _fit(each.name, each.version, version)
        resources.append(InsightResource(status=status, reason=reason, arn=each.arn))
    unfit = [
        each for each, found in zip(installed, resources, strict=True) if found.status == ERROR
    ]
    fits = tuple(AddonFit(each.name, fitting(each.name, version)) for each in unfit)
    reason = f"EKS add-on versions are not compatible with Kubernetes v{version}."
    return _with(finding._replace(addons=fits), resources, reason)


def _fit(name: str, version: str, kubernetes: str) -> tuple[str, str]:
    known = ADDONS[name].version_named(version) if name in ADDONS else None
    if known is None:
        return UNKNOWN, f"{name} {version} is not offered any more."
    if kubernetes not in known.kubernetes:
        return ERROR, f"{name} {version} is not compatible with Kubernetes v{kubernetes}."
    return PASSING, f"{name} {version} is compatible with Kubernetes v{kubernetes}."


def fitting(name: str, kubernetes: str) -> tuple[str, ...]:
    """Versions of the add-on that are for this minor version of Kubernetes."""
    versions = ADDONS[name].versions if name in ADDONS else ()
    return tuple(each.name for each in versions if kubernetes in each.kubernetes)


def _deprecations(facts: Facts, now: float) -> list[Finding]:
    """One for the next version, and one for each later one that takes away what is in use."""
    upcoming = after(facts.runs)
    used: dict[str, list[DeprecatedApi]] = {upcoming: []}
    for api in deprecated(facts.uses, now):
        # What should be gone already goes with the next version at the latest.
        late = (minor_of(api.removed) or 0) < (minor_of(upcoming) or 0)
        used.setdefault(upcoming if late else api.removed, []).append(api)
    return [_removal(facts.runs, version, apis) for version, apis in sorted(used.items())]


def _removal(runs: str, version: str, apis: Sequence[DeprecatedApi]) -> Finding:
    finding = Finding(
        name=f"Deprecated APIs removed in Kubernetes v{version}",
        category=UPGRADE,
        version=version,
        description=(
            "Checks for usage of deprecated APIs that are scheduled for removal in Kubernetes"
            f" v{version}. Upgrading your cluster before migrating to the updated APIs supported by"
            f" v{version} could cause application impact."
        ),
        passes="No deprecated API usage detected within the last 30 days.",
        recommendation=(
            "Update manifests and API clients to use newer Kubernetes APIs if applicable before"
            f" upgrading to Kubernetes v{version}."
        ),
        links=(
            ("EKS update cluster documentation", f"{GUIDE}update-cluster.html"),
            (
                f"Kubernetes v{version} deprecation guide",
                f"{DEPRECATIONS}#v{version.replace('.', '-')}",
            ),
        ),
        deprecations=tuple(apis),
    )
    if not apis:
        return finding
    return finding._replace(
        status=ERROR if version == after(runs) else WARNING,
        reason=(
            "Deprecated API usage detected within last 30 days and your cluster is on Kubernetes"
            f" v{runs}."
        ),
    )
