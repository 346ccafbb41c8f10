"""Every container's output on this host, and what an earlier agent left of it."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from longshore.agent.host import Host
from longshore.agent.logs.files import Growth
from longshore.agent.logs.output import GONE, Output, load_options, remove, save_options
from longshore.agent.logs.streams import Signer, options_of, signer_of
from longshore.agent.records import TaskRecord
from longshore.base.logs import logger
from longshore.nodeapi import acs

if TYPE_CHECKING:
    from longshore.agent.hooks.interface import Work

log = logger(__name__)


class Shipping:
    """Takes containers in at any time; ships while `run` runs."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._outputs: dict[str, Output] = {}
        self._new: asyncio.Queue[str] = asyncio.Queue()

    async def run(self) -> None:
        """Ship what is there and what comes, until cancelled."""
        with Growth() as growth:
            async with asyncio.TaskGroup() as group:
                while True:
                    group.create_task(self._ship(await self._new.get(), growth))

    async def _ship(self, container_id: str, growth: Growth) -> None:
        await self._outputs[container_id].run(growth)
        del self._outputs[container_id]

    def follow(self, work: "Work", container: acs.Container) -> None:
        """Look after a container's output from now on; it need not have been created yet.

        Its directory is ready when this returns. Raises OSError where the disk is full.
        """
        container_id = work.record.containers[container.name].id
        signer = signer_of(self._host, work.record)
        if container_id in self._outputs:
            self._outputs[container_id].sign_with(signer)
            return
        directory = self._host.log_directory(container_id)
        options = load_options(directory)
        if options is None:
            options = options_of(work, container)
            save_options(directory, options)
        self._take(directory, Output(self._host, directory, options, signer))

    def _take(self, directory: Path, output: Output) -> None:
        self._outputs[directory.name] = output
        self._new.put_nowait(directory.name)

    def ended(self, record: TaskRecord, container_id: str) -> None:
        """No more output will come: the directory is removed once everything is shipped."""
        if container_id in self._outputs:
            self._outputs[container_id].ended.set()
        else:
            self._take_left(self._host.log_directory(container_id), record)

    def adopt(self, records: Iterable[TaskRecord]) -> None:
        """Ship what is left of containers that have ended, or of which nothing is known.

        Those of tasks that are not stopped wait for `follow`.
        """
        owners = {each.id: record for record in records for each in record.containers.values()}
        for directory in sorted(self._host.log_directory("x").parent.glob("*")):
            owner = owners.get(directory.name)
            if owner is None or owner.stopped_at:
                self._take_left(directory, owner)

    def _take_left(self, directory: Path, owner: TaskRecord | None) -> None:
        """Ship what nothing will be added to; what no key is known for any more is lost."""
        if not directory.is_dir():
            return
        options = load_options(directory)
        signer: Signer | None = None
        if owner is not None:
            signer = signer_of(self._host, owner)
        elif options is not None and options.driver == "awslogs" and options.by_host:
            signer = self._host.keys
        if options is None or directory.suffix == GONE or signer is None:
            remove(directory)
            return
        output = Output(self._host, directory, options, signer)
        output.ended.set()
        self._take(directory, output)
