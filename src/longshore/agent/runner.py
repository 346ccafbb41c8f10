"""Brings one task up, looks after it, and takes it down."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

from longshore.agent.containers import Changes, ContainerRun, dependencies
from longshore.agent.hooks import hooks
from longshore.agent.hooks.interface import Hook, HookFailure, Work
from longshore.agent.host import Host
from longshore.agent.records import Records, TaskRecord
from longshore.agent.reports import Reports
from longshore.base.logs import logger
from longshore.fabric.interface import FabricError
from longshore.nodeapi import acs
from longshore.runtime.interface import ContainerState, RuntimeFailure

log = logger(__name__)


class TaskRunner:
    """One task. `run` may be cancelled (the agent ends): the task then runs on, and a new runner
    of the same record picks it up."""

    def __init__(
        self,
        host: Host,
        record: TaskRecord,
        records: Records,
        reports: Reports,
        on_container: Callable[[Work, acs.Container], None],
    ) -> None:
        self.record = record
        self._records = records
        self._reports = reports
        self._on_container = on_container
        self._changes = Changes()
        self.work = Work(host, record, self._save)
        self._stages: tuple[tuple[Hook, ...], ...] = hooks()
        self._preparing: asyncio.Task[None] | None = None
        self._runs = [
            ContainerRun(
                self.work,
                container,
                self._changes,
                self._changed,
                self._prepared,
                lambda: self.stopping,
            )
            for container in record.task.containers
        ]

    @property
    def stopping(self) -> bool:
        return self.record.desired == "STOPPED" or bool(self.record.execution_stopped_at)

    def stop(self) -> None:
        """Take the task down; returns at once."""
        if self.record.desired != "STOPPED":
            self.record.desired = "STOPPED"
            self._save()
        self._changes.tell()

    async def run(self, found: Mapping[str, ContainerState]) -> None:
        """Return when nothing is left of the task; `found` are its containers by id."""
        try:
            await self._bring_up()
            await self._look_after(found)
        except (HookFailure, RuntimeFailure, FabricError) as failure:
            self._fail(str(failure))
        except Exception as error:
            log.error("a task failed", task_arn=self.record.task.arn, exc_info=True)
            self._fail(f"CannotStartContainerError: {error}")
        await self._tear_down()
        for record in self.record.containers.values():
            record.status = "STOPPED"
        self.record.status = "STOPPED"
        self.record.stopped_at = self.work.host.clock.now()
        self._reports.task(self.record)
        self._save()

    async def _bring_up(self) -> None:
        """Run the hooks, unless the task runs already: what runs needs none of them again."""
        self._reports.attached(self.record)
        if self.record.status == "RUNNING" or self.stopping:
            return
        stop = asyncio.create_task(self._changes.until(lambda: self.stopping))
        prepared = self._prepared()
        try:
            await asyncio.wait({stop, prepared}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            if not prepared.done():
                prepared.cancel()
                await asyncio.gather(prepared, return_exceptions=True)
        if not prepared.cancelled():
            await prepared

    def _prepared(self) -> "asyncio.Future[None]":
        """What is done when every hook has run once in this process."""
        if self._preparing is None:
            self._preparing = asyncio.create_task(self._set_up())
        return self._preparing

    async def _set_up(self) -> None:
        for stage in self._stages:
            await _side_by_side([hook.set_up(self.work) for hook in stage])

    async def _look_after(self, found: Mapping[str, ContainerState]) -> None:
        for container in self.record.task.containers:
            self._on_container(self.work, container)
        async with asyncio.TaskGroup() as group:
            for run in self._runs:
                group.create_task(run.run(found.get(run.record.id)))
            await self._changes.until(self._is_over)
            if not self.record.execution_stopped_at:
                self.record.execution_stopped_at = self.work.host.clock.now()
                self._save()
            self._changes.tell()
            for run in self._runs:
                group.create_task(run.stop(self._dependents(run)))

    def _is_over(self) -> bool:
        essential = [run for run in self._runs if run.container.essential]
        return (
            self.stopping
            or any(run.stopped for run in essential)
            or all(run.stopped for run in self._runs)
        )

    def _dependents(self, run: ContainerRun) -> tuple[ContainerRun, ...]:
        return tuple(
            other
            for other in self._runs
            if any(d.container_name == run.container.name for d in dependencies(other.container))
        )

    def _changed(self) -> None:
        """A container changed: tell the control plane, keep it, wake who waits.

        In this order: killed between the two, the agent tells the same again; the other way round
        it would take as told what nobody had heard.
        """
        states = {record.status for record in self.record.containers.values()}
        if self.record.status == "PENDING" and "PENDING" not in states and not self._is_over():
            self.record.status = "RUNNING"
        self._reports.containers(self.record)
        self._save()
        self._changes.tell()

    def _fail(self, reason: str) -> None:
        self.record.reason = self.record.reason or reason
        if not self.record.execution_stopped_at:
            self.record.execution_stopped_at = self.work.host.clock.now()
        self._save()

    async def _tear_down(self) -> None:
        """Run every hook's part, whatever the others do; what fails is tried again."""
        for hook in reversed([hook for stage in self._stages for hook in stage]):
            await self._try(lambda hook=hook: hook.tear_down(self.work))  # type: ignore[misc]

    async def _try(self, work: Callable[[], Awaitable[None]]) -> None:
        for attempt in range(3):
            try:
                await work()
            except Exception as error:
                log.warning(
                    "teardown failed",
                    task_arn=self.record.task.arn,
                    attempt=attempt,
                    error=str(error),
                )
                await self.work.host.clock.sleep(0.2)
            else:
                return

    def _save(self) -> None:
        self._records.save(self.record)


async def _side_by_side(works: Sequence[Coroutine[None, None, None]]) -> None:
    """Do all; raises what fails first, once none of them goes on."""
    doing = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*doing)
    finally:
        for each in doing:
            each.cancel()
        await asyncio.gather(*doing, return_exceptions=True)
