"""Kubernetes' snapshot-controller, and the kinds that it is for: snapshots of volumes, of whichever
driver.

(`deploy/kubernetes/snapshot-controller` of external-snapshotter.) Its program is a command of the
component `ebs-csi`. The kinds outlive the add-on, since people's snapshots would go with them.
"""

from collections.abc import Mapping
from typing import Any

from longshore.addons import schema
from longshore.addons.ebs_csi import HEALTH_PORT, NOBODY, PROGRAM, health_probe
from longshore.addons.objects import (
    Object,
    apart,
    cluster_role,
    cluster_role_binding,
    deployment,
    linux_nodes,
    node_selector,
    role,
    role_binding,
    rule,
    service_account,
)
from longshore.addons.settings import Settings
from longshore.addons.snapshot_kinds import GROUP, kinds

NAME = "snapshot-controller"
VERSION = "8.7.0"
"""Of external-snapshotter."""
LABELS = {"app.kubernetes.io/name": NAME}
READ = "get list watch"
SCHEMA: schema.Schema = {
    "$schema": "http://json-schema.org/draft-06/schema#",
    **schema.an_object(
        {
            "affinity": schema.ANY_OBJECT,
            "nodeSelector": schema.TEXTS,
            "podAnnotations": schema.TEXTS,
            "podLabels": schema.TEXTS,
            "replicaCount": {"type": "integer", "minimum": 0, "maximum": 1000},
            "resources": schema.AMOUNTS,
            "tolerations": schema.LIST,
            "topologySpreadConstraints": schema.LIST,
        },
        title="SnapshotController",
    ),
}


def objects(settings: Settings, configuration: Mapping[str, Any]) -> list[Object]:
    leases = [rule("coordination.k8s.io", "leases", f"{READ} delete update create patch")]
    return [
        *kinds(),
        service_account(NAME, LABELS, settings),
        cluster_role(f"{NAME}-runner", LABELS, _rules()),
        cluster_role_binding(f"{NAME}-role", LABELS, f"{NAME}-runner", NAME),
        role(f"{NAME}-leaderelection", LABELS, leases),
        role_binding(f"{NAME}-leaderelection", LABELS, f"{NAME}-leaderelection", NAME),
        _deployment(settings, configuration),
    ]


def _rules() -> list[Object]:
    return [
        rule("core", "persistentvolumes", READ),
        rule("core", "persistentvolumeclaims", f"{READ} update"),
        rule("core", "events", "list watch create update patch"),
        rule(GROUP, "volumesnapshotclasses", READ),
        rule(GROUP, "volumesnapshotcontents", f"{READ} create update delete patch"),
        rule(GROUP, "volumesnapshotcontents/status", "patch"),
        rule(GROUP, "volumesnapshots", f"{READ} create update delete patch"),
        rule(GROUP, "volumesnapshots/status", "update patch"),
    ]


def _deployment(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    return deployment(
        NAME,
        LABELS,
        LABELS,
        configuration,
        _pod(settings, configuration),
        replicas=configuration.get("replicaCount", 2),
        maxSurge=0,
    )


def _pod(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    spread = configuration.get("topologySpreadConstraints", [])
    return {
        "affinity": configuration.get("affinity")
        or {
            "nodeAffinity": linux_nodes(),
            "podAntiAffinity": apart("app.kubernetes.io/name", NAME),
        },
        "containers": [_container(settings, configuration)],
        "priorityClassName": "system-cluster-critical",
        "securityContext": {"runAsNonRoot": True, "runAsUser": NOBODY},
        "serviceAccountName": NAME,
        "tolerations": configuration.get("tolerations", []),
        **node_selector(configuration),
        **({"topologySpreadConstraints": spread} if spread else {}),
    }


def _container(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    return {
        "name": NAME,
        "image": settings.image,
        "command": [f"/{PROGRAM}", NAME],
        "livenessProbe": health_probe(),
        "ports": [{"name": "healthz", "containerPort": HEALTH_PORT, "protocol": "TCP"}],
        "resources": configuration.get("resources")
        or {"limits": {"memory": "128Mi"}, "requests": {"cpu": "10m", "memory": "20Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
