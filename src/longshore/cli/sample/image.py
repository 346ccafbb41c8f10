"""The sample's image, made on the spot: the machine's static busybox and the files of `root/`."""

import gzip
import hashlib
import io
import json
import platform
import shutil
import tarfile
from importlib.resources import as_file, files
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def write_image(directory: Path) -> Path:
    """An OCI image layout ("OCI Image Layout Specification") with the tag `latest`."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise FileNotFoundError("busybox is missing: apt-get install busybox-static")
    layer = _layer(Path(busybox))
    packed = gzip.compress(layer, mtime=0)
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Cmd": ["/start"], "ExposedPorts": {"8080/tcp": {}}},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    layout = Layout(directory)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": layout.add(CONFIG_TYPE, json.dumps(config).encode()),
        "layers": [layout.add(LAYER_TYPE, packed)],
    }
    layout.finish(layout.add(MANIFEST_TYPE, json.dumps(manifest).encode()), "latest")
    return directory


class Layout:
    """A directory in the form of the OCI image layout."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._blobs = directory / "blobs" / "sha256"
        self._blobs.mkdir(parents=True, exist_ok=True)

    def add(self, media_type: str, content: bytes) -> dict[str, object]:
        """Keep a blob; its descriptor."""
        digest = _digest(content)
        (self._blobs / digest.removeprefix("sha256:")).write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def finish(self, manifest: dict[str, object], tag: str) -> None:
        """Write the index, which names `manifest` by `tag`."""
        entry = {**manifest, "annotations": {"org.opencontainers.image.ref.name": tag}}
        index = {"schemaVersion": 2, "manifests": [entry]}
        (self._directory / "index.json").write_text(json.dumps(index))
        (self._directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _layer(busybox: Path) -> bytes:
    """One uncompressed layer; the same files give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("bin", "tmp"):
            archive.addfile(_entry(name, tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755))
        _add_file(archive, "bin/busybox", busybox.read_bytes(), 0o755)
        with as_file(files("longshore.cli.sample") / "root") as root:
            for path in sorted(root.rglob("*")):
                name = str(path.relative_to(root))
                if path.is_dir():
                    archive.addfile(_entry(name, tarfile.DIRTYPE, 0o755))
                else:
                    script = path.read_bytes().startswith(b"#!")
                    _add_file(archive, name, path.read_bytes(), 0o755 if script else 0o644)
    return buffer.getvalue()


def _add_file(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = _entry(name, tarfile.REGTYPE, mode)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, mode
    return entry
