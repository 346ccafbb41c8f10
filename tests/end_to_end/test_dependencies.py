"""The order in which containers of one task start, and what health checks say."""

import pytest
from end_to_end.checks import LAUNCH_TYPES, check, define

from longshore.testing.wait import wait_until

SHARED = {"mountPoints": [{"sourceVolume": "order", "containerPath": "/order"}]}
VOLUMES = [{"name": "order"}]


def after(**conditions):
    return {
        "dependsOn": [
            {"containerName": name, "condition": condition}
            for name, condition in conditions.items()
        ]
    }


def health(script, retries=1):
    command = ["CMD-SHELL", script]
    return {"healthCheck": {"command": command, "interval": 5, "timeout": 2, "retries": retries}}


def containers_of(task):
    return {container["name"]: container for container in task["containers"]}


def health_of(task):
    return {container["name"]: container["healthStatus"] for container in task["containers"]}


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_containers_wait_for_what_they_depend_on(cloud, launch_type):
    """Each writes down its turn; the last one reads all of it."""
    containers = {
        "fails": check("sleep 0.5; echo fails >> /order/log; exit 3", **SHARED),
        "succeeds": check("echo succeeds >> /order/log", **SHARED, **after(fails="COMPLETE")),
        "server": check(
            "echo server >> /order/log; sleep 300", **SHARED, **after(succeeds="SUCCESS")
        ),
        "reader": check(
            'test "$(cat /order/log | tr "\\n" ,)" = fails,succeeds,server,',
            essential=True,
            **SHARED,
            **after(server="START", waits="COMPLETE"),
        ),
        "waits": check("until grep server /order/log; do sleep 0.1; done", **SHARED),
    }
    arn = define(cloud, "order", containers, launch_type, volumes=VOLUMES)
    (task,) = cloud.run(arn, launch_type)
    ended = containers_of(cloud.await_status(task, "STOPPED"))
    assert ended["fails"]["exitCode"] == 3
    assert ended["reader"]["exitCode"] == 0, ended


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_a_dependency_that_can_not_come_true_any_more_stops_the_task(cloud, launch_type):
    containers = {
        "fails": check("exit 3"),
        "main": check("sleep 300", essential=True, **after(fails="SUCCESS")),
    }
    arn = define(cloud, "impossible", containers, launch_type)
    (task,) = cloud.run(arn, launch_type)
    ended = cloud.await_status(task, "STOPPED")
    assert ended["stopCode"] == "TaskFailedToStart"
    assert "fails" in containers_of(ended)["main"]["reason"]
    assert "startedAt" not in ended


def test_a_dependency_that_takes_longer_than_its_start_timeout_stops_the_task(cloud):
    containers = {
        "slow": check("sleep 300", startTimeout=2, **health("false")),
        "main": check("sleep 300", essential=True, **after(slow="HEALTHY")),
    }
    arn = define(cloud, "slow", containers, "EC2")
    (task,) = cloud.run(arn, "EC2")
    ended = cloud.await_status(task, "STOPPED")
    assert ended["stopCode"] == "TaskFailedToStart"
    assert "slow" in containers_of(ended)["main"]["reason"]


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_health_checks_are_run_and_told_and_waited_for(cloud, launch_type):
    containers = {
        "well": check("touch /well; sleep 300", **health("test -e /well")),
        "ill": check("sleep 300", essential=True, **health("test -e /well")),
        "silent": check("sleep 300"),
        "main": check("sleep 300", essential=True, **after(well="HEALTHY")),
    }
    arn = define(cloud, "health", containers, launch_type)
    (task,) = cloud.run(arn, launch_type)
    assert containers_of(cloud.task(task))["well"]["healthStatus"] == "UNKNOWN"
    running = containers_of(cloud.await_status(task, "RUNNING"))
    assert running["well"]["healthStatus"] == "HEALTHY"
    wanted = {"well": "HEALTHY", "ill": "UNHEALTHY", "silent": "UNKNOWN", "main": "UNKNOWN"}
    wait_until(lambda: health_of(cloud.task(task)) == wanted, 20, f"{wanted}")
    told = cloud.task(task)
    assert (told["lastStatus"], told["healthStatus"]) == ("RUNNING", "UNHEALTHY")
    cloud.ecs.stop_task(task=task)


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_containers_stop_in_the_reverse_of_the_order_in_which_they_started(cloud, launch_type):
    """The server lives until its client has said goodbye."""
    says = "trap 'echo {0} >> /order/log; exit 0' TERM; while :; do sleep 0.1; done"
    waits = "trap 'cat /order/log > /order/seen; grep -q client /order/seen; exit' TERM;"
    containers = {
        "server": check(waits + "while :; do sleep 0.1; done", **SHARED),
        "client": check(says.format("client"), essential=True, **SHARED, **after(server="START")),
    }
    arn = define(cloud, "reverse", containers, launch_type, volumes=VOLUMES)
    (task,) = cloud.run(arn, launch_type)
    cloud.await_status(task, "RUNNING")
    ended = containers_of(cloud.stop(task))
    assert ended["client"]["exitCode"] == 0, ended
    assert ended["server"]["exitCode"] == 0, ended
