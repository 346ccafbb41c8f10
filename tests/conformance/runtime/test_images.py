"""Images come from a registry, once, and are what was asked for."""

import os
import shutil

import pytest

from longshore.runtime.containerd.runtime import ContainerdRuntime
from longshore.runtime.interface import RegistryCredentials, RuntimeFailure
from longshore.testing.images import busybox_files, make_image, push_image
from longshore.testing.registry import RunningRegistry

MISSING = "sha256:" + "0" * 64


class Shop:
    """A registry with one image, and the runtime that pulls from it."""

    def __init__(self, registry, directory, runtime):
        self.registry = registry
        self.runtime = runtime
        self.name = f"{registry.host}/web"
        registry.create_repository("web")
        config = {
            "Entrypoint": ["/bin/echo"],
            "Cmd": ["hello"],
            "Env": ["A=b"],
            "User": "5:6",
            "WorkingDir": "/bin",
            "StopSignal": "SIGQUIT",
            "Labels": {"a": "b"},
        }
        layout = make_image(directory / "web", busybox_files("echo"), config)
        ca = registry.authority.certificate_path
        self.digest = push_image(layout, f"{self.name}:one", registry.credentials(), ca)

    @property
    def credentials(self):
        return RegistryCredentials(self.registry.host, "AWS", self.registry.password())

    async def pull(self, reference):
        return await self.runtime.pull(reference, self.credentials)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    running = RunningRegistry(tmp_path_factory.mktemp("registry"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def pushed(registry, tmp_path_factory):
    return Shop(registry, tmp_path_factory.mktemp("images"), None)


@pytest.fixture
async def shop(registry, pushed, containerd, tmp_path):
    hosts = tmp_path / "hosts" / registry.host
    hosts.mkdir(parents=True)
    shutil.copy(registry.authority.certificate_path, hosts / "ca.crt")
    text = f'server = "https://{registry.host}"\nca = "{hosts}/ca.crt"\n'
    (hosts / "hosts.toml").write_text(text)
    pushed.runtime = ContainerdRuntime(containerd.installation, tmp_path / "hosts")
    yield pushed
    await pushed.runtime.close()


async def test_pulled_image_tells_its_digest_and_its_configuration(shop):
    image = await shop.pull(f"{shop.name}:one")
    assert image.digest == shop.digest
    assert image.config.entrypoint == ("/bin/echo",)
    assert image.config.command == ("hello",)
    assert image.config.environment == ("A=b",)
    assert (image.config.user, image.config.working_directory) == ("5:6", "/bin")
    assert image.config.stop_signal == "SIGQUIT"
    assert image.config.labels == {"a": "b"}


async def test_image_is_known_by_tag_and_by_digest_once_it_was_pulled(shop):
    reference = f"{shop.name}@{shop.digest}"
    assert await shop.runtime.image(reference) is None
    pulled = await shop.pull(reference)
    assert pulled.digest == shop.digest
    assert await shop.runtime.image(reference) == pulled


async def test_tag_that_is_not_there_is_cannot_pull_container(shop):
    with pytest.raises(RuntimeFailure, match="web:two: not found") as refused:
        await shop.pull(f"{shop.name}:two")
    assert refused.value.code == "CannotPullContainerError"


async def test_digest_that_is_not_there_is_cannot_pull_container(shop):
    with pytest.raises(RuntimeFailure, match="not found") as refused:
        await shop.pull(f"{shop.name}@{MISSING}")
    assert refused.value.code == "CannotPullContainerError"


async def test_registry_that_does_not_answer_is_cannot_pull_container(shop):
    with pytest.raises(RuntimeFailure, match="connection refused") as refused:
        await shop.pull("127.0.0.1:1/web:one")
    assert refused.value.code == "CannotPullContainerError"


async def test_wrong_password_is_cannot_pull_container(shop):
    wrong = RegistryCredentials(shop.registry.host, "AWS", "wrong")
    with pytest.raises(RuntimeFailure) as refused:
        await shop.runtime.pull(f"{shop.name}:three", wrong)
    assert refused.value.code == "CannotPullContainerError"


async def test_layer_that_is_not_what_its_digest_says_is_refused(shop, tmp_path):
    shop.registry.create_repository("rotten")
    layout = make_image(tmp_path / "rotten", {"file": os.urandom(64)}, {})
    name = f"{shop.registry.host}/rotten:one"
    ca = shop.registry.authority.certificate_path
    push_image(layout, name, shop.registry.credentials(), ca)
    layer = max((blob.read_bytes() for blob in layout.glob("blobs/sha256/*")), key=len)
    stored = shop.registry.installation.data_dir / "registry"
    file = next(path for path in stored.rglob("*") if path.is_file() and path.read_bytes() == layer)
    file.chmod(0o600)
    file.write_bytes(layer[:-1] + bytes([layer[-1] ^ 1]))
    with pytest.raises(RuntimeFailure) as refused:
        await shop.pull(name)
    assert refused.value.code == "CannotPullContainerError"
    assert await shop.runtime.image(name) is None


async def test_configuration_larger_than_8_mib_is_refused(shop, containerd):
    containerd.import_image("large", {"file": b""}, {"Labels": {"a": "b" * (8 * 2**20)}})
    with pytest.raises(RuntimeFailure, match="larger than 8388608 bytes") as refused:
        await shop.runtime.image("large")
    assert refused.value.code == "CannotPullContainerError"
