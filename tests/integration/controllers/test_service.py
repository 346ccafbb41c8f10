"""Services, with an agent played by the test."""

from typing import Any

from integration.controllers.ecs_plane import WEB, Plane, PlayedAgent

from longshore.testing.wait import eventually


async def _service(plane: Plane) -> dict[str, Any]:
    found = await plane.call("DescribeServices", services=["web"])
    service: dict[str, Any] = found["services"][0]
    return service


async def _create(plane: Plane, **request: Any) -> None:
    asked = {
        "serviceName": "web",
        "taskDefinition": "web",
        "desiredCount": 2,
        "launchType": "FARGATE",
        "networkConfiguration": plane.awsvpc,
    }
    await plane.call("CreateService", **(asked | request))


async def _steady(plane: Plane, count: int, definition: str = "") -> dict[str, Any]:
    async def reached() -> dict[str, Any] | None:
        service = await _service(plane)
        deployment = service["deployments"][0]
        done = (
            service["runningCount"] == count
            and len(service["deployments"]) == 1
            and deployment["rolloutState"] == "COMPLETED"
            and deployment["taskDefinition"].endswith(definition)
        )
        return service if done else None

    return await eventually(reached, 10.0, "service steady")


async def test_service_reaches_its_count_over_two_zones_and_says_so(
    plane: Plane, host: PlayedAgent
) -> None:
    await _create(plane)
    service = await _steady(plane, 2)
    assert service["events"][0]["message"] == "(service web) has reached a steady state."
    assert any("has started 2 tasks: (task " in each["message"] for each in service["events"])
    listed = await plane.call("ListTasks", serviceName="web")
    found = await plane.call("DescribeTasks", tasks=listed["taskArns"])
    assert len({task["availabilityZone"] for task in found["tasks"]}) == 2
    assert {task["group"] for task in found["tasks"]} == {"service:web"}


async def test_dead_task_is_replaced(plane: Plane, host: PlayedAgent) -> None:
    await _create(plane)
    await _steady(plane, 2)
    dead = (await plane.call("ListTasks", serviceName="web"))["taskArns"][0]
    await host.report(dead, "STOPPED", exit_code=1)

    async def replaced() -> bool:
        arns = (await plane.call("ListTasks", serviceName="web"))["taskArns"]
        return dead not in arns and len(arns) == 2

    await eventually(replaced)
    await _steady(plane, 2)


async def test_new_task_definition_rolls_out_and_the_old_tasks_end(
    plane: Plane, host: PlayedAgent
) -> None:
    await _create(plane)
    await _steady(plane, 2)
    await plane.call("RegisterTaskDefinition", **WEB)
    await plane.call("UpdateService", service="web", taskDefinition="web")
    await _steady(plane, 2, "web:2")
    listed = await plane.call("ListTasks", serviceName="web")
    found = await plane.call("DescribeTasks", tasks=listed["taskArns"])
    assert {t["taskDefinitionArn"].rpartition("/")[2] for t in found["tasks"]} == {"web:2"}


async def test_circuit_breaker_rolls_back_to_the_last_good_deployment(
    plane: Plane, host: PlayedAgent
) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    await _create(plane, deploymentConfiguration=breaker)
    await _steady(plane, 2)
    await plane.call("RegisterTaskDefinition", **WEB)
    host.automatic = False
    await plane.call("UpdateService", service="web", taskDefinition="web:2")

    async def ended() -> bool:
        listed = await plane.call("ListTasks", serviceName="web")
        found = await plane.call("DescribeTasks", tasks=listed["taskArns"])
        for task in found["tasks"]:
            if task["taskDefinitionArn"].endswith("web:2") and host.payload(task["taskArn"]):
                await host.report(task["taskArn"], "STOPPED", reason="CannotPullContainerError: no")
        events = (await _service(plane))["events"]
        return any("rolling back" in each["message"] for each in events)

    await eventually(ended, 20.0)
    host.automatic = True
    await _steady(plane, 2, "web:1")


async def test_deleted_service_stops_its_tasks_and_becomes_inactive(
    plane: Plane, host: PlayedAgent
) -> None:
    await _create(plane)
    await _steady(plane, 2)
    await plane.call("UpdateService", service="web", desiredCount=0)
    await _steady(plane, 0)
    await plane.call("DeleteService", service="web")

    async def inactive() -> bool:
        return (await _service(plane))["status"] == "INACTIVE"

    await eventually(inactive)


async def test_unhealthy_task_of_a_service_is_replaced(plane: Plane, host: PlayedAgent) -> None:
    await _create(plane)
    await _steady(plane, 2)
    sick = (await plane.call("ListTasks", serviceName="web"))["taskArns"][0]
    await host.publish_health(sick, "UNHEALTHY")
    stopped = await plane.status(sick, "STOPPED")
    assert stopped["stoppedReason"] == "Task failed container health checks"
    await _steady(plane, 2)


async def test_daemon_runs_one_task_on_each_instance_that_joins(plane: Plane) -> None:
    agents = []
    for _ in range(2):
        agent = PlayedAgent(plane)
        await agent.register()
        await agent.connect()
        agents.append(agent)
    await plane.call(
        "CreateService", serviceName="web", taskDefinition="batch", schedulingStrategy="DAEMON"
    )
    await _steady(plane, 2)
    third = PlayedAgent(plane)
    await third.register()
    await third.connect()
    await _steady(plane, 3)
    listed = await plane.call("ListTasks", serviceName="web")
    found = await plane.call("DescribeTasks", tasks=listed["taskArns"])
    assert len({task["containerInstanceArn"] for task in found["tasks"]}) == 3
    for agent in (*agents, third):
        await agent.close()


async def test_draining_an_instance_moves_a_services_tasks_elsewhere(plane: Plane) -> None:
    agents = [PlayedAgent(plane), PlayedAgent(plane)]
    for agent in agents:
        await agent.register()
        await agent.connect()
        await agent.told(lambda agent: agent.messages)
    await plane.call("CreateService", serviceName="web", taskDefinition="batch", desiredCount=2)
    await _steady(plane, 2)
    drained, left = agents[0].arn, agents[1].arn
    await plane.call(
        "UpdateContainerInstancesState", containerInstances=[drained], status="DRAINING"
    )

    async def moved() -> bool:
        listed = await plane.call("ListTasks", serviceName="web")
        found = await plane.call("DescribeTasks", tasks=listed["taskArns"])
        places = [task["containerInstanceArn"] for task in found["tasks"]]
        return places == [left, left]

    await eventually(moved)
    for agent in agents:
        await agent.close()
