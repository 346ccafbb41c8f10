"""EKS Pod Identity Agent: on each node, gives pods the credentials of their service account's role.

(`charts/eks-pod-identity-agent` of upstream.) The program is Longshore's own, which takes
upstream's commands and flags; where the API is it reads on its node.
"""

from collections.abc import Mapping
from typing import Any

from longshore.addons import schema
from longshore.addons.objects import (
    NOT_FARGATE,
    Object,
    daemon_set,
    linux_nodes,
    node_selector,
    service_account,
)
from longshore.addons.settings import Settings

NAME = "eks-pod-identity-agent"
VERSION = "1.3.8"
"""Of upstream's agent, as which it answers."""
LABELS = {"app.kubernetes.io/instance": NAME, "app.kubernetes.io/name": NAME}
COMMAND = ["/longshore-node", "pod-identity-agent"]
PROBES_PORT = 2703
ENDPOINT = "/etc/longshore"
"""Where nodes are told the URL of the API."""
SCHEMA: schema.Schema = {
    "$schema": "http://json-schema.org/draft-06/schema#",
    **schema.an_object(
        {
            "affinity": schema.ANY_OBJECT,
            "nodeSelector": schema.TEXTS,
            "podAnnotations": schema.TEXTS,
            "podLabels": schema.TEXTS,
            "priorityClassName": schema.TEXT,
            "resources": schema.AMOUNTS,
            "tolerations": schema.LIST,
        },
        title="PodIdentityAgent",
    ),
}


def objects(settings: Settings, configuration: Mapping[str, Any]) -> list[Object]:
    return [
        service_account(NAME, LABELS, settings),
        daemon_set(NAME, LABELS, LABELS, configuration, _pod(settings, configuration)),
    ]


def _pod(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    return {
        "affinity": configuration.get("affinity") or {"nodeAffinity": linux_nodes(NOT_FARGATE)},
        "containers": [_container(settings, configuration)],
        "hostNetwork": True,
        "initContainers": [
            {
                "name": f"{NAME}-init",
                "image": settings.image,
                "command": [*COMMAND, "initialize"],
                "securityContext": {"privileged": True},
            }
        ],
        "priorityClassName": configuration.get("priorityClassName") or "system-node-critical",
        "serviceAccountName": NAME,
        "terminationGracePeriodSeconds": 30,
        "tolerations": configuration.get("tolerations") or [{"operator": "Exists"}],
        "volumes": [{"name": "endpoint", "hostPath": {"path": ENDPOINT, "type": "Directory"}}],
        **node_selector(configuration),
    }


def _container(settings: Settings, configuration: Mapping[str, Any]) -> Object:
    return {
        "name": NAME,
        "image": settings.image,
        "command": [*COMMAND, "server"],
        "args": [
            "--port=80",
            f"--cluster-name={settings.cluster}",
            f"--probe-port={PROBES_PORT}",
        ],
        "ports": [
            {"name": "proxy", "containerPort": 80, "protocol": "TCP"},
            {"name": "probes-port", "containerPort": PROBES_PORT, "protocol": "TCP"},
        ],
        "livenessProbe": _probe("/healthz", failures=3, delay=30),
        "readinessProbe": _probe("/readyz", failures=30, delay=1),
        "resources": configuration.get("resources") or {},
        "securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}},
        "volumeMounts": [{"name": "endpoint", "mountPath": ENDPOINT, "readOnly": True}],
    }


def _probe(path: str, *, failures: int, delay: int) -> Object:
    return {
        "failureThreshold": failures,
        "httpGet": {"host": "localhost", "path": path, "port": "probes-port", "scheme": "HTTP"},
        "initialDelaySeconds": delay,
        "timeoutSeconds": 10,
    }
