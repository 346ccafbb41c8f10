"""Kubernetes' kinds of snapshots, as objects: VolumeSnapshot, VolumeSnapshotContent and
VolumeSnapshotClass of `snapshot.storage.k8s.io/v1`.

(`client/config/crd` of external-snapshotter, without what describes the fields to people and
without the versions that are not served any more.)
"""

from typing import Any, NamedTuple

from longshore.addons.objects import Object

GROUP = "snapshot.storage.k8s.io"
APPROVED = "https://github.com/kubernetes-csi/external-snapshotter/pull/955"
"""Kinds of Kubernetes' own groups have to say where they were approved."""
_TEXT: Object = {"type": "string"}
_FLAG: Object = {"type": "boolean"}
_WHEN: Object = {"type": "string", "format": "date-time"}
_NUMBER: Object = {"type": "integer", "format": "int64"}
_TEXTS: Object = {"type": "object", "additionalProperties": _TEXT}
_POLICY: Object = {"type": "string", "enum": ["Delete", "Retain"]}
_QUANTITY: Object = {
    "type": "string",
    "pattern": (
        r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
        r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
    ),
    "x-kubernetes-int-or-string": True,
}
_REFERENCE = ("apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid")


def _rules(*rules: tuple[str, str]) -> Object:
    """Rules in CEL, each with what it says where it does not hold."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": said} for rule, said in rules]}


def _part(required: tuple[str, ...] = (), /, **properties: Any) -> Object:
    found: Object = {"type": "object", "properties": properties}
    return {**found, "required": list(required)} if required else found


def _fixed(name: str) -> Object:
    return {**_TEXT, **_rules(("self == oldSelf", f"{name} is immutable"))}


def _kept(name: str) -> tuple[str, str]:
    return f"!has(oldSelf.{name}) || has(self.{name})", f"{name} is required once set"


def _one_of(first: str, second: str) -> Object:
    """Exactly one of two fields, which stays what it is."""
    either = f"has(self.{first}) && !has(self.{second})"
    other = f"!has(self.{first}) && has(self.{second})"
    return {
        **_part(**{name: _fixed(name) for name in (first, second)}),
        **_rules(
            _kept(first),
            _kept(second),
            (f"({either}) || ({other})", f"exactly one of {first} and {second} must be set"),
        ),
    }


_ERROR = _part(message=_TEXT, time=_WHEN)
_SNAPSHOT = _part(
    ("spec",),
    spec=_part(
        ("source",),
        source=_one_of("volumeSnapshotContentName", "persistentVolumeClaimName"),
        volumeSnapshotClassName={
            **_TEXT,
            **_rules(
                (
                    "size(self) > 0",
                    "volumeSnapshotClassName must not be the empty string when set",
                )
            ),
        },
    ),
    status=_part(
        boundVolumeSnapshotContentName=_TEXT,
        creationTime=_WHEN,
        error=_ERROR,
        readyToUse=_FLAG,
        restoreSize=_QUANTITY,
        volumeGroupSnapshotName=_TEXT,
    ),
)
_CONTENT = _part(
    ("spec",),
    spec={
        **_part(
            ("deletionPolicy", "driver", "source", "volumeSnapshotRef"),
            deletionPolicy=_POLICY,
            driver=_TEXT,
            source=_one_of("volumeHandle", "snapshotHandle"),
            sourceVolumeMode=_fixed("sourceVolumeMode"),
            volumeSnapshotClassName=_TEXT,
            volumeSnapshotRef={
                **_part(**dict.fromkeys(_REFERENCE, _TEXT)),
                "x-kubernetes-map-type": "atomic",
                **_rules(
                    (
                        "has(self.name) && has(self.__namespace__)",
                        "both spec.volumeSnapshotRef.name and spec.volumeSnapshotRef.namespace"
                        " must be set",
                    )
                ),
            },
        ),
        **_rules(_kept("sourceVolumeMode")),
    },
    status=_part(
        creationTime=_NUMBER,
        error=_ERROR,
        readyToUse=_FLAG,
        restoreSize={**_NUMBER, "minimum": 0},
        snapshotHandle=_TEXT,
        volumeGroupSnapshotHandle=_TEXT,
    ),
)
_CLASS = _part(
    ("deletionPolicy", "driver"), deletionPolicy=_POLICY, driver=_TEXT, parameters=_TEXTS
)


class _Kind(NamedTuple):
    """`columns` are what `kubectl get` shows: name, type and path of each."""

    name: str
    short: tuple[str, ...]
    schema: Object
    columns: tuple[tuple[str, str, str], ...]
    namespaced: bool = False
    has_status: bool = True


_AGE = ("Age", "date", ".metadata.creationTimestamp")
_KINDS = (
    _Kind(
        "VolumeSnapshotClass",
        ("vsclass", "vsclasses"),
        _CLASS,
        (("Driver", "string", ".driver"), ("DeletionPolicy", "string", ".deletionPolicy"), _AGE),
        has_status=False,
    ),
    _Kind(
        "VolumeSnapshotContent",
        ("vsc", "vscs"),
        _CONTENT,
        (
            ("ReadyToUse", "boolean", ".status.readyToUse"),
            ("RestoreSize", "integer", ".status.restoreSize"),
            ("DeletionPolicy", "string", ".spec.deletionPolicy"),
            ("Driver", "string", ".spec.driver"),
            ("VolumeSnapshotClass", "string", ".spec.volumeSnapshotClassName"),
            ("VolumeSnapshot", "string", ".spec.volumeSnapshotRef.name"),
            ("VolumeSnapshotNamespace", "string", ".spec.volumeSnapshotRef.namespace"),
            _AGE,
        ),
    ),
    _Kind(
        "VolumeSnapshot",
        ("vs",),
        _SNAPSHOT,
        (
            ("ReadyToUse", "boolean", ".status.readyToUse"),
            ("SourcePVC", "string", ".spec.source.persistentVolumeClaimName"),
            ("SourceSnapshotContent", "string", ".spec.source.volumeSnapshotContentName"),
            ("RestoreSize", "string", ".status.restoreSize"),
            ("SnapshotClass", "string", ".spec.volumeSnapshotClassName"),
            ("SnapshotContent", "string", ".status.boundVolumeSnapshotContentName"),
            ("CreationTime", "date", ".status.creationTime"),
            _AGE,
        ),
        namespaced=True,
    ),
)


def kinds() -> list[Object]:
    """The three of them."""
    return [_definition(kind) for kind in _KINDS]


def _definition(kind: _Kind) -> Object:
    singular = kind.name.lower()
    plural = f"{singular}es" if singular.endswith("s") else f"{singular}s"
    schema = {
        **kind.schema,
        "properties": {
            "apiVersion": _TEXT,
            "kind": _TEXT,
            "metadata": {"type": "object"},
            **kind.schema["properties"],
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{GROUP}",
            "annotations": {"api-approved.kubernetes.io": APPROVED},
        },
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": plural,
                "shortNames": list(kind.short),
                "singular": singular,
            },
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [
                        {"name": name, "type": type_, "jsonPath": path}
                        for name, type_, path in kind.columns
                    ],
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}} if kind.has_status else {},
                }
            ],
        },
    }
