"""Keys leave when their waiting period is over, and are rotated when it is time."""

import msgspec
import pytest

from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.base.key_material import new_material
from longshore.base.sealing import Sealer
from longshore.controllers.interface import Surroundings
from longshore.controllers.key_rotation import KeyRotation
from longshore.model.kms import ALIAS, GRANT, KEY, Alias, Grant, Key, Material, grant_name
from longshore.store.interface import Key as Place
from longshore.testing.clock import FakeClock
from longshore.testing.memory_store import MemoryStore

HERE, DAY = ("123456789012", "us-east-1"), 86_400.0


class World:
    def __init__(self, directory):
        self.store, self.clock = MemoryStore(), FakeClock()
        self.sealer = Sealer(b"k" * 32)
        around = Surroundings(
            store=self.store,
            clock=self.clock,
            ids=RandomIds(),
            installation=Installation(data_dir=directory),
        )
        self.controller = KeyRotation(around, self.sealer)

    def keep(self, **fields):
        """The key `1`, with an alias and a grant."""
        material, sealed = new_material(self.sealer, "arn:1")
        first = Material(id=material, sealed=sealed, created_at=0.0)
        key = Key(id="1", arn="arn:1", created_at=0.0, policy="{}", materials=(first,), **fields)
        alias = Alias(name="alias/a", key_id="1", created_at=0.0, updated_at=0.0)
        grant = Grant(
            id="g",
            key_id="1",
            token="t",
            grantee="arn:ann",
            operations=("Encrypt",),
            created_at=0.0,
            issuer="",
        )

        def write(tx):
            tx.put(KEY, *HERE, "1", key)
            tx.put(ALIAS, *HERE, "alias/a", alias)
            tx.put(GRANT, *HERE, grant_name("1", "g"), grant)

        self.store._run(write, 1)

    def change(self, **fields):
        changed = msgspec.structs.replace(self.key, **fields)
        self.store._run(lambda tx: tx.put(KEY, *HERE, "1", changed), 1)

    @property
    def key(self):
        record = self.store.reader.get(KEY, *HERE, "1")
        return record.value if record is not None else None

    async def reconcile(self):
        return await self.controller.reconcile(Place(KEY.name, *HERE, "1"))


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def test_a_key_goes_with_all_that_is_its_when_its_time_is_over(world):
    world.keep(deletes_at=world.clock.now() + 7 * DAY)
    assert await world.reconcile() == 7 * DAY
    assert world.key is not None
    world.clock.advance(7 * DAY)
    await world.reconcile()
    assert [list(world.store.reader.scan(kind)) for kind in (KEY, ALIAS, GRANT)] == [[], [], []]


async def test_a_key_gets_new_material_each_period_and_keeps_the_old(world):
    world.keep(rotation_days=90, rotates_at=world.clock.now() + 90 * DAY)
    assert await world.reconcile() == 90 * DAY
    for number in (2, 3):
        world.clock.advance(90 * DAY)
        assert await world.reconcile() == 90 * DAY
        assert len({each.id for each in world.key.materials}) == number
    assert [each.rotation for each in world.key.materials] == ["", "AUTOMATIC", "AUTOMATIC"]


async def test_a_disabled_key_is_rotated_once_it_is_enabled(world):
    world.keep(rotation_days=90, rotates_at=world.clock.now(), enabled=False)
    assert await world.reconcile() is None
    assert len(world.key.materials) == 1
    world.change(enabled=True)
    await world.reconcile()
    assert len(world.key.materials) == 2


async def test_a_key_without_plans_is_left_alone(world):
    world.keep()
    assert await world.reconcile() is None
    assert world.key.enabled
