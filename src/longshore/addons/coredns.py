"""CoreDNS: the names of Services and pods.

(CoreDNS's `kubernetes/coredns.yaml.sed`, with what EKS has of its own: two replicas on different
nodes, a PodDisruptionBudget.)
"""

from collections.abc import Mapping
from typing import Any

from longshore.addons import schema
from longshore.addons.objects import (
    CORE,
    Object,
    apart,
    cluster_role,
    cluster_role_binding,
    deployment,
    disruption_budget,
    linux_nodes,
    metadata,
    node_selector,
    rule,
    service_account,
)
from longshore.addons.settings import Settings

NAME = "coredns"
LABELS = {"k8s-app": "kube-dns"}
MARKED = {"eks.amazonaws.com/component": NAME, **LABELS}
COREFILE = """.:53 {
    errors
    health {
        lameduck 5s
      }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
    }
    prometheus :9153
    forward . /etc/resolv.conf
    cache 30
    loop
    reload
    loadbalance
}
"""
MOST_REPLICAS = 1000
SCHEMA: schema.Schema = {
    "$schema": "http://json-schema.org/draft-06/schema#",
    **schema.an_object(
        {
            "affinity": schema.ANY_OBJECT,
            "corefile": schema.TEXT,
            "nodeSelector": schema.TEXTS,
            "podAnnotations": schema.TEXTS,
            "podDisruptionBudget": schema.an_object(
                {
                    "enabled": {"type": "boolean"},
                    "maxUnavailable": {"type": "integer", "minimum": 0},
                    "minAvailable": {"type": "integer", "minimum": 0},
                }
            ),
            "podLabels": schema.TEXTS,
            "replicaCount": {"type": "integer", "minimum": 0, "maximum": MOST_REPLICAS},
            "resources": schema.AMOUNTS,
            "tolerations": schema.LIST,
            "topologySpreadConstraints": schema.LIST,
        },
        title="Coredns",
    ),
}
RESOURCES = {
    "limits": {"memory": "170Mi"},
    "requests": {"cpu": "100m", "memory": "70Mi"},
}
TOLERATIONS = [
    {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
    {"key": "CriticalAddonsOnly", "operator": "Exists"},
]
PORTS = (("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP"))


def objects(settings: Settings, configuration: Mapping[str, Any]) -> list[Object]:
    return [
        service_account(NAME, MARKED, settings),
        cluster_role(
            f"system:{NAME}",
            {**MARKED, "kubernetes.io/bootstrapping": "rbac-defaults"},
            [
                rule("core", "endpoints services pods namespaces", "list watch"),
                rule("discovery.k8s.io", "endpointslices", "list watch"),
            ],
        ),
        cluster_role_binding(
            f"system:{NAME}",
            {**MARKED, "kubernetes.io/bootstrapping": "rbac-defaults"},
            f"system:{NAME}",
            NAME,
        ),
        _config_map(configuration),
        _deployment(settings, configuration),
        *_budget(configuration),
        _service(settings),
    ]


def _config_map(configuration: Mapping[str, Any]) -> Object:
    return {
        "apiVersion": CORE,
        "kind": "ConfigMap",
        "metadata": metadata(NAME, MARKED),
        "data": {"Corefile": configuration.get("corefile") or COREFILE},
    }


def _deployment(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    return deployment(
        NAME,
        MARKED,
        {**MARKED, "kubernetes.io/name": "CoreDNS"},
        configuration,
        _pod(settings, configuration),
        replicas=configuration.get("replicaCount", 2),
    )


def _pod(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    """On different nodes, in different zones, where that can be."""
    spread = configuration.get("topologySpreadConstraints") or [
        {
            "labelSelector": {"matchLabels": LABELS},
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
        }
    ]
    return {
        "affinity": configuration.get("affinity")
        or {"nodeAffinity": linux_nodes(), "podAntiAffinity": apart("k8s-app", "kube-dns")},
        "containers": [_container(settings, configuration)],
        "dnsPolicy": "Default",
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": NAME,
        "tolerations": configuration.get("tolerations") or TOLERATIONS,
        "topologySpreadConstraints": spread,
        "volumes": [
            {
                "name": "config-volume",
                "configMap": {"name": NAME, "items": [{"key": "Corefile", "path": "Corefile"}]},
            }
        ],
        **node_selector(configuration),
    }


def _container(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    return {
        "name": NAME,
        "image": settings.image,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": name, "containerPort": port, "protocol": protocol}
            for name, port, protocol in PORTS
        ],
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": 8080, "scheme": "HTTP"},
            "initialDelaySeconds": 60,
            "timeoutSeconds": 5,
            "successThreshold": 1,
            "failureThreshold": 5,
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181, "scheme": "HTTP"}},
        "resources": configuration.get("resources") or RESOURCES,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": True}],
    }


def _budget(configuration: Mapping[str, Any]) -> list[Object]:
    asked = dict(configuration.get("podDisruptionBudget", {}))
    if not asked.pop("enabled", True):
        return []
    return [disruption_budget(NAME, MARKED, asked or {"maxUnavailable": 1})]


def _service(settings: Settings) -> Object:
    found = metadata("kube-dns", {**MARKED, "kubernetes.io/cluster-service": "true"})
    found["labels"]["kubernetes.io/name"] = "CoreDNS"
    found["annotations"] = {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"}
    return {
        "apiVersion": CORE,
        "kind": "Service",
        "metadata": found,
        "spec": {
            "clusterIP": settings.dns_address,
            "selector": LABELS,
            "ports": [
                {"name": name, "port": port, "protocol": protocol, "targetPort": port}
                for name, port, protocol in PORTS
            ],
        },
    }
