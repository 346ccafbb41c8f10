"""What users of the API notice, over a store in memory; conftest checks every response's shape."""

from typing import Any

import msgspec
import pytest

from longshore.model.ecs import CONNECTION, TASK, Connection
from longshore.model.errors import AwsError
from longshore.model.principal import Principal
from longshore.testing.identity import ACCOUNT

BATCH = {
    "family": "batch",
    "containerDefinitions": [
        {
            "name": "job",
            "image": "job:1",
            "memory": 64,
            "portMappings": [{"containerPort": 80, "hostPort": 8080}],
        }
    ],
    "tags": [{"key": "team", "value": "red"}],
}


async def _instance(ecs: Any, memory: int = 1024, zone: str = "us-east-1a") -> str:
    made = await ecs(
        "RegisterContainerInstance",
        cluster="default",
        attributes=[
            {"name": "ecs.os-type", "value": "linux"},
            {"name": "ecs.availability-zone", "value": zone},
        ],
        totalResources=[
            {"name": "CPU", "type": "INTEGER", "integerValue": 2048},
            {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
            {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22"]},
        ],
    )
    arn: str = made["containerInstance"]["containerInstanceArn"]
    connected = Connection(connected=True, since=0.0)
    await ecs.store.transact(lambda tx: tx.put(CONNECTION, "", "", arn, connected))
    return arn


async def test_registered_attributes_are_echoed_or_the_agent_would_give_up(ecs: Any) -> None:
    arn = await _instance(ecs)
    found = await ecs("DescribeContainerInstances", containerInstances=[arn])
    (instance,) = found["containerInstances"]
    assert {"name": "ecs.os-type", "value": "linux"} in instance["attributes"]
    assert instance["agentConnected"] is True


async def test_host_port_is_taken_once_on_each_instance(ecs: Any) -> None:
    first, second = await _instance(ecs), await _instance(ecs)
    await ecs("RegisterTaskDefinition", **BATCH)
    answer = await ecs("RunTask", taskDefinition="batch", count=3)
    assert {task["containerInstanceArn"] for task in answer["tasks"]} == {first, second}
    reasons = {failure["arn"]: failure["reason"] for failure in answer["failures"]}
    assert reasons == {first: "RESOURCE:PORTS", second: "RESOURCE:PORTS"}


async def test_constraint_and_strategy_decide_the_place(ecs: Any) -> None:
    await _instance(ecs)
    second = await _instance(ecs, zone="us-east-1b")
    await ecs("RegisterTaskDefinition", **BATCH)
    expression = "attribute:ecs.availability-zone == us-east-1b"
    answer = await ecs(
        "RunTask",
        taskDefinition="batch",
        placementConstraints=[{"type": "memberOf", "expression": expression}],
        placementStrategy=[{"type": "binpack", "field": "memory"}],
    )
    assert answer["tasks"][0]["containerInstanceArn"] == second
    with pytest.raises(AwsError, match="Invalid expression"):
        await ecs(
            "RunTask",
            taskDefinition="batch",
            placementConstraints=[{"type": "memberOf", "expression": "("}],
        )


async def test_start_task_goes_where_it_is_told(ecs: Any) -> None:
    arn = await _instance(ecs)
    await ecs("RegisterTaskDefinition", **BATCH)
    nowhere = arn[:-1] + "z"
    answer = await ecs("StartTask", taskDefinition="batch", containerInstances=[arn, nowhere])
    assert answer["tasks"][0]["containerInstanceArn"] == arn
    assert answer["failures"] == [{"arn": nowhere, "reason": "MISSING"}]


async def test_draining_instance_takes_no_new_tasks(ecs: Any) -> None:
    arn = await _instance(ecs)
    await ecs("RegisterTaskDefinition", **BATCH)
    answer = await ecs("UpdateContainerInstancesState", containerInstances=[arn], status="DRAINING")
    assert answer["containerInstances"][0]["status"] == "DRAINING"
    with pytest.raises(AwsError, match="No Container Instances were found"):
        await ecs("RunTask", taskDefinition="batch")
    listed = await ecs("ListContainerInstances", status="DRAINING")
    assert listed["containerInstanceArns"] == [arn]


async def test_attributes_can_be_put_listed_filtered_and_deleted(ecs: Any) -> None:
    arn = await _instance(ecs)
    await _instance(ecs)
    attribute = {"name": "stack", "value": "prod", "targetId": arn}
    await ecs("PutAttributes", cluster="default", attributes=[attribute])
    found = await ecs(
        "ListAttributes", cluster="default", targetType="container-instance", attributeName="stack"
    )
    assert [each["targetId"] for each in found["attributes"]] == [arn]
    listed = await ecs("ListContainerInstances", filter="attribute:stack == prod")
    assert listed["containerInstanceArns"] == [arn]
    await ecs("DeleteAttributes", cluster="default", attributes=[attribute])
    listed = await ecs("ListContainerInstances", filter="attribute:stack exists")
    assert listed["containerInstanceArns"] == []


async def test_tags_are_propagated_changed_and_removed(ecs: Any) -> None:
    await _instance(ecs)
    await ecs("RegisterTaskDefinition", **BATCH)
    answer = await ecs(
        "RunTask",
        taskDefinition="batch",
        propagateTags="TASK_DEFINITION",
        enableECSManagedTags=True,
        tags=[{"key": "a", "value": "1"}],
    )
    arn = answer["tasks"][0]["taskArn"]
    found = await ecs("ListTagsForResource", resourceArn=arn)
    assert {tag["key"]: tag["value"] for tag in found["tags"]} == {
        "team": "red",
        "a": "1",
        "aws:ecs:clusterName": "default",
    }
    await ecs("UntagResource", resourceArn=arn, tagKeys=["team"])
    await ecs("TagResource", resourceArn=arn, tags=[{"key": "a", "value": "2"}])
    described = await ecs("DescribeTasks", tasks=[arn], include=["TAGS"])
    assert {"key": "a", "value": "2"} in described["tasks"][0]["tags"]
    with pytest.raises(AwsError, match="aws:"):
        await ecs("TagResource", resourceArn=arn, tags=[{"key": "aws:x", "value": ""}])


async def test_report_twice_or_out_of_order_changes_nothing(ecs: Any) -> None:
    await _instance(ecs)
    await ecs("RegisterTaskDefinition", **BATCH)
    arn = (await ecs("RunTask", taskDefinition="batch"))["tasks"][0]["taskArn"]
    containers = [
        {"containerName": "job", "status": "RUNNING", "exitCode": 0},
        {"containerName": "job", "status": "STOPPED", "exitCode": 3},
    ]
    await ecs("SubmitTaskStateChange", task=arn, status="STOPPED", containers=containers)
    late = [{"containerName": "job", "status": "RUNNING"}]
    await ecs("SubmitTaskStateChange", task=arn, status="RUNNING", containers=late)
    (record,) = ecs.store.reader.scan(TASK)
    assert record.value.reported.status == "STOPPED"
    assert record.value.containers[0].exit_code == 3


async def test_report_about_an_unknown_task_is_acknowledged(ecs: Any) -> None:
    await ecs("CreateCluster")
    gone = "arn:aws:ecs:us-east-1:123456789012:task/default/gone"
    assert await ecs("SubmitTaskStateChange", task=gone, status="STOPPED")


async def test_cluster_counts_its_own_tasks_by_their_state(ecs: Any) -> None:
    await _instance(ecs)
    await _instance(ecs)
    await ecs("CreateCluster", clusterName="other")
    await ecs("RegisterTaskDefinition", **BATCH)
    await ecs("RunTask", taskDefinition="batch", count=2)
    _, running = ecs.store.reader.scan(TASK)
    key, up = running.key, msgspec.structs.replace(running.value, last_status="RUNNING")
    place = (key.account, key.region, key.name)
    await ecs.store.transact(lambda tx: tx.put(TASK, *place, up))
    request = {"clusters": ["default", "other"], "include": ["STATISTICS"]}
    own, other = (await ecs("DescribeClusters", **request))["clusters"]
    assert (own["runningTasksCount"], own["pendingTasksCount"]) == (1, 1)
    assert own["registeredContainerInstancesCount"] == 2
    statistics = {each["name"]: each["value"] for each in own["statistics"]}
    assert statistics["runningEC2TasksCount"] == statistics["pendingEC2TasksCount"] == "1"
    assert statistics["runningFargateTasksCount"] == "0"
    assert (other["runningTasksCount"], other["registeredContainerInstancesCount"]) == (0, 0)
    with pytest.raises(AwsError, match="ClusterContainsContainerInstances"):
        await ecs("DeleteCluster", cluster="default")
    stopped = msgspec.structs.replace(up, last_status="STOPPED")
    await ecs.store.transact(lambda tx: tx.put(TASK, *place, stopped))
    (own,) = (await ecs("DescribeClusters"))["clusters"]
    assert (own["runningTasksCount"], own["pendingTasksCount"]) == (0, 1)


async def test_cluster_with_instances_is_not_deleted(ecs: Any) -> None:
    arn = await _instance(ecs)
    with pytest.raises(AwsError) as error:
        await ecs("DeleteCluster", cluster="default")
    assert error.value.code == "ClusterContainsContainerInstancesException"
    await ecs("DeregisterContainerInstance", containerInstance=arn)
    answer = await ecs("DeleteCluster", cluster="default")
    assert answer["cluster"]["status"] == "INACTIVE"
    with pytest.raises(AwsError, match="Cluster not found"):
        await ecs("ListTasks")


async def test_unknown_things_are_missing_and_other_accounts_arns_refused(ecs: Any) -> None:
    await ecs("CreateCluster")
    answer = await ecs("DescribeTasks", tasks=["abc"])
    (failure,) = answer["failures"]
    assert failure["reason"] == "MISSING"
    with pytest.raises(AwsError, match="different account"):
        await ecs(
            "DescribeTasks", cluster="arn:aws:ecs:us-east-1:999999999999:cluster/x", tasks=["a"]
        )
    answer = await ecs("DescribeClusters", clusters=["nope"])
    assert answer["failures"][0]["reason"] == "MISSING"


async def test_service_keeps_what_it_was_made_with(ecs: Any) -> None:
    await ecs("CreateCluster", capacityProviders=["FARGATE"])
    await ecs("RegisterTaskDefinition", **BATCH)
    request = {"serviceName": "web", "taskDefinition": "batch", "desiredCount": 1}
    made = await ecs("CreateService", **request)
    assert made["service"]["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    with pytest.raises(AwsError, match="not idempotent"):
        await ecs("CreateService", **request)
    listed = await ecs("ListServices")
    assert listed["serviceArns"] == [made["service"]["serviceArn"]]
    with pytest.raises(AwsError, match="scaled above 0"):
        await ecs("DeleteService", service="web")
    updated = await ecs("UpdateService", service="web", forceNewDeployment=True, desiredCount=2)
    assert updated["service"]["desiredCount"] == 2
    assert updated["service"]["deployments"][0]["id"] != made["service"]["deployments"][0]["id"]
    answer = await ecs("DescribeServices", services=["web", "nope"], include=["TAGS"])
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


@pytest.mark.parametrize(
    "member",
    [{"loadBalancers": [{"containerName": "a"}]}, {"deploymentController": {"type": "EXTERNAL"}}],
)
async def test_what_is_not_built_of_services_says_so(ecs: Any, member: dict[str, Any]) -> None:
    await ecs("CreateCluster")
    with pytest.raises(AwsError) as error:
        await ecs("CreateService", serviceName="web", taskDefinition="x", desiredCount=1, **member)
    assert (error.value.code, error.value.status) == ("NotImplemented", 501)


async def test_account_settings_are_kept_by_principal_with_a_default(ecs: Any) -> None:
    await ecs("PutAccountSettingDefault", name="containerInsights", value="enabled")
    found = await ecs("ListAccountSettings", name="containerInsights", effectiveSettings=True)
    assert found["settings"][0]["value"] == "enabled"
    await ecs("PutAccountSetting", name="containerInsights", value="disabled")
    found = await ecs("ListAccountSettings", name="containerInsights", effectiveSettings=True)
    assert found["settings"][0]["value"] == "disabled"
    await ecs("DeleteAccountSetting", name="containerInsights")
    with pytest.raises(AwsError):
        await ecs("PutAccountSetting", name="nonsense", value="on")


HOST = {"attributes": [{"name": "longshore.host", "value": "host-1"}]}


def _host_user(account: str = ACCOUNT) -> Principal:
    arn = f"arn:aws:iam::{account}:user/longshore-host"
    return Principal(
        account=account, arn=arn, user_id="AIDA", kind="user", user_name="longshore-host"
    )


async def test_resources_of_an_instance_without_a_name_count_for_nothing_and_ports_are_numbers(
    ecs: Any,
) -> None:
    await ecs("CreateCluster")
    nameless = {"type": "DOUBLE", "doubleValue": 1.0}
    assert await ecs("RegisterContainerInstance", totalResources=[nameless])
    ports = {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["many"]}
    with pytest.raises(AwsError, match="not a set of ports"):
        await ecs("RegisterContainerInstance", totalResources=[ports])


async def test_other_accounts_cannot_enrol_a_host(ecs: Any) -> None:
    ecs.installation = type(ecs.installation)(data_dir=ecs.installation.data_dir, account="1" * 12)
    ecs.principal = _host_user()
    with pytest.raises(AwsError, match="reserved"):
        await ecs("RegisterContainerInstance", **HOST)


async def test_only_the_host_user_enrols_a_host_whatever_policies_allow(ecs: Any) -> None:
    with pytest.raises(AwsError, match="reserved"):
        await ecs("RegisterContainerInstance", **HOST)
    ecs.principal = _host_user()
    assert await ecs("RegisterContainerInstance", **HOST)


async def test_nobody_else_takes_a_host_over_by_registering_its_instance(ecs: Any) -> None:
    administrator, ecs.principal = ecs.principal, _host_user()
    made = await ecs("RegisterContainerInstance", **HOST)
    arn = made["containerInstance"]["containerInstanceArn"]
    ecs.principal = administrator
    with pytest.raises(AwsError, match="reserved"):
        await ecs("RegisterContainerInstance", containerInstanceArn=arn)


async def test_host_enrols_with_any_key_where_no_key_is_checked(ecs: Any) -> None:
    ecs.installation = type(ecs.installation)(data_dir=ecs.installation.data_dir, auth="open")
    assert await ecs("RegisterContainerInstance", **HOST)


async def test_only_a_host_reports_on_tasks_of_other_accounts(ecs: Any) -> None:
    await _instance(ecs)
    await ecs("RegisterTaskDefinition", **BATCH)
    arn = (await ecs("RunTask", taskDefinition="batch"))["tasks"][0]["taskArn"]
    task = await ecs.store.transact(lambda tx: tx.scan(TASK)[0])
    place = ("1" * 12, "us-east-1", task.key.name)
    await ecs.store.transact(lambda tx: tx.create(TASK, *place, task.value))
    report = {"task": arn.replace(ACCOUNT, "1" * 12), "status": "RUNNING"}

    async def reported() -> str:
        await ecs("SubmitTaskStateChange", **report)
        found = await ecs.store.transact(lambda tx: tx.get(TASK, *place))
        status: str = found.value.reported.status
        return status

    assert not await reported()
    ecs.principal = _host_user()
    assert await reported() == "RUNNING"


async def test_capacity_providers_of_fargate_are_described(ecs: Any) -> None:
    answer = await ecs("DescribeCapacityProviders", capacityProviders=["FARGATE", "mine"])
    assert answer["capacityProviders"][0]["status"] == "ACTIVE"
    assert len(answer["failures"]) == 1
    await ecs("CreateCluster")
    answer = await ecs(
        "PutClusterCapacityProviders",
        cluster="default",
        capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
    )
    assert answer["cluster"]["capacityProviders"] == ["FARGATE"]
