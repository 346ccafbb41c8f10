"""The Amazon EBS CSI driver: claims for volumes get EBS volumes, which follow their pods.

(`charts/aws-ebs-csi-driver` of upstream.) What upstream has in a container each, the driver and
Kubernetes' own controllers of volumes, is one program here, `ebs-csi` (docs/decisions/0114).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.addons.ebs_csi_rules import controller_rules
from longshore.addons.objects import (
    NOT_FARGATE,
    Object,
    apart,
    daemon_set,
    deployment,
    disruption_budget,
    linux_nodes,
    metadata,
    node_selector,
    service_account,
)
from longshore.addons.settings import Settings

ADDON = "aws-ebs-csi-driver"
COMPONENT = PROGRAM = "ebs-csi"
DRIVER = "ebs.csi.aws.com"
CONTROLLER, NODE = "ebs-csi-controller", "ebs-csi-node"
ACCOUNT, NODE_ACCOUNT = "ebs-csi-controller-sa", "ebs-csi-node-sa"
MARKED = {
    "app.kubernetes.io/component": "csi-driver",
    "app.kubernetes.io/managed-by": "EKS",
    "app.kubernetes.io/name": ADDON,
}
CONTAINER = "ebs-plugin"
ENDPOINT = "/etc/longshore"
"""Where nodes are told the URL of the API."""
SOCKETS = "/csi"
KUBELET = "/var/lib/kubelet"
PLUGIN = f"{KUBELET}/plugins/{DRIVER}"
HEALTH_PORT = 9808
VOLUMES = 26
"""How many a node may have where nothing is said: Nitro's 28 attachments without an interface and
the root volume ("Amazon EBS volume limits for Amazon EC2 instances")."""
NOBODY = 1000
RESOURCES = {"limits": {"memory": "256Mi"}, "requests": {"cpu": "10m", "memory": "40Mi"}}
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def objects(settings: Settings, configuration: Mapping[str, Any]) -> list[Object]:
    controller, node = configuration.get("controller", {}), configuration.get("node", {})
    without_role = msgspec.structs.replace(settings, role_arn="")
    return [
        service_account(ACCOUNT, MARKED, settings),
        service_account(NODE_ACCOUNT, MARKED, without_role),
        *controller_rules(MARKED, ACCOUNT),
        _csi_driver(),
        _controller(settings, controller),
        *_budget(controller),
        _node(settings, node),
        *_default_class(configuration),
    ]


def storage_class(name: str, provisioner: str, *, default: bool, **more: Any) -> Object:
    """A StorageClass whose volumes are made where their pods are to run, and can grow."""
    found = metadata(name, {}, namespaced=False)
    if default:
        found["annotations"] = {DEFAULT_CLASS: "true"}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": found,
        "provisioner": provisioner,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
        **more,
    }


def first_class() -> Object:
    """`gp2`, which new clusters have. The provisioner is the driver itself: EKS's is the plug-in of
    before CSI drivers, whose volumes Kubernetes makes no snapshots of."""
    parameters = {"type": "gp2", "csi.storage.k8s.io/fstype": "ext4"}
    return storage_class("gp2", DRIVER, default=True, parameters=parameters)


def _default_class(configuration: Mapping[str, Any]) -> list[Object]:
    if not configuration.get("defaultStorageClass", {}).get("enabled", False):
        return []
    return [storage_class("ebs-csi-default-sc", DRIVER, default=True)]


def _csi_driver() -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIDriver",
        "metadata": metadata(DRIVER, MARKED, namespaced=False),
        "spec": {"attachRequired": True, "fsGroupPolicy": "File", "podInfoOnMount": False},
    }


def _labels(name: str) -> dict[str, str]:
    """What pods are found by."""
    return {"app": name, "app.kubernetes.io/name": ADDON}


def _controller(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    labels = {**configuration.get("podLabels", {}), **MARKED}
    return deployment(
        CONTROLLER,
        _labels(CONTROLLER),
        MARKED,
        {**configuration, "podLabels": labels},
        _controller_pod(settings, configuration),
        replicas=configuration.get("replicaCount", 2),
    )


def _controller_pod(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    affinity = {
        "nodeAffinity": linux_nodes(NOT_FARGATE),
        "podAntiAffinity": apart("app", CONTROLLER),
    }
    tolerations = [
        {"key": "CriticalAddonsOnly", "operator": "Exists"},
        {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
    ]
    spread = configuration.get("topologySpreadConstraints", [])
    return {
        "affinity": configuration.get("affinity") or affinity,
        "containers": [_controller_container(settings, configuration)],
        "priorityClassName": configuration.get("priorityClassName") or "system-cluster-critical",
        "securityContext": {
            "fsGroup": NOBODY,
            "runAsGroup": NOBODY,
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
        },
        "serviceAccountName": ACCOUNT,
        "tolerations": configuration.get("tolerations") or tolerations,
        "volumes": [
            {"name": "socket-dir", "emptyDir": {}},
            _host_path("endpoint", ENDPOINT),
        ],
        **node_selector(configuration),
        **({"topologySpreadConstraints": spread} if spread else {}),
    }


def _controller_container(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    tags = {
        f"kubernetes.io/cluster/{settings.cluster}": "owned",
        "KubernetesCluster": settings.cluster,
        **configuration.get("extraVolumeTags", {}),
    }
    metadata_wanted = configuration.get("extraCreateMetadata", True)
    return {
        **_container(settings, configuration),
        "args": [
            "controller",
            f"--endpoint=unix://{SOCKETS}/csi.sock",
            f"--default-fstype={configuration.get('defaultFsType', 'ext4')}",
            f"--extra-create-metadata={'true' if metadata_wanted else 'false'}",
            f"--extra-tags={msgspec.json.encode(tags, order='deterministic').decode()}",
        ],
        "readinessProbe": health_probe(),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "socket-dir", "mountPath": SOCKETS},
            {"name": "endpoint", "mountPath": ENDPOINT, "readOnly": True},
        ],
    }


def _container(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    return {
        "name": CONTAINER,
        "image": settings.image,
        "livenessProbe": health_probe(),
        "ports": [{"name": "healthz", "containerPort": HEALTH_PORT, "protocol": "TCP"}],
        "resources": configuration.get("resources") or RESOURCES,
    }


def health_probe() -> Object:
    """Of the program, whatever its command is."""
    return {
        "failureThreshold": 5,
        "httpGet": {"path": "/healthz", "port": "healthz", "scheme": "HTTP"},
        "periodSeconds": 10,
        "timeoutSeconds": 3,
    }


def _budget(configuration: Mapping[str, Any]) -> list[Object]:
    """With one replica alone there would be nothing that could be evicted."""
    wanted = configuration.get("podDisruptionBudget", {}).get("enabled", True)
    if not wanted or configuration.get("replicaCount", 2) < 2:
        return []
    return [disruption_budget(CONTROLLER, _labels(CONTROLLER), {"maxUnavailable": 1})]


def _node(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    labels = {**configuration.get("podLabels", {}), **MARKED}
    pod = _node_pod(settings, configuration)
    return daemon_set(NODE, _labels(NODE), MARKED, {**configuration, "podLabels": labels}, pod)


def _node_pod(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    return {
        "affinity": configuration.get("affinity") or {"nodeAffinity": linux_nodes(NOT_FARGATE)},
        "containers": [_node_container(settings, configuration)],
        "priorityClassName": configuration.get("priorityClassName") or "system-node-critical",
        "serviceAccountName": NODE_ACCOUNT,
        "terminationGracePeriodSeconds": 30,
        "tolerations": configuration.get("tolerations") or [{"operator": "Exists"}],
        "volumes": [
            _host_path("kubelet-dir", KUBELET),
            _host_path("plugin-dir", PLUGIN, "DirectoryOrCreate"),
            _host_path("registration-dir", f"{KUBELET}/plugins_registry"),
            _host_path("device-dir", "/dev"),
        ],
        **node_selector(configuration),
    }


def _node_container(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    """Mounts that it makes below the kubelet's directory are the node's, and so its pods'."""
    return {
        **_container(settings, configuration),
        "args": [
            "node",
            f"--endpoint=unix://{SOCKETS}/csi.sock",
            f"--kubelet-endpoint={PLUGIN}/csi.sock",
            f"--volume-attach-limit={configuration.get('volumeAttachLimit', VOLUMES)}",
        ],
        "securityContext": {"privileged": True, "readOnlyRootFilesystem": True},
        "volumeMounts": [
            {"name": "kubelet-dir", "mountPath": KUBELET, "mountPropagation": "Bidirectional"},
            {"name": "plugin-dir", "mountPath": SOCKETS},
            {"name": "registration-dir", "mountPath": "/registration"},
            {"name": "device-dir", "mountPath": "/dev"},
        ],
    }


def _host_path(name: str, path: str, kind: str = "Directory") -> Object:
    return {"name": name, "hostPath": {"path": path, "type": kind}}
