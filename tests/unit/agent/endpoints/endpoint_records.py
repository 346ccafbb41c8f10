"""Task records as the endpoints see them."""

import json
from typing import Any

import msgspec

from longshore.agent.plan import container_id
from longshore.agent.records import ContainerRecord, TaskRecord, task_id
from longshore.nodeapi import acs

CLUSTER = "arn:aws:ecs:us-east-1:123456789012:cluster/default"
STARTED = 1_700_000_000.5


def arn(number: int) -> str:
    return f"arn:aws:ecs:us-east-1:123456789012:task/default/{number:032x}"


def credentials(identifier: str) -> acs.RoleCredentials:
    return acs.RoleCredentials(
        credentials_id=identifier,
        role_arn="arn:aws:iam::123456789012:role/app",
        access_key_id="ASIAEXAMPLE",
        secret_access_key="secret",
        session_token="token",
        expiration="2126-01-01T00:00:00Z",
    )


def eni(number: int) -> acs.ElasticNetworkInterface:
    return acs.ElasticNetworkInterface(
        attachment_arn="arn:aws:ecs:us-east-1:123456789012:attachment/1",
        ec2_id=f"eni-1{number}",
        mac_address=f"02:00:00:00:01:{number:02x}",
        ipv4_addresses=(acs.Ipv4Address(private_address=f"10.0.1.{number}"),),
        subnet_gateway_ipv4_address="10.0.1.1/24",
        domain_name_servers=("10.0.0.2",),
        domain_name=("ec2.internal",),
        private_dns_name=f"ip-10-0-1-{number}.ec2.internal",
    )


def container(name: str = "web", **changes: Any) -> acs.Container:
    check = {"Healthcheck": {"Test": ["CMD-SHELL", "true"]}, "Labels": {"tier": "front"}}
    log = {"LogConfig": {"Type": "awslogs", "Config": {"awslogs-group": "/ecs/web"}}}
    stated = {
        "name": name,
        "image": "web:1",
        "cpu": 10,
        "memory": 128,
        "port_mappings": (acs.PortMapping(container_port=80),),
        "mount_points": (acs.MountPoint(source_volume="data", container_path="/data"),),
        "container_arn": "arn:aws:ecs:us-east-1:123456789012:container/1",
        "health_check_type": "docker",
        "docker_config": acs.DockerConfig(config=json.dumps(check), host_config=json.dumps(log)),
    }
    return acs.Container(**{**stated, **changes})


def record(
    number: int,
    *,
    mode: str = "awsvpc",
    launch_type: str = "FARGATE",
    containers: tuple[acs.Container, ...] = (),
    **changes: Any,
) -> TaskRecord:
    """Task `number`, its only container running; with an ENI of that number under awsvpc."""
    task = acs.Task(
        arn=arn(number),
        family="web",
        version="3",
        network_mode=mode,
        launch_type=launch_type,
        cpu=0.25,
        memory=512,
        service_name="site",
        role_credentials=credentials(f"credentials-{number}"),
        execution_role_credentials=credentials(f"execution-{number}"),
        elastic_network_interfaces=(eni(number),) if mode == "awsvpc" else (),
        containers=containers or (container(),),
        task_cluster_arn=CLUSTER,
    )
    task = msgspec.structs.replace(task, **changes)
    return TaskRecord(
        task=task,
        status="RUNNING",
        pull_started_at=STARTED - 2,
        pull_stopped_at=STARTED - 1,
        containers={
            each.name: ContainerRecord(
                name=each.name,
                id=container_id(task_id(task.arn), each.name),
                status="RUNNING",
                image_digest="sha256:" + "0" * 64,
                created_at=STARTED,
                started_at=STARTED,
                health="HEALTHY",
                health_since=STARTED + 5,
            )
            for each in task.containers
        },
    )
