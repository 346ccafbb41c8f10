"""Processes of containers: made, started, ended and taken away, whatever was half done before."""

import asyncio
import contextlib
import os
import re
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
from google.protobuf.empty_pb2 import Empty

from longshore.base.logs import logger
from longshore.runtime.containerd import bundles
from longshore.runtime.containerd.api import Containerd
from longshore.runtime.containerd.generated import task_pb2, tasks_pb2
from longshore.runtime.interface import RuntimeFailure

PROCESS_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/Process"
OUTPUT_BYTES = 64 * 1024
LOST_CODE = 255
"""Exit code of a process that nobody can tell the end of."""
END_SECONDS = 30.0
CREATE_SECONDS = 30.0
"""How long one attempt to make a process may take, its turn not counted: it takes a fraction of a
second, and a gVisor kernel that hung while it booted was seen once."""
GIVE_UP_SECONDS = 4 * CREATE_SECONDS
AT_ONCE = 2 * (os.cpu_count() or 1)
"""Containers that are made, started or taken away at the same time: each is a handful of
processes, and hundreds of them together would each take minutes."""
ATTEMPTS = 3
SHIM_GONE = "ttrpc: closed"
NOTICE_SECONDS, NOTICE_LOOK_SECONDS = 10.0, 0.1
NO_ANSWER = frozenset({grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})
"""What a call ends with whose time is over, as this side or containerd notices it first."""
STARTED_BEFORE = re.compile("cannot start a (running|stopped)")

log = logger(__name__)


class Processes:
    """First processes of containers, and further ones.

    `home` is for files of a moment, `bundles` is containerd's directory of containers' bundles.
    """

    def __init__(self, containerd: Containerd, home: Path, bundles: Path) -> None:
        self._containerd = containerd
        self._home = home
        self._bundles = bundles
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def create(self, request: tasks_pb2.CreateTaskRequest) -> None:
        """Make a container's first process, which waits to be started; a whole one is kept.

        What a containerd left that was killed while it made one is taken away first, and so is what
        does not come about in time.
        """
        container_id = request.container_id
        for attempt in range(ATTEMPTS):
            late = asyncio.Event()
            try:
                async with self._turns:
                    with _ended_if_late(container_id, late):
                        await self._containerd.call(
                            "tasks",
                            "Create",
                            request,
                            tasks_pb2.CreateTaskResponse,
                            GIVE_UP_SECONDS,
                        )
            except grpc.aio.AioRpcError as error:
                reason = error.details() or ""
                leftover, known = bundles.in_the_way(reason), bundles.is_known_to_runc(reason)
                there = error.code() == grpc.StatusCode.ALREADY_EXISTS or leftover or known
                if attempt == ATTEMPTS - 1 or not (there or late.is_set()):
                    raise
                log.warning("making it again", container=container_id, reason=reason)
            else:
                return
            process = await self._containerd.task(container_id)
            if process is not None and process.pid and process.status != task_pb2.UNKNOWN:
                return
            await self.remove(container_id)
            if leftover:
                await bundles.clear(leftover)
            if known:
                bundles.forget_in_runc(self._containerd.namespace, container_id)

    async def start(self, container_id: str, exec_id: str = "") -> None:
        """Start it; nothing happens where it was started before."""
        request = tasks_pb2.StartRequest(container_id=container_id, exec_id=exec_id)
        try:
            async with self._turns:
                await self._containerd.call("tasks", "Start", request, tasks_pb2.StartResponse)
        except grpc.aio.AioRpcError as error:
            if not STARTED_BEFORE.search(error.details() or ""):
                raise

    async def remove(self, container_id: str) -> None:
        """Kill all that runs in the container and forget it; safe where there is nothing."""
        ends = (
            lambda: bundles.end_commands(container_id),
            lambda: bundles.end_shim(self._bundles / container_id),
        )
        for end in ends:
            try:
                await self._remove(container_id)
            except grpc.aio.AioRpcError as error:
                if error.code() not in NO_ANSWER:
                    raise
                log.warning("ending it by force", container=container_id, reason=error.details())
                await asyncio.to_thread(end)
            else:
                return
        await self._remove_what_a_shim_left(container_id)

    async def _remove_what_a_shim_left(self, container_id: str) -> None:
        """The same, once containerd has noticed that the shim is dead."""
        deadline = asyncio.get_running_loop().time() + NOTICE_SECONDS
        while True:
            try:
                await self._remove(container_id)
            except grpc.aio.AioRpcError as error:
                late = asyncio.get_running_loop().time() > deadline
                if SHIM_GONE not in (error.details() or "") or late:
                    raise
                await asyncio.sleep(NOTICE_LOOK_SECONDS)
            else:
                return

    async def _remove(self, container_id: str) -> None:
        process = await self._containerd.task(container_id)
        if process is None:
            # A shim may be there that was killed before it made anything.
            await self._delete(container_id)
            return
        if process.status != task_pb2.STOPPED:
            await self._end(container_id)
        await self._delete(container_id)

    async def _delete(self, container_id: str) -> None:
        namespace = self._containerd.namespace
        async with self._turns:
            await asyncio.to_thread(bundles.forget_ended_in_runsc, namespace, container_id)
            await self._containerd.remove_task(container_id)

    async def _end(self, container_id: str) -> None:
        for everything in (True, False):
            with contextlib.suppress(grpc.aio.AioRpcError):
                await self._containerd.kill(container_id, signal.SIGKILL, everything=everything)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self._containerd.wait(container_id)

    async def execute(self, container_id: str, process: Any, seconds: float) -> tuple[int, bytes]:
        """Run an OCI process beside the first one; TimeoutError after `seconds`."""
        exec_id = f"exec-{secrets.token_hex(8)}"
        path = self._home / exec_id
        with _collected(path) as output:
            code = await self._run(container_id, exec_id, process, path, seconds)
            output.drain()
        return code, bytes(output.content)

    async def _run(
        self, container_id: str, exec_id: str, process: Any, output: Path, seconds: float
    ) -> int:
        request = tasks_pb2.ExecProcessRequest(
            container_id=container_id, exec_id=exec_id, stdout=str(output), stderr=str(output)
        )
        request.spec.type_url = PROCESS_TYPE
        request.spec.value = msgspec.json.encode(process)
        try:
            async with asyncio.timeout(seconds):
                await self._containerd.call("tasks", "Exec", request, Empty)
                await self.start(container_id, exec_id)
                answer = await self._containerd.wait(container_id, exec_id)
        except grpc.aio.AioRpcError as error:
            raise RuntimeFailure("CannotStartContainerError", error.details() or "") from error
        finally:
            await self._forget(container_id, exec_id)
        return answer.exit_status if answer else LOST_CODE

    async def _forget(self, container_id: str, exec_id: str) -> None:
        request = tasks_pb2.DeleteProcessRequest(container_id=container_id, exec_id=exec_id)
        with contextlib.suppress(grpc.aio.AioRpcError, TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self._containerd.kill(container_id, signal.SIGKILL, exec_id)
                await self._containerd.wait(container_id, exec_id)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self._containerd.call("tasks", "DeleteProcess", request, tasks_pb2.DeleteResponse)


@contextlib.contextmanager
def _ended_if_late(container_id: str, late: asyncio.Event) -> Iterator[None]:
    """End the command that makes a container once it has had its time, and say so.

    Not by a deadline of the call: containerd undoes what came of it, and is through with that only
    when it answers.
    """
    loop = asyncio.get_running_loop()

    def end() -> None:
        late.set()
        loop.run_in_executor(None, bundles.end_commands, container_id)

    timer = loop.call_later(CREATE_SECONDS, end)
    try:
        yield
    finally:
        timer.cancel()


class _Output:
    """Reads a pipe to keep the writer going; the first 64 KiB are kept."""

    def __init__(self, descriptor: int) -> None:
        self.content = bytearray()
        self._descriptor = descriptor

    def drain(self) -> None:
        """Take what is there."""
        with contextlib.suppress(BlockingIOError):
            while True:
                part = os.read(self._descriptor, OUTPUT_BYTES)
                self.content += part[: OUTPUT_BYTES - len(self.content)]


@contextlib.contextmanager
def _collected(path: Path) -> Iterator[_Output]:
    os.mkfifo(path)
    # Also for writing, so that it never reads as ended before the process has opened it.
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    output = _Output(descriptor)
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, output.drain)
    try:
        yield output
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        path.unlink()
