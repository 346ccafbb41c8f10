"""The clients that people use push and pull, with nothing told to them but the image's name."""

import gzip
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.components import locate
from longshore.registry.clients import uninstall
from longshore.testing.docker import DockerEngine
from longshore.testing.images import busybox_files, make_image
from longshore.testing.registry import RunningRegistry
from longshore.testing.wait import wait_until

ETC = Path("/etc")
GZIP = b"\x1f\x8b"
PASSED = {"type": "insecureAcceptAnything"}


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """Of tests of a client whose package cannot be had everywhere."""
    reason = f"{program} is missing: apt-get install {package}"
    return pytest.mark.skipif(shutil.which(program) is None, reason=reason)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A registry whose names this machine resolves and trusts."""
    if os.geteuid() != 0:
        pytest.skip("writing to /etc needs root")
    running = RunningRegistry(tmp_path_factory.mktemp("machine"), etc=ETC)
    name = running.installation.registry_host("123456789012", "us-east-1").partition(":")[0]
    wait_until(lambda: f"{name} # longshore {running.installation.id}" in hosts())
    yield running
    running.close()
    uninstall(running.installation, ETC)
    assert running.installation.id not in hosts()
    assert not list(ETC.glob(f"*/certs.d/*:{running.installation.registry_port}"))


def hosts() -> str:
    return (ETC / "hosts").read_text()


class Host:
    """One user of the machine, with files of their own."""

    def __init__(self, registry: RunningRegistry, directory: Path) -> None:
        self.directory = directory
        self.registry = registry
        installation = registry.installation
        self.uri = installation.registry_host(installation.account, installation.region) + "/web"
        registry.create_repository("web")
        self.credentials = registry.credentials()
        files = busybox_files("sh", "cat")
        files["etc/greeting"] = directory.name.encode()
        self.layout = make_image(directory / "layout", files, {"Cmd": ["cat", "/etc/greeting"]})
        self.policy = directory / "policy.json"
        self.policy.write_text(json.dumps({"default": [PASSED]}))
        (directory / "auth.json").write_text("{}")
        # podman refuses longer paths than 50 characters here.
        root, run = directory / "root", tempfile.mkdtemp(prefix="run-", dir="/tmp")
        self.run_root = Path(run)
        self.storage = ["--root", root, "--runroot", run, "--storage-driver", "vfs"]

    def run(self, *command: object, told: str = "") -> str:
        done = subprocess.run(
            [str(word) for word in command],
            check=False,
            capture_output=True,
            text=True,
            input=told,
            timeout=60,
            env={**os.environ, "REGISTRY_AUTH_FILE": str(self.directory / "auth.json")},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def push_with_skopeo(self, tag: str) -> None:
        self.run(
            *("skopeo", "--insecure-policy", "copy", f"--dest-creds={self.credentials}"),
            *(f"oci:{self.layout}:latest", f"docker://{self.uri}:{tag}"),
        )

    def inspect(self, tag: str) -> dict[str, object]:
        told = self.run(
            "skopeo", "inspect", f"--creds={self.credentials}", f"docker://{self.uri}:{tag}"
        )
        return dict(json.loads(told))


@pytest.fixture
def host(machine: RunningRegistry, tmp_path: Path) -> Iterator[Host]:
    host = Host(machine, tmp_path)
    yield host
    shutil.rmtree(host.run_root, ignore_errors=True)


def test_skopeo_pushes_and_pulls(host: Host) -> None:
    host.push_with_skopeo("skopeo")
    host.run(
        *("skopeo", "--insecure-policy", "copy", f"--src-creds={host.credentials}"),
        *(f"docker://{host.uri}:skopeo", f"oci:{host.directory}/pulled:latest"),
    )
    # It compresses what it pushes: the manifest is another one.
    pulled = {unpacked(path) for path in (host.directory / "pulled/blobs/sha256").iterdir()}
    given = {unpacked(path) for path in (host.layout / "blobs/sha256").iterdir()}
    assert len(pulled & given) == len(given) - 1 == 2


def unpacked(blob: Path) -> bytes:
    content = blob.read_bytes()
    return gzip.decompress(content) if content.startswith(GZIP) else content


def test_skopeo_copies_every_image_of_an_index(host: Host) -> None:
    """And mounts, within one registry, what it would else push again."""
    host.push_with_skopeo("source")
    host.registry.create_repository("mirror")
    target = host.uri.replace("/web", "/mirror")
    credentials = (f"--src-creds={host.credentials}", f"--dest-creds={host.credentials}")
    host.run(
        *("skopeo", "--insecure-policy", "copy", "--all", *credentials),
        *(f"docker://{host.uri}:source", f"docker://{target}:copy"),
    )


@needs("buildah", "buildah")
def test_buildah_pulls_builds_and_pushes(host: Host) -> None:
    buildah = ["buildah", *host.storage]
    host.push_with_skopeo("base")
    login = ("--signature-policy", host.policy, "--creds", host.credentials)
    host.run(*buildah, "pull", *login, f"docker://{host.uri}:base")
    container = host.run(*buildah, "from", "--pull-never", f"{host.uri}:base").strip()
    host.run(*buildah, "copy", container, host.policy, "/etc/policy.json")
    host.run(*buildah, "commit", "--signature-policy", host.policy, container, f"{host.uri}:built")
    host.run(*buildah, "push", *login, f"{host.uri}:built")
    layers = host.inspect("built")["Layers"]
    assert isinstance(layers, list)
    assert len(layers) == 2


@needs("podman", "podman")
def test_podman_logs_in_pulls_and_pushes(host: Host) -> None:
    podman = ["podman", *host.storage]
    host.push_with_skopeo("base")
    registry, _, _ = host.uri.partition("/")
    password = host.credentials.partition(":")[2]
    host.run(*podman, "login", "-u", "AWS", "--password-stdin", registry, told=password)
    policy = ("--signature-policy", host.policy)
    host.run(*podman, "pull", *policy, f"{host.uri}:base")
    host.run(*podman, "tag", f"{host.uri}:base", f"{host.uri}:podman")
    host.run(*podman, "push", *policy, f"{host.uri}:podman")
    assert host.inspect("podman")["Architecture"] == host.inspect("base")["Architecture"]


@needs("dockerd", "docker.io")
def test_docker_logs_in_pulls_tags_and_pushes(host: Host, tmp_path: Path) -> None:
    host.push_with_skopeo("base")
    engine = DockerEngine(tmp_path / "docker")
    try:
        user, _, password = host.credentials.partition(":")
        registry = host.uri.partition("/")[0]
        engine.docker("login", "-u", user, "--password-stdin", registry, told=password.encode())
        engine.docker("pull", f"{host.uri}:base")
        engine.docker("tag", f"{host.uri}:base", f"{host.uri}:docker")
        engine.docker("push", f"{host.uri}:docker")
        assert engine.docker("run", "--rm", "--network=none", f"{host.uri}:docker") == (
            host.directory.name
        )
    finally:
        engine.close()
    assert host.inspect("docker")["Architecture"]


@pytest.fixture
def ctr(tmp_path: Path) -> Iterator[list[object]]:
    """`ctr` of a containerd of the test's own, without any runtime."""
    daemon, client = locate("containerd"), locate("ctr")
    short = Path(tempfile.mkdtemp(prefix="ctr-", dir="/tmp"))
    configuration = tmp_path / "containerd.toml"
    configuration.write_text(
        f'version = 3\nroot = "{tmp_path}/containerd"\nstate = "{short}/state"\n'
        'disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",'
        ' "io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{short}/sock"\n[ttrpc]\naddress = "{short}/sock.ttrpc"\n'
    )
    log = (tmp_path / "containerd.log").open("wb")
    process = subprocess.Popen([daemon, "--config", configuration], stdout=log, stderr=log)
    command: list[object] = [client, "--address", short / "sock"]
    version = [*map(str, command), "version"]
    wait_until(lambda: subprocess.run(version, check=False, capture_output=True).returncode == 0)
    yield command
    process.terminate()
    process.wait()
    log.close()
    shutil.rmtree(short, ignore_errors=True)


def test_containerd_pulls_and_pushes_with_its_hosts_directory(
    host: Host, ctr: list[object]
) -> None:
    host.push_with_skopeo("base")
    trust = ("--hosts-dir", ETC / "containerd/certs.d", "--user", host.credentials)
    host.run(*ctr, "images", "pull", "--local", *trust, f"{host.uri}:base")
    host.run(*ctr, "images", "tag", f"{host.uri}:base", f"{host.uri}:containerd")
    host.run(*ctr, "images", "push", "--local", *trust, f"{host.uri}:containerd")
    assert host.inspect("containerd")["Digest"] == host.inspect("base")["Digest"]
