"""etcd keeps what it has a second time, and begins from there where its data is lost or broken."""

import base64
import datetime
import http.client
import json
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from longshore.components import locate
from longshore.components.pins import KUBERNETES_RELEASES
from longshore.controllers.eks_cluster.snapshots import (
    have_snapshot,
    restore_issues,
    snapshots,
)
from longshore.kubernetes import ControlPlane, commands, etcd_files, new_keys
from longshore.testing.ports import free_ports
from longshore.testing.wait import wait_until

READY_SECONDS = 60
KEPT = 3


class Etcd:
    """One of a cluster's control plane, which is started, killed and robbed."""

    def __init__(self, minor, directory):
        port = free_ports(2)
        self.plane = ControlPlane(
            cluster="tests",
            directory=str(directory / "files"),
            data=str(directory / "data"),
            snapshots=str(directory / "snapshots"),
            service_cidr="172.20.0.0/16",
            issuer="https://oidc.example/id/tests",
            etcd_port=port,
            peer_port=port + 1,
        )
        for place in (self.plane.directory, self.plane.data, self.plane.snapshots):
            Path(place).mkdir(mode=0o700)
        files, now = directory / "files", time.time()
        for name, content in etcd_files(self.plane, new_keys("tests", now), now).items():
            (files / name).write_bytes(content)
        self.member, self.snapshots = directory / "data" / "member", directory / "snapshots"
        self._log, self._kube, self._process = directory / "log", locate(f"kube-{minor}"), None
        self._tls = ssl.create_default_context(cafile=files / "etcd-ca.crt")
        self._tls.load_cert_chain(files / "etcd.crt", files / "etcd.key")

    def start(self, *options):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._kube, *commands(self.plane)["etcd"], *options], stdout=log, stderr=log
            )

    def serve(self, *options):
        """Start it, and return once it answers."""
        self.start(*options)
        wait_until(self.answers, READY_SECONDS, "etcd answers")

    def fail(self):
        """Start it; it ends by itself."""
        self.start()
        assert self._process.wait(READY_SECONDS) != 0

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def answers(self):
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        try:
            self.get("any")
        except OSError:
            return False
        return True

    def put(self, key, value):
        self._call("put", {"key": _encoded(key), "value": _encoded(value)})

    def get(self, key):
        found = self._call("range", {"key": _encoded(key)}).get("kvs", [])
        return base64.b64decode(found[0]["value"]).decode() if found else None

    def _call(self, what, body):
        address = ("127.0.0.1", self.plane.etcd_port)
        connection = http.client.HTTPSConnection(*address, timeout=10, context=self._tls)
        try:
            connection.request("POST", f"/v3/kv/{what}", json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def take_snapshot(self):
        """One snapshot of what there is now.

        It is asked for in the second that it is to be of, or later: until then any that is begun
        would be older than what is asked for, and be followed by another one.
        """
        at = int(time.time()) + 1
        wait_until(lambda: time.time() >= at, READY_SECONDS, "the next second")
        wait_until(lambda: have_snapshot(self.snapshots, at), READY_SECONDS, "a snapshot")

    def newest(self):
        return sorted(self.snapshots.glob("*.db"))[-1]

    def says(self):
        """What a cluster's health says of it."""
        return [issue.message for issue in restore_issues(self.snapshots, time.time())]


def _encoded(text):
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module", params=KUBERNETES_RELEASES)
def minor(request):
    return request.param


@pytest.fixture
def etcd(minor, tmp_path):
    made = Etcd(minor, tmp_path)
    made.serve()
    yield made
    made.kill()


def overwrite(path):
    """Have nothing in the file as it was, at the same length."""
    path.write_bytes(b"\xa5" * path.stat().st_size)


def test_etcd_whose_data_is_lost_has_what_its_newest_snapshot_has(etcd):
    etcd.put("kept", "yes")
    etcd.take_snapshot()
    etcd.put("after", "yes")
    etcd.kill()
    shutil.rmtree(etcd.member)
    etcd.serve()
    assert (etcd.get("kept"), etcd.get("after")) == ("yes", None)
    (said,) = etcd.says()
    assert "was lost" in said
    taken = datetime.datetime.fromtimestamp(snapshots(etcd.snapshots)[-1], datetime.UTC)
    assert taken.strftime("%Y-%m-%d %H:%M:%S UTC") in said


def test_etcd_whose_data_is_broken_is_restored_and_the_broken_data_is_set_aside(etcd):
    etcd.put("kept", "yes")
    etcd.take_snapshot()
    etcd.kill()
    overwrite(etcd.member / "snap" / "db")
    # What may be its own fault is no reason to go back in time.
    etcd.fail()
    etcd.fail()
    etcd.serve()
    assert etcd.get("kept") == "yes"
    assert "was broken" in etcd.says()[0]
    assert (etcd.member.parent / "member.broken" / "snap" / "db").exists()


def test_snapshot_that_is_not_good_is_passed_over_for_an_older_one(etcd):
    etcd.put("kept", "yes")
    etcd.take_snapshot()
    etcd.put("later", "yes")
    etcd.take_snapshot()
    etcd.kill()
    overwrite(etcd.newest())
    shutil.rmtree(etcd.member)
    etcd.serve()
    assert (etcd.get("kept"), etcd.get("later")) == ("yes", None)


def test_etcd_without_a_good_snapshot_does_not_begin_anew_as_if_nothing_had_been(etcd):
    etcd.take_snapshot()
    etcd.kill()
    for path in etcd.snapshots.glob("*.db"):
        overwrite(path)
    shutil.rmtree(etcd.member)
    etcd.fail()
    assert not etcd.member.exists()


def test_etcd_that_is_killed_again_and_again_keeps_every_write(etcd):
    etcd.take_snapshot()
    for number in range(4):
        etcd.put(f"n{number}", "yes")
        etcd.kill()
        etcd.start()
        etcd.kill()
        etcd.serve()
    assert [etcd.get(f"n{number}") for number in range(4)] == ["yes"] * 4
    assert etcd.says() == []


def test_snapshots_are_taken_by_the_clock_and_the_oldest_are_forgotten(etcd):
    etcd.kill()
    etcd.serve("--snapshots-every=1s", f"--snapshots-kept={KEPT}")
    first = wait_until(lambda: snapshots(etcd.snapshots), READY_SECONDS, "a snapshot")[0]
    wait_until(lambda: first not in snapshots(etcd.snapshots), READY_SECONDS, "it is forgotten")
    assert len(snapshots(etcd.snapshots)) <= KEPT + 1


def test_watch_of_the_time_before_a_restore_is_told_that_it_has_missed_something(etcd):
    """Else clients would go on with what is not there any more."""
    etcd.put("kept", "yes")
    etcd.take_snapshot()
    before = int(etcd._call("range", {"key": _encoded("kept")})["header"]["revision"])
    etcd.kill()
    shutil.rmtree(etcd.member)
    etcd.serve()
    answer = etcd._call("range", {"key": _encoded("kept"), "revision": str(before)})
    assert "compacted" in answer["message"]
    assert int(etcd._call("range", {"key": _encoded("kept")})["header"]["revision"]) > before
