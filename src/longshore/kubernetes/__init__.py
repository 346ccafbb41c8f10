"""Upstream Kubernetes, as a managed cluster has it: keys, files and command lines of its processes.

Enters: what a cluster is to be (`ControlPlane`). Leaves: values alone. Who runs the processes, and
where the files lie, is a matter of controllers and agents.
"""

from longshore.kubernetes.control_plane import (
    ControlPlane,
    Keys,
    Webhook,
    administrator,
    commands,
    etcd_files,
    files,
    new_keys,
)
from longshore.kubernetes.kubeconfig import kubeconfig

__all__ = [
    "ControlPlane",
    "Keys",
    "Webhook",
    "administrator",
    "commands",
    "etcd_files",
    "files",
    "kubeconfig",
    "new_keys",
]
