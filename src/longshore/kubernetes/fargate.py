"""Pods on Fargate: which of them a profile means, what they may not be, and their sizes; pure.

("Define which Pods use AWS Fargate when launched", "Understand Fargate Pod configuration details",
"Manage compute resources for AWS Fargate", EKS User Guide.)
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from longshore.model.eks_parts import FargateProfile, FargateSelector
from longshore.model.fargate import FARGATE_SIZES

Pod = Mapping[str, Any]
SCHEDULER = "fargate-scheduler"
PROFILE_LABEL = "eks.amazonaws.com/fargate-profile"
COMPUTE_TYPE = "eks.amazonaws.com/compute-type"
PROVISIONED = "CapacityProvisioned"
KUBERNETES_MIB = 256
"""What a pod's memory is more than it asks for: kubelet, kube-proxy and containerd."""
VOLUMES = frozenset({"configMap", "downwardAPI", "emptyDir", "nfs", "projected", "secret"})
"""Types of volumes that pods may have."""
CAPABILITIES = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
"""Those that containers have anyway, by the names that may be added."""
UNITS = {
    **{"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1)},
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
QUANTITY = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3}|[a-zA-Z]{0,2})")
MIB, NOTHING = 1024 * 1024, Decimal(0)


class Size(NamedTuple):
    """CPU units and MiB."""

    cpu: int
    memory: int

    @property
    def told(self) -> str:
        """As the annotation of the pod has it: `0.25vCPU 0.5GB`."""
        return f"{self.cpu / 1024:g}vCPU {self.memory / 1024:g}GB"


def profile_of(
    pod: Pod, namespace: str, profiles: Iterable[FargateProfile]
) -> FargateProfile | None:
    """The profile that the pod runs by: the one that it names, if that means it, else the first by
    name of those that do. Pods of DaemonSets are none of Fargate's."""
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    if _is_elsewhere(metadata, spec):
        return None
    labels = metadata.get("labels") or {}
    found = [each for each in profiles if is_meant(each.selectors, namespace, labels)]
    named = labels.get(PROFILE_LABEL)
    if named is not None:
        found = [each for each in found if each.name == named]
    return min(found, key=lambda each: each.name, default=None)


def _is_elsewhere(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    owners = metadata.get("ownerReferences") or ()
    return (
        bool(spec.get("nodeName"))
        or spec.get("schedulerName", "default-scheduler") not in {"default-scheduler", SCHEDULER}
        or (metadata.get("annotations") or {}).get(COMPUTE_TYPE) == "ec2"
        or any(owner.get("kind") == "DaemonSet" for owner in owners)
    )


def is_meant(
    selectors: Sequence[FargateSelector], namespace: str, labels: Mapping[str, str]
) -> bool:
    """Whether any of the selectors is for pods with these labels in this namespace."""
    return any(
        _matches(selector.namespace, namespace)
        and all(_has(labels, key, value) for key, value in selector.labels)
        for selector in selectors
    )


def _has(labels: Mapping[str, str], key: str, value: str) -> bool:
    return any(_matches(key, name) and _matches(value, text) for name, text in labels.items())


def _matches(pattern: str, text: str) -> bool:
    return _pattern(pattern).fullmatch(text) is not None


@lru_cache(1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    """`*` is any text, `?` any character. What lies between stars is taken where it comes first,
    for good: no text is looked through again and again."""
    first, *rest = (_literal(part) for part in re.split(r"\*+", pattern))
    if not rest:
        return re.compile(first)
    *middle, last = rest
    between = "".join(f"(?>.*?{part})" for part in middle)
    return re.compile(f"{first}{between}.*{last}")


def _literal(part: str) -> str:
    return "".join("." if character == "?" else re.escape(character) for character in part)


def unsupported(pod: Pod) -> str:
    """Why the pod does not run on Fargate, in Fargate's words; empty where it does."""
    spec = pod.get("spec") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    found = []
    fields = [name for name in ("HostNetwork", "HostPID", "HostIPC") if spec.get(_member(name))]
    if fields:
        found.append(f"fields not supported: {', '.join(fields)}")
    context = list(dict.fromkeys(each for one in containers for each in _security(one)))
    if context:
        found.append(f"invalid SecurityContext fields: {', '.join(context)}")
    if any(_has_host_port(container) for container in containers):
        found.append("port contains HostIP or HostPort")
    volumes = [each for volume in spec.get("volumes") or () if (each := _volume(volume))]
    if volumes:
        found.append(f"volumes not supported: {', '.join(volumes)}")
    return f"Pod not supported on Fargate: {', '.join(found)}" if found else ""


def _member(name: str) -> str:
    return name[0].lower() + name[1:]


def _security(container: Mapping[str, Any]) -> list[str]:
    context = container.get("securityContext") or {}
    added = (context.get("capabilities") or {}).get("add") or ()
    strange = [name for name in added if name not in CAPABILITIES]
    capabilities = [f"Capabilities added: {', '.join(strange)}"] if strange else []
    return (["Privileged"] if context.get("privileged") else []) + capabilities


def _has_host_port(container: Mapping[str, Any]) -> bool:
    ports = container.get("ports") or ()
    return any(port.get("hostPort") or port.get("hostIP") for port in ports)


def _volume(volume: Mapping[str, Any]) -> str:
    """What is wrong with the volume."""
    name = volume.get("name", "")
    claim = volume.get("persistentVolumeClaim")
    if claim:
        return f"{name} not supported because: PVC {claim.get('claimName', '')} not bound"
    kinds = [kind for kind, value in volume.items() if kind != "name" and value is not None]
    if all(kind in VOLUMES for kind in kinds):
        return ""
    return f"{name} is of an unsupported volume Type"


def size_of(pod: Pod) -> Size | None:
    """The smallest size of Fargate's that has what the pod requests; None where none has."""
    spec = pod.get("spec") or {}
    inits = spec.get("initContainers") or ()
    running = [
        *(spec.get("containers") or ()),
        *(each for each in inits if each.get("restartPolicy") == "Always"),
    ]
    cpu, memory = (
        max(sum((_request(c, name) for c in running), NOTHING), *(_request(c, name) for c in inits))
        if inits
        else sum((_request(c, name) for c in running), NOTHING)
        for name in ("cpu", "memory")
    )
    units = int((cpu * 1024).to_integral_value(ROUND_CEILING))
    mebibytes = int((memory / MIB).to_integral_value(ROUND_CEILING)) + KUBERNETES_MIB
    for most, sizes in sorted(FARGATE_SIZES.items()):
        fitting = [size for size in sizes if size >= mebibytes]
        if most >= units and fitting:
            return Size(most, min(fitting))
    return None


def _request(container: Mapping[str, Any], name: str) -> Decimal:
    resources = container.get("resources") or {}
    return quantity(str((resources.get("requests") or {}).get(name, "0")))


def quantity(text: str) -> Decimal:
    """A quantity of Kubernetes' (`250m`, `1Gi`, `1e3`) in its unit; ValueError where it is none."""
    found = QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError(f"not a quantity: {text!r}")
    number, unit = found.groups()
    if unit[:1] in {"e", "E"} and len(unit) > 1 and unit[-1:].isdigit():
        return Decimal(number + unit)
    if unit not in UNITS:
        raise ValueError(f"not a quantity: {text!r}")
    return Decimal(number) * UNITS[unit]
