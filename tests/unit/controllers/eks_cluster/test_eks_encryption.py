"""A cluster's key: the provider beside its API server, and what is in the key's way."""

import msgspec
import pytest

from longshore.controllers.eks_cluster.encryption import (
    PROGRAM,
    clusters_of_key,
    encrypted,
    encryption_issues,
    forget_grant,
)
from longshore.kubernetes.encryption import SOCKET, encryption_configuration
from longshore.model import eks
from longshore.model.kms import GRANT, KEY, Grant, Key, Material, grant_name, key_arn
from longshore.store.interface import Change
from longshore.store.interface import Key as Place
from longshore.testing.memory_store import MemoryStore

ACCOUNT, REGION, ID = "123456789012", "us-east-1", "11111111-2222-4333-8444-555555555555"
HERE = (ACCOUNT, REGION)
ARN = key_arn(REGION, ACCOUNT, ID)
CLUSTER = eks.Cluster(
    name="shop",
    arn=eks.cluster_arn(REGION, ACCOUNT, "shop"),
    id="0123456789ABCDEF" * 2,
    version="1.35",
    role_arn="arn:aws:iam::123456789012:role/eks",
    created_at=0.0,
    created_by="arn:aws:iam::123456789012:user/ann",
    vpc_id="vpc-1",
    subnets=("subnet-1", "subnet-2"),
    service_cidr="10.100.0.0/16",
    encryption_key=ARN,
)
KEY_ITSELF = Key(
    id=ID,
    arn=ARN,
    created_at=0.0,
    policy="{}",
    materials=(Material(id="0", sealed="", created_at=0.0),),
)
GRANT_ITSELF = Grant(
    id=eks.encryption_grant(CLUSTER),
    key_id=ID,
    token="t",
    grantee=CLUSTER.role_arn,
    operations=("Encrypt",),
    created_at=0.0,
    issuer="",
)


class World:
    """The cluster with its key and its grant."""

    def __init__(self):
        self.store = MemoryStore()
        self.put(KEY, ID, KEY_ITSELF)
        self.put(GRANT, grant_name(ID, GRANT_ITSELF.id), GRANT_ITSELF)
        self.put(eks.CLUSTER, "shop", CLUSTER)

    def put(self, kind, name, value):
        self.store._run(lambda tx: tx.put(kind, *HERE, name, value), 1)

    def delete(self, kind, name):
        self.store._run(lambda tx: tx.delete(kind, *HERE, name), 1)

    def codes(self):
        return [issue.code for issue in encryption_issues(self.store.reader, CLUSTER)]


@pytest.fixture
def world():
    return World()


def test_each_thing_that_is_wrong_with_a_key_has_its_code(world):
    assert world.codes() == []
    world.delete(GRANT, grant_name(ID, GRANT_ITSELF.id))
    assert world.codes() == ["KmsGrantRevoked"]
    world.put(KEY, ID, msgspec.structs.replace(KEY_ITSELF, enabled=False))
    assert world.codes() == ["KmsKeyDisabled"]
    planned = msgspec.structs.replace(KEY_ITSELF, enabled=False, deletes_at=1.0)
    world.put(KEY, ID, planned)
    assert world.codes() == ["KmsKeyMarkedForDeletion"]
    world.delete(KEY, ID)
    assert world.codes() == ["KmsKeyNotFound"]


def test_a_cluster_without_a_key_has_no_such_issue(world):
    plain = msgspec.structs.replace(CLUSTER, encryption_key="")
    assert encryption_issues(world.store.reader, plain) == ()


@pytest.mark.parametrize(
    ("kind", "value"), [(KEY, KEY_ITSELF), (GRANT, GRANT_ITSELF)], ids=["key", "grant"]
)
def test_a_changed_key_or_grant_concerns_the_clusters_that_have_it(world, kind, value):
    record = next(iter(world.store.reader.scan(kind)))
    change = Change(revision=9, key=record.key, before=record, after=None)
    assert list(clusters_of_key(change, world.store.reader)) == [
        Place(eks.CLUSTER.name, *HERE, "shop")
    ]
    world.put(eks.CLUSTER, "shop", msgspec.structs.replace(CLUSTER, encryption_key=""))
    assert list(clusters_of_key(change, world.store.reader)) == []


def test_the_grant_goes_with_the_cluster(world):
    world.store._run(lambda tx: forget_grant(tx, CLUSTER), 1)
    assert list(world.store.reader.scan(GRANT)) == []


def test_the_provider_is_there_before_the_api_server_and_speaks_as_the_clusters_role():
    check = {"command": ["CMD", "/kube", "kubectl", "get", "--raw=/readyz"], "interval": 5}
    api_server = {"name": "kube-apiserver", "dependsOn": [], "healthCheck": check}
    scheduler = {"name": "kube-scheduler", "dependsOn": []}
    task = {"family": "f", "containerDefinitions": [api_server, scheduler]}
    made = encrypted(task, CLUSTER, "registry/eks/kms-plugin:1")
    provider, server, other = made["containerDefinitions"]
    assert made["taskRoleArn"] == CLUSTER.role_arn
    assert (provider["name"], provider["image"]) == (PROGRAM, "registry/eks/kms-plugin:1")
    assert f"--key-arn={ARN}" in provider["command"]
    assert server["dependsOn"] == [{"containerName": PROGRAM, "condition": "START"}]
    assert server["healthCheck"]["command"][-1] == "--raw=/readyz?exclude=kms-providers"
    assert other == scheduler
    assert task["containerDefinitions"] == [api_server, scheduler]


def test_secrets_are_written_encrypted_and_read_either_way():
    (resources,) = msgspec.json.decode(encryption_configuration())["resources"]
    assert resources["resources"] == ["secrets"]
    first, second = resources["providers"]
    assert (first["kms"]["apiVersion"], first["kms"]["endpoint"]) == ("v2", f"unix:///{SOCKET}")
    assert second == {"identity": {}}
