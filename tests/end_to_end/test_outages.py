"""The control plane is away for a while: tasks run on and end, and nothing of it is lost."""

import datetime
import json
import subprocess
from dataclasses import dataclass

import pytest
from end_to_end.checks import LAUNCH_TYPES, run_without_interface
from end_to_end.cloud import awslogs
from end_to_end.kills import outage
from end_to_end.shells import ANSWER_SECONDS, fetch, machine_reads, shell_image

from longshore.testing.wait import wait_until

GROUP = "/outages"
PORT = 80
LAST_LINES = 100
EXIT_CODE = 3
MAY_LIST_CLUSTERS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ecs:ListClusters", "Resource": "*"}],
}
SERVE = f"""
trap 'exit 0' TERM
echo 'before'
httpd -p {PORT} -h /www
until test -e /tmp/leave; do sleep 0.1; done
number=0
while [ $number -lt {LAST_LINES} ]; do echo "after $number"; number=$((number + 1)); done
exit {EXIT_CODE}
"""
CREDENTIALS = "wget -q -O - http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
EXPECTED_LINES = ["before", *(f"after {number}" for number in range(LAST_LINES))]


@dataclass(frozen=True)
class Server:
    """A task that serves a page, runs scripts, and exits when `/tmp/leave` is there."""

    arn: str
    address: str
    port: int

    def answers(self):
        return machine_reads(self.address, self.port, ANSWER_SECONDS)

    def run(self, script):
        return fetch(f"http://{self.address}:{self.port}/cgi-bin/run", script)

    def credentials(self):
        """The task role's, as a container gets them: id, secret and token."""
        said = json.loads(self.run(CREDENTIALS))
        return said["AccessKeyId"], said["SecretAccessKey"], said["Token"]


def definition_of(cloud, launch_type):
    container = {
        "name": "main",
        "image": shell_image(cloud),
        "memory": 128,
        "command": ["sh", "-c", SERVE],
        "portMappings": [{"containerPort": PORT}],
        "logConfiguration": awslogs(GROUP),
    }
    role = cloud.role("lists-clusters", documents=[MAY_LIST_CLUSTERS])
    if launch_type == "FARGATE":
        return cloud.definition("served", [container], taskRoleArn=role)
    return cloud.definition(
        "served-on-host", [container], fargate=False, networkMode="bridge", taskRoleArn=role
    )


def start(cloud, launch_type):
    definition = definition_of(cloud, launch_type)
    if launch_type == "EC2":
        return run_without_interface(cloud, definition)
    group = cloud.security_group("outages", PORT)
    return cloud.run(definition, groups=[group])[0]


def server(cloud, arn):
    """The task, once it runs and answers."""
    task = cloud.await_status(arn, "RUNNING")
    if task["launchType"] == "FARGATE":
        found = Server(arn, cloud.public_address(task), PORT)
    else:
        binding = task["containers"][0]["networkBindings"][0]
        found = Server(arn, "127.0.0.1", binding["hostPort"])
    wait_until(found.answers, 20, f"{arn} answers")
    return found


@dataclass(frozen=True)
class Pair:
    """Two tasks that ran through an outage of the control plane, in which one of them exited."""

    stayed: Server
    left: Server
    answered: bool
    """Whether the one that stayed did so in the middle of it."""
    credentials: tuple[str, str, str]
    """What it got from the credentials endpoint then."""
    back: datetime.datetime
    """When the control plane was let come back."""


@pytest.fixture(scope="module")
def pairs(longshore, cloud):
    """By launch type; all lived through the same outage."""
    arns = {kind: (start(cloud, kind), start(cloud, kind)) for kind in LAUNCH_TYPES}
    servers = {kind: [server(cloud, arn) for arn in each] for kind, each in arns.items()}
    found = {}
    with outage(longshore, cloud):
        for kind, (stayed, left) in servers.items():
            leave(longshore, left)
            found[kind] = (stayed, left, stayed.answers(), stayed.credentials())
        back = datetime.datetime.now(datetime.UTC)
    yield {kind: Pair(*each, back) for kind, each in found.items()}
    for stayed, _ in servers.values():
        cloud.stop(stayed.arn)


def leave(longshore, task):
    """Have the task exit; return when the agent has taken it down."""
    pattern = f"*/longshore-{longshore.installation.id}/{task.arn.rpartition('/')[2]}*"

    def cgroups():
        # Not `Path.glob`: it fails where directories come and go.
        command = ["find", "/sys/fs/cgroup", "-path", pattern, "-type", "d"]
        return subprocess.run(command, check=False, capture_output=True).stdout

    assert cgroups()
    task.run("touch /tmp/leave")
    wait_until(lambda: not cgroups(), 20, f"{task.arn} is gone")


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_a_task_answers_and_has_its_credentials_while_the_control_plane_is_away(
    longshore, cloud, pairs, launch_type
):
    pair = pairs[launch_type]
    assert pair.answered
    assert cloud.task(pair.stayed.arn)["lastStatus"] == "RUNNING"
    for key in (pair.credentials, pair.stayed.credentials()):
        assert longshore.client("ecs", key).list_clusters()["clusterArns"]


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_an_exit_while_the_control_plane_was_away_is_told_with_its_code_and_times(
    cloud, pairs, launch_type
):
    pair = pairs[launch_type]
    task = cloud.await_status(pair.left.arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == EXIT_CODE
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["startedAt"] < task["executionStoppedAt"] < pair.back
    assert task["executionStoppedAt"] <= task["stoppedAt"]


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_lines_printed_while_the_control_plane_was_away_are_all_in_the_log(
    cloud, pairs, launch_type
):
    stream = f"test/main/{pairs[launch_type].left.arn.rpartition('/')[2]}"
    wait_until(lambda: cloud.log_lines(GROUP, stream)[-1:] == EXPECTED_LINES[-1:], 30, stream)
    assert cloud.log_lines(GROUP, stream) == EXPECTED_LINES
