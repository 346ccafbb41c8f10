"""Kubeconfig files (kubeconfig v1): where an API server is, and who its client is."""

import base64

import msgspec

from longshore.base.certificates import KeyPair


def kubeconfig(server: str, authority: bytes, client: KeyPair) -> bytes:
    """For a client with a certificate; JSON, which is YAML too.

    `server` is the API server's URL, `authority` the certificate (PEM) that its own is checked by.
    """
    known = {"server": server, "certificate-authority-data": _text(authority)}
    user = {
        "client-certificate-data": _text(client.certificate),
        "client-key-data": _text(client.key),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": known}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
        "current-context": "context",
    }
    return msgspec.json.encode(document)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
