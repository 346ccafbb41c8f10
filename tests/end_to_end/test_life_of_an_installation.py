"""Starting, ending, killing and starting again: what is left, and what comes back."""

import contextlib
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from end_to_end.cloud import Cloud
from end_to_end.traces import processes_of, traces

from longshore.testing.images import busybox_files
from longshore.testing.longshore import RunningLongshore
from longshore.testing.ports import free_ports
from longshore.testing.postgres import running_postgres
from longshore.testing.wait import wait_until

COMMAND = [sys.executable, "-m", "longshore.main"]
PATIENT = "trap exit TERM; sleep 1000 & wait"
DEAF = "trap '' TERM; while :; do sleep 1000; done"
ENDING_SECONDS = 20


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory(prefix="longshore-life-") as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def second(place):
    """Another Longshore beside the tests' shared one, with a service of one task."""
    longshore = RunningLongshore(place / "second")
    try:
        cloud = Cloud(longshore, place / "second-images")
        definition = _define(cloud, "kept")
        cloud.ecs.create_service(
            serviceName="kept", taskDefinition=definition, desiredCount=1, launchType="EC2"
        )
        yield Installed(longshore, cloud)
    finally:
        longshore.end()


class Installed:
    """A Longshore that tests end and start again."""

    def __init__(self, longshore, cloud):
        self.longshore = longshore
        self.cloud = cloud

    def up(self):
        self.longshore.command("up", "--detach")

    def kept_task(self):
        """The service's task, once one runs."""

        def found():
            arns = self.cloud.ecs.list_tasks(serviceName="kept")["taskArns"]
            tasks = self.cloud.ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
            return [task for task in tasks if task["lastStatus"] == "RUNNING"]

        return wait_until(found, 30, "the service's task runs")[0]


def _define(cloud, family, script=PATIENT):
    image = cloud.image("busybox", busybox_files("sh", "sleep"), {"Cmd": ["/bin/sh"]})
    container = {"name": "main", "image": image, "memory": 64, "command": ["sh", "-c", script]}
    return cloud.definition(family, [container], fargate=False, networkMode="bridge")


def _run(cloud, definition, launch_type="EC2"):
    answer = cloud.ecs.run_task(taskDefinition=definition, launchType=launch_type)
    assert not answer["failures"]
    arn = answer["tasks"][0]["taskArn"]
    cloud.await_status(arn, "RUNNING")
    return arn


def test_starting_again_what_runs_says_so_and_changes_nothing(second):
    before = second.longshore.pid("supervisor"), second.longshore.installation
    told = second.longshore.command("up", "--detach", "--port", "1").stdout
    assert told == f"Longshore is up already: {second.longshore.installation.endpoint_url}\n"
    assert (second.longshore.pid("supervisor"), second.longshore.installation) == before


def test_status_tells_what_runs(second):
    told = second.longshore.command("status").stdout
    assert f"{second.longshore.installation.endpoint_url}  ready" in told
    for process in ("supervisor", "control-plane", "containerd", "agent"):
        assert f"{process} " in told
    assert "not running" not in told
    assert "runtime    containerd" in told


def test_env_gives_what_aws_clients_need(second):
    words = "aws sts get-caller-identity --query Arn --output text"
    identity = second.longshore.aws(*words.split()[1:]).strip()
    assert identity.startswith(f"arn:aws:iam::{second.longshore.installation.account}:")


def test_administrators_key_is_its_owners_alone(second):
    path = second.longshore.data_dir / "administrator.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nobody_else_can_look_into_an_installation_and_is_told_so(second):
    data_dir = second.longshore.data_dir
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((data_dir / "installation.json").stat().st_mode) == 0o600
    assert {stat.S_IMODE(path.stat().st_mode) for path in data_dir.glob("state.db*")} == {0o600}
    for command in ("env", "status", "up", "down"):
        told = _as_nobody(command, "--data-dir", data_dir)
        assert told.returncode == 1
        assert told.stderr.startswith(f"Error: Only root may read {data_dir}")


def test_everything_killed_at_once_comes_back(second):
    before = second.kept_task()["taskArn"]
    lone = _run(second.cloud, _define(second.cloud, "lone"))
    # The supervisor first, lest it starts again what dies.
    found = processes_of(second.longshore.installation)
    supervisor = second.longshore.pid("supervisor")
    for process in sorted(found, key=lambda each: each.pid != supervisor):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    second.up()
    assert second.cloud.await_status(lone, "STOPPED")["stoppedReason"]
    second.cloud.await_status(before, "STOPPED")
    assert second.kept_task()["taskArn"] != before


def test_down_leaves_nothing_of_its_own_and_all_of_the_neighbours(second, cloud, busybox_image):
    neighbour = _run(cloud, _define(cloud, "neighbour"))
    fargate = _fargate_task(second.cloud)
    before = traces(cloud.longshore.installation)
    second.kept_task()
    second.longshore.command("down")
    assert traces(second.longshore.installation) == []
    assert (second.longshore.data_dir / "state.db").exists()
    assert traces(cloud.longshore.installation) == before
    assert cloud.task(neighbour)["lastStatus"] == "RUNNING"
    assert second.longshore.command("status", check=False).returncode == 1
    cloud.ecs.stop_task(task=neighbour)
    second.up()
    assert second.cloud.await_status(fargate, "STOPPED")["stoppedReason"]


def test_records_and_services_are_there_again_after_down_and_up(second):
    second.up()
    before = second.kept_task()["taskArn"]
    second.longshore.command("down")
    second.up()
    assert second.cloud.ecs.describe_task_definition(taskDefinition="kept")
    assert second.cloud.ecr.describe_images(repositoryName="busybox")["imageDetails"]
    second.cloud.await_status(before, "STOPPED")
    assert second.kept_task()["taskArn"] != before


def test_throttled_installation_holds_calls_to_awss_rates_and_its_purge_leaves_nothing(place):
    longshore = RunningLongshore(place / "purged", "--runtime", "simulated", "--throttling")
    ecs = longshore.client("ecs")
    with pytest.raises(ecs.exceptions.ClientError) as refused:
        # Twenty at once, then one a second ("Request throttling for the Amazon ECS API").
        for number in range(40):
            ecs.create_cluster(clusterName=f"c{number}")
    assert refused.value.response["Error"]["Code"] == "ThrottlingException"
    installation = longshore.installation
    longshore.command("down", "--purge")
    assert not longshore.data_dir.exists()
    assert traces(installation) == []
    assert "There is no Longshore" in longshore.command("down").stdout


@pytest.mark.parametrize("step", [0, 1, 2])
def test_port_in_use_is_told_and_nothing_is_made(place, step):
    port = free_ports(3)
    with socket.create_server(("127.0.0.1", port + step)):
        done = subprocess.run(
            [*COMMAND, "up", "--detach", "--data-dir", place / "refused", "--port", str(port)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Port {port + step} cannot be had")
    assert not (place / "refused").exists()


def test_foreground_ends_with_its_tasks_within_twenty_seconds_of_sigterm(place):
    with foreground(place / "foreground") as (longshore, process):
        cloud = Cloud(longshore, place / "foreground-images")
        _run(cloud, _define(cloud, "deaf", DEAF))
        begun = time.monotonic()
        process.terminate()
        assert process.wait(ENDING_SECONDS) == 0
        assert time.monotonic() - begun < ENDING_SECONDS
        assert traces(longshore.installation) == []


def test_open_simulated_longshore_takes_any_key_runs_no_container_and_forgets(place):
    options = ("--auth", "open", "--runtime", "simulated")
    with foreground(place / "open", *options) as (longshore, process):
        ecs = longshore.client("ecs", ("AKIAANYTHINGATALL000", "any-secret"))
        definition = ecs.register_task_definition(
            family="none",
            containerDefinitions=[{"name": "main", "image": "nothing", "memory": 64}],
        )["taskDefinition"]["taskDefinitionArn"]
        task = ecs.run_task(taskDefinition=definition, launchType="EC2")["tasks"][0]["taskArn"]
        wait_until(lambda: _status(ecs, task) == "RUNNING")
        assert "NO CONTAINER RUNS" in longshore.command("status").stdout
        assert _reset(longshore) == 200
        assert ecs.list_task_definitions()["taskDefinitionArns"] == []
        process.terminate()
        assert process.wait(ENDING_SECONDS) == 0


def test_reset_is_not_offered_where_signatures_are_checked(second):
    with pytest.raises(OSError, match=r"HTTP Error 4\d\d"):
        _reset(second.longshore)


def test_records_live_in_postgresql_and_tasks_run_from_them(place):
    with running_postgres() as server:
        longshore = RunningLongshore(place / "postgres", "--store", server.database())
        try:
            cloud = Cloud(longshore, place / "postgres-images")
            task = _run(cloud, _define(cloud, "stored"))
            assert "PostgreSQL" in longshore.command("status").stdout
            psutil.Process(longshore.pid("control-plane")).kill()
            assert wait_until(lambda: _described(cloud, task))["lastStatus"] == "RUNNING"
            assert cloud.stop(task)["stopCode"] == "UserInitiated"
            assert not (longshore.data_dir / "state.db").exists()
        finally:
            longshore.end()


def test_doctor_and_components_tell_of_this_machine(second):
    told = second.longshore.command("doctor", check=False).stdout
    for word in ("containerd", "runsc", "cgroup"):
        assert word in told
    listed = subprocess.run(
        [*COMMAND, "components", "list"], capture_output=True, text=True, check=True
    ).stdout
    components = {line.split()[0]: line for line in listed.splitlines()}
    for name in ("containerd", "runc", "runsc"):
        assert "missing" not in components[name]


def test_directory_that_holds_other_things_is_refused_and_stays_as_it_is(place):
    other = place / "other"
    other.mkdir(mode=0o755)
    (other / "letter").write_text("dear")
    done = subprocess.run(
        [*COMMAND, "up", "--detach", "--data-dir", other],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"There are other things in {other}.")
    assert stat.S_IMODE(other.stat().st_mode) == 0o755
    assert [path.name for path in other.iterdir()] == ["letter"]


def _as_nobody(*arguments):
    """The command as run by a user without any right, in a process of which only that differs."""
    program = (
        "import os, sys; from longshore.main.command import main; os.setgroups([]);"
        "os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534); main()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )


@contextlib.contextmanager
def foreground(data_dir, *options):
    """`longshore up` that is not detached, once tasks can run; and its process."""
    port = str(free_ports(4))
    process = subprocess.Popen(
        [*COMMAND, "up", "--data-dir", data_dir, "--port", port, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    longshore = RunningLongshore.that_runs(data_dir, int(port))
    try:
        wait_until(lambda: _ready(longshore, process), 60, "the foreground is ready")
        yield longshore, process
    finally:
        process.terminate()
        process.wait()
        longshore.end()


def _ready(longshore, process):
    assert process.poll() is None
    try:
        return longshore.installation.ready_file.exists()
    except AssertionError:
        return False


def _fargate_task(cloud):
    image = cloud.image("busybox", {}, {})
    container = {"name": "main", "image": image, "command": ["sh", "-c", PATIENT]}
    (arn,) = cloud.run(cloud.definition("isolated", [container]))
    cloud.await_status(arn, "RUNNING")
    return arn


def _status(ecs, task):
    return ecs.describe_tasks(tasks=[task])["tasks"][0]["lastStatus"]


def _described(cloud, task):
    try:
        return cloud.task(task)
    except (ClientError, BotoCoreError):
        return None


def _reset(longshore):
    url = f"{longshore.installation.endpoint_url}/_longshore/reset"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5) as answer:
        return answer.status
