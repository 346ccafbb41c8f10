"""`runtime.interface.Runtime` over containerd."""

import asyncio
import contextlib
import json
import os
import shutil
import signal as signals
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import msgspec
from google.protobuf.empty_pb2 import Empty

from longshore.base.installation import Installation
from longshore.base.logs import logger
from longshore.runtime.containerd import daemon, pulling, users
from longshore.runtime.containerd.api import Containerd
from longshore.runtime.containerd.cgroups import Cgroups
from longshore.runtime.containerd.generated import containers_pb2, task_pb2, tasks_pb2, types_pb2
from longshore.runtime.containerd.pulling import SNAPSHOTTER, Unpacked
from longshore.runtime.containerd.spec import container_spec, pause_spec
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

SHIMS = {"runc": "io.containerd.runc.v2", "gvisor": "io.containerd.runsc.v1"}
SPEC_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
PROCESS_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/Process"
SANDBOX_LABEL = "longshore/sandbox"
ISOLATION_LABEL = "longshore/isolation"
PAUSE_LABEL = "longshore/pause"
STATUSES = {
    task_pb2.CREATED: "created",
    task_pb2.RUNNING: "running",
    task_pb2.PAUSED: "running",
    task_pb2.PAUSING: "running",
    task_pb2.STOPPED: "stopped",
}
KILLED = 137
LOST_CODE = 255
OUTPUT_BYTES = 64 * 1024

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
        self._unpacked: dict[str, Unpacked] = {}

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
        else:
            await self._start_pause(spec, cgroup)

    async def _start_pause(self, spec: SandboxSpec, cgroup: str) -> None:
        root = types_pb2.Mount(
            type="bind", source=str(self._home / "pause"), options=["rbind", "ro"]
        )
        labels = {SANDBOX_LABEL: spec.id, PAUSE_LABEL: "1", ISOLATION_LABEL: spec.isolation}
        await self._create(spec.id, spec.isolation, pause_spec(spec, cgroup), labels)
        request = tasks_pb2.CreateTaskRequest(container_id=spec.id, rootfs=[root])
        try:
            await self._create_task(request)
            await self._start(spec.id)
        except grpc.aio.AioRpcError as error:
            raise RuntimeFailure(
                "ResourceInitializationError", f"sandbox: {error.details()}"
            ) from error

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """See `interface.Runtime`."""
        for container in await self._containerd.containers():
            if container.labels.get(SANDBOX_LABEL) == sandbox_id and container.id != sandbox_id:
                await self.remove_container(container.id)
        await self.remove_container(sandbox_id)
        await asyncio.to_thread(self._cgroups.remove, self._cgroups.sandbox(sandbox_id))
        (self._sandboxes / f"{sandbox_id}.json").unlink(missing_ok=True)

    async def create_container(self, spec: ContainerSpec) -> None:
        """See `interface.Runtime`."""
        sandbox = self._sandbox(spec.sandbox_id)
        unpacked = self._unpacked.get(spec.image) or await pulling.find(
            self._containerd, spec.image
        )
        if unpacked is None:
            raise RuntimeFailure("CannotCreateContainerError", f"no such image: {spec.image}")
        await self._containerd.prepare(SNAPSHOTTER, spec.id, unpacked.snapshot)
        mounts = await self._containerd.mounts(SNAPSHOTTER, spec.id)
        ids = await asyncio.to_thread(_ids, spec.user, mounts)
        cgroup = f"{self._cgroups.sandbox(spec.sandbox_id)}/{spec.id}"
        oci = container_spec(spec, sandbox, cgroup, ids, await self._shared(sandbox))
        labels = {
            **spec.labels,
            SANDBOX_LABEL: spec.sandbox_id,
            ISOLATION_LABEL: sandbox.isolation,
        }
        await self._create(spec.id, sandbox.isolation, oci, labels, spec.image)
        spec.log_directory.mkdir(parents=True, exist_ok=True)
        outputs = [spec.log_directory / name for name in ("stdout", "stderr")]
        for output in outputs:
            output.touch()
        request = tasks_pb2.CreateTaskRequest(
            container_id=spec.id,
            rootfs=mounts,
            stdout=str(outputs[0]),
            stderr="" if spec.terminal else str(outputs[1]),
            terminal=False,
        )
        try:
            await self._create_task(request)
        except grpc.aio.AioRpcError as error:
            raise RuntimeFailure("CannotCreateContainerError", _reason(error)) from error

    async def _create_task(self, request: tasks_pb2.CreateTaskRequest) -> None:
        try:
            await self._containerd.call("tasks", "Create", request, tasks_pb2.CreateTaskResponse)
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.ALREADY_EXISTS:
                raise

    async def _create(
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
        container.spec.type_url = SPEC_TYPE
        container.spec.value = json.dumps(oci).encode()
        await self._containerd.create_container(container)

    async def start(self, container_id: str) -> None:
        """See `interface.Runtime`."""
        try:
            await self._start(container_id)
        except grpc.aio.AioRpcError as error:
            raise RuntimeFailure("CannotStartContainerError", _reason(error)) from error

    async def _start(self, container_id: str, exec_id: str = "") -> None:
        request = tasks_pb2.StartRequest(container_id=container_id, exec_id=exec_id)
        try:
            await self._containerd.call("tasks", "Start", request, tasks_pb2.StartResponse)
        except grpc.aio.AioRpcError as error:
            if "already" not in (error.details() or "") or "exec" in (error.details() or ""):
                raise

    async def wait(self, container_id: str) -> Exit:
        """See `interface.Runtime`."""
        answer = await self._containerd.wait(container_id)
        if answer is None:
            return Exit(code=LOST_CODE, at=0.0)
        container = await self._containerd.container(container_id)
        killed = answer.exit_status == KILLED and container is not None
        out_of_memory = killed and await asyncio.to_thread(self._out_of_memory, container)
        return Exit(
            code=answer.exit_status,
            at=answer.exited_at.seconds + answer.exited_at.nanos / 1e9,
            out_of_memory=out_of_memory,
        )

    def _out_of_memory(self, container: Any) -> bool:
        sandbox = self._cgroups.sandbox(container.labels[SANDBOX_LABEL])
        return any(
            self._cgroups.out_of_memory(path) for path in (f"{sandbox}/{container.id}", sandbox)
        )

    async def signal(self, container_id: str, number: int) -> None:
        """See `interface.Runtime`."""
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self._containerd.kill(container_id, number)

    async def remove_container(self, container_id: str) -> None:
        """See `interface.Runtime`."""
        if await self._containerd.task(container_id) is not None:
            await self._end(container_id)
            await self._containerd.remove_task(container_id)
        await self._containerd.remove_container(container_id)
        await self._containerd.remove_snapshot(SNAPSHOTTER, container_id)

    async def _end(self, container_id: str) -> None:
        """Kill all its processes and wait until the first has ended."""
        for everything in (True, False):
            with contextlib.suppress(grpc.aio.AioRpcError):
                await self._containerd.kill(container_id, signals.SIGKILL, everything=everything)
        await self._containerd.wait(container_id)

    async def execute(
        self, container_id: str, arguments: Sequence[str], timeout_seconds: float
    ) -> tuple[int, bytes]:
        """See `interface.Runtime`."""
        container = await self._containerd.container(container_id)
        if container is None:
            raise RuntimeFailure("CannotStartContainerError", f"no such container: {container_id}")
        process = json.loads(container.spec.value)["process"]
        process |= {"args": list(arguments), "terminal": False}
        with tempfile.TemporaryDirectory(dir=self._home, prefix="exec-") as directory:
            return await self._run(container_id, process, Path(directory), timeout_seconds)

    async def _run(
        self, container_id: str, process: Any, directory: Path, timeout_seconds: float
    ) -> tuple[int, bytes]:
        exec_id, output = directory.name, directory / "output"
        output.touch()
        request = tasks_pb2.ExecProcessRequest(
            container_id=container_id, exec_id=exec_id, stdout=str(output), stderr=str(output)
        )
        request.spec.type_url = PROCESS_TYPE
        request.spec.value = json.dumps(process).encode()
        await self._containerd.call("tasks", "Exec", request, Empty)
        try:
            await self._start(container_id, exec_id)
            async with asyncio.timeout(timeout_seconds):
                answer = await self._containerd.wait(container_id, exec_id)
        finally:
            await self._forget_process(container_id, exec_id)
        with output.open("rb") as file:
            return answer.exit_status if answer else LOST_CODE, file.read(OUTPUT_BYTES)

    async def _forget_process(self, container_id: str, exec_id: str) -> None:
        request = tasks_pb2.DeleteProcessRequest(container_id=container_id, exec_id=exec_id)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self._containerd.kill(container_id, signals.SIGKILL, exec_id)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self._containerd.wait(container_id, exec_id)
            await self._containerd.call("tasks", "DeleteProcess", request, tasks_pb2.DeleteResponse)

    async def containers(self) -> Sequence[ContainerState]:
        """See `interface.Runtime`."""
        processes = await self._containerd.tasks()
        return [
            _state(container, processes.get(container.id))
            for container in await self._containerd.containers()
            if PAUSE_LABEL not in container.labels
        ]

    async def statistics(self, container_id: str) -> Statistics | None:
        """See `interface.Runtime`. Of a gVisor container: of its whole sandbox."""
        container = await self._containerd.container(container_id)
        if container is None:
            return None
        path = self._cgroups.sandbox(container.labels[SANDBOX_LABEL])
        if container.labels.get(ISOLATION_LABEL) == "runc":
            path = f"{path}/{container_id}"
        return await asyncio.to_thread(self._cgroups.statistics, path)

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
        """Namespaces of the sandbox's oldest running container, where the task shares them."""
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
        running = [
            state.pid
            for state in await self.containers()
            if state.sandbox_id == sandbox.id and state.status == "running"
        ]
        if not running:
            return {}
        return {kind: Path(f"/proc/{running[0]}/ns/{name}") for kind, name in wanted.items()}


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


def _ids(user: str, mounts: Sequence[Any]) -> users.Ids:
    """The ids of `user`; where it names someone, the image is mounted for a moment."""
    if not user:
        return 0, 0, ()
    if not users.needs_image(user):
        return users.ids_of(user, None)
    directory = Path(tempfile.mkdtemp(prefix="longshore-image-"))
    try:
        for mount in mounts:
            options = ",".join([*mount.options, "ro"])
            subprocess.run(
                ["mount", "-t", mount.type, "-o", options, mount.source, directory],
                check=True,
                capture_output=True,
            )
        return users.ids_of(user, directory)
    finally:
        while os.path.ismount(directory):
            subprocess.run(["umount", directory], check=True)
        shutil.rmtree(directory, ignore_errors=True)


def _reason(error: grpc.aio.AioRpcError) -> str:
    """What went wrong, without containerd's own wrapping."""
    return (error.details() or str(error.code())).replace("\n", " ")[:1000]
