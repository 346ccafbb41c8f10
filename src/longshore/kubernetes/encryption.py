"""How API servers encrypt secrets in etcd with a key of KMS ("Using a KMS provider for data
encryption", Kubernetes): through a provider beside them, which the component kms-plugin is.
"""

from collections.abc import Mapping

import msgspec

CONFIGURATION = "encryption.yaml"
"""The configuration's file, among those of the control plane."""
PROVIDER = "kms"
SOCKET = "@longshore-kms"
"""An abstract socket: of the network namespace that both are in, and of no file system."""
CALL_SECONDS = 3
HEALTH = "kms-providers"
"""The check of `/readyz` that is about the provider."""


def encryption_configuration() -> bytes:
    """The file `CONFIGURATION`: what was written before the key was there is still read."""
    provider = {
        "apiVersion": "v2",
        "name": PROVIDER,
        "endpoint": f"unix:///{SOCKET}",
        "timeout": f"{CALL_SECONDS}s",
    }
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [
            {"resources": ["secrets"], "providers": [{"kms": provider}, {"identity": {}}]}
        ],
    }
    return msgspec.json.encode(document)


def encryption_flags(directory: str) -> Mapping[str, object]:
    """Options of an API server."""
    return {"encryption-provider-config": f"{directory}/{CONFIGURATION}"}


def provider_command(key_arn: str, cluster_arn: str) -> list[str]:
    """Arguments of `kms-plugin`."""
    return [f"--listen={SOCKET}", f"--key-arn={key_arn}", f"--cluster-arn={cluster_arn}"]
