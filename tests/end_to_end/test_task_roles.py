"""AWS's SDK in a task: it finds its endpoint, its region and its role's credentials by itself."""

import json

import pytest
from end_to_end.checks import LAUNCH_TYPES, run_without_interface
from end_to_end.cloud import awslogs

from longshore.testing.wait import wait_until

GROUP = "/task-roles"
MAY_LIST_CLUSTERS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ecs:ListClusters", "Resource": "*"}],
}
PROGRAM = """
import boto3, json
from botocore.exceptions import ClientError

session = boto3.Session()
ecs = session.client("ecs")
found = {
    "method": session.get_credentials().method,
    "clusters": ecs.list_clusters()["clusterArns"],
    "caller": session.client("sts").get_caller_identity(),
}
del found["caller"]["ResponseMetadata"]
try:
    ecs.list_tasks()
except ClientError as error:
    found["denied"] = error.response["Error"]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def tasks(cloud, python_image):
    """The same program as a task on Fargate and as one on the machine's bridge, at once."""
    return {launch_type: _start(cloud, python_image, launch_type) for launch_type in LAUNCH_TYPES}


def _start(cloud, image, launch_type):
    container = {
        "name": "main",
        "image": image,
        "memory": 256,
        "command": ["-c", PROGRAM],
        "logConfiguration": awslogs(GROUP, launch_type.lower()),
    }
    role = cloud.role("lists-clusters", documents=[MAY_LIST_CLUSTERS])
    if launch_type == "FARGATE":
        sizes = {"cpu": "1024", "memory": "2048"}
        (arn,) = cloud.run(cloud.definition("sdk", [container], taskRoleArn=role, **sizes))
        return arn
    definition = cloud.definition(
        "sdk-on-host", [container], fargate=False, networkMode="bridge", taskRoleArn=role
    )
    return run_without_interface(cloud, definition)


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_boto3_in_a_task_may_do_what_the_task_role_may_and_nothing_else(cloud, tasks, launch_type):
    task = cloud.await_status(tasks[launch_type], "STOPPED")
    identifier = task["taskArn"].rpartition("/")[2]
    stream = f"{launch_type.lower()}/main/{identifier}"
    lines = wait_until(lambda: cloud.log_lines(GROUP, stream), 10, "the program's output is there")
    assert task["containers"][0]["exitCode"] == 0, lines
    said = json.loads(lines[-1])

    assert said["method"] == "container-role"
    assert task["clusterArn"] in said["clusters"]
    account = task["taskArn"].split(":")[4]
    session = f"arn:aws:sts::{account}:assumed-role/lists-clusters/{identifier}"
    assert said["caller"]["Arn"] == session
    assert said["caller"]["Account"] == account
    assert said["denied"]["Code"] == "AccessDeniedException"
    assert said["denied"]["Message"].startswith(
        f"User: {session} is not authorized to perform: ecs:ListTasks on resource: "
    )
