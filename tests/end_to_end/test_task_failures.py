"""Tasks that cannot start, that end badly, or that do not want to end."""

import time
from pathlib import Path

import pytest
from end_to_end.checks import LAUNCH_TYPES, check, define

from longshore.testing.wait import wait_until

FOR_EVER = "while :; do sleep 0.1; done"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


def start(cloud, family, containers, launch_type, **further):
    (task,) = cloud.run(define(cloud, family, containers, launch_type, **further), launch_type)
    return task


def containers_of(task):
    return {container["name"]: container for container in task["containers"]}


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
@pytest.mark.parametrize("missing", ["repository", "tag", "digest"])
def test_an_image_that_does_not_exist_cannot_be_pulled(cloud, launch_type, missing):
    there = cloud.repository_uri("checking") if missing != "repository" else ""
    image = {
        "repository": cloud.repository_uri("busybox").replace("busybox", "absent") + ":latest",
        "tag": f"{there}:absent",
        "digest": f"{there}@sha256:{'0' * 64}",
    }[missing]
    task = start(cloud, "absent", {"main": {"image": image, "essential": True}}, launch_type)
    ended = cloud.await_status(task, "STOPPED")
    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("CannotPullContainerError: ")
    assert "not found" in ended["stoppedReason"]
    assert "startedAt" not in ended
    assert "exitCode" not in ended["containers"][0]


@pytest.fixture(autouse=True)
def images(cloud, busybox_image):
    """Both repositories are there, whichever test comes first."""
    define(cloud, "images", {"main": check("true", essential=True)}, "EC2")


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
@pytest.mark.parametrize("command", [["/bin/absent"], ["absent"], ["/bin"]])
def test_a_command_that_cannot_be_run_stops_the_task_with_the_reason(cloud, launch_type, command):
    containers = {"main": {"command": command, "essential": True}}
    task = start(cloud, "no-command", containers, launch_type)
    ended = cloud.await_status(task, "STOPPED")
    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["containers"][0]["reason"].startswith("CannotStartContainerError: "), ended
    assert "startedAt" not in ended


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_a_container_over_its_memory_is_killed_and_says_so(cloud, launch_type):
    containers = {
        "greedy": check("tail /dev/zero", memory=48),
        "modest": check(FOR_EVER, essential=True),
    }
    task = start(cloud, "greedy", containers, launch_type)
    ended = wait_for_container(cloud, task, "greedy")
    assert (ended["exitCode"], ended["reason"]) == (137, OUT_OF_MEMORY)
    running = cloud.task(task)
    assert running["lastStatus"] == "RUNNING"
    assert containers_of(running)["modest"]["lastStatus"] == "RUNNING"
    cloud.stop(task)


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_an_essential_container_over_its_memory_ends_the_task(cloud, launch_type):
    containers = {"main": check("tail /dev/zero", memory=48, essential=True)}
    ended = cloud.await_status(start(cloud, "fatal", containers, launch_type), "STOPPED")
    assert ended["stopCode"] == "EssentialContainerExited"
    assert ended["containers"][0]["exitCode"] == 137
    assert ended["containers"][0]["reason"] == OUT_OF_MEMORY


def wait_for_container(cloud, task, name):
    """The container, once it has stopped."""

    def stopped():
        container = containers_of(cloud.task(task))[name]
        return container if container["lastStatus"] == "STOPPED" else None

    return wait_until(stopped, 30, f"{name} has stopped")


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_a_task_gets_no_more_cpu_than_it_has_asked_for(cloud, longshore, launch_type):
    """Two busy loops in a quarter of a vCPU, measured by the kernel."""
    containers = {
        "one": check("while :; do :; done", essential=True),
        "two": check("while :; do :; done", essential=True),
    }
    task = start(cloud, "busy", containers, launch_type)
    cloud.await_status(task, "RUNNING")
    used, seconds = cpu_between(longshore, task)
    assert 0.1 < used / seconds < 0.3
    cloud.ecs.stop_task(task=task)


def cpu_between(longshore, task, busy=1.0):
    """(CPU seconds, seconds) of a task, from now until it has used `busy` CPU seconds."""
    of_task = f"longshore-{longshore.installation.id}/{task.rpartition('/')[2]}*"

    def used():
        for usage in Path("/sys/fs/cgroup/cpuacct").glob(f"{of_task}/cpuacct.usage"):
            return int(usage.read_text()) / 1e9
        (stat,) = Path("/sys/fs/cgroup").glob(f"{of_task}/cpu.stat")
        return int(stat.read_text().split()[1]) / 1e6

    began, before = time.monotonic(), used()
    wait_until(lambda: used() - before > busy, 30, "the task is busy")
    return used() - before, time.monotonic() - began


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_a_container_that_ignores_sigterm_is_killed_after_its_stop_timeout(cloud, launch_type):
    containers = {
        "stubborn": check(f"trap '' TERM; {FOR_EVER}", essential=True, stopTimeout=2),
        "polite": check(f"trap 'exit 42' TERM; {FOR_EVER}", essential=True, stopTimeout=60),
    }
    task = start(cloud, "stubborn", containers, launch_type)
    cloud.await_status(task, "RUNNING")
    ended = cloud.stop(task)
    codes = {name: container["exitCode"] for name, container in containers_of(ended).items()}
    assert codes == {"stubborn": 137, "polite": 42}
    took = (ended["stoppedAt"] - ended["stoppingAt"]).total_seconds()
    assert 2 <= took < 10


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_one_that_floods_its_log_and_one_that_forks_without_end_harm_no_other_task(
    cloud, launch_type
):
    containers = {
        "flood": check("yes", essential=True),
        "forks": check("f() { f | f & }; f; sleep 60", memory=128),
    }
    task = start(cloud, "harm", containers, launch_type)
    cloud.await_status(task, "RUNNING")
    for other in LAUNCH_TYPES:
        quiet = start(cloud, "quiet", {"main": check("exit 5", essential=True)}, other)
        ended = cloud.await_status(quiet, "STOPPED")
        assert ended["containers"][0]["exitCode"] == 5
    assert cloud.stop(task)["stopCode"] == "UserInitiated"
