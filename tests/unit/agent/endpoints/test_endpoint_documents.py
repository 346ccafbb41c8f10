"""Metadata documents have the members that AWS documents."""

from unit.agent.endpoints.endpoint_records import CLUSTER, container, record

from longshore.agent.endpoints.documents import (
    Surroundings,
    association_names,
    association_value,
    container_document,
    task_document,
    version_3,
)
from longshore.nodeapi import acs

ON_BRIDGE = {record(5).containers["web"].id: "172.28.0.2"}
AROUND = Surroundings(zone="us-east-1a", vpc_id="vpc-1", bridge_addresses=ON_BRIDGE)

# Keys of "Amazon ECS task metadata v4 examples" of tasks on Fargate; what says how the clock of the
# host and its disk are is not these documents' to know.
FARGATE_TASK = {
    "Cluster",
    "TaskARN",
    "Family",
    "Revision",
    "DesiredStatus",
    "KnownStatus",
    "Limits",
    "PullStartedAt",
    "PullStoppedAt",
    "AvailabilityZone",
    "LaunchType",
    "Containers",
    "FaultInjectionEnabled",
}
FARGATE_CONTAINER = {
    "DockerId",
    "Name",
    "DockerName",
    "Image",
    "ImageID",
    "Labels",
    "DesiredStatus",
    "KnownStatus",
    "Limits",
    "CreatedAt",
    "StartedAt",
    "Type",
    "LogDriver",
    "LogOptions",
    "ContainerARN",
    "Networks",
}
NETWORK = {
    "NetworkMode",
    "IPv4Addresses",
    "AttachmentIndex",
    "MACAddress",
    "IPv4SubnetCIDRBlock",
    "DomainNameServers",
    "DomainNameSearchList",
    "PrivateDNSName",
    "SubnetGatewayIpv4Address",
}


def test_a_fargate_task_has_the_documented_members() -> None:
    document = task_document(record(5), AROUND)
    assert set(document) == FARGATE_TASK
    assert document["Cluster"] == CLUSTER
    assert document["Limits"] == {"CPU": 0.25, "Memory": 512}
    assert document["PullStoppedAt"] == "2023-11-14T22:13:19.500000Z"


def test_a_task_on_ec2_names_its_vpc_and_service_and_its_cluster_by_short_name() -> None:
    document = task_document(record(5, launch_type="EC2"), AROUND)
    assert set(document) == FARGATE_TASK | {"VPCID", "ServiceName"}
    assert (document["Cluster"], document["VPCID"]) == ("default", "vpc-1")
    assert document["ServiceName"] == "site"


def test_a_container_has_the_documented_members() -> None:
    task = record(5)
    document = container_document(task, task.containers["web"], AROUND)
    assert set(document) == FARGATE_CONTAINER | {"Health", "Ports", "Volumes"}
    assert document["DockerName"] == "web"
    assert document["LogOptions"] == {"awslogs-group": "/ecs/web"}
    assert document["Labels"]["tier"] == "front"
    assert document["Labels"]["com.amazonaws.ecs.task-arn"] == task.task.arn
    assert document["Health"]["status"] == "HEALTHY"
    assert document["Ports"] == [{"ContainerPort": 80, "Protocol": "tcp", "HostPort": 80}]


def test_the_eni_of_a_task_is_told_with_its_subnet_and_resolver() -> None:
    task = record(5)
    (network,) = container_document(task, task.containers["web"], AROUND)["Networks"]
    assert set(network) == NETWORK
    assert network["IPv4Addresses"] == ["10.0.1.5"]
    assert network["IPv4SubnetCIDRBlock"] == "10.0.1.0/24"
    assert network["SubnetGatewayIpv4Address"] == "10.0.1.1/24"


def test_a_task_on_the_bridge_tells_its_address_there_and_its_host_ports() -> None:
    task = record(5, mode="bridge", launch_type="EC2")
    binding = {"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 32768, "protocol": "tcp"}
    task.containers["web"].bindings = [binding]
    document = container_document(task, task.containers["web"], AROUND)
    assert document["Networks"] == [{"NetworkMode": "bridge", "IPv4Addresses": ["172.28.0.2"]}]
    assert document["Ports"] == [
        {"ContainerPort": 80, "Protocol": "tcp", "HostPort": 32768, "HostIp": "0.0.0.0"}
    ]
    assert document["DockerName"].startswith("ecs-web-3-web-")


def test_containers_of_two_tasks_of_one_definition_have_different_docker_names() -> None:
    names = {
        container_document(task, task.containers["web"], AROUND)["DockerName"]
        for task in (record(5, launch_type="EC2"), record(6, launch_type="EC2"))
    }
    assert len(names) == 2


def test_a_container_that_ended_tells_how_even_where_its_exit_code_is_zero() -> None:
    task = record(5)
    ended = task.containers["web"]
    ended.status, ended.exit_code, ended.finished_at = "STOPPED", 0, 1_700_000_060.0
    document = container_document(task, ended, AROUND)
    assert (document["KnownStatus"], document["ExitCode"]) == ("STOPPED", 0)
    assert document["FinishedAt"] == "2023-11-14T22:14:20.000000Z"


def test_a_task_that_is_being_brought_up_is_not_running_yet() -> None:
    task = record(5)
    task.status = task.containers["web"].status = "PENDING"
    task.containers["web"].created_at = 0.0
    document = task_document(task, AROUND)
    assert document["KnownStatus"] == document["Containers"][0]["KnownStatus"] == "PULLED"


def test_version_3_leaves_out_what_only_version_4_tells() -> None:
    task = record(5, launch_type="EC2")
    document = version_3(task_document(task, AROUND))
    assert not {"VPCID", "ServiceName", "FaultInjectionEnabled"} & set(document)
    (found,) = document["Containers"]
    assert not {"ContainerARN", "LogDriver", "LogOptions"} & set(found)
    assert found["Networks"] == [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.1.5"]}]
    assert found["DockerId"] == task.containers["web"].id


def test_a_container_learns_of_its_own_associations_only() -> None:
    associations = (
        {
            "containers": ["web"],
            "content": {"encoding": "base64", "value": "dmFsdWU="},
            "name": "dev1",
            "type": "elastic-inference",
        },
    )
    task = record(
        5, containers=(container("web"), container("other")), associations=associations
    ).task
    assert isinstance(task, acs.Task)
    assert association_names(task, "web", "elastic-inference") == ["dev1"]
    assert association_value(task, "web", "elastic-inference", "dev1") == "dmFsdWU="
    assert association_names(task, "other", "elastic-inference") == []
    assert association_value(task, "web", "elastic-inference", "dev2") is None
