"""Log groups and streams of control planes: made, delivered to, left and made again."""

import msgspec
import pytest

from longshore.base.ids import RandomIds
from longshore.controllers.eks_cluster.logging import (
    forget_log_streams,
    have_log_streams,
    log_configuration,
    logged_cluster,
)
from longshore.model import eks
from longshore.model.logs import LOG_GROUP, LOG_STREAM, Delivery, LogGroup, stream_key
from longshore.store.interface import Change, Key, Record
from longshore.testing.memory_store import MemoryStore

ACCOUNT, REGION, NOW = "123456789012", "us-east-1", 1_767_225_600.0
KEY = Key(eks.CLUSTER.name, ACCOUNT, REGION, "shop")
SYSTEM = (eks.SYSTEM_ACCOUNT, REGION)
GROUP = "/aws/eks/shop/cluster"
CLUSTER = eks.Cluster(
    name="shop",
    arn=eks.cluster_arn(REGION, ACCOUNT, "shop"),
    id="0123456789ABCDEF" * 2,
    version="1.35",
    role_arn="arn:aws:iam::123456789012:role/eks",
    created_at=NOW,
    created_by="arn:aws:iam::123456789012:user/ann",
    vpc_id="vpc-1",
    subnets=("subnet-1", "subnet-2"),
    service_cidr="10.100.0.0/16",
)


def logging(*types):
    return msgspec.structs.replace(CLUSTER, log_types=types)


class World:
    def __init__(self):
        self.store, self.ids = MemoryStore(), RandomIds()

    def have(self, *types):
        cluster = logging(*types)
        self.store._run(lambda tx: have_log_streams(tx, self.ids, KEY, cluster, NOW), 1)

    def names(self, account):
        found = self.store.reader.scan(LOG_STREAM, account, REGION)
        return {record.value.name: record.value for record in found}

    def deliveries(self):
        """Where the control plane's tasks' events go, by the stream that they put them into."""
        return {name: each.delivery for name, each in self.names(eks.SYSTEM_ACCOUNT).items()}


@pytest.fixture
def world():
    return World()


def test_streams_are_made_when_their_type_is_enabled_and_named_as_eks_does(world):
    world.have()
    assert world.names(ACCOUNT) == {}
    assert world.store.reader.get(LOG_GROUP, ACCOUNT, REGION, GROUP) is None
    world.have("api", "audit", "authenticator", "controllerManager", "scheduler")
    digits = CLUSTER.id.lower()
    assert set(world.names(ACCOUNT)) == {
        f"kube-apiserver-{digits}",
        f"kube-apiserver-audit-{digits}",
        f"authenticator-{digits}",
        f"kube-controller-manager-{digits}",
        f"kube-scheduler-{digits}",
    }
    assert {each.group for each in world.names(ACCOUNT).values()} == {GROUP}


def test_each_type_is_delivered_while_it_is_enabled(world):
    api, audit = (eks.log_stream(CLUSTER, kind) for kind in ("api", "audit"))
    world.have("api")
    assert world.deliveries()[api] == Delivery(ACCOUNT, GROUP, api, int(NOW * 1000))
    assert world.deliveries()[audit] == Delivery(ACCOUNT)
    world.have("audit")
    assert world.deliveries()[api] == Delivery(ACCOUNT)
    assert world.deliveries()[audit] == Delivery(ACCOUNT, GROUP, audit, int(NOW * 1000))
    assert set(world.names(ACCOUNT)) == {api, audit}


def test_a_group_that_its_owner_made_is_used_as_it_is(world):
    group = LogGroup(name=GROUP, id="g", created_at=0, retention_days=7)
    world.store._run(lambda tx: tx.put(LOG_GROUP, ACCOUNT, REGION, GROUP, group), 1)
    world.have("api")
    assert world.store.reader.get(LOG_GROUP, ACCOUNT, REGION, GROUP).value == group


def test_nothing_is_written_where_nothing_changed(world):
    world.have("api")
    before = world.names(eks.SYSTEM_ACCOUNT), world.names(ACCOUNT)
    world.have("api")
    assert (world.names(eks.SYSTEM_ACCOUNT), world.names(ACCOUNT)) == before


def test_logs_stay_when_the_cluster_goes(world):
    world.have("api")
    world.store._run(lambda tx: forget_log_streams(tx, KEY, CLUSTER), 1)
    assert world.names(eks.SYSTEM_ACCOUNT) == {}
    assert list(world.store.reader.scan(LOG_GROUP, *SYSTEM)) == []
    assert set(world.names(ACCOUNT)) == {eks.log_stream(CLUSTER, "api")}


def test_clusters_of_two_accounts_do_not_share_a_stream(world):
    other = Key(KEY.kind, "210987654321", REGION, "shop")
    for key in (KEY, other):
        options = log_configuration(CLUSTER, key, "kube-scheduler")["logConfiguration"]["options"]
        assert key.account in options["awslogs-group"]


def test_each_process_writes_into_streams_that_are_there(world):
    world.have()
    names = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    made = [log_configuration(CLUSTER, KEY, name) for name in names]
    assert made[0] == {}
    for each in made[1:]:
        options = each["logConfiguration"]["options"]
        streams = {options.get("awslogs-stream"), options.get("longshore-stdout-stream")}
        for stream in streams - {None}:
            key = stream_key(options["awslogs-group"], stream)
            assert world.store.reader.get(LOG_STREAM, *SYSTEM, key) is not None


@pytest.mark.parametrize(
    ("account", "name", "found"),
    [
        (ACCOUNT, GROUP, [KEY]),
        (ACCOUNT, f"{GROUP}:kube-scheduler-1", [KEY]),
        (ACCOUNT, "/aws/eks/shop/containers", []),
        (ACCOUNT, "/ecs/shop", []),
        (eks.SYSTEM_ACCOUNT, GROUP, []),
    ],
)
def test_a_deleted_group_is_made_again_by_its_cluster(account, name, found):
    record = Record(Key(LOG_GROUP.name, account, REGION, name), None, 1)
    change = Change(revision=2, key=record.key, before=record, after=None)
    assert list(logged_cluster(change)) == found
