"""A first session without Docker: the AWS CLI of any version, skopeo, and curl."""

import json
import shlex
import subprocess

import pytest
from botocore.exceptions import ClientError
from end_to_end.shells import fetch

from longshore.testing.images import busybox_files, make_image
from longshore.testing.wait import wait_until

PORT = 8080
SERVE = f"trap exit TERM; echo 'the web server starts'; httpd -f -p {PORT} -h /www & wait"


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    files = {**busybox_files("sh", "echo", "httpd"), "www/index.html": b"first session\n"}
    return make_image(tmp_path_factory.mktemp("first"), files, {"Cmd": ["sh", "-c", SERVE]})


@pytest.fixture
def session(longshore, tmp_path):
    return Session(longshore.environment(), tmp_path)


class Session:
    """A shell with what `longshore env` exports; `aws` as a person types it."""

    def __init__(self, environment, directory):
        self.environment = environment | {"REGISTRY_AUTH_FILE": str(directory / "auth.json")}

    def shell(self, line):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            timeout=60,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        return done.stdout

    def aws(self, line, query=None):
        """The answer's part that `query` selects, as --output text prints it."""
        selection = f" --query {shlex.quote(query)} --output text" if query else ""
        return self.shell(f"aws {line}{selection}").strip()

    def log(self, group):
        """What `aws logs tail` prints; version 1 of the CLI has FilterLogEvents in its place."""
        if "aws-cli/2" in self.shell("aws --version"):
            return self.aws(f"logs tail {group}")
        return self.aws(f"logs filter-log-events --log-group-name {group}", "events[].message")


@pytest.fixture
def repository(cloud, session):
    uri = session.aws("ecr create-repository --repository-name first", "repository.repositoryUri")
    yield uri
    cloud.ecr.delete_repository(repositoryName="first", force=True)


def _definition(image, role):
    log = {
        "awslogs-group": "/first",
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "web",
    }
    return {
        "family": "first",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": role,
        "containerDefinitions": [
            {
                "name": "web",
                "image": image,
                "portMappings": [{"containerPort": PORT}],
                "logConfiguration": {"logDriver": "awslogs", "options": log},
            }
        ],
    }


def test_image_is_pushed_run_reached_followed_and_stopped(
    cloud, session, repository, layout, tmp_path
):
    host = repository.partition("/")[0]
    session.shell(
        f"aws ecr get-login-password | skopeo login --username AWS --password-stdin {host}"
    )
    session.shell(f"skopeo --insecure-policy copy -q oci:{layout}:latest docker://{repository}:one")
    cloud.logs.create_log_group(logGroupName="/first")
    document = tmp_path / "definition.json"
    document.write_text(json.dumps(_definition(f"{repository}:one", cloud.execution_role())))
    session.aws(f"ecs register-task-definition --cli-input-json file://{document}")
    subnet, group = cloud.default_subnets()[0], cloud.security_group("first", PORT)
    network = f"subnets=[{subnet}],securityGroups=[{group}],assignPublicIp=ENABLED"
    task = session.aws(
        f"ecs run-task --launch-type FARGATE --task-definition first "
        f"--network-configuration 'awsvpcConfiguration={{{network}}}'",
        "tasks[0].taskArn",
    )
    session.aws(f"ecs wait tasks-running --tasks {task}")
    address = cloud.public_address(cloud.task(task))
    assert session.shell(f"curl -sS --retry 3 --retry-all-errors http://{address}:{PORT}/") == (
        "first session\n"
    )
    assert wait_until(lambda: "the web server starts" in session.log("/first"))
    session.aws(f"ecs stop-task --task {task}")
    assert cloud.await_status(task, "STOPPED")["stopCode"] == "UserInitiated"


def test_sample_shows_task_zone_and_kernel_of_two_tasks_in_two_zones(cloud, longshore):
    try:
        printed = longshore.command("sample", "deploy").stdout
        assert printed.startswith("sample: http://")
        address = printed.split()[1]
        assert "/cgi-bin/where" in fetch(address)
        tasks = _tasks_of_sample(cloud)
        pages = [fetch(f"http://{cloud.public_address(task)}:8080/cgi-bin/where") for task in tasks]
        for task, page in zip(tasks, pages, strict=True):
            assert task["taskArn"] in page
            assert task["availabilityZone"] in page
            assert "gvisor" in page
        assert len({task["availabilityZone"] for task in tasks}) == 2
        assert f"http://{cloud.public_address(tasks[0])}:8080/" == address or (
            f"http://{cloud.public_address(tasks[1])}:8080/" == address
        )
    finally:
        cloud.ecs.delete_service(service="longshore-sample", force=True)


def _tasks_of_sample(cloud):
    arns = cloud.ecs.list_tasks(serviceName="longshore-sample")["taskArns"]
    return cloud.ecs.describe_tasks(tasks=arns)["tasks"]


@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        ("dynamodb", "list_tables", {}),
        ("autoscaling", "describe_policies", {}),
        ("ec2", "describe_nat_gateways", {}),
        ("eks", "list_capabilities", {"clusterName": "none"}),
        ("lambda", "list_functions", {}),
        ("s3", "list_buckets", {}),
    ],
)
def test_what_is_not_built_says_so(longshore, service, operation, request_):
    with pytest.raises(ClientError) as refused:
        getattr(longshore.client(service), operation)(**request_)
    answer = refused.value.response
    assert answer["Error"]["Code"] == "NotImplemented"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
