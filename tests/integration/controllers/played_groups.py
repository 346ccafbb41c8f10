"""Auto Scaling groups over a store in memory; machines are played, and time is moved by hand."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from longshore.base.ids import SeededIds
from longshore.base.installation import Installation
from longshore.controllers.auto_scaling.controller import AutoScaling
from longshore.controllers.interface import Surroundings
from longshore.instances import machine_images
from longshore.model.auto_scaling import (
    ACTIVITY,
    AUTO_SCALING_GROUP,
    LIFECYCLE_HOOK,
    MEMBER,
    REFRESH,
    Activity,
    AutoScalingGroup,
    LifecycleHook,
    Member,
    Refresh,
)
from longshore.model.ec2 import SUBNET
from longshore.model.ecs import CONNECTION, CONTAINER_INSTANCE, Connection, ContainerInstance
from longshore.model.host import HOST, Host
from longshore.model.instances import (
    INSTANCE,
    INSTANCE_STATUS,
    LAUNCH_TEMPLATE,
    Instance,
    InstanceStatus,
    LaunchTemplate,
    LaunchTemplateVersion,
)
from longshore.store.interface import Key, Store, Transaction
from longshore.testing.clock import FakeClock
from longshore.testing.memory_store import MemoryStore
from longshore.vpc import create_default_vpc

ACCOUNT, REGION = "123456789012", "us-east-1"
PLACE = (ACCOUNT, REGION)
HOST_ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:container-instance/default/host"
TEMPLATE = "lt-0123456789abcdef0"
MANY_TURNS = 60


def put_host(tx: Transaction, memory: int) -> None:
    """A host with an agent that is connected, with room for instances of so many MiB."""
    host = Host(
        id="host-1", container_instance_arn=HOST_ARN, zones=("us-east-1a",), cpu=64 * 1024,
        memory=memory,
    )  # fmt: skip
    tx.put(HOST, "", "", host.id, host)
    instance = ContainerInstance(
        id="host", arn=HOST_ARN, cluster="default", cpu=64 * 1024, memory=memory, host=host.id
    )
    tx.put(CONTAINER_INSTANCE, *PLACE, "default/host", instance)
    tx.put(CONNECTION, "", "", HOST_ARN, Connection(connected=True, since=0.0))


def put_template(tx: Transaction, *versions: dict[str, Any]) -> None:
    """A launch template whose versions differ from one that will do by these parameters."""
    usual = {"ImageId": machine_images(REGION)[0].id, "InstanceType": "t3.micro"}
    made = [
        LaunchTemplateVersion(
            number=number, data={**usual, **each}, created_at=0.0, created_by="root"
        )
        for number, each in enumerate(versions, 1)
    ]
    template = LaunchTemplate(
        id=TEMPLATE,
        name="web",
        created_at=0.0,
        created_by="root",
        versions=tuple(made),
        latest=len(made),
    )
    tx.put(LAUNCH_TEMPLATE, *PLACE, template.id, template)


def play_machines(tx: Transaction, now: float) -> bool:
    """Instances become at once what is wanted of them; whether any has changed."""
    moved = False
    for record in tx.scan(INSTANCE):
        place = (record.key.account, record.key.region, record.key.name)
        status = tx.get(INSTANCE_STATUS, *place)
        before = status.value if status is not None else InstanceStatus()
        if before.state in {record.value.wanted, "terminated"}:
            continue
        after = msgspec.structs.replace(before, state=record.value.wanted, changed_at=now)
        tx.put(INSTANCE_STATUS, *place, after)
        moved = True
    return moved


class Groups:
    """One group, `web`, and all that it stands on."""

    def __init__(
        self, directory: Path, memory: int = 64 * 1024, pool: str = "198.18.0.0/24"
    ) -> None:
        self.store: Store = MemoryStore()
        self.clock = FakeClock()
        surroundings = Surroundings(
            store=self.store,
            clock=self.clock,
            ids=SeededIds(),
            installation=Installation(data_dir=directory, public_pool=pool),
        )
        self.controller = AutoScaling(surroundings)
        self.again: float | None = None
        self._memory = memory

    async def begin(self, **fields: Any) -> None:
        """Make the group; without more it wants three instances in three zones."""

        def make(tx: Transaction) -> None:
            vpc = create_default_vpc(tx, ACCOUNT, REGION, SeededIds(7))
            put_host(tx, self._memory)
            put_template(tx, {}, {})
            subnets = [r.value.id for r in tx.find(SUBNET, *PLACE, "vpc", vpc.id)]
            group = {
                "name": "web",
                "arn": "arn",
                "min_size": 0,
                "max_size": 10,
                "desired": 3,
                "created_at": self.clock.now(),
                "launch_template": {"LaunchTemplateId": TEMPLATE, "Version": "1"},
                "subnets": tuple(subnets),
            }
            tx.put(AUTO_SCALING_GROUP, *PLACE, "web", AutoScalingGroup(**{**group, **fields}))

        await self.store.transact(make)
        await self.settle()

    async def settle(self, *, machines: bool = True) -> None:
        """Look at the group until nothing changes any more; machines do as they are told."""
        key = Key(AUTO_SCALING_GROUP.name, *PLACE, "web")
        for _ in range(MANY_TURNS):
            before = self.store.revision
            self.again = await self.controller.reconcile(key)
            if machines:
                await self.store.transact(lambda tx: play_machines(tx, self.clock.now()))
            if self.store.revision == before:
                return
        raise AssertionError("the group does not come to rest")

    async def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.settle()

    async def change(self, **fields: Any) -> None:
        """Change the group as the API would."""
        await self.change_unseen(**fields)
        await self.settle()

    async def change_unseen(self, **fields: Any) -> None:
        changed = msgspec.structs.replace(self.group, **fields)
        await self.store.transact(lambda tx: tx.put(AUTO_SCALING_GROUP, *PLACE, "web", changed))

    async def change_member(self, instance_id: str, **fields: Any) -> None:
        changed = msgspec.structs.replace(self.members[instance_id], **fields)
        name = f"web/{instance_id}"
        await self.store.transact(lambda tx: tx.put(MEMBER, *PLACE, name, changed))
        await self.settle()

    async def become(self, instance_id: str, **fields: Any) -> None:
        """What has become of an instance without the group's doing."""

        def write(tx: Transaction) -> None:
            record = tx.get(INSTANCE_STATUS, *PLACE, instance_id)
            status = record.value if record is not None else InstanceStatus()
            changed = msgspec.structs.replace(status, **fields)
            tx.put(INSTANCE_STATUS, *PLACE, instance_id, changed)

        await self.store.transact(write)
        await self.settle()

    async def refresh(self, **fields: Any) -> None:
        usual = {"id": "refresh", "group": "web", "started_at": self.clock.now()}
        made = Refresh(**{**usual, **fields})
        await self.store.transact(lambda tx: tx.put(REFRESH, *PLACE, f"web/{made.id}", made))

    async def hook(self, name: str, transition: str, **fields: Any) -> None:
        made = LifecycleHook(group="web", name=name, transition=transition, **fields)
        key = f"web:{name}"
        await self.store.transact(lambda tx: tx.put(LIFECYCLE_HOOK, *PLACE, key, made))

    async def complete(self, instance_id: str, result: str = "CONTINUE") -> None:
        """Complete the first of the actions that a member waits for, as the API would."""
        first, *rest = self.members[instance_id].actions
        done = msgspec.structs.replace(first, result=result)
        await self.change_member(instance_id, actions=(done, *rest))

    async def put_template(self, *versions: dict[str, Any]) -> None:
        await self.store.transact(lambda tx: put_template(tx, *versions))

    @property
    def group(self) -> AutoScalingGroup:
        record = self.store.reader.get(AUTO_SCALING_GROUP, *PLACE, "web")
        assert record is not None
        return record.value

    @property
    def gone(self) -> bool:
        return not self.store.reader.scan(AUTO_SCALING_GROUP)

    @property
    def members(self) -> dict[str, Member]:
        found = self.store.reader.scan(MEMBER, *PLACE)
        return {record.value.instance_id: record.value for record in found}

    def instance(self, instance_id: str) -> Instance:
        record = self.store.reader.get(INSTANCE, *PLACE, instance_id)
        assert record is not None
        return record.value

    @property
    def running(self) -> list[Instance]:
        found = self.store.reader.scan(INSTANCE, *PLACE)
        return [record.value for record in found if record.value.wanted == "running"]

    @property
    def states(self) -> dict[str, int]:
        return dict(Counter(member.lifecycle for member in self.members.values()))

    @property
    def zones(self) -> list[int]:
        """How many members each zone has, the most first."""
        counts = Counter(member.zone for member in self.members.values())
        return sorted(counts.values(), reverse=True)

    @property
    def activities(self) -> list[Activity]:
        """In the order in which they began."""
        found = [record.value for record in self.store.reader.scan(ACTIVITY, *PLACE)]
        return sorted(found, key=lambda each: each.started_at)

    def told(self, start: str) -> list[Activity]:
        return [each for each in self.activities if each.description.startswith(start)]

    @property
    def last_refresh(self) -> Refresh:
        found = [record.value for record in self.store.reader.scan(REFRESH, *PLACE)]
        return max(found, key=lambda each: each.started_at)
