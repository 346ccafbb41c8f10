"""containerd's gRPC API, as far as Longshore calls it."""

import asyncio
import contextlib
import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from longshore.base.logs import logger
from longshore.runtime.containerd.generated import (
    containers_pb2,
    content_pb2,
    images_pb2,
    sandbox_pb2,
    snapshots_pb2,
    tasks_pb2,
    transfer_pb2,
)
from longshore.runtime.interface import RuntimeFailure

M = TypeVar("M", bound=Message)
T = TypeVar("T")
RECONNECT_SECONDS = 0.05
GET_SECONDS = 20.0
"""A shim that answers at all says at once what a process is doing."""
AWAY_SECONDS = 60.0
"""How long a call waits for a containerd that is not there."""
MAX_MESSAGE_BYTES = 64 * 2**20
LARGEST_DOCUMENT = 8 * 2**20
"""Bytes of a manifest or image configuration."""
KEPT = {"containerd.io/gc.root": "longshore"}
"""Labels of what containerd's garbage collector leaves alone: a container's snapshot comes before
the container's record, which alone would hold it."""
SNAPSHOTTER = "overlayfs"
LEFTOVER = re.compile(r"failed to rename: rename \S+ \S+\.overlayfs/snapshots/\d+: file exists")
"""What containerd says where the directory of a new snapshot's number is there already."""
FINAL = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.PERMISSION_DENIED,
    }
)
"""What asking again does not change."""

log = logger(__name__)


class Containerd:
    """A connection to one containerd, in one namespace; comes back when containerd does."""

    def __init__(self, socket: Path, namespace: str) -> None:
        options = [
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 500),
            ("grpc.default_authority", "localhost"),
        ]
        self._channel = grpc.aio.insecure_channel(f"unix://{socket}", options=options)
        self.namespace = namespace
        self._metadata = (("containerd-namespace", namespace),)

    async def call(
        self,
        service: str,
        method: str,
        request: Message,
        response: type[M],
        seconds: float | None = 60.0,
    ) -> M:
        """Call `containerd.services.<service>.v1.<Service>/<method>`, or `<method>` with a slash.

        A containerd that is away is waited for; other failures raise `grpc.aio.AioRpcError`.
        """
        path = method if "/" in method else f"{service.capitalize()}/{method}"
        name = f"/containerd.services.{service}.v1.{path}"
        unary: Callable[..., Any] = self._channel.unary_unary(
            name,
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        try:
            return await _until_there(
                lambda: unary(request, metadata=self._metadata, timeout=seconds)
            )
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                # Not the request: it may hold what a container is told in secret.
                container = getattr(request, "container_id", "")
                log.warning("no answer", call=path, container=container, seconds=seconds)
            raise

    async def read(self, digest: str) -> bytes:
        """A document of the content store, whole; RuntimeFailure where it is too large."""
        stream: Callable[..., Any] = self._channel.unary_stream(
            "/containerd.services.content.v1.Content/Read",
            request_serializer=content_pb2.ReadContentRequest.SerializeToString,
            response_deserializer=content_pb2.ReadContentResponse.FromString,
        )
        request = content_pb2.ReadContentRequest(digest=digest)

        async def whole() -> bytes:
            found = bytearray()
            call = stream(request, metadata=self._metadata)
            async for part in call:
                found += part.data
                if len(found) > LARGEST_DOCUMENT:
                    call.cancel()
                    raise RuntimeFailure(
                        "CannotPullContainerError",
                        f"{digest} is larger than {LARGEST_DOCUMENT} bytes",
                    )
            return bytes(found)

        return await _until_there(whole)

    async def transfer(self, source: Message, destination: Message, seconds: float) -> None:
        """Have containerd move an image (its transfer service)."""
        request = transfer_pb2.TransferRequest()
        request.source.Pack(source, type_url_prefix="")
        request.destination.Pack(destination, type_url_prefix="")
        # The Go side looks the bare message name up; protobuf wants a slash before it.
        request.source.type_url = request.source.type_url.lstrip("/")
        request.destination.type_url = request.destination.type_url.lstrip("/")
        await self._past_leftovers(
            lambda: self.call("transfer", "Transfer", request, Empty, seconds)
        )

    async def image(self, name: str) -> images_pb2.Image | None:
        request = images_pb2.GetImageRequest(name=name)
        try:
            answer = await self.call("images", "Get", request, images_pb2.GetImageResponse)
        except grpc.aio.AioRpcError as error:
            if is_missing(error):
                return None
            raise
        return answer.image

    async def prepare(self, snapshotter: str, key: str, parent: str) -> list[Any]:
        """A writable snapshot on top of `parent`, new or there already; its mounts."""
        request = snapshots_pb2.PrepareSnapshotRequest(
            snapshotter=snapshotter, key=key, parent=parent, labels=KEPT
        )
        try:
            answer = await self._past_leftovers(
                lambda: self.call(
                    "snapshots", "Prepare", request, snapshots_pb2.PrepareSnapshotResponse
                )
            )
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.ALREADY_EXISTS:
                raise
            return await self.mounts(snapshotter, key)
        return list(answer.mounts)

    async def _past_leftovers(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a snapshot. A containerd that was killed before it had noted a new one leaves its
        directory, gives its number again, and refuses: with that it has removed the directory.
        """
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                if not LEFTOVER.search(error.details() or ""):
                    raise
            await self._use_up_number()

    async def _use_up_number(self) -> None:
        """Give a number to a snapshot that nobody needs.

        containerd's clean-up lists directories without a snapshot under its lock and removes them
        without it: it may yet remove that of the next snapshot, where its number was a leftover's.
        """
        key = f"leftover-{secrets.token_hex(8)}"
        request = snapshots_pb2.PrepareSnapshotRequest(snapshotter=SNAPSHOTTER, key=key)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self.call("snapshots", "Prepare", request, snapshots_pb2.PrepareSnapshotResponse)
            await self.remove_snapshot(SNAPSHOTTER, key)

    async def mounts(self, snapshotter: str, key: str) -> list[Any]:
        """The mounts that make up a snapshot."""
        request = snapshots_pb2.MountsRequest(snapshotter=snapshotter, key=key)
        answer = await self.call("snapshots", "Mounts", request, snapshots_pb2.MountsResponse)
        return list(answer.mounts)

    async def has_snapshot(self, snapshotter: str, key: str) -> bool:
        request = snapshots_pb2.StatSnapshotRequest(snapshotter=snapshotter, key=key)
        try:
            await self.call("snapshots", "Stat", request, snapshots_pb2.StatSnapshotResponse)
        except grpc.aio.AioRpcError as error:
            if is_missing(error):
                return False
            raise
        return True

    async def remove_snapshot(self, snapshotter: str, key: str) -> None:
        request = snapshots_pb2.RemoveSnapshotRequest(snapshotter=snapshotter, key=key)
        await self._unless_missing("snapshots", "Remove", request, Empty)

    async def create_container(self, container: containers_pb2.Container) -> None:
        """Keep a container's record; nothing happens where it is there."""
        request = containers_pb2.CreateContainerRequest(container=container)
        try:
            await self.call("containers", "Create", request, containers_pb2.CreateContainerResponse)
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.ALREADY_EXISTS:
                raise

    async def container(self, container_id: str) -> containers_pb2.Container | None:
        request = containers_pb2.GetContainerRequest(id=container_id)
        found = await self._unless_missing(
            "containers", "Get", request, containers_pb2.GetContainerResponse
        )
        return found.container if found is not None else None

    async def containers(self) -> list[containers_pb2.Container]:
        request = containers_pb2.ListContainersRequest()
        answer = await self.call(
            "containers", "List", request, containers_pb2.ListContainersResponse
        )
        return list(answer.containers)

    async def remove_container(self, container_id: str) -> None:
        request = containers_pb2.DeleteContainerRequest(id=container_id)
        await self._unless_missing("containers", "Delete", request, Empty)

    async def keep(self, container_id: str, runtime: str) -> None:
        """Have the container's shim, and with it its exit code, outlive containerd.

        containerd ends the shims of stopped containers when it starts, but not those that it knows
        as sandboxes (`shouldCleanupShim` in its core/runtime/v2/shim_load.go); one that several
        containers share would take all of them along.
        """
        request = sandbox_pb2.StoreCreateRequest()
        request.sandbox.sandbox_id = container_id
        request.sandbox.runtime.name = runtime
        try:
            await self.call("sandbox", "Store/Create", request, sandbox_pb2.StoreCreateResponse)
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.ALREADY_EXISTS:
                raise

    async def let_go(self, container_id: str) -> None:
        """Undo `keep`."""
        request = sandbox_pb2.StoreDeleteRequest(sandbox_id=container_id)
        await self._unless_missing(
            "sandbox", "Store/Delete", request, sandbox_pb2.StoreDeleteResponse
        )

    async def task(self, container_id: str) -> Any | None:
        """The container's process, or None."""
        request = tasks_pb2.GetRequest(container_id=container_id)
        found = await self._unless_missing(
            "tasks", "Get", request, tasks_pb2.GetResponse, GET_SECONDS
        )
        return found.process if found is not None else None

    async def tasks(self) -> dict[str, Any]:
        """Every process, by container id."""
        request = tasks_pb2.ListTasksRequest()
        answer = await self.call("tasks", "List", request, tasks_pb2.ListTasksResponse)
        return {process.id: process for process in answer.tasks}

    async def wait(self, container_id: str, exec_id: str = "") -> tasks_pb2.WaitResponse | None:
        """Return when the process has ended; None where there is no such process.

        A containerd or shim that dies meanwhile ends no process: the question is put again for as
        long as it takes.
        """
        request = tasks_pb2.WaitRequest(container_id=container_id, exec_id=exec_id)
        while True:
            try:
                return await self._unless_missing(
                    "tasks", "Wait", request, tasks_pb2.WaitResponse, seconds=None
                )
            except grpc.aio.AioRpcError as error:
                if error.code() in FINAL:
                    raise
                log.info("waiting again", container=container_id, reason=error.details())
                await asyncio.sleep(RECONNECT_SECONDS)

    async def kill(
        self, container_id: str, number: int, exec_id: str = "", everything: bool = False
    ) -> None:
        request = tasks_pb2.KillRequest(
            container_id=container_id, signal=number, exec_id=exec_id, all=everything
        )
        await self._unless_missing("tasks", "Kill", request, Empty)

    async def remove_task(self, container_id: str) -> None:
        request = tasks_pb2.DeleteTaskRequest(container_id=container_id)
        await self._unless_missing("tasks", "Delete", request, tasks_pb2.DeleteResponse)

    async def metrics(self, container_id: str) -> AnyMessage | None:
        """What the shim counts of a container; None where it runs no more."""
        request = tasks_pb2.MetricsRequest(filters=[f"id=={container_id}"])
        answer = await self._unless_missing("tasks", "Metrics", request, tasks_pb2.MetricsResponse)
        return answer.metrics[0].data if answer is not None and answer.metrics else None

    async def _unless_missing(
        self,
        service: str,
        method: str,
        request: Message,
        response: type[M],
        seconds: float | None = 60.0,
    ) -> M | None:
        try:
            return await self.call(service, method, request, response, seconds)
        except grpc.aio.AioRpcError as error:
            if is_missing(error):
                return None
            raise

    async def close(self) -> None:
        await self._channel.close(None)


async def _until_there(attempt: Callable[[], Awaitable[T]]) -> T:
    """What `attempt` gives once containerd is there to answer."""
    clock = asyncio.get_running_loop().time
    deadline: float | None = None
    while True:
        try:
            return await attempt()
        except grpc.aio.AioRpcError as error:
            # Counted from when it went away: a call may have lasted for days before that.
            deadline = deadline or clock() + AWAY_SECONDS
            if error.code() != grpc.StatusCode.UNAVAILABLE or clock() > deadline:
                raise
            await asyncio.sleep(RECONNECT_SECONDS)


def is_missing(error: grpc.aio.AioRpcError) -> bool:
    """Whether containerd says that there is no such thing (or that its process has ended)."""
    ended = "process already finished" in (error.details() or "")
    return error.code() == grpc.StatusCode.NOT_FOUND or ended
