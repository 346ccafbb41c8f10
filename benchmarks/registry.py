"""Push and pull of an image of 1 GiB: Longshore's registry beside Debian's docker-registry.

    .venv/bin/python benchmarks/registry.py [--size MIB] [--rounds N]

Both serve HTTPS with the same certificate to the same clients on the same disk, in turns: first
skopeo, as people push and pull, then bare HTTP (curl), which costs less itself and so shows more of
the registries. Random layers, so that nothing is compressed away, and other ones in each round,
since skopeo remembers what a registry has. Pulls end in memory. Prints medians in MB/s.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3

from longshore.base.authority import Authority
from longshore.testing.images import push_image
from longshore.testing.ports import free_ports

MIB = 1024 * 1024
LAYERS = 4
LONGSHORE = """
import asyncio, sys
from pathlib import Path
import uvloop
from longshore.base.logs import configure_logs
from longshore.testing.registry import RunningRegistry
configure_logs("warning")
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
registry = RunningRegistry(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    registry.create_repository(f"bench/{number}")
print(registry.host, registry.credentials(), flush=True)
sys.stdin.read()
registry.close()
"""
CONFIGURATION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {root}}}
http:
  addr: 127.0.0.1:{port}
  tls: {{certificate: {certificate}, key: {key}}}
"""


class Registry:
    """A registry process, how to reach it, and what its process has used."""

    def __init__(self, name: str, process: "subprocess.Popen[str]", host: str, creds: str) -> None:
        self.name = name
        self.process = process
        self.host = host
        self.creds = creds
        self.repository = 0

    @property
    def target(self) -> str:
        return f"{self.host}/bench/{self.repository}"

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> float:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        return 0.0


def start_longshore(directory: Path, repositories: int) -> Registry:
    process = subprocess.Popen(
        [sys.executable, "-c", LONGSHORE, str(directory), str(repositories)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    host, creds = process.stdout.readline().split()
    return Registry("longshore", process, host, creds)


def start_docker_registry(directory: Path, authority: Authority) -> Registry:
    port = free_ports(1)
    certificate, key = authority.certificate(["localhost"], ["127.0.0.1"])
    configuration = directory / "config.yml"
    configuration.write_text(
        CONFIGURATION.format(root=directory / "root", port=port, certificate=certificate, key=key)
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", configuration],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    host = f"127.0.0.1:{port}"
    pool = urllib3.PoolManager(ca_certs=str(authority.certificate_path), retries=False)
    while True:
        try:
            pool.request("GET", f"https://{host}/v2/")
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
        else:
            return Registry("docker-registry", process, host, "")


def random_image(directory: Path, size: int) -> Path:
    """An image layout of `size` MiB of random bytes."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    media = "application/vnd.oci.image."
    layers = [
        _blob(blobs, media + "layer.v1.tar+gzip", size * MIB // LAYERS) for _ in range(LAYERS)
    ]
    config: dict[str, Any] = {
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}
    }
    config.update({"architecture": "amd64", "os": "linux"})
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media + "manifest.v1+json",
        "config": _content(blobs, media + "config.v1+json", json.dumps(config).encode()),
        "layers": layers,
    }
    entry = _content(blobs, manifest["mediaType"], json.dumps(manifest).encode())
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return directory


def _blob(blobs: Path, media_type: str, size: int) -> dict[str, Any]:
    """A gzip file of stored blocks: skopeo would compress what is not compressed yet."""
    digest, length = hashlib.sha256(), 0
    packer = zlib.compressobj(0, wbits=31)
    draft = blobs / "draft"
    with draft.open("wb") as file:
        for _ in range(size // MIB):
            piece = packer.compress(os.urandom(MIB))
            digest.update(piece)
            length += file.write(piece)
        tail = packer.flush()
        digest.update(tail)
        length += file.write(tail)
    draft.rename(blobs / digest.hexdigest())
    return {"mediaType": media_type, "digest": f"sha256:{digest.hexdigest()}", "size": length}


def _content(blobs: Path, media_type: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def seconds(run: Callable[[], object]) -> float:
    """How long `run` takes, everything before it being on the disk."""
    os.sync()
    began = time.monotonic()
    run()
    return time.monotonic() - began


def pull_with_skopeo(registry: Registry, ca: Path, to: Path) -> None:
    trusted = ca.parent / "trusted"
    trusted.mkdir(exist_ok=True)
    shutil.copy(ca, trusted / "ca.crt")
    login = [f"--src-creds={registry.creds}"] if registry.creds else ["--src-no-creds"]
    subprocess.run(
        [
            *("skopeo", "--insecure-policy", "copy", "--quiet", *login),
            *(f"--src-cert-dir={trusted}", f"docker://{registry.target}:v1", f"dir:{to}"),
        ],
        check=True,
    )


def curl(registry: Registry, ca: Path, *arguments: str) -> str:
    login = ["--user", registry.creds] if registry.creds else []
    return subprocess.run(
        ["curl", "-sS", "--fail", "--cacert", str(ca), *login, *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def push_blob(registry: Registry, ca: Path, blob: Path) -> None:
    base = f"https://{registry.host}"
    told = curl(
        registry,
        ca,
        "-X",
        "POST",
        "-D",
        "-",
        f"https://{registry.target.replace('/bench', '/v2/bench', 1)}/blobs/uploads/",
    )
    location = next(
        line.split(None, 1)[1].strip()
        for line in told.splitlines()
        if line.lower().startswith("location:")
    )
    url = location if location.startswith("https:") else base + location
    joined = f"{url}{'&' if '?' in url else '?'}digest=sha256:{blob.name}"
    curl(registry, ca, "-T", str(blob), "-H", "Expect:", joined)


def pull_blob(registry: Registry, ca: Path, blob: Path) -> None:
    place = registry.target.replace("/bench", "/v2/bench", 1)
    curl(registry, ca, "-o", "/dev/null", f"https://{place}/blobs/sha256:{blob.name}")


def measure(registry: Registry, ca: Path, layout: Path, size: int) -> dict[str, float]:
    """MB/s of each kind of transfer, each to a repository of its own."""
    blob = max((layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    pulled = Path(tempfile.mkdtemp(dir="/dev/shm"))
    whole, single = size * MIB / 1e6, blob.stat().st_size / 1e6
    before = registry.cpu_seconds()
    found = {
        "skopeo push": whole
        / seconds(lambda: push_image(layout, f"{registry.target}:v1", registry.creds, ca)),
        "skopeo pull": whole / seconds(lambda: pull_with_skopeo(registry, ca, pulled)),
    }
    shutil.rmtree(pulled)
    found["GET of a blob"] = single / seconds(lambda: pull_blob(registry, ca, blob))
    registry.repository += 1
    found["PUT of a blob"] = single / seconds(lambda: push_blob(registry, ca, blob))
    registry.repository += 1
    found["CPU seconds"] = registry.cpu_seconds() - before
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024, help="MiB")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="longshore-benchmark-"))
    registries: list[Registry] = []
    try:
        data = scratch / "longshore"
        data.mkdir()
        registries.append(start_longshore(data, options.rounds * 2))
        authority = Authority.load_or_create(data / "ca", "Longshore test")
        other = scratch / "docker-registry"
        other.mkdir()
        registries.append(start_docker_registry(other, authority))
        results: dict[str, list[dict[str, float]]] = {r.name: [] for r in registries}
        for turn in range(options.rounds):
            layout = random_image(scratch / "image", options.size)
            for registry in registries if turn % 2 == 0 else reversed(registries):
                results[registry.name].append(
                    measure(registry, authority.certificate_path, layout, options.size)
                )
            shutil.rmtree(layout)
        show(results, registries, options.size)
    finally:
        for registry in registries:
            registry.process.terminate()
            registry.process.wait()
        shutil.rmtree(scratch)


def show(results: dict[str, list[dict[str, float]]], registries: list[Registry], size: int) -> None:
    ours, theirs = (results[registry.name] for registry in registries)
    print(f"{size} MiB, HTTPS, medians of {len(ours)}")
    print(f"{'':16}{'longshore':>12}{'docker-registry':>18}{'ratio':>8}")
    for name in ours[0]:
        one, two = (statistics.median(r[name] for r in found) for found in (ours, theirs))
        unit = "" if name == "CPU seconds" else " MB/s"
        print(f"{name:16}{one:>12.1f}{two:>18.1f}{one / two:>8.2f}{unit}")
    peaks = [registry.peak_mib() for registry in registries]
    print(f"{'peak MiB':16}{peaks[0]:>12.1f}{peaks[1]:>18.1f}{peaks[0] / peaks[1]:>8.2f}")


if __name__ == "__main__":
    main()
