"""kube-proxy, on each node, with iptables: the addresses of Services lead to pods.

(Kubernetes' `cluster/addons/kube-proxy`, and its configuration `kubeproxy.config.k8s.io/v1alpha1`.)
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.addons import schema
from longshore.addons.objects import (
    CORE,
    NOT_FARGATE,
    Object,
    cluster_role_binding,
    daemon_set,
    linux_nodes,
    metadata,
    node_selector,
    service_account,
)
from longshore.addons.settings import Settings

NAME = "kube-proxy"
LABELS = {"k8s-app": NAME}
MARKED = {"eks.amazonaws.com/component": NAME, **LABELS}
CREDENTIALS = "/var/run/secrets/kubernetes.io/serviceaccount"
KUBECONFIG, CONFIG = "/var/lib/kube-proxy", "/var/lib/kube-proxy-config"
SCHEMA: schema.Schema = {
    "$schema": "http://json-schema.org/draft-06/schema#",
    **schema.an_object(
        {
            "affinity": schema.ANY_OBJECT,
            "mode": {"type": "string", "enum": ["iptables"]},
            "nodeSelector": schema.TEXTS,
            "podAnnotations": schema.TEXTS,
            "podLabels": schema.TEXTS,
            "resources": schema.AMOUNTS,
            "tolerations": schema.LIST,
        },
        title="KubeProxy",
    ),
}


def objects(settings: Settings, configuration: Mapping[str, Any]) -> list[Object]:
    return [
        service_account(NAME, MARKED, settings),
        cluster_role_binding("eks:kube-proxy", MARKED, "system:node-proxier", NAME),
        _config_map(NAME, {"kubeconfig": _kubeconfig(settings.endpoint)}),
        _config_map(f"{NAME}-config", {"config": _configuration()}),
        daemon_set(NAME, LABELS, MARKED, configuration, _pod(settings, configuration)),
    ]


def _config_map(name: str, data: Mapping[str, Object]) -> Object:
    texts = {
        key: msgspec.json.format(msgspec.json.encode(value)).decode() for key, value in data.items()
    }
    return {
        "apiVersion": CORE,
        "kind": "ConfigMap",
        "metadata": metadata(name, MARKED),
        "data": texts,
    }


def _kubeconfig(endpoint: str) -> Object:
    """The endpoint itself: nobody but kube-proxy makes the Service `kubernetes` lead anywhere."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "default",
                "cluster": {"certificate-authority": f"{CREDENTIALS}/ca.crt", "server": endpoint},
            }
        ],
        "contexts": [
            {
                "name": "default",
                "context": {"cluster": "default", "namespace": "default", "user": "default"},
            }
        ],
        "current-context": "default",
        "users": [{"name": "default", "user": {"tokenFile": f"{CREDENTIALS}/token"}}],
    }


def _configuration() -> Object:
    """The table of connections is the machine's, not the node's: its size is left as it is."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "bindAddress": "0.0.0.0",  # noqa: S104 - the node's own choice of addresses
        "clientConnection": {
            "burst": 10,
            "contentType": "application/vnd.kubernetes.protobuf",
            "kubeconfig": f"{KUBECONFIG}/kubeconfig",
            "qps": 5,
        },
        "clusterCIDR": "",
        "configSyncPeriod": "15m0s",
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpCloseWaitTimeout": "1h0m0s",
            "tcpEstablishedTimeout": "24h0m0s",
        },
        "healthzBindAddress": "0.0.0.0:10256",
        "iptables": {
            "masqueradeAll": False,
            "masqueradeBit": 14,
            "minSyncPeriod": "0s",
            "syncPeriod": "30s",
        },
        "metricsBindAddress": "0.0.0.0:10249",
        "mode": "iptables",
        "portRange": "",
    }


def _pod(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    return {
        "affinity": configuration.get("affinity") or {"nodeAffinity": linux_nodes(NOT_FARGATE)},
        "containers": [_container(settings, configuration)],
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "serviceAccountName": NAME,
        "tolerations": configuration.get("tolerations") or [{"operator": "Exists"}],
        "volumes": [
            {"name": "varlog", "hostPath": {"path": "/var/log"}},
            {
                "name": "xtables-lock",
                "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"},
            },
            {"name": "lib-modules", "hostPath": {"path": "/lib/modules"}},
            {"name": "kubeconfig", "configMap": {"name": NAME}},
            {"name": "config", "configMap": {"name": f"{NAME}-config"}},
        ],
        **node_selector(configuration),
    }


def _container(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    node = {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}
    return {
        "name": NAME,
        "image": settings.image,
        "command": [
            "/kube",
            "kube-proxy",
            "--v=2",
            f"--config={CONFIG}/config",
            "--hostname-override=$(NODE_NAME)",
        ],
        "env": [{"name": "NODE_NAME", "valueFrom": node}],
        "resources": configuration.get("resources") or {"requests": {"cpu": "100m"}},
        "securityContext": {"privileged": True},
        "volumeMounts": [
            {"name": "varlog", "mountPath": "/var/log"},
            {"name": "xtables-lock", "mountPath": "/run/xtables.lock"},
            {"name": "lib-modules", "mountPath": "/lib/modules", "readOnly": True},
            {"name": "kubeconfig", "mountPath": KUBECONFIG},
            {"name": "config", "mountPath": CONFIG},
        ],
    }
