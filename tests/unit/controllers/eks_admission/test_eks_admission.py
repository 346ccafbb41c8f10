"""The webhook of pods in each cluster that answers."""

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
from unit.authenticator.test_users import ACCOUNT, cluster

from longshore.base.ids import SeededIds
from longshore.base.installation import Installation
from longshore.controllers.eks_admission import EksAdmission
from longshore.controllers.interface import Surroundings
from longshore.kubernetes.admission import PATH, proves
from longshore.kubernetes.client import Refused
from longshore.model.eks import CLUSTER, CLUSTER_STATUS, ClusterStatus
from longshore.store.interface import Change, Key
from longshore.testing.clock import FakeClock
from longshore.testing.memory_store import MemoryStore

REGION = "us-east-1"
KEY = Key(CLUSTER.name, ACCOUNT, REGION, "demo")
DIGEST = "a" * 64


class PlayedApi:
    """One client of one API server: `applied` is what it has, by path."""

    def __init__(self) -> None:
        self.applied: dict[str, Any] = {}
        self.failure: Exception | None = None
        self.is_there = True

    async def client(self, key: Key) -> Any:
        assert key == KEY
        return self if self.is_there else None

    async def apply(self, path: str, body: Any, manager: str, *, force: bool = False) -> Any:
        if self.failure is not None:
            raise self.failure
        assert (manager, force) == ("eks", True)
        self.applied[path] = body


class Played:
    def __init__(self, directory: Path) -> None:
        self.store = MemoryStore()
        self.api = PlayedApi()
        installation = Installation(data_dir=directory)
        surroundings = Surroundings(
            store=self.store, clock=FakeClock(), ids=SeededIds(), installation=installation
        )
        self.controller = EksAdmission(surroundings, self.api, b"PEM")  # type: ignore[arg-type]

    async def put(self, deleted_at: float = 0.0, **status: Any) -> None:
        wanted = msgspec.structs.replace(cluster(), deleted_at=deleted_at)
        fields = {"id": wanted.id, "webhook_digest": DIGEST, "endpoint": "https://x", **status}
        place = (ACCOUNT, REGION, "demo")

        def write(tx: Any) -> None:
            tx.put(CLUSTER, *place, wanted)
            tx.put(CLUSTER_STATUS, *place, ClusterStatus(**fields))

        await self.store.transact(write)


@pytest.fixture
def played(tmp_path: Path) -> Played:
    return Played(tmp_path)


async def test_a_cluster_that_answers_asks_about_its_pods_with_its_own_proof(
    played: Played,
) -> None:
    await played.put()
    assert await played.controller.reconcile(KEY)
    (webhook,) = played.api.applied[PATH]["webhooks"]
    asked = webhook["clientConfig"]
    before, _, proof = asked["url"].rpartition("/")
    assert before.endswith(f"/_longshore/eks/{ACCOUNT}/{REGION}/demo/mutate-pods")
    assert proves(proof, DIGEST)
    assert base64.b64decode(asked["caBundle"]) == b"PEM"


@pytest.mark.parametrize(
    "fields", [{"deleted_at": 1.0}, {"endpoint": ""}, {"id": "an earlier cluster's"}]
)
async def test_no_other_cluster_is_asked_for_anything(
    played: Played, fields: dict[str, Any]
) -> None:
    await played.put(**fields)
    assert await played.controller.reconcile(KEY) is None
    assert played.api.applied == {}


async def test_one_that_does_not_answer_is_tried_again_soon(played: Played) -> None:
    await played.put()
    settled = await played.controller.reconcile(KEY)
    assert settled is not None
    for failure in (OSError("away"), Refused(503, "ServiceUnavailable", "not yet", {})):
        played.api.failure = failure
        again = await played.controller.reconcile(KEY)
        assert again is not None
        assert again < settled
    played.api.is_there = False
    assert await played.controller.reconcile(KEY) == again


async def test_it_is_looked_at_when_the_endpoint_comes_and_at_every_start(played: Played) -> None:
    await played.put()
    reader = played.store.reader
    assert list(played.controller.every_key(reader)) == [KEY]
    record = reader.get(CLUSTER_STATUS, ACCOUNT, REGION, "demo")
    assert record is not None
    begun = msgspec.structs.replace(
        record, value=msgspec.structs.replace(record.value, endpoint="")
    )

    def keys(before: Any, after: Any) -> list[Key]:
        change = Change(revision=1, key=record.key, before=before, after=after)
        return list(played.controller.keys(change, reader))

    assert keys(begun, record) == [KEY]
    assert keys(record, record) == []
    assert keys(record, None) == []
