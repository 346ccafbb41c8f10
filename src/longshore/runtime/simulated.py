"""A runtime in memory: containers that run nowhere, for tests of what stands above and for scale.

A simulated container runs until it is told to end. A `Script` says otherwise: of the image, where
the runtime was made with one for its reference; of the container, in labels `simulated/exit-code`
and `simulated/seconds`; or as its command, `["simulate-exit", CODE, SECONDS]`.
"""

import asyncio
import hashlib
import signal as signals
from collections.abc import Mapping, Sequence

import msgspec

from longshore.base.clock import Clock
from longshore.runtime.interface import (
    ContainerSpec,
    ContainerState,
    Exit,
    Image,
    ImageConfig,
    RegistryCredentials,
    RuntimeFailure,
    SandboxSpec,
    Statistics,
)

FATAL = {signals.SIGTERM, signals.SIGKILL, signals.SIGINT, signals.SIGQUIT}
CODE_LABEL, SECONDS_LABEL = "simulated/exit-code", "simulated/seconds"
LOST_CODE = 255


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the containers of an image."""

    exit_code: int = 0
    seconds: float | None = None
    """How long they run; None: until they are told to end."""
    ignored: frozenset[int] = frozenset()
    """Signals that they do not end for."""
    output: bytes = b""
    """On standard output, as soon as they run."""
    check_code: int = 0
    """What every command run beside them exits with."""
    pull_failure: str = ""
    """Why the image cannot be pulled; empty: it can."""


class _Container:
    def __init__(self, spec: ContainerSpec, script: Script) -> None:
        self.spec = spec
        self.script = script
        self.started = False
        self.ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()


class SimulatedRuntime:
    """Implements `interface.Runtime`; forgets everything when its process ends."""

    def __init__(self, clock: Clock, scripts: Mapping[str, Script] | None = None) -> None:
        self._clock = clock
        self._scripts = dict(scripts or {})
        self._images: dict[str, Image] = {}
        self._sandboxes: dict[str, SandboxSpec] = {}
        self._containers: dict[str, _Container] = {}
        self._endings: set[asyncio.Task[None]] = set()

    async def pull(self, reference: str, credentials: RegistryCredentials | None) -> Image:
        """Any image is there at once, but for those whose script says otherwise."""
        failure = self._scripts.get(reference, Script()).pull_failure
        if failure:
            raise RuntimeFailure("CannotPullContainerError", failure)
        digest = "sha256:" + hashlib.sha256(reference.encode()).hexdigest()
        config = ImageConfig(command=("/simulated",))
        return self._images.setdefault(
            reference, Image(reference=reference, digest=digest, config=config)
        )

    async def image(self, reference: str) -> Image | None:
        return self._images.get(reference)

    async def create_sandbox(self, spec: SandboxSpec) -> None:
        self._sandboxes[spec.id] = spec

    async def remove_sandbox(self, sandbox_id: str) -> None:
        for container_id, container in list(self._containers.items()):
            if container.spec.sandbox_id == sandbox_id:
                await self.remove_container(container_id)
        self._sandboxes.pop(sandbox_id, None)

    async def create_container(self, spec: ContainerSpec) -> None:
        if spec.sandbox_id not in self._sandboxes:
            raise RuntimeFailure(
                "CannotCreateContainerError", f"no such sandbox: {spec.sandbox_id}"
            )
        if spec.image not in self._images:
            raise RuntimeFailure("CannotCreateContainerError", f"no such image: {spec.image}")
        script = _script(spec, self._scripts.get(spec.image, Script()))
        self._containers.setdefault(spec.id, _Container(spec, script))

    async def start(self, container_id: str) -> None:
        container = self._containers.get(container_id)
        if container is None:
            raise RuntimeFailure("CannotStartContainerError", f"no such container: {container_id}")
        if container.started:
            return
        container.started = True
        script = container.script
        if script.output:
            container.spec.log_directory.mkdir(parents=True, exist_ok=True)
            (container.spec.log_directory / "stdout").write_bytes(script.output)
        if script.seconds is not None:
            ending = asyncio.create_task(
                self._end_later(container, script.exit_code, script.seconds)
            )
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def _end_later(self, container: _Container, code: int, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._end(container, code)

    def _end(self, container: _Container, code: int) -> None:
        if not container.ended.done():
            container.ended.set_result(Exit(code=code, at=self._clock.now()))

    async def wait(self, container_id: str) -> Exit:
        container = self._containers.get(container_id)
        if container is None:
            return Exit(code=LOST_CODE, at=0.0)
        return await asyncio.shield(container.ended)

    async def signal(self, container_id: str, number: int) -> None:
        container = self._containers.get(container_id)
        if container is None or not container.started or number not in FATAL:
            return
        if number == signals.SIGKILL or number not in container.script.ignored:
            self._end(container, 128 + number)

    async def remove_container(self, container_id: str) -> None:
        container = self._containers.pop(container_id, None)
        if container is not None:
            self._end(container, 128 + signals.SIGKILL)

    async def execute(
        self, container_id: str, arguments: Sequence[str], timeout_seconds: float
    ) -> tuple[int, bytes]:
        """Every command ends at once, with the code that the script has for it."""
        container = self._containers.get(container_id)
        if container is None:
            raise RuntimeFailure("CannotStartContainerError", f"no such container: {container_id}")
        return container.script.check_code, b""

    async def containers(self) -> Sequence[ContainerState]:
        return [_state(container) for container in self._containers.values()]

    async def statistics(self, container_id: str) -> Statistics | None:
        container = self._containers.get(container_id)
        if container is None:
            return None
        limit = container.spec.limits.memory
        return Statistics(cpu_nanoseconds=0, memory_bytes=0, memory_limit_bytes=limit)

    async def close(self) -> None:
        for ending in self._endings:
            ending.cancel()


def _script(spec: ContainerSpec, of_image: Script) -> Script:
    """The script of one container: its command's or its labels' before its image's."""
    if spec.arguments[:1] == ("simulate-exit",):
        code, seconds = spec.arguments[1:3]
        return msgspec.structs.replace(of_image, exit_code=int(code), seconds=float(seconds))
    if CODE_LABEL in spec.labels or SECONDS_LABEL in spec.labels:
        code = spec.labels.get(CODE_LABEL, str(of_image.exit_code))
        after = float(spec.labels.get(SECONDS_LABEL, of_image.seconds or 0))
        return msgspec.structs.replace(of_image, exit_code=int(code), seconds=after)
    return of_image


def _state(container: _Container) -> ContainerState:
    ended = container.ended.result() if container.ended.done() else None
    status = "stopped" if ended else "running" if container.started else "created"
    return ContainerState(
        id=container.spec.id,
        sandbox_id=container.spec.sandbox_id,
        status=status,
        exit=ended,
        labels=container.spec.labels,
    )
