"""Port mappings in the network modes bridge, host and awsvpc."""

import socket
import urllib.request

import pytest
from end_to_end.checks import check, define, run_to_end, run_without_interface

from longshore.testing.ports import free_ports
from longshore.testing.wait import wait_until

EPHEMERAL = range(32768, 61000)
MACHINE = "127.0.0.1"


def server(word, port=80, **settings):
    """An HTTP server whose page is one word."""
    script = f"mkdir -p /www; echo {word} > /www/index.html; exec httpd -f -p {port} -h /www"
    return check(script, essential=True, stopTimeout=2, **settings)


def page(address, port):
    try:
        return (
            urllib.request.urlopen(f"http://{address}:{port}/", timeout=1).read().decode().strip()
        )
    except OSError:
        return None


def bindings_of(task, name="main"):
    (container,) = (each for each in task["containers"] if each["name"] == name)
    return container["networkBindings"]


@pytest.fixture
def start(cloud):
    """Starts tasks without an ENI; stops them afterwards."""
    started = []

    def begin(family, containers, mode, status="RUNNING"):
        arn = define(cloud, family, containers, "EC2", networkMode=mode)
        started.append(run_without_interface(cloud, arn))
        return cloud.await_status(started[-1], status)

    yield begin
    for arn in started:
        cloud.stop(arn)


def test_a_container_on_the_bridge_is_reached_at_the_host_port_that_it_was_given(start):
    task = start(
        "dynamic", {"main": server("dynamic", portMappings=[{"containerPort": 80}])}, "bridge"
    )
    (binding,) = bindings_of(task)
    assert binding["bindIP"] == "0.0.0.0"
    assert (binding["containerPort"], binding["protocol"]) == (80, "tcp")
    assert binding["hostPort"] in EPHEMERAL
    assert wait_until(lambda: page(MACHINE, binding["hostPort"])) == "dynamic"


def test_two_containers_on_the_bridge_may_listen_on_the_same_port(start):
    mapping = {"portMappings": [{"containerPort": 80}]}
    containers = {"one": server("one", **mapping), "two": server("two", **mapping)}
    task = start("same-port", containers, "bridge")
    for name in containers:
        (binding,) = bindings_of(task, name)
        assert wait_until(lambda port=binding["hostPort"]: page(MACHINE, port)) == name


def test_a_linked_container_has_a_name_on_the_bridge(cloud):
    containers = {
        "web": server("linked"),
        "client": check(
            "until wget -qO- http://site/ | grep -q linked; do sleep 0.1; done;"
            "wget -qO- http://web/ | grep -q linked",
            links=["web:site", "web"],
            essential=True,
        ),
    }
    arn = define(cloud, "linked", containers, "EC2", networkMode="bridge")
    ended = cloud.await_status(run_without_interface(cloud, arn), "STOPPED")
    codes = {each["name"]: each["exitCode"] for each in ended["containers"]}
    assert codes["client"] == 0, ended


def test_a_fixed_host_port_is_one_tasks_at_a_time(cloud, start):
    port = free_ports(1)
    mapping = {"containerPort": 80, "hostPort": port}
    containers = {"main": server("fixed", portMappings=[mapping])}
    task = start("fixed", containers, "bridge")
    assert bindings_of(task)[0]["hostPort"] == port
    assert wait_until(lambda: page(MACHINE, port)) == "fixed"

    definition = task["taskDefinitionArn"]
    refused = cloud.ecs.run_task(taskDefinition=definition, launchType="EC2")
    assert [failure["reason"] for failure in refused["failures"]] == ["RESOURCE:PORTS"]
    assert refused["tasks"] == []

    cloud.stop(task["taskArn"])
    assert page(MACHINE, port) is None
    again = start("fixed", containers, "bridge")
    assert wait_until(lambda: page(MACHINE, port)) == "fixed"
    assert again["taskArn"] != task["taskArn"]


def test_a_host_port_that_another_program_has_stops_the_task(start):
    with socket.create_server(("0.0.0.0", 0)) as other:
        mapping = {"containerPort": 80, "hostPort": other.getsockname()[1]}
        containers = {"main": server("late", portMappings=[mapping])}
        ended = start("occupied", containers, "bridge", "STOPPED")
    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("CannotStartContainerError: ")
    assert "port is already allocated" in ended["stoppedReason"]


def test_a_host_port_that_another_task_was_given_stops_the_task(start):
    first = start(
        "given", {"main": server("given", portMappings=[{"containerPort": 80}])}, "bridge"
    )
    taken = bindings_of(first)[0]["hostPort"]
    mapping = {"containerPort": 80, "hostPort": taken}
    ended = start("taken", {"main": server("x", portMappings=[mapping])}, "bridge", "STOPPED")
    assert "port is already allocated" in ended["stoppedReason"]
    assert wait_until(lambda: page(MACHINE, taken)) == "given"


def test_a_container_on_the_machines_own_network_listens_there(start):
    port = free_ports(1)
    containers = {"main": server("host", port, portMappings=[{"containerPort": port}])}
    task = start("on-host", containers, "host")
    assert [binding["hostPort"] for binding in bindings_of(task)] == [port]
    assert wait_until(lambda: page(MACHINE, port)) == "host"


def test_a_task_without_a_network_has_loopback_only(cloud):
    containers = {"main": check("test $(ip -o link | wc -l) -eq 1; ip addr | grep -q 127.0.0.1")}
    ended = run_to_end(cloud, "no-network", containers, "EC2", networkMode="none")
    assert ended["main"]["exitCode"] == 0, ended


def test_tasks_of_both_launch_types_reach_each_other_at_their_own_addresses(cloud):
    group = cloud.security_group("both-ways", 8080)
    mapping = {"portMappings": [{"containerPort": 8080}]}
    arns = {}
    for launch_type in ("EC2", "FARGATE"):
        containers = {"main": server(launch_type, 8080, **mapping)}
        definition = define(cloud, f"serves-{launch_type.lower()}", containers, launch_type)
        (arns[launch_type],) = cloud.run(definition, launch_type, [group])
    pages = []
    for launch_type, other in (("EC2", "FARGATE"), ("FARGATE", "EC2")):
        task = cloud.await_status(arns[other], "RUNNING")
        assert "networkBindings" not in task["containers"][0]
        address = task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
        script = f"until wget -qO- http://{address}:8080/ | grep {other}; do sleep 0.1; done"
        asks = define(cloud, "asks", {"main": check(script, essential=True)}, launch_type)
        pages += cloud.run(asks, launch_type)
    codes = [cloud.await_status(arn, "STOPPED")["containers"][0]["exitCode"] for arn in pages]
    assert codes == [0, 0]
    for arn in arns.values():
        cloud.stop(arn)
