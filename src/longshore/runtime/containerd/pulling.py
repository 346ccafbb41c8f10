"""Images: fetched by containerd's transfer service, unpacked, and read."""

import base64
import hashlib
import json
import platform
import re
from collections.abc import Mapping
from typing import Any

import grpc

from longshore.runtime.containerd.api import SNAPSHOTTER, Containerd
from longshore.runtime.containerd.generated import transfer_types_pb2, types_pb2
from longshore.runtime.interface import (
    Image,
    ImageConfig,
    RegistryCredentials,
    RegistryUnreachable,
    RuntimeFailure,
)

PULL_SECONDS = 3600.0
UNREACHABLE = re.compile(
    r"connection refused|connection reset|\bEOF\b|i/o timeout|TLS handshake timeout|broken pipe"
    r"|server closed idle connection|: 50[0234] "
)
"""What Go's HTTP client says of a server that went away, or that cannot answer now."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
HERE = {
    "os": "linux",
    "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
}
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


class Unpacked:
    """An image with the name of the snapshot that its layers make."""

    def __init__(self, image: Image, snapshot: str) -> None:
        self.image = image
        self.snapshot = snapshot


def normalised(reference: str) -> str:
    """The reference with docker's defaults: `docker.io/library/`, `:latest`."""
    name, digest = reference.partition("@")[::2]
    first, _, rest = name.partition("/")
    if not rest:
        name = f"docker.io/library/{name}"
    elif not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}"
    if digest:
        return f"{name}@{digest}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


async def pull(
    containerd: Containerd, reference: str, credentials: RegistryCredentials | None, hosts: str
) -> Unpacked:
    """Fetch and unpack; `hosts` is the directory of hosts.toml files."""
    name = normalised(reference)
    source = transfer_types_pb2.OCIRegistry(reference=name)
    source.resolver.host_dir = hosts
    if credentials is not None:
        pair = f"{credentials.user}:{credentials.password}".encode()
        source.resolver.headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
    here = types_pb2.Platform(**HERE)
    unpack = transfer_types_pb2.UnpackConfiguration(platform=here, snapshotter=SNAPSHOTTER)
    store = transfer_types_pb2.ImageStore(name=name, platforms=[here], unpacks=[unpack])
    try:
        await containerd.transfer(source, store, PULL_SECONDS)
    except grpc.aio.AioRpcError as error:
        details = error.details() or str(error.code())
        kind = RegistryUnreachable if UNREACHABLE.search(details) else RuntimeFailure
        raise kind(*pull_failure(name, details)) from error
    unpacked = await find(containerd, reference)
    if unpacked is None:
        raise RuntimeFailure("CannotPullContainerError", f"{name}: no image for this machine")
    return unpacked


def pull_failure(name: str, details: str) -> tuple[str, str]:
    """Code and message for what containerd said of a failed pull."""
    if details == f"failed to resolve image: {name}: not found":
        return (
            "CannotPullContainerError",
            f"pull image manifest has been retried 1 time(s): failed to resolve ref {name}: "
            f"{name}: not found",
        )
    return "CannotPullContainerError", f"pull image has been retried 1 time(s): {details}"


async def find(containerd: Containerd, reference: str) -> Unpacked | None:
    """The image if it is here, whole and unpacked."""
    name = normalised(reference)
    record = await containerd.image(name)
    if record is None:
        return None
    try:
        manifest = await _manifest(containerd, record.target.digest)
        config = json.loads(await containerd.read(manifest["config"]["digest"]))
    except grpc.aio.AioRpcError as error:
        if error.code() == grpc.StatusCode.NOT_FOUND:
            return None
        raise
    snapshot = chain_id(config["rootfs"]["diff_ids"])
    if not await containerd.has_snapshot(SNAPSHOTTER, snapshot):
        return None
    image = Image(
        reference=reference,
        digest=record.target.digest,
        config=image_config(config.get("config") or {}),
    )
    return Unpacked(image, snapshot)


async def _manifest(containerd: Containerd, digest: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await containerd.read(digest))
    if found.get("mediaType") in INDEX_TYPES or "manifests" in found:
        for entry in found["manifests"]:
            platform_of = entry.get("platform") or HERE
            if all(platform_of.get(name) == value for name, value in HERE.items()):
                return await _manifest(containerd, entry["digest"])
        raise RuntimeFailure(
            "CannotPullContainerError",
            "image Manifest does not contain descriptor matching platform "
            f"'linux/{HERE['architecture']}'",
        )
    return found


def chain_id(diff_ids: list[str]) -> str:
    """The name of a stack of layers (OCI Image Specification, "Layer ChainID")."""
    chain = diff_ids[0]
    for diff_id in diff_ids[1:]:
        chain = "sha256:" + hashlib.sha256(f"{chain} {diff_id}".encode()).hexdigest()
    return chain


def image_config(found: Mapping[str, Any]) -> ImageConfig:
    """`config` of an OCI image configuration."""
    return ImageConfig(
        entrypoint=tuple(found.get("Entrypoint") or ()),
        command=tuple(found.get("Cmd") or ()),
        environment=tuple(found.get("Env") or ()),
        user=found.get("User") or "",
        working_directory=found.get("WorkingDir") or "",
        stop_signal=found.get("StopSignal") or "",
        labels=found.get("Labels") or {},
        volumes=tuple(found.get("Volumes") or ()),
    )
