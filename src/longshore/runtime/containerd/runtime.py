"""`runtime.interface.Runtime` over containerd."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from signal import SIGKILL
from typing import Any

import grpc
import msgspec

from longshore.base.installation import Installation
from longshore.base.logs import logger
from longshore.runtime.containerd import daemon, pulling, users
from longshore.runtime.containerd.api import SNAPSHOTTER, Containerd
from longshore.runtime.containerd.cgroups import Cgroups
from longshore.runtime.containerd.generated import (
    containers_pb2,
    runtime_options_pb2,
    task_pb2,
    tasks_pb2,
    types_pb2,
)
from longshore.runtime.containerd.host import device_nodes, held_capabilities
from longshore.runtime.containerd.memory import MemoryWatch
from longshore.runtime.containerd.processes import LOST_CODE, Processes
from longshore.runtime.containerd.pulling import Unpacked
from longshore.runtime.containerd.spec import Host, container_spec, pause_spec
from longshore.runtime.interface import (
    ContainerSpec,
    ContainerState,
    Exit,
    Image,
    RegistryCredentials,
    RuntimeFailure,
    SandboxSpec,
    Statistics,
)

SHIMS = {"runc": "io.containerd.longshore.v2", "gvisor": "io.containerd.runsc.v1"}
SPEC_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
OPTIONS_TYPE = "runtimeoptions.v1.Options"
GVISOR_OPTIONS = "io.containerd.runsc.v1.options"
SANDBOX_LABEL = "longshore/sandbox"
ISOLATION_LABEL = "longshore/isolation"
PAUSE_LABEL = "longshore/pause"
LOGS_LABEL = "longshore/log-directory"
STATUSES = {
    task_pb2.CREATED: "created",
    task_pb2.RUNNING: "running",
    task_pb2.PAUSED: "running",
    task_pb2.PAUSING: "running",
    task_pb2.STOPPED: "stopped",
}

log = logger(__name__)


def open_containerd(installation: Installation, hosts: Path) -> "ContainerdRuntime":
    """The runtime of this installation; `hosts` is the directory of hosts.toml files."""
    return ContainerdRuntime(installation, hosts)


class ContainerdRuntime:
    """Sandboxes are kept as files beside containerd's, so that a new process knows them."""

    def __init__(self, installation: Installation, hosts: Path) -> None:
        self._containerd = Containerd(
            daemon.socket_path(installation), daemon.namespace(installation)
        )
        self._cgroups = Cgroups(installation.id)
        self._home = daemon.directory(installation)
        self._sandboxes = self._home / "sandboxes"
        self._hosts = str(hosts)
        self._processes = Processes(self._containerd, self._home, daemon.bundles(installation))
        self._memory = MemoryWatch(self._containerd, self._cgroups, self._home / "out-of-memory")
        self._unpacked: dict[str, Unpacked] = {}
        self._mounts: dict[str, list[Any]] = {}
        self._opened: set[str] = set()
        """gVisor's sandboxes whose kernel this process knows to be running."""
        self._known_ids: dict[tuple[str, str], users.Ids] = {}

    async def pull(self, reference: str, credentials: RegistryCredentials | None) -> Image:
        """See `interface.Runtime`."""
        unpacked = await pulling.pull(self._containerd, reference, credentials, self._hosts)
        self._unpacked[reference] = unpacked
        return unpacked.image

    async def image(self, reference: str) -> Image | None:
        """See `interface.Runtime`."""
        unpacked = await pulling.find(self._containerd, reference)
        if unpacked is None:
            return None
        self._unpacked[reference] = unpacked
        return unpacked.image

    async def create_sandbox(self, spec: SandboxSpec) -> None:
        """See `interface.Runtime`."""
        self._sandboxes.mkdir(parents=True, exist_ok=True)
        draft = self._sandboxes / f"{spec.id}.new"
        draft.write_bytes(msgspec.json.encode(spec, enc_hook=str))
        draft.replace(self._sandboxes / f"{spec.id}.json")
        cgroup = self._cgroups.sandbox(spec.id)
        if spec.isolation == "runc":
            await asyncio.to_thread(self._cgroups.make, cgroup, spec.limits)
            if "task" in {spec.pid_mode, spec.ipc_mode}:
                await self._start_pause(spec, f"{cgroup}/pause")
        else:
            await self._start_pause(spec, cgroup)

    async def _start_pause(self, spec: SandboxSpec, cgroup: str) -> None:
        root = types_pb2.Mount(
            type="bind", source=str(self._home / "pause"), options=["rbind", "ro"]
        )
        labels = {SANDBOX_LABEL: spec.id, PAUSE_LABEL: "1", ISOLATION_LABEL: spec.isolation}
        request = tasks_pb2.CreateTaskRequest(container_id=spec.id, rootfs=[root])
        try:
            await self._record(spec.id, spec.isolation, pause_spec(spec, cgroup), labels)
            await self._processes.create(request)
            if spec.isolation == "runc":
                await self._run(spec.id, spec.isolation)
        except grpc.aio.AioRpcError as error:
            raise RuntimeFailure(
                "ResourceInitializationError", f"sandbox: {_reason(error)}"
            ) from error

    async def _open(self, sandbox_id: str) -> None:
        """Start a sandbox that was made; where it has no process of its own nothing happens."""
        if sandbox_id in self._opened or self._sandbox(sandbox_id).isolation == "runc":
            return
        try:
            await self._run(sandbox_id, "gvisor")
        except grpc.aio.AioRpcError as error:
            raise RuntimeFailure(
                "ResourceInitializationError", f"sandbox: {_reason(error)}"
            ) from error
        self._opened.add(sandbox_id)

    async def _open_half_made(self, sandbox_id: str) -> None:
        """gVisor ends only what runs: a kill -9 may have come before the kernel's start."""
        if sandbox_id in self._opened:
            return
        process = await self._containerd.task(sandbox_id)
        if process is not None and process.status == task_pb2.CREATED:
            with contextlib.suppress(grpc.aio.AioRpcError):
                await self._processes.start(sandbox_id)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """See `interface.Runtime`."""
        await self._lift_cpu_limit(sandbox_id)
        await self._open_half_made(sandbox_id)
        for container in await self._containerd.containers():
            if container.labels.get(SANDBOX_LABEL) == sandbox_id and container.id != sandbox_id:
                await self.remove_container(container.id)
        await self.remove_container(sandbox_id)
        await asyncio.to_thread(self._cgroups.remove, self._cgroups.sandbox(sandbox_id))
        self._memory.forget(sandbox_id)
        self._opened.discard(sandbox_id)
        (self._sandboxes / f"{sandbox_id}.json").unlink(missing_ok=True)

    async def create_container(self, spec: ContainerSpec) -> None:
        """See `interface.Runtime`."""
        sandbox = self._sandbox(spec.sandbox_id)
        unpacked = self._unpacked.get(spec.image) or await pulling.find(
            self._containerd, spec.image
        )
        if unpacked is None:
            raise RuntimeFailure("CannotCreateContainerError", f"no such image: {spec.image}")
        try:
            await self._make(spec, sandbox, unpacked)
        except grpc.aio.AioRpcError as error:
            raise RuntimeFailure("CannotCreateContainerError", _reason(error)) from error

    async def _make(self, spec: ContainerSpec, sandbox: SandboxSpec, unpacked: Unpacked) -> None:
        mounts = await self._containerd.prepare(SNAPSHOTTER, spec.id, unpacked.snapshot)
        ids = await self._ids(spec.user, unpacked.snapshot, mounts)
        oci = container_spec(
            spec,
            sandbox,
            f"{self._cgroups.sandbox(spec.sandbox_id)}/{spec.id}",
            ids,
            await self._shared(sandbox),
            Host(
                init=self._home / "pause" / "pause",
                capabilities=held_capabilities(),
                devices=device_nodes(spec) if sandbox.isolation == "runc" else (),
            ),
        )
        labels = {
            **spec.labels,
            SANDBOX_LABEL: spec.sandbox_id,
            ISOLATION_LABEL: sandbox.isolation,
            LOGS_LABEL: str(spec.log_directory),
        }
        await self._record(spec.id, sandbox.isolation, oci, labels, spec.image)
        self._mounts[spec.id] = mounts

    async def _ids(self, user: str, snapshot: str, mounts: Sequence[Any]) -> users.Ids:
        """The ids of `user`; they are the same for all containers of an image."""
        found = self._known_ids.get((snapshot, user)) if user else (0, 0, ())
        if found is None:
            found = await asyncio.to_thread(users.ids_in_image, user, mounts)
            self._known_ids[snapshot, user] = found
        return found

    async def _record(
        self,
        container_id: str,
        isolation: str,
        oci: Mapping[str, Any],
        labels: Mapping[str, str],
        image: str = "",
    ) -> None:
        container = containers_pb2.Container(
            id=container_id, labels=labels, image=image, snapshotter=SNAPSHOTTER
        )
        if image:
            container.snapshot_key = container_id
        container.runtime.name = SHIMS[isolation]
        if isolation == "gvisor":
            settings = str(daemon.gvisor_settings(self._home))
            options = runtime_options_pb2.Options(type_url=GVISOR_OPTIONS, config_path=settings)
            container.runtime.options.type_url = OPTIONS_TYPE
            container.runtime.options.value = options.SerializeToString()
        container.spec.type_url = SPEC_TYPE
        container.spec.value = msgspec.json.encode(oci)
        await self._containerd.create_container(container)

    async def start(self, container_id: str) -> None:
        """See `interface.Runtime`.

        Also makes the process, while the sandbox's kernel starts.
        """
        container = await self._containerd.container(container_id)
        if container is None:
            raise RuntimeFailure("CannotStartContainerError", f"no such container: {container_id}")
        mounts = self._mounts.pop(container_id, None)
        outputs = _outputs(Path(container.labels[LOGS_LABEL]))
        try:
            if mounts is None:
                mounts = await self._containerd.mounts(SNAPSHOTTER, container_id)
            request = tasks_pb2.CreateTaskRequest(
                container_id=container_id, rootfs=mounts, stdout=outputs[0], stderr=outputs[1]
            )
            if json.loads(container.spec.value)["process"].get("terminal"):
                # A terminal has one output.
                request.terminal, request.stderr = True, ""
            opening = asyncio.create_task(self._open(container.labels[SANDBOX_LABEL]))
            try:
                await self._processes.create(request)
            finally:
                await opening
            await self._run(container_id, container.labels[ISOLATION_LABEL])
        except grpc.aio.AioRpcError as error:
            raise RuntimeFailure("CannotStartContainerError", _reason(error)) from error

    async def _run(self, container_id: str, isolation: str) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._containerd.keep(container_id, SHIMS[isolation]))
            started = group.create_task(_outcome(self._processes.start(container_id)))
        if failure := started.result():
            raise failure

    async def wait(self, container_id: str) -> Exit:
        """See `interface.Runtime`."""
        container = await self._containerd.container(container_id)
        if container is None:
            return Exit(code=LOST_CODE, at=0.0)
        answer = await self._ended(container)
        if answer is None:
            return Exit(code=LOST_CODE, at=0.0)
        return Exit(
            code=answer.exit_status,
            at=answer.exited_at.seconds + answer.exited_at.nanos / 1e9,
            out_of_memory=answer.exit_status != 0
            and await asyncio.to_thread(self._out_of_memory, container),
        )

    async def _ended(self, container: Any) -> tasks_pb2.WaitResponse | None:
        """Wait for its end; meanwhile one without a cgroup of its own is watched."""
        if container.labels.get(ISOLATION_LABEL) != "gvisor":
            return await self._containerd.wait(container.id)
        sandbox_id = container.labels[SANDBOX_LABEL]
        await asyncio.to_thread(self._limit_cpu, sandbox_id)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(
                self._memory.watch(container.id, sandbox_id, _memory_limit(container))
            )
            answer = await self._containerd.wait(container.id)
            watching.cancel()
        return answer

    def _out_of_memory(self, container: Any) -> bool:
        sandbox_id = container.labels[SANDBOX_LABEL]
        if container.labels.get(ISOLATION_LABEL) == "gvisor":
            return self._memory.killed(container.id, sandbox_id)
        return self._cgroups.out_of_memory(f"{self._cgroups.sandbox(sandbox_id)}/{container.id}")

    async def signal(self, container_id: str, number: int) -> None:
        """See `interface.Runtime`."""
        container = await self._containerd.container(container_id)
        if container is not None and number == SIGKILL:
            await self._lift_cpu_limit(container.labels[SANDBOX_LABEL])
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self._containerd.kill(container_id, number)

    def _limit_cpu(self, sandbox_id: str) -> None:
        """A container runs: from now on the CPU of its sandbox is counted in short periods."""
        if quota := self._sandbox(sandbox_id).limits.cpu_quota:
            self._cgroups.limit_cpu(self._cgroups.sandbox(sandbox_id), quota)

    async def _lift_cpu_limit(self, sandbox_id: str) -> None:
        await asyncio.to_thread(self._cgroups.lift_cpu_limit, self._cgroups.sandbox(sandbox_id))

    async def remove_container(self, container_id: str) -> None:
        """See `interface.Runtime`."""
        await self._containerd.let_go(container_id)
        await self._processes.remove(container_id)
        await self._containerd.remove_container(container_id)
        await self._containerd.remove_snapshot(SNAPSHOTTER, container_id)
        self._memory.forget(container_id)
        self._mounts.pop(container_id, None)

    async def execute(
        self, container_id: str, arguments: Sequence[str], timeout_seconds: float
    ) -> tuple[int, bytes]:
        """See `interface.Runtime`."""
        container = await self._containerd.container(container_id)
        if container is None:
            raise RuntimeFailure("CannotStartContainerError", f"no such container: {container_id}")
        process = json.loads(container.spec.value)["process"]
        process |= {"args": list(arguments), "terminal": False}
        return await self._processes.execute(container_id, process, timeout_seconds)

    async def containers(self) -> Sequence[ContainerState]:
        """See `interface.Runtime`."""
        processes = await self._containerd.tasks()
        return [
            _state(container, processes.get(container.id))
            for container in await self._containerd.containers()
            if PAUSE_LABEL not in container.labels
        ]

    async def statistics(self, container_id: str) -> Statistics | None:
        """See `interface.Runtime`."""
        container = await self._containerd.container(container_id)
        if container is None:
            return None
        sandbox = self._cgroups.sandbox(container.labels[SANDBOX_LABEL])
        if container.labels.get(ISOLATION_LABEL) == "runc":
            return await asyncio.to_thread(self._cgroups.statistics, f"{sandbox}/{container_id}")
        counted = await self._memory.statistics(container_id)
        if counted is None:
            return None
        limit = _memory_limit(container) or self._cgroups.memory(sandbox)[1]
        return msgspec.structs.replace(counted, memory_limit_bytes=limit)

    async def close(self) -> None:
        """See `interface.Runtime`."""
        await self._containerd.close()

    def _sandbox(self, sandbox_id: str) -> SandboxSpec:
        try:
            text = (self._sandboxes / f"{sandbox_id}.json").read_bytes()
        except FileNotFoundError:
            raise RuntimeFailure(
                "CannotCreateContainerError", f"no such sandbox: {sandbox_id}"
            ) from None
        return msgspec.json.decode(text, type=SandboxSpec, dec_hook=lambda _, value: Path(value))

    async def _shared(self, sandbox: SandboxSpec) -> dict[str, Path]:
        """Namespaces that the containers of the task share; no container's end may end them."""
        wanted = {
            kind: name
            for kind, name, mode in (
                ("pid", "pid", sandbox.pid_mode),
                ("ipc", "ipc", sandbox.ipc_mode),
            )
            if mode == "task" and sandbox.isolation == "runc"
        }
        if not wanted:
            return {}
        process = await self._containerd.task(sandbox.id)
        if process is None or not process.pid:
            raise RuntimeFailure("CannotCreateContainerError", f"no such sandbox: {sandbox.id}")
        return {kind: Path(f"/proc/{process.pid}/ns/{name}") for kind, name in wanted.items()}


def _state(container: Any, process: Any | None) -> ContainerState:
    ended = None
    if process is not None and process.status == task_pb2.STOPPED:
        at = process.exited_at.seconds + process.exited_at.nanos / 1e9
        ended = Exit(code=process.exit_status, at=at)
    return ContainerState(
        id=container.id,
        sandbox_id=container.labels.get(SANDBOX_LABEL, ""),
        status=STATUSES.get(process.status, "created") if process is not None else "created",
        pid=process.pid if process is not None else 0,
        exit=ended,
        labels=dict(container.labels),
    )


async def _outcome(call: Awaitable[None]) -> grpc.aio.AioRpcError | None:
    """What containerd refused with, as a value: a group of tasks would wrap it."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error
    return None


def _memory_limit(container: Any) -> int:
    """Bytes, of the container's OCI spec; 0 where it has none."""
    memory = json.loads(container.spec.value)["linux"]["resources"].get("memory", {})
    return int(memory.get("limit", 0))


def _outputs(directory: Path) -> list[str]:
    """Paths of the files for standard output and error, which are made."""
    directory.mkdir(parents=True, exist_ok=True)
    outputs = [directory / name for name in ("stdout", "stderr")]
    for output in outputs:
        output.touch()
    return [str(output) for output in outputs]


def _reason(error: grpc.aio.AioRpcError) -> str:
    """What went wrong, without containerd's own wrapping."""
    return (error.details() or str(error.code())).replace("\n", " ")[:1000]
