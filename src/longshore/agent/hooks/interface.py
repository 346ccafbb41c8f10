"""What a hook promises to the runner.

Before a task's containers start, every hook's `set_up` runs, stage after stage, those of one stage
side by side; after the last container has ended, every hook's `tear_down`, one by one, in reverse.
`set_up` may find its work done already (the agent died and came back) and then only fills in
`Work`. `tear_down` is safe without `set_up`, after half of it, and twice. A hook that cannot do its
part raises `HookFailure`, `RuntimeFailure` or `FabricError`; the task stops with that reason.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from longshore.agent.host import Host
from longshore.agent.records import TaskRecord
from longshore.nodeapi import acs
from longshore.runtime.interface import Image, Mount


class HookFailure(Exception):
    """The task cannot run; the message is the reason that DescribeTasks will show."""


@dataclass
class Work:
    """One task while it is brought up: what hooks find out for each other.

    `environment`, `mounts`, `images` and `namespaces` go by container name; `namespace` is the
    whole task's, `namespaces` those of containers that have one each.
    """

    host: Host
    record: TaskRecord
    save: Callable[[], None]
    namespace: Path | None = None
    namespaces: dict[str, Path] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    environment: dict[str, dict[str, str]] = field(default_factory=dict)
    mounts: dict[str, list[Mount]] = field(default_factory=dict)
    log_secrets: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def task(self) -> acs.Task:
        return self.record.task

    @property
    def directory(self) -> Path:
        return self.host.task_directory(self.record.id)

    @property
    def isolation(self) -> str:
        return "gvisor" if self.task.launch_type == "FARGATE" else "runc"

    @property
    def network_mode(self) -> str:
        return self.task.network_mode or "bridge"

    def add_environment(self, container: str, values: dict[str, str]) -> None:
        self.environment.setdefault(container, {}).update(values)

    def add_mount(self, container: str, mount: Mount) -> None:
        self.mounts.setdefault(container, []).append(mount)


class Hook(Protocol):
    """One concern of a task's surroundings."""

    async def set_up(self, work: Work) -> None: ...

    async def tear_down(self, work: Work) -> None: ...
