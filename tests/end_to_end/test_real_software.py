"""nginx, Redis and PostgreSQL as services on Fargate, spoken to with their own clients."""

import subprocess
import urllib.request

import pytest
from end_to_end.software import (
    NGINX_COMMAND,
    NGINX_PAGE,
    POSTGRES_VERSION,
    nginx_files,
    postgres_image,
)

from longshore.testing.debian import files_of
from longshore.testing.wait import wait_until

CLIENT_SECONDS = 3


def _service(cloud, name, image, port, container=None, **definition):
    """A service of one task that is RUNNING; the task's public address."""
    arn = cloud.definition(
        name,
        [
            {
                "name": name,
                "image": image,
                "portMappings": [{"containerPort": port}],
                **(container or {}),
            }
        ],
        **definition,
    )
    cloud.ecs.create_service(
        serviceName=name,
        taskDefinition=arn,
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": cloud.default_subnets(),
                "securityGroups": [cloud.security_group(name, port)],
                "assignPublicIp": "ENABLED",
            }
        },
    )
    tasks = wait_until(lambda: cloud.ecs.list_tasks(serviceName=name)["taskArns"], 20)
    return cloud.public_address(cloud.await_status(tasks[0], "RUNNING"))


def _printed(*command):
    """What a client prints; nothing where it does not come through."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=CLIENT_SECONDS
        ).stdout.strip()
    except subprocess.TimeoutExpired:
        return ""


@pytest.fixture
def remove_services(cloud):
    yield
    for arn in cloud.ecs.list_services()["serviceArns"]:
        cloud.ecs.delete_service(service=arn, force=True)


def test_nginx_answers_http_at_its_public_address(cloud, remove_services):
    image = cloud.image("nginx", nginx_files(), {"Cmd": NGINX_COMMAND})
    address = _service(cloud, "nginx", image, 80)

    def page():
        try:
            return urllib.request.urlopen(f"http://{address}/", timeout=2).read()
        except OSError:
            return None

    assert wait_until(page) == NGINX_PAGE


def test_redis_keeps_what_its_client_sets(cloud, remove_services):
    files = files_of(["redis-server", "redis-tools"])
    command = ["/usr/bin/redis-server", "--protected-mode", "no", "--save", ""]
    address = _service(cloud, "redis", cloud.image("redis", files, {"Cmd": command}), 6379)

    def client(*words):
        return _printed("redis-cli", "-h", address, *words)

    assert wait_until(lambda: client("PING") == "PONG")
    assert client("SET", "harbour", "longshore") == "OK"
    assert client("GET", "harbour") == "longshore"


def test_postgresql_answers_queries_of_psql(cloud, remove_services):
    image = postgres_image(cloud)
    address = _service(
        cloud,
        "postgres",
        image,
        5432,
        {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]},
        volumes=[{"name": "data"}],
        memory="1024",
    )

    def query(statement):
        return _printed("psql", "-h", address, "-U", "postgres", "-tAc", statement)

    assert wait_until(lambda: query("select 6 * 7"), 40) == "42"
    assert query("select version()").startswith(f"PostgreSQL {POSTGRES_VERSION}")
