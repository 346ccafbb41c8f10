"""RunTask to STOPPED: a real gateway, store and websockets, and an agent played by the test."""

import time
from pathlib import Path

import msgspec
import pytest
from integration.controllers.ecs_plane import (
    BATCH,
    REGION,
    WEB,
    Plane,
    PlayedAgent,
    role,
    running_plane,
)
from websockets.exceptions import InvalidStatus

from longshore.base.ids import RandomIds
from longshore.controllers.session.sessions import RETURN_SECONDS
from longshore.model.ec2 import ADDRESS_CLAIM, NETWORK_INTERFACE, SUBNET, NetworkInterface
from longshore.model.ecs import CONNECTION, TASK, Connection, TaskInterface
from longshore.model.errors import AwsError
from longshore.model.iam import ROLE
from longshore.model.principal import Principal
from longshore.services.interface import Resource
from longshore.store.interface import Transaction
from longshore.testing.clock import FakeClock
from longshore.testing.identity import ACCOUNT, KEY_ID
from longshore.testing.wait import eventually
from longshore.vpc import create_default_vpc, create_network_interface


async def _run(plane: Plane, **request: object) -> str:
    asked = {
        "taskDefinition": "web",
        "launchType": "FARGATE",
        "networkConfiguration": plane.awsvpc,
        **request,
    }
    response = await plane.call("RunTask", **asked)
    assert response["failures"] == []
    arn: str = response["tasks"][0]["taskArn"]
    return arn


async def test_fargate_task_runs_on_a_host_with_an_eni_and_stops_with_its_reason(
    plane: Plane, host: PlayedAgent
) -> None:
    arn = await _run(plane)
    task = await plane.status(arn, "RUNNING")
    details = {each["name"]: each["value"] for each in task["attachments"][0]["details"]}
    assert details["privateIPv4Address"].startswith("172.31.")
    assert task["attachments"][0]["status"] == "ATTACHED"
    assert task["availabilityZone"].startswith("us-east-1")
    assert task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    assert "containerInstanceArn" not in task
    await plane.call("StopTask", task=arn, reason="enough")
    task = await plane.status(arn, "STOPPED")
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")
    assert task["createdAt"] <= task["startedAt"] <= task["stoppingAt"] <= task["stoppedAt"]
    assert task["containers"][0]["exitCode"] == 143
    assert task["attachments"][0]["status"] == "DELETED"


async def test_host_has_the_eni_in_its_network_before_the_payload(
    plane: Plane, host: PlayedAgent
) -> None:
    arn = await _run(plane)
    await plane.status(arn, "RUNNING")
    (interface,) = host.payload(arn)["elasticNetworkInterfaces"]
    seen = [
        [each["id"] for each in message["network"]["interfaces"]]
        if kind == "NetworkMessage"
        else kind
        for kind, message in host.messages
    ]
    assert seen.index([interface["ec2Id"]]) < seen.index("PayloadMessage")
    assert interface["subnetGatewayIpv4Address"].endswith("/20")


async def test_task_with_an_eni_of_another_account_beside_its_own_has_both_on_its_host(
    plane: Plane,
) -> None:
    """As an EKS cluster's control plane has; it outlives the task."""
    other, ids = "210987654321", RandomIds()
    vpc = await plane.store.transact(lambda tx: create_default_vpc(tx, other, REGION, ids))

    def lay(tx: Transaction) -> NetworkInterface:
        subnet = tx.find(SUBNET, other, REGION, "vpc", vpc.id)[0].value
        return create_network_interface(
            tx,
            ids,
            0.0,
            account=other,
            region=REGION,
            subnet_id=subnet.id,
            owner_arn="arn:cluster",
            installation=plane.installation,
        )

    eni = await plane.store.transact(lay)

    def put_beside(tx: Transaction) -> None:
        (record,) = tx.scan(TASK)
        beside = (TaskInterface(other, eni.id),)
        network = msgspec.structs.replace(record.value.network, beside=beside)
        changed = msgspec.structs.replace(record.value, network=network)
        tx.put(TASK, record.key.account, record.key.region, record.key.name, changed)

    host = PlayedAgent(plane, host="host-1")
    await host.register()
    arn = await _run(plane)
    # It waits for a host until there is one.
    await plane.store.transact(put_beside)
    await host.connect()
    await plane.status(arn, "RUNNING")
    own, further = host.payload(arn)["elasticNetworkInterfaces"]
    assert further["ec2Id"] == eni.id
    assert further["ipv4Addresses"] == [{"privateAddress": eni.private_address}]
    assert "attachmentArn" in own and "attachmentArn" not in further
    networks = [message["network"] for kind, message in host.messages if kind == "NetworkMessage"]
    assert {each["id"] for each in networks[-1]["interfaces"]} == {own["ec2Id"], eni.id}
    task = await plane.task(arn)
    assert [each["type"] for each in task["attachments"]] == ["ElasticNetworkInterface"]
    await plane.call("StopTask", task=arn)
    await plane.status(arn, "STOPPED")
    assert [r.value.id for r in plane.store.reader.scan(NETWORK_INTERFACE)] == [eni.id]
    await host.close()


async def test_task_whose_further_eni_is_gone_says_so_and_speaks_of_no_role(plane: Plane) -> None:
    lost = TaskInterface(ACCOUNT, "eni-0123456789abcdef0")

    def put_beside(tx: Transaction) -> None:
        (record,) = tx.scan(TASK)
        network = msgspec.structs.replace(record.value.network, beside=(lost,))
        changed = msgspec.structs.replace(record.value, network=network)
        tx.put(TASK, record.key.account, record.key.region, record.key.name, changed)

    host = PlayedAgent(plane, host="host-1")
    await host.register()
    arn = await _run(plane)
    await plane.store.transact(put_beside)
    await host.connect()
    task = await plane.status(arn, "STOPPED")
    assert (task["stopCode"], task["stoppedReason"]) == (
        "TaskFailedToStart",
        f"ResourceInitializationError: The networkInterface ID '{lost.id}' does not exist",
    )
    await host.close()


async def test_stopped_task_gives_back_its_address_and_its_place(
    plane: Plane, host: PlayedAgent
) -> None:
    arn = await _run(plane)
    await plane.status(arn, "RUNNING")
    await plane.call("StopTask", task=arn)
    await plane.status(arn, "STOPPED")
    described = await plane.call("DescribeContainerInstances", containerInstances=[host.arn])
    instance = described["containerInstances"][0]
    assert instance["remainingResources"] == instance["registeredResources"]
    assert not plane.store.reader.scan(NETWORK_INTERFACE)
    assert not plane.store.reader.scan(ADDRESS_CLAIM)


async def test_control_plane_adds_little_to_the_start_of_a_task(
    plane: Plane, host: PlayedAgent
) -> None:
    took = []
    for _ in range(5):
        started = time.monotonic()
        arn = await _run(plane)
        await plane.status(arn, "RUNNING")
        took.append(time.monotonic() - started)
    assert min(took) < 0.3, took


async def test_container_that_cannot_be_pulled_ends_the_task_with_the_agents_words(
    plane: Plane, host: PlayedAgent
) -> None:
    host.automatic = False
    arn = await _run(plane)
    await host.told(lambda agent: agent.payload(arn))
    reason = "CannotPullContainerError: pull image manifest has been retried 5 time(s)"
    await host.report(arn, "STOPPED", reason=reason)
    task = await plane.status(arn, "STOPPED")
    assert (task["stopCode"], task["stoppedReason"]) == ("TaskFailedToStart", reason)
    assert "startedAt" not in task


async def test_exit_of_the_essential_container_is_told_in_awss_words(
    plane: Plane, host: PlayedAgent
) -> None:
    arn = await _run(plane)
    await plane.status(arn, "RUNNING")
    await host.report(arn, "STOPPED", exit_code=1)
    task = await plane.status(arn, "STOPPED")
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["containers"][0]["exitCode"] == 1


async def test_ec2_task_takes_the_instances_resources_and_the_override_reaches_the_agent(
    plane: Plane,
) -> None:
    agent = PlayedAgent(plane)
    await agent.register(cpu=1024, memory=512)
    await agent.connect()
    await agent.told(lambda agent: agent.messages)
    overrides = {
        "containerOverrides": [
            {
                "name": "job",
                "command": ["other"],
                "environment": [{"name": "A", "value": "1"}],
                "memory": 100,
            }
        ]
    }
    response = await plane.call("RunTask", taskDefinition="batch", overrides=overrides)
    assert response["tasks"][0]["containerInstanceArn"] == agent.arn
    await plane.status(response["tasks"][0]["taskArn"], "RUNNING")
    told = agent.payload(response["tasks"][0]["taskArn"])["containers"][0]
    assert (told["command"], told["environment"], told["memory"]) == (["other"], {"A": "1"}, 100)
    described = await plane.call("DescribeContainerInstances", containerInstances=[agent.arn])
    free = described["containerInstances"][0]["remainingResources"]
    assert {each["name"]: each["integerValue"] for each in free[:2]}["MEMORY"] == 412
    await agent.close()


async def test_task_larger_than_any_instance_is_a_failure_that_names_the_resource(
    plane: Plane,
) -> None:
    agent = PlayedAgent(plane)
    await agent.register(cpu=1024, memory=32)
    await agent.connect()
    await agent.told(lambda agent: agent.messages)
    response = await plane.call("RunTask", taskDefinition="batch")
    assert response["tasks"] == []
    assert response["failures"] == [{"arn": agent.arn, "reason": "RESOURCE:MEMORY"}]
    await agent.close()


async def test_disconnected_agent_is_the_reason_and_connecting_mends_it(plane: Plane) -> None:
    agent = PlayedAgent(plane)
    await agent.register()
    response = await plane.call("RunTask", taskDefinition="batch")
    assert response["failures"] == [{"arn": agent.arn, "reason": "AGENT"}]
    await agent.connect()
    await agent.told(lambda agent: agent.messages)
    response = await plane.call("RunTask", taskDefinition="batch")
    assert response["failures"] == []
    await agent.close()


async def test_agent_is_given_time_to_come_back_to_a_control_plane_that_was_killed(
    tmp_path: Path,
) -> None:
    async with running_plane(tmp_path) as plane:
        await plane.call("RegisterTaskDefinition", **BATCH)
        agent = PlayedAgent(plane)
        await agent.register()
        kept = Connection(connected=True, since=0.0)
        # Whoever is killed does not write that its agents are gone.
        await plane.store.transact(lambda tx: tx.put(CONNECTION, "", "", agent.arn, kept))
    clock = FakeClock(time.time())
    async with running_plane(tmp_path, session_clock=clock) as plane:
        response = await plane.call("RunTask", taskDefinition="batch")
        assert response["failures"] == []
        clock.advance(RETURN_SECONDS)

        async def refused() -> bool:
            response = await plane.call("RunTask", taskDefinition="batch")
            return bool(response["failures"] == [{"arn": agent.arn, "reason": "AGENT"}])

        await eventually(refused)


async def test_fargate_task_larger_than_every_host_fails_at_once(
    plane: Plane, host: PlayedAgent
) -> None:
    big = {**WEB, "family": "big", "cpu": "4096", "memory": "30720"}
    await plane.call("RegisterTaskDefinition", **big)
    response = await plane.call(
        "RunTask",
        taskDefinition="big",
        launchType="FARGATE",
        networkConfiguration=plane.awsvpc,
    )
    assert response["failures"] == [{"reason": "RESOURCE:MEMORY"}]


async def test_cluster_without_instances_is_told_in_awss_words(plane: Plane) -> None:
    await plane.call("CreateCluster")
    with pytest.raises(AwsError) as error:
        await plane.call("RunTask", taskDefinition="batch")
    assert error.value.code == "InvalidParameterException"
    assert error.value.message == "No Container Instances were found in your cluster."


async def test_same_client_token_runs_the_task_once(plane: Plane, host: PlayedAgent) -> None:
    first = await _run(plane, clientToken="one")
    second = await _run(plane, clientToken="one")
    assert first == second
    with pytest.raises(AwsError) as error:
        await _run(plane, clientToken="one", startedBy="someone else")
    assert error.value.code == "ConflictException"


async def test_tasks_survive_the_control_plane_and_are_neither_lost_nor_doubled(
    tmp_path: Path,
) -> None:
    async with running_plane(tmp_path) as plane:
        await plane.call("RegisterTaskDefinition", **WEB)
        agent = PlayedAgent(plane, host="host-1")
        await agent.register()
        await agent.connect()
        await agent.told(lambda agent: agent.messages)
        running = await _run(plane)
        await plane.status(running, "RUNNING")
        agent.automatic = False
        waiting = await _run(plane)
        await agent.told(lambda agent: agent.payload(waiting))
        await agent.close()
    async with running_plane(tmp_path) as plane:
        agent.plane, agent.automatic = plane, True
        await agent.register()
        await agent.connect()
        await plane.status(waiting, "RUNNING")
        assert (await plane.task(running))["lastStatus"] == "RUNNING"
        manifest = [m for kind, m in agent.messages if kind == "TaskManifestMessage"][-1]
        assert {each["taskArn"] for each in manifest["tasks"]} == {running, waiting}
        assert agent.running == {running, waiting}
        await agent.close()


async def test_agent_is_told_to_stop_what_the_control_plane_does_not_know(
    plane: Plane, host: PlayedAgent
) -> None:
    stray = {"taskArn": "arn:aws:ecs:us-east-1:123456789012:task/default/" + "0" * 32}
    kept = await _run(plane)
    await plane.status(kept, "RUNNING")
    candidates = [stray | {"desiredStatus": "STOPPED"}, {"taskArn": kept}]
    await host.send("TaskStopVerificationMessage", messageId="m", stopCandidates=candidates)
    answer = await host.told(
        lambda agent: [m for kind, m in agent.messages if kind == "TaskStopVerificationAck"]
    )
    assert [each["taskArn"] for each in answer[0]["stopTasks"]] == [stray["taskArn"]]


async def test_agent_that_leaves_is_shown_as_disconnected_and_its_tasks_run_on(
    plane: Plane, host: PlayedAgent
) -> None:
    arn = await _run(plane)
    await plane.status(arn, "RUNNING")
    await host.close()

    async def connectivity() -> bool:
        return (await plane.task(arn)).get("connectivity") == "DISCONNECTED"

    await eventually(connectivity)
    assert (await plane.task(arn))["lastStatus"] == "RUNNING"


async def test_deregistered_instance_gets_no_session(plane: Plane) -> None:
    agent = PlayedAgent(plane)
    await agent.register()
    await plane.call("DeregisterContainerInstance", containerInstance=agent.arn)
    with pytest.raises(Exception, match="400"):
        await agent.connect()


async def test_only_the_host_user_speaks_for_a_host_whatever_policies_allow(
    plane: Plane, host: PlayedAgent
) -> None:
    thief = PlayedAgent(plane, host="host-1")
    thief.key_id = KEY_ID
    with pytest.raises(AwsError, match="reserved"):
        await thief.register(cpu=1 << 20, memory=1 << 20)
    thief.arn = host.arn
    with pytest.raises(InvalidStatus, match="400"):
        await thief.connect()
    arn = await _run(plane)
    await plane.status(arn, "RUNNING")
    assert host.payload(arn)


async def test_agent_reports_only_on_tasks_of_clusters_that_it_may(tmp_path: Path) -> None:
    def allows(principal: Principal, action: str, resource: Resource) -> bool:
        submits = action.startswith("ecs:Submit")
        return not submits or resource.arn.endswith(":cluster/own")

    async with running_plane(tmp_path, allows) as plane:
        await plane.call("RegisterTaskDefinition", **BATCH)
        for cluster in ("own", "other"):
            await plane.call("CreateCluster", clusterName=cluster)
        agent = PlayedAgent(plane, cluster="other", automatic=False)
        await agent.register()
        await agent.connect()
        await agent.told(lambda agent: agent.messages)
        made = await plane.call("RunTask", cluster="other", taskDefinition="batch")
        arn = made["tasks"][0]["taskArn"]
        with pytest.raises(AwsError, match=r"SubmitTaskStateChange on resource: .*cluster/other"):
            await plane.call("SubmitTaskStateChange", cluster="own", task=arn, status="STOPPED")
        await agent.close()


async def _register_with_role(plane: Plane, **members: object) -> None:
    await plane.store.transact(lambda tx: tx.put(ROLE, ACCOUNT, "", "worker", role("worker")))
    arn = role("worker").arn
    definition = {**WEB, "family": "worker", "taskRoleArn": arn, "executionRoleArn": arn}
    await plane.call("RegisterTaskDefinition", **definition, **members)


async def test_payload_carries_credentials_of_both_roles_and_a_reconnect_brings_new_ones(
    plane: Plane, host: PlayedAgent
) -> None:
    await _register_with_role(plane)
    arn = await _run(plane, taskDefinition="worker")
    await plane.status(arn, "RUNNING")
    told = host.payload(arn)
    assert told["roleCredentials"]["sessionToken"] == "token"
    assert (
        told["roleCredentials"]["credentialsId"]
        != told["executionRoleCredentials"]["credentialsId"]
    )
    assert told["roleCredentials"]["expiration"].endswith("Z")
    await host.close()
    await host.connect(send_credentials=True)
    renewed = await host.told(
        lambda agent: [m for kind, m in agent.messages if kind == "IAMRoleCredentialsMessage"]
    )
    assert (
        renewed[0]["roleCredentials"]["credentialsId"] == told["roleCredentials"]["credentialsId"]
    )


async def test_role_that_is_gone_is_told_at_run_task(plane: Plane, host: PlayedAgent) -> None:
    await _register_with_role(plane)
    await plane.store.transact(lambda tx: tx.delete(ROLE, ACCOUNT, "", "worker"))
    with pytest.raises(AwsError, match="unable to assume the role"):
        await _run(plane, taskDefinition="worker")


async def test_health_that_the_agent_publishes_is_described(
    plane: Plane, host: PlayedAgent
) -> None:
    arn = await _run(plane)
    await plane.status(arn, "RUNNING")
    await host.publish_health(arn, "HEALTHY")
    assert (await plane.task(arn))["healthStatus"] == "HEALTHY"
    await host.publish_health(arn, "UNHEALTHY")
    task = await plane.task(arn)
    assert (task["healthStatus"], task["containers"][0]["healthStatus"]) == ("UNHEALTHY",) * 2
