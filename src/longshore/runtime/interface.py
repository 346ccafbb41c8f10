"""What a runtime promises to the agent.

Terms
-----
A *sandbox* is one task's surroundings: a network namespace, a cgroup with the task's limits and,
under gVisor, one kernel. A *container* runs in one sandbox. Both have ids that the caller chooses
and that stay the same over the agent's life and death, so that they can be adopted: a runtime keeps
nothing that containerd does not keep too. No id may be the beginning of another: runsc takes a
beginning for the whole.

Lifecycle
---------
    image = await runtime.pull("host/repo:tag", credentials)
    await runtime.create_sandbox(SandboxSpec(...))
    await runtime.create_container(ContainerSpec(...))
    await runtime.start(container_id)
    exit = await runtime.wait(container_id)
    await runtime.signal(container_id, signal.SIGTERM)
    await runtime.remove_container(container_id)     # kills first; safe without create
    await runtime.remove_sandbox(sandbox_id)         # safe without create
After `close()` (or kill -9) everything goes on; a new runtime object on the same installation lists
and waits for the same containers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec


class RuntimeFailure(Exception):
    """What was asked could not be done; `code` is ECS's word for it.

    Codes: `CannotPullContainerError`, `CannotPullImageManifestError`, `CannotCreateContainerError`,
    `CannotStartContainerError`, `ResourceInitializationError`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class RegistryUnreachable(RuntimeFailure):
    """A pull failed because the registry did not answer, or not to the end; it may later."""


class RegistryCredentials(msgspec.Struct, frozen=True):
    """User name and password for one registry host (`host:port`)."""

    host: str
    user: str
    password: str


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is unpacked and ready to run."""

    reference: str
    digest: str
    """Of the manifest (or index) that the reference points to: `sha256:…`."""
    config: "ImageConfig"


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the image says of its process (OCI image configuration, `config`)."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    """`NAME=value`."""
    user: str = ""
    working_directory: str = ""
    stop_signal: str = ""
    labels: Mapping[str, str] = {}
    volumes: tuple[str, ...] = ()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """0 means no limit."""

    cpu_shares: int = 0
    """Relative weight, 1024 a vCPU."""
    cpu_quota: float = 0.0
    """Hard limit in vCPUs."""
    memory: int = 0
    """Bytes; a container that goes over is killed."""
    memory_reservation: int = 0
    """Bytes."""
    swap: int = -1
    """Bytes of memory and swap together; -1: as much memory again as `memory`."""
    pids: int = 0


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """A directory or file of the host, or a tmpfs, inside the container."""

    target: str
    source: str = ""
    kind: str = "bind"
    """`bind` or `tmpfs`."""
    read_only: bool = False
    options: tuple[str, ...] = ()


class Ulimit(msgspec.Struct, frozen=True):
    """`name` without `RLIMIT_`, in lower case (`nofile`)."""

    name: str
    soft: int
    hard: int


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device of the host; `permissions` of `r`, `w`, `m`."""

    host_path: str
    container_path: str
    permissions: str = "rwm"


class SandboxSpec(msgspec.Struct, frozen=True, kw_only=True):
    """`isolation` is `runc` or `gvisor`; `namespace` the network namespace, None for the host's."""

    id: str
    isolation: str
    namespace: Path | None
    limits: Limits = Limits()
    hostname: str = ""
    labels: Mapping[str, str] = {}
    storage: int = 0
    """Bytes that each container may write to its own file system, and to each of `volumes`; 0: no
    limit. On `gvisor` only."""
    volumes: tuple[Path, ...] = ()
    """Empty directories of the host that are the sandbox's alone, for its containers' mounts."""
    pid_mode: str = ""
    """Empty, `task` or `host`."""
    ipc_mode: str = ""
    """Empty, `task`, `host` or `none`."""


class ContainerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One container. What is empty comes from the image, where the image says it."""

    id: str
    sandbox_id: str
    image: str
    arguments: tuple[str, ...] = ()
    """The whole argument vector, entry point and command already put together."""
    environment: Sequence[str] = ()
    """`NAME=value`, the image's already merged in."""
    working_directory: str = ""
    hostname: str = ""
    """Empty: the sandbox's."""
    namespace: Path | None = None
    """A network namespace of its own, on `runc`; None: the sandbox's."""
    user: str = ""
    """`user`, `uid`, `user:group`, as in a Dockerfile; names are looked up in the image."""
    limits: Limits = Limits()
    mounts: tuple[Mount, ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    devices: tuple[Device, ...] = ()
    capabilities_add: tuple[str, ...] = ()
    capabilities_drop: tuple[str, ...] = ()
    privileged: bool = False
    read_only_root: bool = False
    no_new_privileges: bool = False
    terminal: bool = False
    interactive: bool = False
    init: bool = False
    shared_memory: int = 0
    """Bytes of /dev/shm; 0: 64 MiB."""
    sysctls: Mapping[str, str] = {}
    log_directory: Path
    """Where `stdout` and `stderr` are kept as append-only files until the agent has sent them."""
    labels: Mapping[str, str] = {}


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a container's first process ended; `at` in epoch seconds."""

    code: int
    at: float
    out_of_memory: bool = False


class ContainerState(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is `created`, `running` or `stopped`."""

    id: str
    sandbox_id: str
    status: str
    pid: int = 0
    exit: Exit | None = None
    labels: Mapping[str, str] = {}


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of one container: nanoseconds and bytes since its start."""

    cpu_nanoseconds: int
    memory_bytes: int
    memory_limit_bytes: int
    read_bytes: int = 0
    written_bytes: int = 0
    pids: int = 0


class Runtime(Protocol):
    """The host's containers."""

    async def pull(self, reference: str, credentials: RegistryCredentials | None) -> Image:
        """Fetch and unpack; cached layers are not fetched again. Raises `RuntimeFailure`."""

    async def image(self, reference: str) -> Image | None:
        """The image, if it is here already."""

    async def create_sandbox(self, spec: SandboxSpec) -> None: ...

    async def remove_sandbox(self, sandbox_id: str) -> None: ...

    async def create_container(self, spec: ContainerSpec) -> None: ...

    async def start(self, container_id: str) -> None: ...

    async def wait(self, container_id: str) -> Exit:
        """Return when the container has ended, also if it ended long ago."""

    async def signal(self, container_id: str, number: int) -> None:
        """Signal the first process; nothing happens where it has ended.

        SIGKILL also lifts the CPU limit of its sandbox, which is about to end: a thousand processes
        need the CPU to die.
        """

    async def remove_container(self, container_id: str) -> None: ...

    async def execute(
        self, container_id: str, arguments: Sequence[str], timeout_seconds: float
    ) -> tuple[int, bytes]:
        """Run a further process; its exit code and output (first 64 KiB). For health checks."""

    async def containers(self) -> Sequence[ContainerState]:
        """Every container of this installation."""

    async def statistics(self, container_id: str) -> Statistics | None: ...

    async def close(self) -> None:
        """Let go; what runs keeps running."""
