"""Kubeconfig files (kubeconfig v1): where an API server is, and who its client is."""

import base64
from collections.abc import Mapping

import msgspec

from longshore.base.certificates import KeyPair


def kubeconfig(server: str, authority: bytes, user: Mapping[str, str]) -> bytes:
    """For one client; JSON, which is YAML too.

    `server` is the URL of who is spoken to, `authority` the certificate (PEM) that its own is
    checked by, `user` what the client shows: see `certificate` and `token`.
    """
    known = {"server": server, "certificate-authority-data": _text(authority)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": known}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
        "current-context": "context",
    }
    return msgspec.json.encode(document)


def certificate(client: KeyPair) -> Mapping[str, str]:
    """A client with a certificate."""
    return {
        "client-certificate-data": _text(client.certificate),
        "client-key-data": _text(client.key),
    }


def token(text: str) -> Mapping[str, str]:
    """A client with a bearer token."""
    return {"token": text}


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
