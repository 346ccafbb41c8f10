"""Secrets that were there before the key are written anew, once."""

import msgspec
import pytest

from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.controllers.eks_encryption import EksEncryption
from longshore.controllers.interface import Surroundings
from longshore.kubernetes.client import Refused
from longshore.model import eks
from longshore.store.interface import Key
from longshore.testing.clock import FakeClock
from longshore.testing.memory_store import MemoryStore

HERE, KEY_ARN = ("123456789012", "us-east-1"), "arn:aws:kms:us-east-1:123456789012:key/1"
KEY = Key(eks.CLUSTER.name, *HERE, "shop")


class Api:
    """A cluster's API, as far as it is asked: secrets by path, what was written, what fails."""

    def __init__(self, *names):
        self.secrets = [{"metadata": {"namespace": "default", "name": each}} for each in names]
        self.written, self.refuses = [], {}

    async def list(self, path):
        return self.secrets

    async def replace(self, path, body):
        name = body["metadata"]["name"]
        if name in self.refuses:
            raise Refused(self.refuses[name], "", "", {})
        self.written.append((path, body["kind"]))


class World:
    def __init__(self, directory, api):
        self.store, self.api = MemoryStore(), api
        around = Surroundings(
            store=self.store,
            clock=FakeClock(),
            ids=RandomIds(),
            installation=Installation(data_dir=directory),
        )
        self.controller = EksEncryption(around, self)
        self.put(eks.CLUSTER_STATUS, "shop", eks.ClusterStatus(id="1", encryption_key=KEY_ARN))
        update = eks.Update(
            cluster="shop", id="u", type=eks.ASSOCIATE_ENCRYPTION, params=(), created_at=0.0
        )
        self.put(eks.UPDATE, eks.update_name("shop", "u"), update)

    async def client(self, key):
        return self.api

    def put(self, kind, name, value):
        self.store._run(lambda tx: tx.put(kind, *HERE, name, value), 1)

    @property
    def status(self):
        return self.store.reader.get(eks.CLUSTER_STATUS, *HERE, "shop").value

    @property
    def update(self):
        return self.store.reader.get(eks.UPDATE, *HERE, eks.update_name("shop", "u")).value

    async def reconcile(self):
        return await self.controller.reconcile(KEY)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, Api("a", "b"))


async def test_each_secret_is_written_as_it_is_and_the_update_is_through_then(world):
    assert await world.reconcile() is None
    paths = [f"/api/v1/namespaces/default/secrets/{name}" for name in ("a", "b")]
    assert world.api.written == [(path, "Secret") for path in paths]
    assert (world.status.rewritten_key, world.update.status) == (KEY_ARN, "Successful")
    assert list(world.controller.every_key(world.store.reader)) == []
    await world.reconcile()
    assert len(world.api.written) == 2


@pytest.mark.parametrize("status", [404, 409])
async def test_a_secret_that_somebody_else_wrote_or_deleted_is_left_to_them(world, status):
    world.api.refuses["a"] = status
    await world.reconcile()
    assert world.update.status == "Successful"


async def test_it_is_tried_again_where_the_api_server_refuses(world):
    world.api.refuses["b"] = 500
    assert await world.reconcile() is not None
    assert (world.status.rewritten_key, world.update.status) == ("", "InProgress")
    world.api.refuses.clear()
    await world.reconcile()
    assert world.update.status == "Successful"


async def test_nothing_happens_before_the_api_server_encrypts(world):
    world.put(eks.CLUSTER_STATUS, "shop", msgspec.structs.replace(world.status, encryption_key=""))
    await world.reconcile()
    assert world.api.written == []
