"""What a node group may be ("Create a managed node group for your cluster", "Recipe: Prevent pods
from being scheduled on specific nodes", EKS User Guide; "Labels and Selectors", Kubernetes)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from longshore.model.eks_parts import Taint
from longshore.services.eks.failures import invalid_parameter

NAME = re.compile(r"[^\W_][\w-]{0,62}")
LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
PREFIX_LENGTH = 253
RESERVED = ("kubernetes.io", "k8s.io", "eks.amazonaws.com")
OPEN_PREFIXES = ("kubelet.kubernetes.io", "node.kubernetes.io")
"""Prefixes below the reserved ones that kubelets may label themselves with ("NodeRestriction")."""
OPEN_KEYS = frozenset(
    {
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    }
)
MOST_TAINTS = 50
MOST_UNAVAILABLE = 100
LABEL_RULE = (
    "field must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
    " alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for"
    " validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
REPAIR_PAIRS = (
    ("maxUnhealthyNodeThresholdCount", "maxUnhealthyNodeThresholdPercentage"),
    ("maxParallelNodesRepairedCount", "maxParallelNodesRepairedPercentage"),
)
REPAIR_OVERRIDE = (
    "nodeMonitoringCondition",
    "nodeUnhealthyReason",
    "minRepairWaitTimeMins",
    "repairAction",
)


class Scaling(NamedTuple):
    """Numbers of nodes."""

    least: int
    most: int
    desired: int


class UpdateRule(NamedTuple):
    """An `updateConfig`: one of the first two is not 0."""

    unavailable: int
    percentage: int
    strategy: str


def check_name(name: str, cluster: str) -> None:
    if not NAME.fullmatch(name):
        raise invalid_parameter(
            "The nodegroup name parameter contains invalid characters. It should begin with letter"
            " or digit and can have any of the following characters: the set of Unicode letters,"
            " digits, hyphens and underscores.",
            cluster,
        )


def new_scaling(asked: Mapping[str, int], cluster: str) -> Scaling:
    """From one to two nodes where nothing is said."""
    desired = asked.get("desiredSize")
    least = asked.get("minSize", 1 if desired is None else min(1, desired))
    most = asked.get("maxSize", max(2, least, desired or 0))
    if desired is None:
        desired = min(most, max(2, least))
    if least > desired:
        raise invalid_parameter("minSize can't be greater than desiredSize", cluster)
    if desired > most:
        raise invalid_parameter("desiredSize can't be greater than maxSize", cluster)
    return Scaling(least, most, desired)


def changed_scaling(before: Scaling, asked: Mapping[str, int], cluster: str) -> Scaling:
    """What is not given stays."""
    least = asked.get("minSize", before.least)
    most = asked.get("maxSize", before.most)
    desired = asked.get("desiredSize", before.desired)
    if least > desired:
        raise invalid_parameter(
            f"Minimum capacity {least} can't be greater than desired size {desired}", cluster
        )
    if desired > most:
        raise invalid_parameter(
            f"desired capacity {desired} can't be greater than max size {most}", cluster
        )
    return Scaling(least, most, desired)


def check_labels(labels: Mapping[str, str], cluster: str) -> None:
    for key, value in labels.items():
        _check_key(key, cluster)
        _check_value(value, cluster)


def _check_key(key: str, cluster: str) -> None:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > PREFIX_LENGTH or not LABEL_PREFIX.fullmatch(prefix)):
        raise invalid_parameter(f"Invalid prefix of the key {key}: {prefix}", cluster)
    _check_value(name, cluster)
    if _is_reserved(prefix) and key not in OPEN_KEYS:
        reserved = ", ".join(f"{each}/" for each in RESERVED)
        raise invalid_parameter(f"Label cannot contain reserved prefixes [{reserved}]", cluster)


def _is_reserved(prefix: str) -> bool:
    return _is_below(prefix, RESERVED) and not _is_below(prefix, OPEN_PREFIXES)


def _is_below(prefix: str, domains: Sequence[str]) -> bool:
    return any(prefix == each or prefix.endswith(f".{each}") for each in domains)


def _check_value(value: str, cluster: str) -> None:
    if not LABEL_NAME.fullmatch(value):
        raise invalid_parameter(f"Invalid value: {value} : {LABEL_RULE}", cluster)


def checked_taints(taints: Sequence[Mapping[str, str]], cluster: str) -> tuple[Taint, ...]:
    """The taints of a request; two of one key differ by their effect."""
    if len(taints) > MOST_TAINTS:
        raise invalid_parameter(
            f"A node group can have at most {MOST_TAINTS} taints, not {len(taints)}", cluster
        )
    found = tuple(_taint(taint, cluster) for taint in taints)
    if len({(taint.key, taint.effect) for taint in found}) < len(found):
        raise invalid_parameter("Taints with the same key and effect are duplicate", cluster)
    return found


def _taint(taint: Mapping[str, str], cluster: str) -> Taint:
    key, effect, value = taint.get("key", ""), taint.get("effect", ""), taint.get("value", "")
    if not key or not effect:
        raise invalid_parameter("A taint must have a key and an effect", cluster)
    prefix, slash, name = key.rpartition("/")
    if slash and not LABEL_PREFIX.fullmatch(prefix):
        raise invalid_parameter(f"Invalid prefix of the key {key}: {prefix}", cluster)
    _check_value(name, cluster)
    if value:
        _check_value(value, cluster)
    return Taint(key, value, effect)


def update_rule(asked: Mapping[str, Any], before: UpdateRule, cluster: str) -> UpdateRule:
    """What is asked for over what there was; each number takes the other's place."""
    count, percentage = asked.get("maxUnavailable"), asked.get("maxUnavailablePercentage")
    if count and percentage:
        raise invalid_parameter(
            "maxUnavailable and maxUnavailablePercentage cannot both be specified", cluster
        )
    if count and count > MOST_UNAVAILABLE:
        raise invalid_parameter(f"maxUnavailable must be at most {MOST_UNAVAILABLE}", cluster)
    strategy = asked.get("updateStrategy", before.strategy)
    if count or percentage:
        return UpdateRule(count or 0, percentage or 0, strategy)
    return before._replace(strategy=strategy)


def checked_repair(asked: Mapping[str, Any], cluster: str) -> dict[str, Any]:
    """A `nodeRepairConfig`."""
    for count, percentage in REPAIR_PAIRS:
        if asked.get(count) and asked.get(percentage):
            raise invalid_parameter(f"{count} and {percentage} cannot both be specified", cluster)
    for override in asked.get("nodeRepairConfigOverrides", ()):
        missing = [member for member in REPAIR_OVERRIDE if not override.get(member)]
        if missing:
            raise invalid_parameter(
                f"nodeRepairConfigOverrides must have all values: {', '.join(missing)} is missing",
                cluster,
            )
    return dict(asked)
