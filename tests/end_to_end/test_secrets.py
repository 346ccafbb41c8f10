"""Secrets of SSM parameters and of Secrets Manager in a container's environment."""

import json

import pytest
from botocore.exceptions import ClientError
from end_to_end.checks import LAUNCH_TYPES, check, define, run_to_end
from end_to_end.cloud import EXECUTION_POLICY

READS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["ssm:GetParameters", "secretsmanager:GetSecretValue"],
            "Resource": "*",
        }
    ],
}


@pytest.fixture(scope="module")
def reader(cloud):
    """An execution role that may read every secret."""
    return cloud.role("reads-secrets", [EXECUTION_POLICY], [READS])


@pytest.fixture(scope="module")
def arns(cloud, longshore):
    """The ARN of each secret and parameter, by what is special about it."""
    ssm, secrets = longshore.client("ssm"), longshore.client("secretsmanager")
    ssm.put_parameter(Name="plain", Value="a plain one", Type="String")
    ssm.put_parameter(Name="/deep/path/sealed", Value="a sealed one", Type="SecureString")
    whole = secrets.create_secret(Name="whole", SecretString="all of it")
    document = json.dumps({"user": "keeper", "number": "7"})
    pair = secrets.create_secret(Name="pair", SecretString=document)
    secrets.put_secret_value(SecretId="pair", SecretString=document.replace("keeper", "relief"))
    elsewhere = longshore.client("ssm", region="eu-central-1")
    elsewhere.put_parameter(Name="plain", Value="a distant one", Type="String")
    head = pair["ARN"].replace(":secretsmanager:", ":ssm:").partition(":secret:")[0]
    return {
        "plain": f"{head}:parameter/plain",
        "elsewhere": f"{head}:parameter/plain".replace("us-east-1", "eu-central-1"),
        "sealed": f"{head}:parameter/deep/path/sealed",
        "whole": whole["ARN"],
        "pair": pair["ARN"],
    }


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_a_container_finds_its_secrets_in_its_environment(cloud, reader, arns, launch_type):
    sources = {
        "BY_NAME": "plain",
        "BY_ARN": arns["plain"],
        "ELSEWHERE": arns["elsewhere"],
        "SEALED": arns["sealed"],
        "SEALED_BY_NAME": "/deep/path/sealed",
        "WHOLE": arns["whole"],
        "KEY": f"{arns['pair']}:user::",
        "STAGE": f"{arns['pair']}:user:AWSPREVIOUS:",
        "DOCUMENT": arns["pair"],
    }
    wanted = {
        "BY_NAME": "a plain one",
        "BY_ARN": "a plain one",
        "ELSEWHERE": "a distant one",
        "SEALED": "a sealed one",
        "SEALED_BY_NAME": "a sealed one",
        "WHOLE": "all of it",
        "KEY": "relief",
        "STAGE": "keeper",
        "DOCUMENT": json.dumps({"user": "relief", "number": "7"}),
    }
    compared = ";".join(f"test \"${name}\" = '{value}'" for name, value in wanted.items())
    secrets = [{"name": name, "valueFrom": source} for name, source in sources.items()]
    containers = {"main": check(compared, secrets=secrets)}
    ended = run_to_end(cloud, "secrets", containers, launch_type, executionRoleArn=reader)
    assert ended["main"]["exitCode"] == 0, ended


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
@pytest.mark.parametrize("source", ["absent", "absent_secret", "absent_key"])
def test_a_secret_that_is_not_there_stops_the_task(cloud, reader, arns, launch_type, source):
    origins = {
        "absent": "absent-parameter",
        "absent_secret": arns["whole"].replace(":whole-", ":absent-"),
        "absent_key": f"{arns['pair']}:absent::",
    }
    secrets = [{"name": "ABSENT", "valueFrom": origins[source]}]
    containers = {"main": check("true", essential=True, secrets=secrets)}
    arn = define(cloud, "absent", containers, launch_type, executionRoleArn=reader)
    (task,) = cloud.run(arn, launch_type)
    ended = cloud.await_status(task, "STOPPED")
    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets")
    assert "exitCode" not in ended["containers"][0]


def test_a_role_that_may_not_read_the_secret_stops_the_task(cloud, arns):
    secrets = [{"name": "DENIED", "valueFrom": arns["whole"]}]
    containers = {"main": check("true", essential=True, secrets=secrets)}
    (task,) = cloud.run(define(cloud, "denied", containers, "FARGATE"))
    ended = cloud.await_status(task, "STOPPED")
    assert ended["stopCode"] == "TaskFailedToStart"
    assert "AccessDenied" in ended["stoppedReason"]
    assert "all of it" not in ended["stoppedReason"]


def test_a_definition_with_secrets_needs_an_execution_role_on_fargate(cloud, arns):
    container = check("true", secrets=[{"name": "A", "valueFrom": arns["plain"]}])
    with pytest.raises(ClientError, match="executionRoleArn"):
        cloud.ecs.register_task_definition(
            family="roleless",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "main", "image": "busybox", **container}],
        )
