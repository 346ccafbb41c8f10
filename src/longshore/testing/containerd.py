"""A containerd of a test's own, with images made on the spot."""

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from longshore.base.installation import Installation
from longshore.components import ComponentsDirectory, locate
from longshore.runtime.containerd import daemon
from longshore.testing.images import make_image
from longshore.testing.wait import wait_until


class TestContainerd:
    """One containerd; `kill` and `start` are for tests of what survives."""

    __test__ = False

    def __init__(self, directory: Path) -> None:
        self.installation = Installation(data_dir=directory)
        self._programs = ComponentsDirectory.from_environment().bin
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, before: Path | None = None) -> None:
        """Return once it answers; programs in `before` are taken before the components."""
        daemon.prepare(self.installation, self._programs)
        environment = daemon.environment(self._programs)
        if before:
            environment["PATH"] = f"{before}:{environment['PATH']}"
        with (self.installation.data_dir / "containerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                daemon.command(self.installation, self._programs),
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: self._ctr("version").returncode == 0, what="containerd answers")

    @property
    def top(self) -> str:
        """The cgroup of all sandboxes, relative to the hierarchies."""
        return f"longshore-{self.installation.id}"

    def kill(self) -> None:
        """SIGKILL: shims and containers go on."""
        if self._process is not None:
            self._process.kill()
            self.ended()

    def runs(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def ended(self) -> None:
        """Return once its process has ended."""
        if self._process is not None:
            self._process.wait()

    def import_image(
        self, name: str, files: Mapping[str, bytes | Path], config: Mapping[str, Any]
    ) -> str:
        """Make an image and unpack it; its reference."""
        layout = make_image(self.installation.data_dir / f"image-{name}", files, config)
        archive = layout.with_suffix(".tar")
        subprocess.run(["tar", "-C", layout, "-cf", archive, "."], check=True)
        reference = f"docker.io/library/{name}:latest"
        done = self._ctr("images", "import", "--index-name", reference, str(archive))
        done.check_returncode()
        return reference

    def _ctr(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        address = daemon.socket_path(self.installation)
        namespace = daemon.namespace(self.installation)
        return subprocess.run(
            [locate("ctr"), "--address", address, "--namespace", namespace, *arguments],
            check=False,
            capture_output=True,
            timeout=60,
        )

    def end(self) -> None:
        """Leave nothing behind."""
        self.kill()
        daemon.destroy(self.installation)


@contextlib.contextmanager
def running_containerd(directory: Path) -> Iterator[TestContainerd]:
    """A containerd with its data in `directory`."""
    containerd = TestContainerd(directory)
    containerd.start()
    try:
        yield containerd
    finally:
        containerd.end()


@contextlib.contextmanager
def network_namespace(name: str) -> Iterator[Path]:
    """An empty network namespace with its loopback up."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield Path("/run/netns") / name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
