"""The webhook that a cluster's API server asks about pods that are to be made.

("Dynamic Admission Control", Kubernetes' documentation.)
"""

import base64
import hashlib
import hmac
from typing import Any

NAME = "pod-identity-webhook"
PATH = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{NAME}"
WEBHOOK = "iam-for-pods.amazonaws.com"
TIMEOUT_SECONDS = 5
"""For so long a pod waits for an answer; without one it is made as it is."""


def proof(webhook_digest: str) -> str:
    """What the webhook's URL ends with, which nobody knows but the cluster.

    The secret by which its API server is known is in no object of the cluster; this, which whoever
    may read its webhooks can see, is good for asking about pods alone.
    """
    code = hmac.new(webhook_digest.encode(), b"longshore pod admission", hashlib.sha256)
    return code.hexdigest()


def proves(shown: str, webhook_digest: str) -> bool:
    """Whether `shown` is the proof of this cluster."""
    return hmac.compare_digest(shown.encode(), proof(webhook_digest).encode())


def configuration(url: str, authority: bytes) -> dict[str, Any]:
    """The `MutatingWebhookConfiguration`; `authority` (PEM) is what the server at the URL is
    checked by."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": NAME},
        "webhooks": [
            {
                "name": WEBHOOK,
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"url": url, "caBundle": base64.b64encode(authority).decode()},
                "failurePolicy": "Ignore",
                "matchPolicy": "Equivalent",
                "reinvocationPolicy": "IfNeeded",
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                        "scope": "Namespaced",
                    }
                ],
                "sideEffects": "None",
                "timeoutSeconds": TIMEOUT_SECONDS,
            }
        ],
    }
