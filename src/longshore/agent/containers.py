"""One container of a task, from its dependencies to its last exit."""

import asyncio
import contextlib
import signal
from collections.abc import Callable

from longshore.agent.docker import NANOSECOND, Healthcheck, config_of
from longshore.agent.hooks.interface import Work
from longshore.agent.plan import Surroundings, check_command, container_spec
from longshore.agent.records import ContainerRecord
from longshore.base.logs import logger
from longshore.nodeapi import acs
from longshore.runtime.interface import ContainerState, Exit, RuntimeFailure

DEFAULT_STOP_SECONDS = 30
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
INTERVAL_SECONDS, TIMEOUT_SECONDS, RETRIES = 30.0, 5.0, 3
"""Defaults of health checks ("HealthCheck", ECS API reference)."""

log = logger(__name__)


class Changes:
    """Wakes who waits for something about the task."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._event.wait()


class ContainerRun:
    """Looks after one container; `changed` is called after each change of its record."""

    def __init__(
        self,
        work: Work,
        container: acs.Container,
        changes: Changes,
        changed: Callable[[], None],
        prepare: Callable[[], "asyncio.Future[None]"],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._work = work
        self.container = container
        self._changes = changes
        self._changed = changed
        self._prepare = prepare
        self._is_stopping = is_stopping

    @property
    def record(self) -> ContainerRecord:
        return self._work.record.containers[self.container.name]

    @property
    def stopped(self) -> bool:
        return self.record.status == "STOPPED"

    async def run(self, found: ContainerState | None) -> None:
        """Return when it has ended for good; `found` is what an earlier agent left of it."""
        if self.stopped:
            return
        try:
            if self.record.status == "RUNNING" and _has_no_process(found):
                self._end(None, "CannotInspectContainerError: the container is gone")
                return
            if found is None:
                await self._wait_for_dependencies()
            if found is None and self._is_stopping():
                self._end(None, "")
                return
            await self._live(found)
        except RuntimeFailure as failure:
            self._end(None, str(failure))

    async def _live(self, found: ContainerState | None) -> None:
        runtime = self._work.host.runtime
        while True:
            if found is None:
                await self._create()
            if found is None or found.status == "created":
                began = self._work.host.clock.now()
                await runtime.start(self.record.id)
                self.record.started_at = began
            if self.record.status != "RUNNING":
                self.record.status = "RUNNING"
                self._changed()
            ended = await self._watch()
            if not self._restarts(ended):
                self._end(ended.code, OUT_OF_MEMORY if ended.out_of_memory else "", ended.at)
                return
            self.record.restarts += 1
            await runtime.remove_container(self.record.id)
            found = None

    async def _create(self) -> None:
        await self._prepare()
        work = self._work
        name = self.container.name
        surroundings = Surroundings(
            container_id=self.record.id,
            sandbox_id=work.record.sandbox_id,
            image=work.images[name],
            log_directory=work.host.log_directory(self.record.id),
            namespace=work.namespaces.get(name),
            environment=work.environment.get(name, {}),
            mounts=tuple(work.mounts.get(name, ())),
            devices=await work.host.volume_devices(work.task),
        )
        await work.host.runtime.create_container(
            container_spec(work.task, self.container, surroundings)
        )
        self.record.created_at = work.host.clock.now()

    async def _watch(self) -> Exit:
        """Wait for its end, and check its health meanwhile."""
        check = config_of(self.container).healthcheck
        command = check_command(check.test) if check else ()
        if check is None or not command:
            return await self._work.host.runtime.wait(self.record.id)
        checking = asyncio.create_task(self._check_health(check, command))
        try:
            return await self._work.host.runtime.wait(self.record.id)
        finally:
            checking.cancel()
            await asyncio.gather(checking, return_exceptions=True)

    async def _check_health(self, check: Healthcheck, command: tuple[str, ...]) -> None:
        clock = self._work.host.clock
        interval = check.interval * NANOSECOND or INTERVAL_SECONDS
        failures = 0
        while True:
            await clock.sleep(interval)
            if await self._is_healthy(command, check.timeout * NANOSECOND or TIMEOUT_SECONDS):
                failures = 0
                self._set_health("HEALTHY")
                continue
            if clock.now() - self.record.started_at >= check.start_period * NANOSECOND:
                failures += 1
            if failures >= (check.retries or RETRIES):
                self._set_health("UNHEALTHY")

    async def _is_healthy(self, command: tuple[str, ...], seconds: float) -> bool:
        try:
            code, _ = await self._work.host.runtime.execute(self.record.id, command, seconds)
        except TimeoutError:
            return False
        except Exception as error:
            log.info("a health check could not run", container=self.record.id, error=str(error))
            return False
        return code == 0

    def _set_health(self, health: str) -> None:
        if self.record.health != health:
            self.record.health = health
            self.record.health_since = self._work.host.clock.now()
            self._changed()

    def _restarts(self, ended: Exit) -> bool:
        """Whether the restart policy starts it again ("Restart individual containers")."""
        policy = self.container.restart_policy
        if policy is None or not policy.enabled or self._is_stopping():
            return False
        lived = self._work.host.clock.now() - self.record.started_at
        return ended.code not in policy.ignored_exit_codes and (
            lived >= policy.restart_attempt_period
        )

    def _end(self, code: int | None, reason: str, at: float = 0.0) -> None:
        self.record.status = "STOPPED"
        self.record.exit_code = code
        self.record.reason = reason
        self.record.finished_at = at or self._work.host.clock.now()
        self._changed()

    async def stop(self, dependents: tuple["ContainerRun", ...]) -> None:
        """End it, once those that depend on it have ended: the stop signal first, then SIGKILL."""
        await self._changes.until(lambda: all(other.stopped for other in dependents))
        if self.stopped or self.record.status != "RUNNING":
            return
        runtime = self._work.host.runtime
        await runtime.signal(self.record.id, self._stop_signal())
        seconds = self.container.stop_timeout or DEFAULT_STOP_SECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changes.until(lambda: self.stopped)
        if not self.stopped:
            await runtime.signal(self.record.id, signal.SIGKILL)

    def _stop_signal(self) -> int:
        image = self._work.images.get(self.container.name)
        name = config_of(self.container).stop_signal or (image.config.stop_signal if image else "")
        if name.isdecimal():
            return int(name)
        return signal.Signals.__members__.get(name or "SIGTERM", signal.SIGTERM)

    async def _wait_for_dependencies(self) -> None:
        for dependency in dependencies(self.container):
            other = self._work.record.containers.get(dependency.container_name)
            if other is None:
                continue
            condition = dependency.condition
            settled = _settled(other, condition, self._is_stopping)
            try:
                async with asyncio.timeout(self._start_timeout(other.name)):
                    await self._changes.until(settled)
            except TimeoutError:
                raise RuntimeFailure(
                    "TaskDependencyError",
                    f"dependency {other.name} did not become {condition} in time",
                ) from None
            if not self._is_stopping() and not _satisfied(other, condition):
                raise RuntimeFailure(
                    "TaskDependencyError",
                    f"container {other.name} cannot become {condition} any more",
                )

    def _start_timeout(self, name: str) -> float | None:
        """The other container's `startTimeout`, where it has one."""
        for container in self._work.task.containers:
            if container.name == name and container.start_timeout:
                return container.start_timeout
        return None


def _has_no_process(found: ContainerState | None) -> bool:
    """What ran and has none now went with its host, or with its shim; it is not started again."""
    return found is None or found.status == "created"


def dependencies(container: acs.Container) -> tuple[acs.DependsOn, ...]:
    """What it waits for; a container that it links to has to run first."""
    linked = (link.partition(":")[0] for link in container.links)
    links = (acs.DependsOn(container_name=name, condition="START") for name in linked)
    return (*container.depends_on, *links)


def _settled(
    other: ContainerRecord, condition: str, is_stopping: Callable[[], bool]
) -> Callable[[], bool]:
    return lambda: is_stopping() or other.status == "STOPPED" or _satisfied(other, condition)


def _satisfied(other: ContainerRecord, condition: str) -> bool:
    """Whether a dependency holds ("ContainerDependency", ECS API reference)."""
    if condition == "START":
        return other.started_at > 0
    if condition == "HEALTHY":
        return other.health == "HEALTHY" and other.status == "RUNNING"
    if condition == "COMPLETE":
        return other.status == "STOPPED" and other.exit_code is not None
    return other.status == "STOPPED" and other.exit_code == 0
