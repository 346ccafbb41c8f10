"""What end-to-end tests do again and again, with boto3's words: repositories, roles, services."""

import base64
import contextlib
import functools
import json
from pathlib import Path

from botocore.exceptions import ClientError

from longshore.testing.images import make_image, push_image
from longshore.testing.wait import wait_until

EXECUTION_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
CREATE_LOG_GROUPS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "logs:CreateLogGroup", "Resource": "*"}],
}
"""What AWS's policy lacks and `awslogs-create-group` needs."""
RUNNING_SECONDS = 60


def trusting(service):
    """A trust policy (JSON) that lets this service of AWS's have the role."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Cloud:
    """One running Longshore and what tests have put into it."""

    def __init__(self, longshore, directory: Path):
        self.longshore = longshore
        self.directory = directory
        self.ecs = longshore.client("ecs")
        self.ecr = longshore.client("ecr")
        self.ec2 = longshore.client("ec2")
        self.iam = longshore.client("iam")
        self.logs = longshore.client("logs")
        self._images: dict[str, str] = {}
        self._groups: dict[tuple[object, ...], str] = {}

    @functools.cached_property
    def environment(self):
        """What `longshore env` exports, beside the tests' own."""
        return self.longshore.environment()

    def image(self, name, files, config):
        """An image of these files, pushed once; its reference."""
        if name not in self._images:
            with contextlib.suppress(self.ecr.exceptions.RepositoryAlreadyExistsException):
                self.ecr.create_repository(repositoryName=name)
            layout = make_image(self.directory / name.replace("/", "-"), files, config)
            reference = f"{self.repository_uri(name)}:latest"
            push_image(layout, reference, self.registry_credentials())
            self._images[name] = reference
        return self._images[name]

    def repository_uri(self, name):
        found = self.ecr.describe_repositories(repositoryNames=[name])["repositories"]
        return found[0]["repositoryUri"]

    def registry_credentials(self):
        token = self.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        return base64.b64decode(token).decode()

    def role(self, name, policy_arns=(), documents=()):
        """A role that tasks may have; its ARN."""
        try:
            self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting("ecs-tasks"))
        except ClientError as error:
            assert error.response["Error"]["Code"] == "EntityAlreadyExists"
        for arn in policy_arns:
            self.iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        for number, document in enumerate(documents):
            self.iam.put_role_policy(
                RoleName=name, PolicyName=f"inline-{number}", PolicyDocument=json.dumps(document)
            )
        return self.iam.get_role(RoleName=name)["Role"]["Arn"]

    def execution_role(self):
        return self.role("execution", [EXECUTION_POLICY], [CREATE_LOG_GROUPS])

    def default_vpc(self):
        filters = [{"Name": "is-default", "Values": ["true"]}]
        return self.ec2.describe_vpcs(Filters=filters)["Vpcs"][0]["VpcId"]

    def default_subnets(self):
        filters = [{"Name": "default-for-az", "Values": ["true"]}]
        subnets = self.ec2.describe_subnets(Filters=filters)["Subnets"]
        return sorted(
            (subnet["SubnetId"] for subnet in subnets),
        )

    def security_group(self, name, *ports, vpc=None, cidr="0.0.0.0/0"):
        """A group that lets TCP to `ports` in, the same for the same question; its id."""
        vpc = vpc or self.default_vpc()
        asked = (name, ports, vpc, cidr)
        if asked not in self._groups:
            self._groups[asked] = self._new_security_group(*asked)
        return self._groups[asked]

    def _new_security_group(self, name, ports, vpc, cidr):
        group = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)
        for port in ports:
            self.ec2.authorize_security_group_ingress(
                GroupId=group["GroupId"],
                IpProtocol="tcp",
                FromPort=port,
                ToPort=port,
                CidrIp=cidr,
            )
        return group["GroupId"]

    def definition(self, family, containers, fargate=True, **further):
        """A registered task definition; its ARN."""
        arguments = {"networkMode": "awsvpc", "executionRoleArn": self.execution_role()}
        if fargate:
            arguments |= {"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}
        answer = self.ecs.register_task_definition(
            family=family, containerDefinitions=containers, **(arguments | further)
        )
        return answer["taskDefinition"]["taskDefinitionArn"]

    def run(self, definition, launch_type="FARGATE", groups=(), count=1, subnets=None, **further):
        """Start tasks; their ARNs."""
        network = {
            "subnets": subnets or self.default_subnets()[:1],
            "assignPublicIp": "ENABLED" if launch_type == "FARGATE" else "DISABLED",
        }
        if groups:
            network["securityGroups"] = list(groups)
        answer = self.ecs.run_task(
            taskDefinition=definition,
            launchType=launch_type,
            count=count,
            **({"networkConfiguration": {"awsvpcConfiguration": network}} | further),
        )
        assert not answer["failures"], answer["failures"]
        return [task["taskArn"] for task in answer["tasks"]]

    def task(self, arn):
        return self.ecs.describe_tasks(tasks=[arn])["tasks"][0]

    def await_status(self, arn, status, seconds=RUNNING_SECONDS):
        """The task, once it has this status; fails at once if it stopped instead."""

        def reached():
            task = self.task(arn)
            if task["lastStatus"] == "STOPPED" and status != "STOPPED":
                raise AssertionError(f"stopped: {task.get('stoppedReason')} {task['containers']}")
            return task if task["lastStatus"] == status else None

        return wait_until(reached, seconds, f"{arn} is {status}")

    def stop(self, arn):
        self.ecs.stop_task(task=arn)
        return self.await_status(arn, "STOPPED")

    def interface(self, task):
        """The ENI of an awsvpc task, as DescribeNetworkInterfaces tells it."""
        details = {
            detail["name"]: detail["value"]
            for attachment in task["attachments"]
            for detail in attachment["details"]
        }
        found = self.ec2.describe_network_interfaces(
            NetworkInterfaceIds=[details["networkInterfaceId"]]
        )
        return found["NetworkInterfaces"][0]

    def public_address(self, task):
        return self.interface(task)["Association"]["PublicIp"]

    def log_lines(self, group, stream=None):
        """Every message of a group (or of one stream), oldest first."""
        arguments = {"logGroupName": group}
        if stream:
            arguments["logStreamNames"] = [stream]
        pages = self.logs.get_paginator("filter_log_events").paginate(**arguments)
        return [event["message"] for page in pages for event in page["events"]]


def awslogs(group, prefix="test"):
    """A logConfiguration of the awslogs driver."""
    return {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": group,
            "awslogs-region": "us-east-1",
            "awslogs-stream-prefix": prefix,
            "awslogs-create-group": "true",
        },
    }
