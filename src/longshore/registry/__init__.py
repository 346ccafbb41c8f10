"""The OCI distribution API (specification 1.1) over the blob store, spoken to as ECR is.

Enters: HTTPS requests of docker, podman, skopeo, buildah, containerd and kubelet, with a password
from GetAuthorizationToken. Leaves: bytes of blobs and manifests, records staged through `images/`,
and what makes those clients find and trust the registry on this machine (`clients`).
"""

from longshore.registry.application import application
from longshore.registry.call import Parts
from longshore.registry.clients import uninstall
from longshore.registry.running import running_registry
from longshore.registry.server import RegistryServer

__all__ = ["Parts", "RegistryServer", "application", "running_registry", "uninstall"]
