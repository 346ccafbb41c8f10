"""Services keep their tasks: replaced when they die, spread over AZs, rolled without a gap."""

import threading

import psutil
import pytest
from end_to_end.shells import machine_reads, shell_image

from longshore.testing.wait import wait_until

PATIENT = "trap exit TERM; sleep 1000 & wait"
SETTLED_SECONDS = 40


def container(cloud, image, script=PATIENT, **further):
    return {
        "name": "main",
        "image": image,
        "memory": 64,
        "command": ["sh", "-c", script],
        **further,
    }


@pytest.fixture
def define(cloud, busybox_image):
    """Registers a definition of one container on the machine itself; gives its ARN."""

    def register(family, script=PATIENT):
        return cloud.definition(
            family,
            [container(cloud, busybox_image, f": {family}; {script}")],
            fargate=False,
            networkMode="bridge",
        )

    return register


@pytest.fixture
def serve(cloud):
    """Creates services, which are gone after the test."""
    names = []

    def create(name, definition, count=1, **further):
        names.append(name)
        arguments = {"launchType": "EC2", **further}
        if further.get("schedulingStrategy") != "DAEMON":
            arguments["desiredCount"] = count
        cloud.ecs.create_service(serviceName=name, taskDefinition=definition, **arguments)
        return Service(cloud, name)

    yield create
    for name in names:
        cloud.ecs.delete_service(service=name, force=True)


class Service:
    """What a user sees of one service."""

    def __init__(self, cloud, name):
        self.cloud = cloud
        self.ecs = cloud.ecs
        self.name = name

    def told(self):
        return self.ecs.describe_services(services=[self.name])["services"][0]

    def events(self):
        return " ".join(event["message"] for event in self.told()["events"])

    def tasks(self, desired="RUNNING"):
        arns = self.ecs.list_tasks(serviceName=self.name, desiredStatus=desired)["taskArns"]
        return self.ecs.describe_tasks(tasks=arns)["tasks"] if arns else []

    def running(self):
        return [task for task in self.tasks() if task["lastStatus"] == "RUNNING"]

    def await_running(self, count, definition=None):
        """Exactly so many tasks run (all of this definition) and nothing else is on its way."""

        def reached():
            tasks = self.tasks()
            good = [
                task
                for task in tasks
                if task["lastStatus"] == "RUNNING"
                and definition in {None, task["taskDefinitionArn"]}
            ]
            return len(good) == len(tasks) == count and (good or [True])

        return wait_until(reached, SETTLED_SECONDS, f"{count} tasks run: {self.events()}")

    def await_rollout(self, state="COMPLETED"):
        def reached():
            deployments = self.told()["deployments"]
            return deployments[0]["rolloutState"] == state and len(deployments) == 1

        return wait_until(reached, SETTLED_SECONDS, f"{state}: {self.events()}")

    def await_event(self, words):
        return wait_until(lambda: words in self.events(), SETTLED_SECONDS, words)


def test_service_keeps_its_tasks_running_and_scales(serve, define):
    service = serve("scaled", define("scaled"), 2)
    service.await_running(2)
    service.ecs.update_service(service="scaled", desiredCount=4)
    service.await_running(4)
    service.ecs.update_service(service="scaled", desiredCount=1)
    service.await_running(1)
    wait_until(lambda: service.told()["runningCount"] == 1)
    service.await_event("has reached a steady state")


def test_stopped_task_is_replaced(serve, define):
    service = serve("stopped", define("stopped"))
    (before,) = service.await_running(1)
    service.ecs.stop_task(task=before["taskArn"], reason="by hand")
    replaced = wait_until(lambda: _others(service, before), SETTLED_SECONDS)
    assert replaced[0]["startedBy"] == service.told()["deployments"][0]["id"]


def test_killed_task_is_replaced_and_says_why_it_stopped(serve, define):
    service = serve("killed", define("killed"))
    (before,) = service.await_running(1)
    _kill_processes(": killed;")
    wait_until(lambda: _others(service, before), SETTLED_SECONDS)
    dead = service.cloud.await_status(before["taskArn"], "STOPPED")
    assert dead["stopCode"] == "EssentialContainerExited"
    assert dead["containers"][0]["exitCode"] == 137


def test_crash_looping_tasks_are_started_ever_more_seldom(serve, define):
    service = serve("crashing", define("crashing", "exit 3"))
    service.await_event("is unable to consistently start tasks successfully")
    dead = wait_until(lambda: _at_least(service.tasks("STOPPED"), 4), SETTLED_SECONDS)
    times = sorted(task["createdAt"] for task in dead)
    assert (times[3] - times[2]).total_seconds() > 4


def test_rolling_update_ends_with_the_new_definition_alone(serve, define):
    service = serve("rolled", define("rolled"), 2)
    service.await_running(2)
    changed = define("rolled")
    service.ecs.update_service(service="rolled", taskDefinition=changed)
    service.await_running(2, changed)
    service.await_rollout()
    assert service.told()["taskDefinition"] == changed


def test_forced_deployment_replaces_every_task(serve, define):
    service = serve("forced", define("forced"), 2)
    before = {task["taskArn"] for task in service.await_running(2)}
    service.await_rollout()
    service.ecs.update_service(service="forced", forceNewDeployment=True)
    service.await_rollout()
    assert not before & {task["taskArn"] for task in service.await_running(2)}


def test_circuit_breaker_rolls_back_while_the_old_task_runs_on(cloud, serve, define, busybox_image):
    good = define("broken")
    missing = container(cloud, f"{busybox_image}-that-is-not-there")
    bad = cloud.definition("broken", [missing], fargate=False, networkMode="bridge")
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    service = serve("broken", good, deploymentConfiguration=breaker)
    before = {task["taskArn"] for task in service.await_running(1)}
    service.await_rollout()
    service.ecs.update_service(service="broken", taskDefinition=bad)
    service.await_event("rolling back to deployment")
    service.await_running(1, good)
    assert service.told()["taskDefinition"] == good
    assert {task["taskArn"] for task in service.running()} == before
    assert "deployment failed: tasks failed to start" in service.events()


def test_daemon_runs_once_on_the_machine(serve, define):
    service = serve("daemon", define("daemon"), schedulingStrategy="DAEMON")
    (task,) = service.await_running(1)
    instances = service.ecs.list_container_instances()["containerInstanceArns"]
    assert [task["containerInstanceArn"]] == instances


def test_deleted_service_stops_its_tasks_and_is_gone(serve, define):
    service = serve("deleted", define("deleted"))
    (task,) = service.await_running(1)
    with pytest.raises(service.ecs.exceptions.InvalidParameterException):
        service.ecs.delete_service(service="deleted")
    service.ecs.delete_service(service="deleted", force=True)
    service.cloud.await_status(task["taskArn"], "STOPPED")
    wait_until(lambda: service.told()["status"] == "INACTIVE")
    serve("deleted", define("deleted")).await_running(1)


@pytest.fixture
def web(cloud, serve):
    """A Fargate service of three tasks that answer HTTP on a port of their own address."""
    network = {
        "subnets": cloud.default_subnets(),
        "securityGroups": [cloud.security_group("web", 8080)],
        "assignPublicIp": "ENABLED",
    }
    return serve(
        "web",
        _web_definition(cloud),
        3,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": network},
        deploymentConfiguration={"minimumHealthyPercent": 66, "maximumPercent": 150},
    )


def test_tasks_are_spread_over_zones_and_some_always_answer_while_they_are_replaced(cloud, web):
    tasks = web.await_running(3)
    assert {task["availabilityZone"] for task in tasks} == {
        "us-east-1a",
        "us-east-1b",
        "us-east-1c",
    }
    changed = _web_definition(cloud)
    with Watch(cloud, web) as watch:
        wait_until(watch.all_answer, SETTLED_SECONDS, "the first tasks answer")
        watch.begin()
        web.ecs.update_service(service="web", taskDefinition=changed)
        web.await_running(3, changed)
        web.await_rollout()
    assert watch.fewest_running >= 2
    assert watch.silences == 0
    assert watch.rounds > 5


class Watch:
    """Asks every task of a service for its page again and again, in a thread of its own."""

    def __init__(self, cloud, service):
        self.cloud = cloud
        self.service = service
        self.addresses = {}
        self.rounds = self.silences = 0
        self.fewest_running = 100
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def all_answer(self):
        self._learn()
        return all(machine_reads(address) for address in self.addresses.values())

    def begin(self):
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self._ending.set()
        self._thread.join()

    def _look(self):
        while not self._ending.is_set():
            self.fewest_running = min(self.fewest_running, self._learn())
            answering = any(machine_reads(address) for address in self.addresses.values())
            self.silences += not answering
            self.rounds += 1

    def _learn(self):
        running = self.service.running()
        for task in running:
            if task["taskArn"] not in self.addresses:
                self.addresses[task["taskArn"]] = self.cloud.public_address(task)
        return len(running)


def _web_definition(cloud):
    return cloud.definition(
        "web",
        [{"name": "main", "image": shell_image(cloud), "portMappings": [{"containerPort": 8080}]}],
    )


def _others(service, before):
    return [task for task in service.running() if task["taskArn"] != before["taskArn"]]


def _at_least(found, count):
    return found if len(found) >= count else None


def _kill_processes(marker):
    for process in psutil.process_iter(["cmdline"]):
        if any(word.startswith(marker) for word in process.info["cmdline"] or ()):
            process.kill()
