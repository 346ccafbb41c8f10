"""A control plane of Kubernetes alone: its processes in a network namespace, without a cloud."""

import asyncio
import contextlib
import json
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from longshore.base.certificates import KeyPair
from longshore.base.clock import SystemClock
from longshore.components import locate
from longshore.fabric.namespaces import within
from longshore.kubernetes import ControlPlane, commands, etcd_files, files, kubeconfig, new_keys
from longshore.kubernetes.access import Access
from longshore.kubernetes.control_plane import administrator
from longshore.kubernetes.kubeconfig import certificate
from longshore.testing.containerd import network_namespace
from longshore.testing.wait import wait_until

T = TypeVar("T")
ADDRESS = "10.123.0.2"
READY_SECONDS = 90.0


class RunningControlPlane:
    """The processes of one control plane; `kubectl` speaks to it as its administrator."""

    def __init__(self, minor: str, directory: Path, namespace: str, **further: Any) -> None:
        self._kube = locate(f"kube-{minor}")
        self._namespace = namespace
        self._directory = directory
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        now = SystemClock().now()
        self.plane = ControlPlane(
            cluster="tests",
            directory=str(directory / "files"),
            data=str(directory / "etcd"),
            address=ADDRESS,
            service_cidr="172.20.0.0/16",
            issuer="https://oidc.example/id/tests",
            **further,
        )
        self.keys = new_keys("tests", now)
        Path(self.plane.directory).mkdir()
        for made in (files, etcd_files):
            for name, content in made(self.plane, self.keys, now).items():
                (Path(self.plane.directory) / name).write_bytes(content)
        self.administrator = self.config("administrator", administrator(self.keys, now))

    def config(self, name: str, client: KeyPair) -> Path:
        """A kubeconfig of this client."""
        path = self._directory / f"{name}.conf"
        authority = self.keys.cluster.certificate
        url = f"https://{ADDRESS}:{self.plane.port}"
        path.write_bytes(kubeconfig(url, authority, certificate(client)))
        return path

    @property
    def namespace(self) -> Path:
        """The network namespace that its processes are in."""
        return Path("/run/netns") / self._namespace

    @property
    def access(self) -> Access:
        """As Longshore's own loops have it, in the plane's namespace."""
        client = administrator(self.keys, SystemClock().now())
        return Access(
            url=f"https://{ADDRESS}:{self.plane.port}",
            authority_pem=self.keys.cluster.certificate,
            client_cert_pem=client.certificate,
            client_key_pem=client.key,
        )

    def inside(self, do: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the coroutine gives, run in the plane's namespace: in one loop, until `close`."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._run_loop, args=[self._loop])
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(do(), self._loop).result()

    def _run_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        with within(self.namespace):
            loop.run_forever()
        loop.close()

    def close(self) -> None:
        """End the loop."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop = None

    def start(self) -> None:
        """Start every process; return when the API server is ready and its clients run.

        These come after it: they end at once where they are refused what it has no rules for yet.
        """
        every = commands(self.plane)
        for name in ("etcd", "kube-apiserver"):
            self._start(name, every[name])
        wait_until(self.is_ready, READY_SECONDS, "the API server is ready")
        for name in every.keys() - self._processes.keys():
            self._start(name, every[name])
        wait_until(self._controllers_run, READY_SECONDS, "the controllers run")

    def _controllers_run(self) -> bool:
        """Whether they have made what each namespace has."""
        return self.run("get", "serviceaccount", "default", check=False).returncode == 0

    def _start(self, name: str, arguments: list[str]) -> None:
        with (self._directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                self._inside(*arguments), stdout=log, stderr=log
            )

    def restart(self, name: str) -> None:
        """SIGKILL to one process, and another one in its place."""
        killed = self._processes.pop(name)
        killed.kill()
        killed.wait()
        self._start(name, commands(self.plane)[name])

    def is_ready(self) -> bool:
        """Whether the API server says so."""
        told = self.run("get", "--raw", "/readyz", check=False)
        return told.stdout == "ok"

    def kill(self) -> None:
        """SIGKILL to every process."""
        for process in self._processes.values():
            process.kill()
        while self._processes:
            self._processes.popitem()[1].wait()

    def run(
        self,
        *arguments: str,
        check: bool = True,
        config: Path | None = None,
        stdin: str | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """`kubectl ARGUMENTS`."""
        done = subprocess.run(
            self._inside("kubectl", f"--kubeconfig={config or self.administrator}", *arguments),
            check=False,
            capture_output=True,
            text=True,
            input=stdin,
            timeout=READY_SECONDS,
        )
        assert done.returncode == 0 or not check, done
        return done

    def kubectl(self, *arguments: str) -> Any:
        """What `kubectl ARGUMENTS --output=json` says."""
        return json.loads(self.run(*arguments, "--output=json").stdout)

    def _inside(self, *arguments: str) -> list[str]:
        return self.in_namespace(str(self._kube), *arguments)

    def in_namespace(self, *command: str) -> list[str]:
        """The command line that runs this one in the plane's namespace."""
        return ["ip", "netns", "exec", self._namespace, *command]


Beside = Callable[[RunningControlPlane], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def no_neighbour(_plane: RunningControlPlane) -> Iterator[None]:
    """Nothing is needed beside a control plane."""
    yield


@contextlib.contextmanager
def running_control_plane(
    minor: str, directory: Path, name: str, beside: Beside = no_neighbour, **further: Any
) -> Iterator[RunningControlPlane]:
    """One of this minor version, with its files below `directory`; `name` is its namespace's.
    `beside` is what has to be there before it, `further` are members of `ControlPlane`."""
    with network_namespace(name):
        for command in (
            ("link", "add", "eth0", "type", "veth", "peer", "name", "other"),
            ("address", "add", f"{ADDRESS}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "other", "up"),
            ("route", "add", "default", "dev", "eth0"),
        ):
            subprocess.run(["ip", "-n", name, *command], check=True)
        running = RunningControlPlane(minor, directory, name, **further)
        try:
            with beside(running):
                running.start()
                yield running
        finally:
            running.close()
            running.kill()
