"""A Docker engine for tests and benchmarks, apart from any other on the machine."""

import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from longshore.testing.wait import wait_until

START_SECONDS = 60.0
COMMAND_SECONDS = 180.0


class DockerEngine:
    """`dockerd` in `directory`, until `close`.

    With `bridge` it has its usual bridge and iptables rules, in a network namespace of its own, so
    that nothing of them is left; without, containers have the host's network or none, and the
    engine reaches what the host reaches.
    """

    def __init__(self, directory: Path, *, bridge: bool = False) -> None:
        """LookupError where dockerd is not installed; AssertionError where it does not start."""
        if shutil.which("dockerd") is None:
            raise LookupError("dockerd is missing: apt-get install docker.io")
        directory.mkdir(parents=True, exist_ok=True)
        # A socket's path may have 107 bytes, fewer than tests' directories take.
        self._run = Path(tempfile.mkdtemp(prefix="docker-", dir="/tmp"))
        self._socket = self._run / "docker.sock"
        apart = ["unshare", "--net"] if bridge else []
        network = [] if bridge else ["--bridge=none", "--iptables=false"]
        with (directory / "dockerd.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *apart,
                    "dockerd",
                    f"--data-root={directory}/data",
                    f"--exec-root={self._run}/exec",
                    f"--pidfile={self._run}/pid",
                    f"--host={self.host}",
                    # Where oom_score_adj may not be lowered, dockerd would refuse to start.
                    "--oom-score-adjust=0",
                    *network,
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, START_SECONDS, f"dockerd answers; see {directory}/dockerd.log")

    @property
    def host(self) -> str:
        """What a docker command reaches it by, in DOCKER_HOST."""
        return f"unix://{self._socket}"

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError("dockerd ended")
        return self._socket.exists() and self._docker("version", check=False).returncode == 0

    def _docker(
        self, *arguments: str, check: bool = True, told: bytes = b""
    ) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            ["docker", f"--host={self.host}", *arguments],
            check=check,
            capture_output=True,
            input=told,
            timeout=COMMAND_SECONDS,
            env={**os.environ, "DOCKER_CONFIG": str(self._run / "config")},
        )

    def docker(self, *arguments: str, told: bytes = b"") -> str:
        """What the docker command prints; CalledProcessError where it fails."""
        return self._docker(*arguments, told=told).stdout.decode().strip()

    def import_image(self, name: str, files: Mapping[str, bytes], command: list[str]) -> None:
        """An image of these files (contents by path, mode 0755) that runs `command`."""
        archive = BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path, content in files.items():
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = len(content), 0o755
                tar.addfile(entry, BytesIO(content))
        words = ", ".join(f'"{word}"' for word in command)
        self.docker("import", "--change", f"CMD [{words}]", "-", name, told=archive.getvalue())

    def close(self) -> None:
        """End every container, the engine and its containerd."""
        containers = self.docker("ps", "--all", "--quiet").split()
        if containers:
            self.docker("rm", "--force", *containers)
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()
        shutil.rmtree(self._run, ignore_errors=True)
