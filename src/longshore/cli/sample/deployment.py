"""The sample's way into the cloud: AWS's own client library, and skopeo for the push."""

import base64
import json
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from longshore.base.installation import Installation
from longshore.cli.installation import AdministratorKey

NAME = "longshore-sample"
PORT = 8080
ZONES = 2
WAIT_SECONDS = 120.0
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
EXECUTION_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


class Deployment:
    """Deploys the sample; each step may be repeated."""

    def __init__(self, installation: Installation, key: AdministratorKey) -> None:
        self._installation = installation
        session = botocore.session.Session()
        session.set_credentials(key.access_key_id, key.secret_access_key)

        def client(service: str) -> Any:
            return session.create_client(
                service,
                region_name=installation.region,
                endpoint_url=installation.endpoint_url,
                config=Config(proxies={}, retries={"mode": "standard"}),
            )

        self._ecr, self._ecs, self._ec2 = client("ecr"), client("ecs"), client("ec2")
        self._iam, self._logs = client("iam"), client("logs")

    def push(self, layout: Path) -> str:
        """Push the OCI image layout; its reference in ECR."""
        _unless_there("RepositoryAlreadyExistsException", self._ecr.create_repository)(
            repositoryName=NAME
        )
        uri = self._ecr.describe_repositories(repositoryNames=[NAME])["repositories"][0][
            "repositoryUri"
        ]
        token = self._ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        reference = f"{uri}:latest"
        subprocess.run(
            [
                "skopeo",
                "--insecure-policy",
                "copy",
                "--quiet",
                f"--dest-creds={base64.b64decode(token).decode()}",
                f"oci:{layout}:latest",
                f"docker://{reference}",
            ],
            check=True,
        )
        return reference

    def run(self, image: str) -> str:
        """Run two tasks of `image`; the public address of one that answers."""
        definition = self._register(image, self._execution_role())
        self._start(definition)
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            addresses = self._public_addresses(definition)
            if len(addresses) >= ZONES:
                return addresses[0]
            if time.monotonic() > deadline:
                raise TimeoutError(f"the sample does not run: {self._events()}")
            time.sleep(0.1)

    def _execution_role(self) -> str:
        _unless_there("EntityAlreadyExists", self._iam.create_role)(
            RoleName=f"{NAME}-execution", AssumeRolePolicyDocument=json.dumps(TRUST)
        )
        self._iam.attach_role_policy(RoleName=f"{NAME}-execution", PolicyArn=EXECUTION_POLICY)
        return str(self._iam.get_role(RoleName=f"{NAME}-execution")["Role"]["Arn"])

    def _register(self, image: str, role: str) -> str:
        _unless_there("ResourceAlreadyExistsException", self._logs.create_log_group)(
            logGroupName=f"/ecs/{NAME}"
        )
        container = {
            "name": "web",
            "image": image,
            "essential": True,
            "portMappings": [{"containerPort": PORT, "protocol": "tcp"}],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": f"/ecs/{NAME}",
                    "awslogs-region": self._installation.region,
                    "awslogs-stream-prefix": "web",
                },
            },
        }
        answer = self._ecs.register_task_definition(
            family=NAME,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=role,
            containerDefinitions=[container],
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def _start(self, definition: str) -> None:
        found = self._ecs.describe_services(services=[NAME])["services"]
        if any(service["status"] == "ACTIVE" for service in found):
            self._ecs.update_service(service=NAME, taskDefinition=definition)
            return
        subnets = self._subnets()
        network = {
            "subnets": [subnet["SubnetId"] for subnet in subnets],
            "securityGroups": [self._security_group(subnets[0]["VpcId"])],
            "assignPublicIp": "ENABLED",
        }
        self._ecs.create_service(
            serviceName=NAME,
            taskDefinition=definition,
            desiredCount=ZONES,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": network},
        )

    def _subnets(self) -> list[dict[str, Any]]:
        defaults = [{"Name": "default-for-az", "Values": ["true"]}]
        subnets = self._ec2.describe_subnets(Filters=defaults)["Subnets"]
        return sorted(subnets, key=lambda subnet: str(subnet["AvailabilityZone"]))[:ZONES]

    def _security_group(self, vpc_id: str) -> str:
        filters = [{"Name": "group-name", "Values": [NAME]}]
        found = self._ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        if found:
            return str(found[0]["GroupId"])
        group = self._ec2.create_security_group(
            GroupName=NAME, Description="Web page of the sample", VpcId=vpc_id
        )["GroupId"]
        self._ec2.authorize_security_group_ingress(
            GroupId=group, IpProtocol="tcp", FromPort=PORT, ToPort=PORT, CidrIp="0.0.0.0/0"
        )
        return str(group)

    def _public_addresses(self, definition: str) -> list[str]:
        """Of the tasks of `definition` that are RUNNING."""
        arns = self._ecs.list_tasks(serviceName=NAME)["taskArns"]
        tasks = self._ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
        interfaces = [
            detail["value"]
            for task in tasks
            if task["lastStatus"] == "RUNNING" and task["taskDefinitionArn"] == definition
            for attachment in task["attachments"]
            for detail in attachment["details"]
            if detail["name"] == "networkInterfaceId"
        ]
        if not interfaces:
            return []
        found = self._ec2.describe_network_interfaces(NetworkInterfaceIds=interfaces)
        return [eni["Association"]["PublicIp"] for eni in found["NetworkInterfaces"]]

    def _events(self) -> list[str]:
        service = self._ecs.describe_services(services=[NAME])["services"][0]
        return [event["message"] for event in service["events"][:3]]


def _unless_there(code: str, call: Callable[..., Any]) -> Callable[..., Mapping[str, Any]]:
    """`call`, which may answer that the thing exists already."""

    def repeatable(**arguments: Any) -> Mapping[str, Any]:
        try:
            return dict(call(**arguments))
        except ClientError as error:
            if error.response["Error"]["Code"] != code:
                raise
            return {}

    return repeatable
