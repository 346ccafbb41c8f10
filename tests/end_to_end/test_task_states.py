"""What DescribeTasks tells of a task from its beginning to its end, and who may not begin."""

import pytest
from botocore.exceptions import ClientError
from end_to_end.checks import LAUNCH_TYPES, check, define, run_without_interface

from longshore.testing.wait import wait_until

FOR_EVER = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
STATES = (
    *("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"),
    *("DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"),
)
TIMES = (
    *("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt"),
    *("stoppingAt", "executionStoppedAt", "stoppedAt"),
)


def containers_of(task):
    return {container["name"]: container for container in task["containers"]}


def see_until(cloud, arn, status, seen):
    """Look at the task until it has this status, and note each status that it had."""

    def reached():
        last = cloud.task(arn)["lastStatus"]
        if not seen or seen[-1] != last:
            seen.append(last)
        return last == status

    wait_until(reached, 60, f"the task is {status}")


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_a_task_goes_through_its_states_and_times_in_order_and_says_who_stopped_it(
    cloud, launch_type
):
    arn = define(cloud, "states", {"main": check(FOR_EVER, essential=True)}, launch_type)
    (task,) = cloud.run(arn, launch_type)
    seen = []
    see_until(cloud, task, "RUNNING", seen)
    running = cloud.task(task)
    assert running["connectivity"] == "CONNECTED"
    assert running["desiredStatus"] == "RUNNING"
    assert running["containers"][0]["lastStatus"] == "RUNNING"
    assert running["containers"][0]["imageDigest"].startswith("sha256:")
    assert ("containerInstanceArn" in running) == (launch_type == "EC2")

    cloud.ecs.stop_task(task=task, reason="the tide is going out")
    assert cloud.task(task)["desiredStatus"] == "STOPPED"
    see_until(cloud, task, "STOPPED", seen)
    assert seen == [state for state in STATES if state in seen]
    ended = cloud.task(task)
    assert ended["stopCode"] == "UserInitiated"
    assert ended["stoppedReason"] == "the tide is going out"
    assert ended["containers"][0]["exitCode"] == 0
    times = [ended[name] for name in TIMES]
    assert times == sorted(times), dict(zip(TIMES, times, strict=True))


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_only_the_end_of_an_essential_container_ends_the_task(cloud, launch_type):
    containers = {
        "extra": check("exit 3"),
        "broken": {"command": ["/bin/absent"]},
        "witness": check(FOR_EVER),
        "main": check("until test -e /gate/open; do sleep 0.1; done; exit 4", essential=True),
        "gate": check("sleep 1.5; touch /gate/open"),
    }
    for name in ("main", "gate"):
        containers[name]["mountPoints"] = [{"sourceVolume": "gate", "containerPath": "/gate"}]
    arn = define(cloud, "essential", containers, launch_type, volumes=[{"name": "gate"}])
    (task,) = cloud.run(arn, launch_type)
    ended = cloud.await_status(task, "STOPPED")
    assert ended["stopCode"] == "EssentialContainerExited"
    assert ended["stoppedReason"] == "Essential container in task exited"
    codes = {name: each.get("exitCode") for name, each in containers_of(ended).items()}
    assert codes == {"extra": 3, "broken": None, "witness": 0, "main": 4, "gate": 0}
    assert containers_of(ended)["broken"]["reason"].startswith("CannotStartContainerError")


def test_a_task_is_started_on_the_container_instance_that_was_named(cloud):
    (instance,) = cloud.ecs.list_container_instances()["containerInstanceArns"]
    containers = {"main": check(FOR_EVER, essential=True)}
    arn = define(cloud, "started", containers, "EC2", networkMode="bridge")
    started = cloud.ecs.start_task(taskDefinition=arn, containerInstances=[instance])
    assert started["failures"] == []
    task = cloud.await_status(started["tasks"][0]["taskArn"], "RUNNING")
    assert task["containerInstanceArn"] == instance
    assert cloud.ecs.list_tasks(containerInstance=instance, family="started")["taskArns"] == [
        task["taskArn"]
    ]
    cloud.stop(task["taskArn"])


@pytest.mark.parametrize(
    ("reason", "settings"),
    [
        ("RESOURCE:MEMORY", {"memory": "10000000"}),
        ("RESOURCE:CPU", {"cpu": "131072"}),
        ("ATTRIBUTE", {"logDriver": "splunk"}),
        ("MemberOf placement constraint unsatisfied.", {"expression": "attribute:sea == calm"}),
    ],
)
def test_a_task_that_no_instance_can_take_is_a_failure_with_its_reason(cloud, reason, settings):
    containers = {"main": check("true", essential=True)}
    driver = settings.pop("logDriver", None)
    if driver:
        options = {"splunk-token": "t", "splunk-url": "https://splunk.invalid"}
        containers["main"]["logConfiguration"] = {"logDriver": driver, "options": options}
    expression = settings.pop("expression", None)
    arn = define(cloud, "too-much", containers, "EC2", networkMode="bridge", **settings)
    constraint = {"type": "memberOf", "expression": expression}
    given = {"placementConstraints": [constraint]} if expression else {}
    answer = cloud.ecs.run_task(taskDefinition=arn, launchType="EC2", **given)
    assert answer["tasks"] == []
    assert [failure["reason"] for failure in answer["failures"]] == [reason]
    assert answer["failures"][0]["arn"].startswith("arn:aws:ecs:")


def test_fargate_says_so_where_there_is_no_room(cloud):
    containers = {"main": check("true", essential=True)}
    arn = define(cloud, "vast", containers, "FARGATE", cpu="16384", memory="122880")
    network = {"subnets": cloud.default_subnets()[:1]}
    answer = cloud.ecs.run_task(
        taskDefinition=arn,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": network},
    )
    assert answer["tasks"] == []
    assert answer["failures"][0]["reason"] in {"RESOURCE:MEMORY", "RESOURCE:CPU"}


def test_a_task_that_is_not_known_cannot_be_stopped(cloud):
    with pytest.raises(ClientError, match="The referenced task was not found"):
        cloud.ecs.stop_task(task="0" * 32)


def test_a_task_stopped_before_it_ran_never_runs(cloud):
    containers = {"main": check(FOR_EVER, essential=True)}
    arn = define(cloud, "early", containers, "EC2", networkMode="bridge")
    task = run_without_interface(cloud, arn)
    cloud.ecs.stop_task(task=task, reason="changed my mind")
    ended = cloud.await_status(task, "STOPPED")
    assert ended["stopCode"] == "UserInitiated"
    assert ended["stoppedReason"] == "changed my mind"
