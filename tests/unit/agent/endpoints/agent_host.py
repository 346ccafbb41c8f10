"""A host without fabric, on the simulated runtime."""

from pathlib import Path

from longshore.agent.engine import Engine
from longshore.agent.host import Host
from longshore.agent.logs.shipping import Shipping
from longshore.agent.outbox import Outbox
from longshore.agent.records import Records, TaskRecord
from longshore.agent.reports import Reports
from longshore.awsapi.signing import Keys
from longshore.base.clock import Clock
from longshore.base.ids import SeededIds
from longshore.base.installation import Installation
from longshore.runtime.bridge import Bridge
from longshore.runtime.interface import ContainerSpec, SandboxSpec
from longshore.runtime.simulated import SimulatedRuntime


def make_host(data_dir: Path, clock: Clock) -> Host:
    installation = Installation(data_dir=data_dir)
    return Host(
        installation=installation,
        runtime=SimulatedRuntime(clock),
        fabric=None,
        bridge=Bridge(installation),
        clock=clock,
        ids=SeededIds(),
        keys=lambda: Keys("AKIDEXAMPLE", "secret"),
        zone="us-east-1a",
    )


def make_engine(host: Host) -> Engine:
    """Without its loop: tasks are what the test puts into `tasks`."""
    reports = Reports(host, Outbox(host.home / "outbox"))
    engine = Engine(host, Records(host.home / "tasks"), reports, Shipping(host))
    engine.adopted.set()
    return engine


async def start(host: Host, record: TaskRecord) -> None:
    """Let the task's containers run in the runtime."""
    await host.runtime.create_sandbox(SandboxSpec(id=record.id, isolation="runc", namespace=None))
    for container in record.containers.values():
        await host.runtime.pull("web:1", None)
        await host.runtime.create_container(
            ContainerSpec(
                id=container.id,
                sandbox_id=record.id,
                image="web:1",
                arguments=("x",),
                log_directory=host.log_directory(container.id),
            )
        )
        await host.runtime.start(container.id)
