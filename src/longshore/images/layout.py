"""OCI image layouts written on the spot ("OCI Image Layout Specification"), without a builder."""

import hashlib
import io
import json
import platform
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
"""Not compressed: an image that goes no further than this machine is made and pulled in a fifth of
the time."""
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
TAG = "latest"


def busybox() -> Path:
    """The machine's static busybox; LookupError where there is none."""
    found = shutil.which("busybox")
    if found is None:
        raise LookupError("busybox is missing: apt-get install busybox-static")
    return Path(found)


def busybox_files(*applets: str) -> dict[str, bytes | Path]:
    """`/bin/busybox` and links to it by the names of `applets`, for `make_image`."""
    links: dict[str, bytes | Path] = {f"bin/{name}": Path("busybox") for name in applets}
    return {"bin/busybox": busybox().read_bytes(), **links}


def make_image(
    directory: Path, files: Mapping[str, bytes | Path], config: Mapping[str, Any] | None = None
) -> Path:
    """Write an OCI image layout of one layer, tagged `latest`, into `directory`; its path.

    `files` gives contents by path inside the image, all of mode 0755; a relative `Path` is a
    symbolic link to it, an absolute one is a file or a directory of this machine, copied. `config`
    is the image configuration's `config` member (`Cmd`, `Env`, `User`…). The same arguments give
    the same digests.
    """
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    layer = _add(blobs, LAYER_TYPE, _layer(files))
    document = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": dict(config or {}),
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _add(blobs, CONFIG_TYPE, json.dumps(document).encode()),
        "layers": [layer],
    }
    entry = _add(blobs, MANIFEST_TYPE, json.dumps(manifest).encode())
    entry["annotations"] = {"org.opencontainers.image.ref.name": TAG}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return directory


def _add(blobs: Path, media_type: str, content: bytes) -> dict[str, Any]:
    """Keep a blob; its descriptor."""
    name = hashlib.sha256(content).hexdigest()
    (blobs / name).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(content)}


def _layer(files: Mapping[str, bytes | Path]) -> bytes:
    """An uncompressed layer; directories come before what is in them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for directory in _directories(files):
            archive.addfile(
                _entry(directory, tarfile.DIRTYPE, 0o1777 if directory == "tmp" else 0o755)
            )
        for name, content in sorted(files.items()):
            _add_entry(archive, name.strip("/"), content)
    return buffer.getvalue()


def _directories(files: Mapping[str, bytes | Path]) -> list[str]:
    parents = {str(parent) for name in files for parent in Path(name.strip("/")).parents}
    return sorted((parents | {"tmp"}) - {"."})


def _add_entry(archive: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    if isinstance(content, Path) and content.is_absolute():
        archive.add(content, name, filter=_of_root)
    elif isinstance(content, Path):
        link = _entry(name, tarfile.SYMTYPE, 0o777)
        link.linkname = str(content)
        archive.addfile(link)
    else:
        entry = _entry(name, tarfile.REGTYPE, 0o755)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, mode
    return entry
