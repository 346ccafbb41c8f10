"""A host whose containers' output the test writes; as a program it ships until it is killed."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from longshore.agent.hooks.interface import Work
from longshore.agent.host import Host
from longshore.agent.logs.shipping import Shipping
from longshore.agent.plan import container_id
from longshore.agent.records import ContainerRecord, TaskRecord
from longshore.awsapi.signing import Keys
from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.nodeapi import acs
from longshore.runtime.simulated import SimulatedRuntime
from longshore.testing.identity import ACCOUNT, KEY_ID, SECRET

GROUP = "/ecs/web"


def make_host(data_dir: Path, port: int) -> Host:
    return Host(
        installation=Installation(data_dir=data_dir, port=port),
        runtime=SimulatedRuntime(SystemClock()),
        fabric=None,
        bridge=cast(Any, None),
        clock=SystemClock(),
        ids=RandomIds(),
        keys=lambda: Keys(KEY_ID, SECRET),
    )


def make_work(
    host: Host,
    task: str = "t1",
    driver: str = "awslogs",
    role: acs.RoleCredentials | None = None,
    options: Mapping[str, str] | None = None,
    account: str = ACCOUNT,
) -> Work:
    """A task of one container `app`, whose stream is `web/app/<task>`."""
    config = {"awslogs-group": GROUP, "awslogs-stream": f"web/app/{task}", **(options or {})}
    log_config = {"Type": driver, "Config": config if driver == "awslogs" else {}}
    host_config = msgspec.json.encode({"LogConfig": log_config}).decode()
    container = acs.Container(
        name="app", image="app", docker_config=acs.DockerConfig(host_config=host_config)
    )
    record = TaskRecord(
        task=acs.Task(
            arn=f"arn:aws:ecs:us-east-1:{account}:task/default/{task}",
            containers=(container,),
            execution_role_credentials=role,
        ),
        containers={"app": ContainerRecord(name="app", id=container_id(task, "app"))},
    )
    return Work(host, record, lambda: None)


def directory_of(work: Work) -> Path:
    return work.host.log_directory(work.record.containers["app"].id)


async def ship_for_ever(data_dir: Path, port: int, tasks: int, options: Mapping[str, str]) -> None:
    """Adopt the tasks t0, t1, … as an agent does after its start."""
    host = make_host(data_dir, port)
    shipping = Shipping(host)
    works = [make_work(host, f"t{number}", options=options) for number in range(tasks)]
    shipping.adopt([work.record for work in works])
    for work in works:
        shipping.follow(work, work.task.containers[0])
    await shipping.run()


if __name__ == "__main__":
    asyncio.run(
        ship_for_ever(
            Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), msgspec.json.decode(sys.argv[4])
        )
    )
