"""The tasks of this host: takes payloads in, runs their runners, remembers what is over."""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from longshore.agent.hooks.network import adopt_ports, release_ports
from longshore.agent.host import Host
from longshore.agent.logs.shipping import Shipping
from longshore.agent.plan import container_id
from longshore.agent.records import ContainerRecord, Records, TaskRecord, task_id
from longshore.agent.reports import Reports
from longshore.agent.runner import TaskRunner
from longshore.base.logs import logger
from longshore.nodeapi import acs
from longshore.runtime.interface import ContainerState

REMEMBER_SECONDS = 3 * 3600.0
"""How long a stopped task is known, so that a payload sent again does not start it again."""

log = logger(__name__)


class Engine:
    """Holds every task that this host has or had lately, by id."""

    def __init__(self, host: Host, records: Records, reports: Reports, shipping: Shipping) -> None:
        self._host = host
        self._records = records
        self._reports = reports
        self.changes = reports.changes
        self._shipping = shipping
        self.tasks: dict[str, TaskRecord] = {}
        self._runners: dict[str, TaskRunner] = {}
        self._group = asyncio.TaskGroup()
        self.adopted = asyncio.Event()
        """Set once what an earlier agent left is known; `take` and `stop` are for after that."""
        self._found: dict[str, ContainerState] = {}

    async def run(self) -> None:
        """Adopt what an earlier agent left, then run tasks until cancelled."""
        async with self._group:
            await self._adopt()
            self.adopted.set()
            while True:
                self._forget_old()
                await self._host.clock.sleep(60.0)

    async def _adopt(self) -> None:
        records = list(self._records.load())
        for record in records:
            self.tasks[record.id] = record
            if record.status != "STOPPED":
                adopt_ports(self._host, record)
        found = await self._host.runtime.containers()
        self._found = {state.id: state for state in found}
        for record in records:
            if not record.stopped_at:
                self._start(record)
        await self._remove_strangers({r.sandbox_id for r in records if not r.stopped_at})
        self._shipping.adopt(records)
        if records:
            log.info("tasks adopted", tasks=len(self._runners))

    async def _remove_strangers(self, known: set[str]) -> None:
        """Sandboxes without a record: a kill came between their making and their end."""
        for sandbox in {state.sandbox_id for state in self._found.values()} - known:
            log.warning("a sandbox without a task is removed", sandbox=sandbox)
            await self._host.runtime.remove_sandbox(sandbox)

    def _start(self, record: TaskRecord) -> None:
        runner = TaskRunner(self._host, record, self._records, self._reports, self._shipping.follow)
        self._runners[record.id] = runner
        self._group.create_task(self._run(runner))

    async def _run(self, runner: TaskRunner) -> None:
        await runner.run(self._found)
        self._runners.pop(runner.record.id, None)
        for container in runner.record.containers.values():
            self._shipping.ended(runner.record, container.id)
        release_ports(self._host, runner.record)

    def take(self, tasks: Iterable[acs.Task]) -> None:
        """Do what a payload says: stops before starts."""
        ordered = sorted(tasks, key=lambda task: task.desired_status != "STOPPED")
        for task in ordered:
            known = self.tasks.get(task_id(task.arn))
            if known is not None:
                self._take_known(known, task)
            elif task.desired_status == "STOPPED":
                record = TaskRecord(task=task, containers={}, desired="STOPPED", status="STOPPED")
                self._reports.task(record)
            else:
                self._take_new(task)

    def _take_known(self, record: TaskRecord, task: acs.Task) -> None:
        if record.stopped_at:
            self._reports.task(record)
        elif task.desired_status == "STOPPED":
            self.stop(record.id)
        else:
            self._renew(record, task.role_credentials, task.execution_role_credentials)

    def _take_new(self, task: acs.Task) -> None:
        identifier = task_id(task.arn)
        containers = {
            each.name: ContainerRecord(name=each.name, id=container_id(identifier, each.name))
            for each in task.containers
        }
        record = TaskRecord(task=task, containers=containers)
        self._records.save(record)
        self.tasks[identifier] = record
        self._start(record)

    def stop(self, identifier: str) -> None:
        """Take a task down; nothing happens where it is down."""
        runner = self._runners.get(identifier)
        if runner is not None:
            runner.stop()

    def renew(self, arn: str, role_type: str, credentials: acs.RoleCredentials) -> bool:
        """Keep fresh credentials of a task; False where the task is not known."""
        record = self.tasks.get(task_id(arn))
        if record is None or record.stopped_at:
            return False
        if role_type == "TaskExecution":
            self._renew(record, None, credentials)
        else:
            self._renew(record, credentials, None)
        return True

    def _renew(
        self,
        record: TaskRecord,
        role: acs.RoleCredentials | None,
        execution: acs.RoleCredentials | None,
    ) -> None:
        changes: dict[str, Any] = {}
        if role is not None:
            changes["role_credentials"] = role
        if execution is not None:
            changes["execution_role_credentials"] = execution
        if changes:
            record.task = msgspec.structs.replace(record.task, **changes)
            self._records.save(record)

    def running(self) -> list[TaskRecord]:
        """Tasks of which something is left here."""
        return [record for record in self.tasks.values() if not record.stopped_at]

    def _forget_old(self) -> None:
        now = self._host.clock.now()
        for identifier, record in list(self.tasks.items()):
            if record.stopped_at and now - record.stopped_at > REMEMBER_SECONDS:
                self._records.forget(identifier)
                del self.tasks[identifier]
