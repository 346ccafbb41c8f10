"""RegisterTaskDefinition and its kin."""

import json
from pathlib import Path
from typing import Any

import pytest

from longshore.awsapi.model import load_model
from longshore.model.ec2 import SUBNET
from longshore.model.errors import AwsError
from longshore.model.iam import ROLE, Role
from longshore.testing.identity import ACCOUNT
from longshore.vpc import create_default_vpc

SHARED = Path(__file__).parents[4].parent / "shared" / "data" / "task-definitions.json"
MEMBERS = load_model("ecs").shapes["RegisterTaskDefinitionRequest"].members
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)
CONTAINER = {"name": "web", "image": "web:1", "memory": 128}
FARGATE = {
    "family": "web",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [{"name": "web", "image": "web:1"}],
}


def _given(want: Any, have: Any) -> bool:
    """Whether everything in `want` is in `have`, whatever else is there."""
    if isinstance(want, dict):
        return all(key in have and _given(value, have[key]) for key, value in want.items())
    if isinstance(want, list):
        return len(want) == len(have) and all(map(_given, want, have))
    return bool(want == have)


def _real() -> list[Any]:
    return json.loads(SHARED.read_text()) if SHARED.exists() else []


@pytest.mark.skipif(not SHARED.exists(), reason="the real task definitions are not here")
async def test_real_task_definitions_register_and_read_back_as_given(ecs: Any) -> None:
    for example in _real():
        definition = example["definition"].get("taskDefinition", example["definition"])
        definition = {
            name: definition[name] for name in MEMBERS if definition.get(name) is not None
        }
        made = await ecs("RegisterTaskDefinition", **definition)
        arn = made["taskDefinition"]["taskDefinitionArn"]
        found = await ecs("DescribeTaskDefinition", taskDefinition=arn, include=["TAGS"])
        shown = found["taskDefinition"] | {"tags": found["tags"]}
        assert _given(definition, shown), example["path"]


async def test_revisions_count_up_and_are_never_used_again(ecs: Any) -> None:
    for revision in (1, 2):
        made = await ecs("RegisterTaskDefinition", **FARGATE)
        assert made["taskDefinition"]["revision"] == revision
    await ecs("DeregisterTaskDefinition", taskDefinition="web:2")
    latest = await ecs("DescribeTaskDefinition", taskDefinition="web")
    assert latest["taskDefinition"]["revision"] == 1
    made = await ecs("RegisterTaskDefinition", **FARGATE)
    assert made["taskDefinition"]["revision"] == 3


async def test_lists_are_ordered_by_revision_and_come_in_pages(ecs: Any) -> None:
    for _ in range(12):
        await ecs("RegisterTaskDefinition", **FARGATE)
    first = await ecs("ListTaskDefinitions", maxResults=10)
    rest = await ecs("ListTaskDefinitions", maxResults=10, nextToken=first["nextToken"])
    arns = first["taskDefinitionArns"] + rest["taskDefinitionArns"]
    assert [int(arn.rpartition(":")[2]) for arn in arns] == list(range(1, 13))
    assert "nextToken" not in rest


async def test_awsvpc_port_mappings_get_their_defaults(ecs: Any) -> None:
    container = {"name": "web", "image": "web:1", "portMappings": [{"containerPort": 80}]}
    made = await ecs("RegisterTaskDefinition", **(FARGATE | {"containerDefinitions": [container]}))
    (shown,) = made["taskDefinition"]["containerDefinitions"]
    assert shown["portMappings"] == [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]
    assert made["taskDefinition"]["compatibilities"] == ["EC2", "FARGATE"]
    assert shown["essential"] is True


def _with(**members: Any) -> dict[str, Any]:
    return {"family": "web", "containerDefinitions": [CONTAINER | members]}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"family": "web", "containerDefinitions": []}, "Container list cannot be empty."),
    ({"family": "we b", "containerDefinitions": [CONTAINER]}, "Invalid family."),
    (_with(name="a b"), "Container.name contains invalid characters."),
    (_with(image=""), "Container.image should not be null or empty."),
    (
        {"family": "web", "containerDefinitions": [{"name": "web", "image": "web"}]},
        "Invalid setting for container 'web'. At least one of 'memory' or 'memoryReservation' must "
        "be specified.",
    ),
    (_with(memory=3), "'memory' must be greater than or equal to 6."),
    (_with(memoryReservation=256), "'memory' must be greater than or equal to 'memoryRes"),
    (_with(essential=False), "at least one essential container"),
    (_with(mountPoints=[{"sourceVolume": "x", "containerPath": "/x"}]), "Unknown volume 'x'."),
    (_with(portMappings=[{"containerPort": 70000}]), "Invalid 'containerPort'"),
    (_with(dependsOn=[{"containerName": "web", "condition": "START"}]), "itself"),
    (_with(dependsOn=[{"containerName": "db", "condition": "START"}]), "does not exist"),
    (_with(healthCheck={"command": ["run"]}), "must begin with CMD"),
    (_with(healthCheck={"command": ["CMD", "x"], "interval": 1}), "between 5 and 300"),
    (_with(ulimits=[{"name": "files", "softLimit": 1, "hardLimit": 1}]), "Invalid ulimit name"),
    (_with(ulimits=[{"name": "nofile", "softLimit": 2, "hardLimit": 1}]), "soft limit"),
    (_with(secrets=[{"name": "A", "valueFrom": "b"}]), "'executionRoleArn'"),
    (_with(logConfiguration={"logDriver": "awslogs"}), "requires options: awslogs-group"),
    (_with(restartPolicy={"enabled": True, "restartAttemptPeriod": 5}), "between 60 and 1800"),
    (FARGATE | {"memory": "8192"}, "No Fargate configuration exists for given values: 256 CPU, 8"),
    (FARGATE | {"networkMode": "bridge"}, "Fargate only supports network mode"),
    (FARGATE | {"cpu": ""}, "Fargate requires that 'cpu' be defined at the task level."),
    (FARGATE | {"cpu": "many"}, "Invalid 'cpu' setting for task."),
    (FARGATE | {"cpu": "inf vCPU"}, "Invalid 'cpu' setting for task."),
    (FARGATE | {"cpu": "1_024"}, "Invalid 'cpu' setting for task."),
    (FARGATE | {"memory": "1 TB"}, "Invalid 'memory' setting for task."),
    (FARGATE | {"requiresCompatibilities": ["MOON"]}, "Invalid requires compatibility"),
    (
        FARGATE | {"containerDefinitions": [CONTAINER | {"memory": 1024}]},
        "setting for container 'web' is greater than for the task",
    ),
    (
        FARGATE | {"containerDefinitions": [CONTAINER | {"privileged": True}]},
        "do not support privileged",
    ),
    (
        FARGATE
        | {"containerDefinitions": [CONTAINER | {"portMappings": [
            {"containerPort": 80, "hostPort": 81}]}]},
        "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
    ),
    (
        FARGATE | {"containerDefinitions": [
            CONTAINER | {"image": "123456789012.dkr.ecr.us-east-1.longshore.internal:4568/a:1"}]},
        "Fargate requires task definition to have execution role ARN to support ECR images.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("definition", "words"), BAD, ids=[words[:40] for _, words in BAD])
async def test_bad_definition_is_refused_in_words(
    ecs: Any, definition: dict[str, Any], words: str
) -> None:
    with pytest.raises(AwsError) as error:
        await ecs("RegisterTaskDefinition", **definition)
    assert error.value.code in {"ClientException", "InvalidParameterException"}
    assert words in error.value.message


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"cpu": "many"}, "Invalid 'cpu' setting for task."),
        ({"memory": "nan GB"}, "Invalid 'memory' setting for task."),
        ({"cpu": "512"}, "No Fargate configuration exists for given values: 512 CPU, 512 memory."),
        ({"ephemeralStorage": {"sizeInGiB": 9}}, "must be between 21 and 200 GiB"),
        ({"containerOverrides": [{"name": "web", "memory": 1}]}, "greater than or equal to 6"),
        ({"containerOverrides": [{"name": "web", "cpu": -1}]}, "'cpu' must not be negative"),
        (
            {"containerOverrides": [{"name": "web", "memory": 513}]},
            "The 'memory' setting for container 'web' is greater than for the task.",
        ),
        ({"containerOverrides": [{"name": "db"}]}, "is not a container in the TaskDefinition"),
    ],
)
async def test_overrides_that_no_definition_could_have_are_refused_and_run_nothing(
    ecs: Any, overrides: dict[str, Any], words: str
) -> None:
    await ecs("CreateCluster")
    await ecs("RegisterTaskDefinition", **FARGATE)
    with pytest.raises(AwsError) as error:
        await ecs("RunTask", taskDefinition="web", launchType="FARGATE", overrides=overrides)
    assert error.value.code == "InvalidParameterException"
    assert words in error.value.message
    assert (await ecs("ListTasks"))["taskArns"] == []


async def test_dependency_cycle_is_refused(ecs: Any) -> None:
    containers = [
        CONTAINER | {"name": name, "dependsOn": [{"containerName": other, "condition": "START"}]}
        for name, other in (("a", "b"), ("b", "c"), ("c", "a"))
    ]
    with pytest.raises(AwsError, match="cycle"):
        await ecs("RegisterTaskDefinition", family="web", containerDefinitions=containers)


async def test_roles_need_to_be_passable(ecs: Any) -> None:
    role = "arn:aws:iam::123456789012:role/secret"
    await ecs("RegisterTaskDefinition", **FARGATE, taskRoleArn=role)
    assert ("iam:PassRole", role) in ecs.asked

    def refuse(action: str, resource: str) -> None:
        raise AwsError("AccessDeniedException", "no")

    ecs.refuse = refuse
    with pytest.raises(AwsError, match="AccessDenied"):
        await ecs("RegisterTaskDefinition", **FARGATE, taskRoleArn=role)


@pytest.mark.parametrize("member", ["taskRoleArn", "executionRoleArn"])
async def test_who_starts_tasks_of_a_definition_must_be_allowed_to_pass_its_roles(
    ecs: Any, member: str
) -> None:
    def put_role(tx: Any) -> None:
        arn = f"arn:aws:iam::{ACCOUNT}:role/worker"
        made = Role(name="worker", path="/", id="AROA", arn=arn, created_at=0.0, trust=TRUST)
        tx.put(ROLE, ACCOUNT, "", "worker", made)

    def refuse(action: str, resource: str) -> None:
        raise AwsError("AccessDeniedException", f"{action} on {resource}")

    await ecs.store.transact(put_role)
    await ecs("CreateCluster")
    vpc = await ecs.store.transact(lambda tx: create_default_vpc(tx, ACCOUNT, "us-east-1", ecs.ids))
    found = ecs.store.reader.find(SUBNET, ACCOUNT, "us-east-1", "vpc", vpc.id)
    launch = {
        "taskDefinition": "web",
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": [found[0].value.id]}},
    }
    await ecs("RegisterTaskDefinition", **FARGATE, **{member: "worker"})
    await ecs("CreateService", serviceName="made", desiredCount=0, **launch)
    ecs.refuse = refuse
    for operation, request in (
        ("RunTask", launch),
        ("CreateService", {"serviceName": "web", "desiredCount": 1, **launch}),
        ("UpdateService", {"service": "made", "forceNewDeployment": True}),
    ):
        with pytest.raises(AwsError, match=f"iam:PassRole on arn:aws:iam::{ACCOUNT}:role/worker"):
            await ecs(operation, **request)
    # To change how many tasks there are passes nothing anew.
    await ecs("UpdateService", service="made", desiredCount=1)


async def test_role_that_does_not_trust_tasks_stops_run_task(ecs: Any) -> None:
    await ecs("CreateCluster")
    await ecs("RegisterTaskDefinition", **FARGATE, taskRoleArn="nobody")
    with pytest.raises(AwsError, match="unable to assume the role"):
        await ecs("RunTask", taskDefinition="web", launchType="FARGATE")


async def test_only_deregistered_definitions_can_be_deleted(ecs: Any) -> None:
    await ecs("RegisterTaskDefinition", **FARGATE)
    answer = await ecs("DeleteTaskDefinitions", taskDefinitions=["web:1"])
    assert "still in ACTIVE status" in answer["failures"][0]["reason"]
    await ecs("DeregisterTaskDefinition", taskDefinition="web:1")
    answer = await ecs("DeleteTaskDefinitions", taskDefinitions=["web:1"])
    assert answer["taskDefinitions"][0]["status"] == "DELETE_IN_PROGRESS"
    with pytest.raises(AwsError, match="inactive"):
        await ecs("CreateCluster")
        await ecs("RunTask", taskDefinition="web:1")
