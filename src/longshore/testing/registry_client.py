"""A plain HTTP client of a registry, which does what it is told, right or wrong."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

import urllib3

from longshore.testing.registry import RunningRegistry

CONFIG = b"{}"
LAYER = b"not quite a tar archive"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCTETS = "application/octet-stream"


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(media_type: str, content: bytes, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": sha256(content), "size": len(content), **more}


def manifest(media_type: str = OCI_MANIFEST, **more: Any) -> bytes:
    """A manifest of CONFIG and LAYER."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": descriptor("application/vnd.oci.image.config.v1+json", CONFIG),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", LAYER)],
            **more,
        }
    ).encode()


class Client:
    """Speaks for one principal."""

    def __init__(self, registry: RunningRegistry, headers: Mapping[str, str] | None = None) -> None:
        self._base = f"https://{registry.host}"
        self._headers = dict(registry.authorization() if headers is None else headers)
        self._pool = urllib3.PoolManager(
            ca_certs=str(registry.authority.certificate_path), retries=False, timeout=20.0
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def __call__(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        """One request; header names are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._pool.request(
            method,
            urljoin(self._base, path),
            body=body,
            headers={**self._headers, **named},
            redirect=False,
        )

    def push_blob(self, repository: str, content: bytes) -> str:
        """Upload in one piece; the digest."""
        digest = sha256(content)
        answer = self(
            "POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", content, content_type=OCTETS
        )
        assert answer.status == 201, answer.data
        return digest

    def push_parts(self, repository: str) -> None:
        self.push_blob(repository, CONFIG)
        self.push_blob(repository, LAYER)

    def push_manifest(
        self, repository: str, content: bytes, tag: str = "", media_type: str = OCI_MANIFEST
    ) -> str:
        reference = tag or sha256(content)
        answer = self(
            "PUT", f"/v2/{repository}/manifests/{reference}", content, content_type=media_type
        )
        assert answer.status == 201, answer.data
        return str(answer.headers["Docker-Content-Digest"])


def error(answer: urllib3.BaseHTTPResponse) -> tuple[int, str]:
    """Status and code of an error answer, which must be of the specification's shape."""
    (only,) = answer.json()["errors"]
    assert isinstance(only["message"], str)
    return answer.status, only["code"]
