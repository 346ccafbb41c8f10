"""A disk without room under the whole product: refused with a reason, and mended by making room."""

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from end_to_end.checks import LAUNCH_TYPES, run_without_interface
from end_to_end.cloud import Cloud, awslogs
from end_to_end.kills import kill

from longshore.testing.disks import small_disk
from longshore.testing.images import busybox_files, make_image, push_image
from longshore.testing.longshore import RunningLongshore
from longshore.testing.wait import wait_until

DISK = "96m"
BLOCK = 4096
PROCESSES = ("supervisor", "control-plane", "containerd", "agent")
GROUP = "/full-disk"
UNAVAILABLE = {500, 503, 507}
SOME = 2**20
"""Bytes that the control plane and a task's own files find room in, an image does not."""
LARGE = 8 * 2**20
BACK_SECONDS = 30
COUNT = "n=0; while :; do echo line $n; n=$((n+1)); sleep 0.05; done"


class Disk:
    """A small file system, and the file that takes its room away."""

    def __init__(self, path):
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, but=0):
        """Take all the room there is but so many bytes."""
        with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while self.free() > but + BLOCK:
                file.write(bytes(min(2**20, self.free() - but)))
            while not but:
                file.write(bytes(BLOCK))

    def free(self):
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_bsize

    def make_room(self):
        self._ballast.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def disk():
    with (
        tempfile.TemporaryDirectory(prefix="longshore-full-") as directory,
        small_disk(Path(directory), DISK) as path,
    ):
        yield Disk(path)


@pytest.fixture(scope="module")
def small(disk):
    """A Longshore whose data lie on that file system."""
    running = RunningLongshore(disk.path / "data")
    yield running
    disk.make_room()
    running.end()


@pytest.fixture(scope="module")
def cloud(small, tmp_path_factory):
    return Cloud(small, tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def image(cloud):
    return cloud.image("small", busybox_files("sh", "sleep", "dd"), {"Cmd": ["/bin/sh"]})


@pytest.fixture(scope="module")
def counting(cloud, image):
    """A task of each launch type that writes a numbered line twenty times a second."""
    return {each: start(cloud, image, each, COUNT, "counting") for each in LAUNCH_TYPES}


def start(cloud, image, launch_type, script, family="short"):
    """A running task's ARN, or one's that is on its way."""
    container = {
        "name": "main",
        "image": image,
        "memory": 128,
        "command": ["sh", "-c", script],
        "stopTimeout": 2,
        "logConfiguration": awslogs(GROUP, f"{family}-{launch_type.lower()}"),
    }
    name = f"{family}-{launch_type.lower()}"
    if launch_type == "FARGATE":
        return cloud.run(cloud.definition(name, [container]))[0]
    definition = cloud.definition(name, [container], fargate=False, networkMode="bridge")
    return run_without_interface(cloud, definition)


@pytest.fixture
def nearly_full(disk, counting, cloud):
    """A disk with room for records, not for images."""
    for task in counting.values():
        cloud.await_status(task, "RUNNING")
    yield
    disk.make_room()


@pytest.fixture
def full(disk, nearly_full):
    disk.fill()


def pids(small):
    return {process: small.pid(process) for process in PROCESSES}


def refused(call, **arguments):
    """The HTTP status and code of the error that a call is answered with; None where it is done."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
    return None


def create_until_refused(cloud, prefix):
    """Repositories that were acknowledged, and the first error."""
    for number in range(2000):
        error = refused(cloud.ecr.create_repository, repositoryName=f"{prefix}/{number}")
        if error is not None:
            return [f"{prefix}/{each}" for each in range(number)], error
    raise AssertionError("the disk took everything")


def repositories(cloud, prefix):
    pages = cloud.ecr.get_paginator("describe_repositories").paginate()
    names = [each["repositoryName"] for page in pages for each in page["repositories"]]
    return {name for name in names if name.startswith(prefix + "/")}


def works_again(cloud, name):
    """Whether a write is taken."""
    return refused(cloud.ecr.create_repository, repositoryName=name) is None


def test_writes_are_refused_and_reads_answered_and_what_was_acknowledged_is_kept(
    cloud, small, disk, full
):
    before = pids(small)
    made, error = create_until_refused(cloud, "acknowledged")
    assert error[0] in UNAVAILABLE, error
    assert repositories(cloud, "acknowledged") == set(made)
    assert cloud.ecs.list_tasks()["taskArns"]
    assert "arn" in cloud.iam.get_role(RoleName="execution")["Role"]["Arn"]
    disk.make_room()
    wait_until(lambda: works_again(cloud, "after"), BACK_SECONDS)
    assert pids(small) == before
    kill(small, "control-plane")
    wait_until(lambda: answers(cloud), BACK_SECONDS)
    assert repositories(cloud, "acknowledged") == set(made)


def answers(cloud):
    with contextlib.suppress(Exception):
        return cloud.ecr.describe_registry()
    return None


def test_processes_that_are_killed_meanwhile_come_back_and_answer(
    cloud, small, disk, counting, full
):
    for process in ("control-plane", "agent"):
        kill(small, process)
    wait_until(lambda: answers(cloud), BACK_SECONDS)
    assert all(cloud.task(task)["lastStatus"] == "RUNNING" for task in counting.values())
    disk.make_room()
    wait_until(lambda: works_again(cloud, "after-kill"), BACK_SECONDS)
    for process in PROCESSES:
        assert Path(f"/proc/{small.pid(process)}").exists()


def test_an_upload_is_refused_and_leaves_nothing(cloud, small, disk, nearly_full, tmp_path):
    name = "too-large"
    cloud.ecr.create_repository(repositoryName=name)
    layout = make_image(tmp_path / "large", {"data": os.urandom(LARGE)})
    reference = f"{cloud.repository_uri(name)}:latest"
    disk.fill(but=SOME)
    with pytest.raises(RuntimeError, match="507 Insufficient Storage"):
        push_image(layout, reference, cloud.registry_credentials())
    assert disk.free() > SOME // 2
    disk.make_room()
    push_image(layout, reference, cloud.registry_credentials())
    assert cloud.ecr.list_images(repositoryName=name)["imageIds"]
    cloud.ecr.delete_repository(repositoryName=name, force=True)


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_a_task_whose_image_has_no_room_stops_with_a_reason(cloud, disk, nearly_full, launch_type):
    files = {**busybox_files("sh"), "data": os.urandom(LARGE)}
    name = f"no-room-{launch_type.lower()}"
    reference = cloud.image(name, files, {"Cmd": ["/bin/sh"]})
    disk.fill(but=SOME)
    task = start(cloud, reference, launch_type, "exit 7")
    ended = cloud.await_status(task, "STOPPED")
    assert ended["stopCode"] == "TaskFailedToStart"
    assert "CannotPullContainerError" in ended["stoppedReason"]
    assert "no space left on device" in ended["stoppedReason"]
    disk.make_room()
    task = start(cloud, reference, launch_type, "exit 7")
    ended = cloud.await_status(task, "STOPPED")
    assert ended["containers"][0]["exitCode"] == 7, ended
    cloud.ecr.delete_repository(repositoryName=name, force=True)


def await_more_lines(cloud, stream):
    """A group that found no room comes with the agent's next attempt."""

    def printed():
        with contextlib.suppress(cloud.logs.exceptions.ResourceNotFoundException):
            return len(cloud.log_lines(GROUP, stream))
        return 0

    before = printed()
    wait_until(lambda: printed() > before + 50, BACK_SECONDS)


def test_tasks_ran_on_and_print_on_and_no_line_of_their_logs_is_lost(cloud, counting, disk):
    disk.make_room()
    for launch_type, task in counting.items():
        stream = f"counting-{launch_type.lower()}/main/{task.rpartition('/')[2]}"
        await_more_lines(cloud, stream)
        assert cloud.stop(task)["stopCode"] == "UserInitiated"
        lines = cloud.log_lines(GROUP, stream)
        numbers = [int(line.split()[1]) for line in lines]
        assert numbers == list(range(len(numbers)))
