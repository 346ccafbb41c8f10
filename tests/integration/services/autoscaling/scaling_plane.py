"""Auto Scaling beside EC2 and IAM over a real store, as boto3 calls it; machines are played."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration.controllers.played_groups import play_machines, put_host
from integration.services.iam.iam_plane import ACCOUNT, Caller, Plane

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.controllers.auto_scaling import auto_scaling_controllers
from longshore.controllers.interface import Surroundings
from longshore.controllers.loop import run_controllers
from longshore.gateway.gateway import Gateway
from longshore.instances import machine_images
from longshore.model.auto_scaling import AUTO_SCALING_GROUP
from longshore.model.instances import INSTANCE, INSTANCE_STATUS
from longshore.model.kinds import KINDS
from longshore.services import autoscaling, ec2, iam
from longshore.services.iam.first_start import ensure_administrator, ensure_sealing_key
from longshore.services.iam.identity import IamIdentity
from longshore.store import open_store
from longshore.store.interface import Store
from longshore.testing.ports import free_ports
from longshore.testing.wait import eventually
from longshore.vpc import create_default_vpc

REGION = "us-east-1"
DEADLINE = 10.0
MEMORY = 64 * 1024


@dataclass(kw_only=True)
class Scaling:
    """Auto Scaling for its administrator, with a launch template `web` of two versions."""

    plane: Plane
    subnets: list[str] = field(default_factory=list)
    template: str = ""
    machines: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while machines do what is wanted of them."""

    async def call(self, operation: str, *, by: Caller | None = None, **request: Any) -> Any:
        return await (by or self.plane.admin).call(operation, service="autoscaling", **request)

    async def error(
        self, operation: str, *, by: Caller | None = None, **request: Any
    ) -> tuple[str, str]:
        caller = by or self.plane.admin
        code, message, _ = await caller.error(operation, service="autoscaling", **request)
        return code, message

    async def ec2(self, operation: str, **request: Any) -> Any:
        return await self.plane.admin.call(operation, service="ec2", **request)

    def request(self, name: str = "web", **more: Any) -> dict[str, Any]:
        """What CreateAutoScalingGroup is called with."""
        usual: dict[str, Any] = {
            "AutoScalingGroupName": name,
            "MinSize": 0,
            "MaxSize": 5,
            "VPCZoneIdentifier": ",".join(self.subnets),
            "LaunchTemplate": {"LaunchTemplateName": "web", "Version": "1"},
        }
        return {key: value for key, value in {**usual, **more}.items() if value is not None}

    async def create(self, name: str = "web", *, by: Caller | None = None, **more: Any) -> None:
        await self.call("create_auto_scaling_group", by=by, **self.request(name, **more))

    async def refused(
        self, name: str = "web", *, by: Caller | None = None, **more: Any
    ) -> tuple[str, str]:
        """The code and message with which CreateAutoScalingGroup is refused."""
        request = self.request(name, **more)
        return await self.error("create_auto_scaling_group", by=by, **request)

    async def group(self, name: str = "web") -> Any:
        found = await self.call("describe_auto_scaling_groups", AutoScalingGroupNames=[name])
        groups = found["AutoScalingGroups"]
        return groups[0] if groups else None

    async def states(self, name: str = "web") -> list[str]:
        return sorted(each["LifecycleState"] for each in (await self.group(name))["Instances"])

    async def until(self, *states: str, name: str = "web") -> list[str]:
        """Wait until the group's members are in these states; their ids."""

        async def reached() -> Any:
            found = await self.states(name)
            return found == sorted(states) or None

        await eventually(reached, DEADLINE, f"{name}: {states}")
        return [each["InstanceId"] for each in (await self.group(name))["Instances"]]

    async def until_group(self, holds: Callable[[Any], Any], name: str = "web") -> Any:
        async def reached() -> Any:
            return holds(await self.group(name)) or None

        return await eventually(reached, DEADLINE)

    async def running(self, count: int, name: str = "web", **more: Any) -> list[str]:
        """Make a group of so many instances that serve; their ids."""
        await self.create(name, DesiredCapacity=count, **more)
        return await self.until(*["InService"] * count, name=name)

    async def activities(self, **request: Any) -> Any:
        return (await self.call("describe_scaling_activities", **request))["Activities"]


async def _play(store: Store, machines: asyncio.Event) -> None:
    changes = store.watch([INSTANCE, INSTANCE_STATUS, AUTO_SCALING_GROUP])
    while True:
        await machines.wait()
        await store.transact(lambda tx: play_machines(tx, 0.0))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(anext(changes), 0.2)


@contextlib.asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[Scaling]:
    installation = Installation(data_dir=data_dir, port=free_ports(2), account=ACCOUNT)
    clock, ids = SystemClock(), RandomIds()
    store = await open_store(f"sqlite://{data_dir}/state.db", KINDS, clock)
    await store.transact(lambda tx: ensure_sealing_key(tx, ids))
    administrator = await store.transact(
        lambda tx: ensure_administrator(tx, ACCOUNT, ids, clock.now())
    )
    await store.transact(lambda tx: create_default_vpc(tx, ACCOUNT, REGION, ids))
    await store.transact(lambda tx: put_host(tx, MEMORY))
    surroundings = Surroundings(store=store, clock=clock, ids=ids, installation=installation)
    gateway = Gateway(
        services=[autoscaling.service(), ec2.service(), iam.service()],
        store=store,
        clock=clock,
        ids=ids,
        installation=installation,
        identity=IamIdentity(ids),
    )
    await gateway.start()
    machines = asyncio.Event()
    machines.set()
    loops = asyncio.gather(
        run_controllers(auto_scaling_controllers(surroundings), surroundings, "t", shared=False),
        _play(store, machines),
    )
    with contextlib.ExitStack() as stack:
        try:
            url = f"http://127.0.0.1:{installation.port}"
            scaling = Scaling(plane=Plane(url, store, administrator, stack), machines=machines)
            await _prepare(scaling)
            yield scaling
        finally:
            loops.cancel()
            await asyncio.gather(loops, return_exceptions=True)
            await gateway.stop()
            await store.close()


async def _prepare(scaling: Scaling) -> None:
    found = (await scaling.ec2("describe_subnets"))["Subnets"]
    zones = {each["AvailabilityZone"]: each["SubnetId"] for each in found}
    scaling.subnets = [zones[zone] for zone in sorted(zones)]
    data = {"ImageId": machine_images(REGION)[0].id, "InstanceType": "t3.micro"}
    made = await scaling.ec2(
        "create_launch_template", LaunchTemplateName="web", LaunchTemplateData=data
    )
    scaling.template = made["LaunchTemplate"]["LaunchTemplateId"]
    await scaling.ec2(
        "create_launch_template_version", LaunchTemplateName="web", LaunchTemplateData=data
    )
