"""Logs of a control plane, and a KMS key for its secrets, on the cluster that many tests share."""

import json
import time

import pytest

from longshore.model.eks import LOG_STREAMS
from longshore.testing.wait import wait_until

LOG_SECONDS = 60
UPDATE_SECONDS = 150
MARK = "a-text-that-no-other-secret-has"


class ControlPlaneLogs:
    """What the farm's control plane has logged since the test began."""

    def __init__(self, farm):
        self._logs = farm.cloud.longshore.client("logs")
        self._since = int(time.time() * 1000)
        self.group = f"/aws/eks/{farm.name}/cluster"

    def events(self, kind, pattern=""):
        prefix = f"{LOG_STREAMS[kind]}-"
        found = self._logs.filter_log_events(
            logGroupName=self.group,
            logStreamNamePrefix=prefix if kind != "api" else f"{prefix}{self.digits()}",
            filterPattern=pattern,
            startTime=self._since,
        )
        return [event["message"] for event in found["events"]]

    def streams(self):
        found = self._logs.describe_log_streams(logGroupName=self.group)["logStreams"]
        return {stream["logStreamName"] for stream in found}

    def digits(self):
        """What all the streams' names end with."""
        (found,) = {name.rpartition("-")[2] for name in self.streams()}
        return found

    def await_events(self, kind, pattern=""):
        found = lambda: self.events(kind, pattern)  # noqa: E731
        return wait_until(found, LOG_SECONDS, f"events of {kind} that match {pattern!r}")


def update(farm, asked):
    """The update that UpdateClusterConfig begins, once it is through."""
    begun = farm.eks.update_cluster_config(name=farm.name, logging={"clusterLogging": asked})
    return ended(farm, begun["update"])


def ended(farm, begun):
    def through():
        named = {"name": farm.name, "updateId": begun["id"]}
        told = farm.eks.describe_update(**named)["update"]
        return told if told["status"] != "InProgress" else None

    return wait_until(through, UPDATE_SECONDS, f"the {begun['type']} is through")


@pytest.fixture(scope="module")
def logs(farm):
    """Every type of log, enabled beside an API server that runs on."""
    before = farm.processes()["kube-apiserver"]
    found = ControlPlaneLogs(farm)
    done = update(farm, [{"types": list(LOG_STREAMS), "enabled": True}])
    assert (done["type"], done["status"]) == ("LoggingUpdate", "Successful")
    assert farm.processes()["kube-apiserver"] == before
    return found


@pytest.fixture(scope="module")
def key(farm, logs):
    """The KMS key that the cluster's secrets are encrypted with, from then on."""
    kms = farm.cloud.longshore.client("kms")
    arn = kms.create_key(Description="of the farm")["KeyMetadata"]["Arn"]
    farm.run("create", "secret", "generic", "earlier", "--from-literal=text=earlier")
    before = farm.read("get", "secret", "earlier")["metadata"]["resourceVersion"]
    configuration = [{"resources": ["secrets"], "provider": {"keyArn": arn}}]
    begun = farm.eks.associate_encryption_config(
        clusterName=farm.name, encryptionConfig=configuration
    )["update"]
    done = ended(farm, begun)
    assert (done["type"], done["status"], done["errors"]) == (
        "AssociateEncryptionConfig",
        "Successful",
        [],
    )
    assert farm.describe()["encryptionConfig"] == configuration
    after = farm.read("get", "secret", "earlier")["metadata"]["resourceVersion"]
    assert after != before
    return arn


def test_audit_log_tells_who_did_what_by_the_callers_arn(farm, logs):
    farm.run("create", "configmap", "audited", "--from-literal=a=b")
    found = logs.await_events("audit", '{ $.objectRef.name = "audited" && $.verb = "create" }')
    event = json.loads(found[0])
    assert event["responseStatus"]["code"] == 201
    assert event["user"]["extra"]["arn"][0].endswith(":user/admin")


def test_authenticators_log_tells_whom_it_let_in(farm, logs):
    def told():
        farm.run("get", "namespaces")
        return logs.events("authenticator", '"access granted" ":user/admin"')

    line = wait_until(told, LOG_SECONDS, "the authenticator has let the administrator in")[-1]
    assert f"cluster={farm.name}" in line


def test_secrets_are_not_found_in_etcds_files_and_read_as_ever(farm, key):
    farm.run("create", "secret", "generic", "hidden", f"--from-literal=text={MARK}")
    farm.run("create", "configmap", "shown", f"--from-literal=text={MARK[::-1]}")
    uid = farm.describe()["endpoint"].removeprefix("https://").partition(".")[0]
    data = farm.cloud.longshore.installation.data_dir / "eks" / uid / "etcd"
    kept = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
    assert MARK[::-1].encode() in kept
    assert MARK.encode() not in kept
    assert farm.read("get", "secret", "hidden")["data"]["text"]


def test_every_type_of_log_has_its_stream(farm, logs, key):
    """Another API server has taken over: each process has told of its start."""
    assert len(logs.streams()) == len(LOG_STREAMS)
    for kind in ("api", "controllerManager", "scheduler"):
        assert logs.await_events(kind)


def test_cluster_says_when_its_key_is_of_no_use(farm, key):
    kms = farm.cloud.longshore.client("kms")

    def codes():
        return [issue["code"] for issue in farm.describe()["health"]["issues"]]

    kms.disable_key(KeyId=key)
    try:
        wait_until(lambda: codes() == ["KmsKeyDisabled"], 30, "the cluster misses its key")
        farm.run("get", "namespaces")
    finally:
        kms.enable_key(KeyId=key)
    wait_until(lambda: codes() == [], 30, "the cluster has its key")


def test_nothing_arrives_once_logs_are_disabled(farm, logs):
    done = update(farm, [{"types": list(LOG_STREAMS), "enabled": False}])
    assert done["status"] == "Successful"
    farm.run("create", "configmap", "unaudited")
    farm.run("get", "configmap", "unaudited")  # what was written before has left the machine
    update(farm, [{"types": ["audit"], "enabled": True}])
    farm.run("delete", "configmap", "unaudited")
    logs.await_events("audit", '{ $.objectRef.name = "unaudited" && $.verb = "delete" }')
    assert not logs.events("audit", '{ $.objectRef.name = "unaudited" && $.verb = "create" }')
    update(farm, [{"types": ["audit"], "enabled": False}])
