"""kill -9 of every process at random moments: no task is lost or doubled, and nothing leaks."""

import contextlib
import os
import random
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from end_to_end.cloud import Cloud, awslogs
from end_to_end.kills import await_whole, patiently
from end_to_end.traces import cgroups, traces

from longshore.components import locate
from longshore.runtime.containerd import daemon
from longshore.testing.images import busybox_files
from longshore.testing.longshore import RunningLongshore
from longshore.testing.wait import wait_until

LAUNCHES = 200
FARGATE_EVERY = 8
AT_ONCE = 12
VICTIMS = ("control-plane", "agent", "containerd")
SECONDS = 240
LOG_GROUP = "/killed"
LIVE = "trap 'exit 0' TERM; echo started | tee -a /marks/$MARK; sleep 9999 & wait"


@pytest.fixture
def killed(tmp_path):
    longshore = RunningLongshore(tmp_path / "data")
    yield longshore
    longshore.end()


class Assassin:
    """Kills one of the processes at random moments, `kills` times, each once all are back."""

    def __init__(self, longshore, cloud, kills, seed):
        self._longshore = longshore
        self._cloud = cloud
        self._most = kills
        self._random = random.Random(seed)
        self._ending = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self.kills = dict.fromkeys(VICTIMS, 0)

    def __enter__(self):
        self._work = self._pool.submit(self._run)
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._work.result()

    def _run(self):
        while sum(self.kills.values()) < self._most:
            if self._ending.wait(self._random.uniform(0.0, 2.0)):
                return
            victim = min(VICTIMS, key=lambda name: (self.kills[name], self._random.random()))
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._longshore.pid(victim), signal.SIGKILL)
                self.kills[victim] += 1
            await_whole(self._cloud)


def launch(cloud, definitions, subnets, number):
    """One task, asked for until the answer is there; the client token makes it one."""
    fargate = number % FARGATE_EVERY == 0
    network = {"subnets": subnets, "assignPublicIp": "DISABLED"}
    environment = [{"name": "MARK", "value": str(number)}]

    def launched():
        answer = patiently(
            cloud.ecs.run_task,
            taskDefinition=definitions["FARGATE" if fargate else "EC2"],
            launchType="FARGATE" if fargate else "EC2",
            clientToken=f"launch-{number}",
            networkConfiguration={"awsvpcConfiguration": network},
            overrides={"containerOverrides": [{"name": "main", "environment": environment}]},
        )
        # With its agent away the instance takes nothing, as on AWS: the caller asks again.
        reasons = {failure["reason"] for failure in answer["failures"]}
        assert reasons <= {"AGENT"}, reasons
        return answer["tasks"]

    return wait_until(launched, 60, "a task is launched")[0]["taskArn"]


def statuses(cloud, arns):
    found = {}
    for start in range(0, len(arns), 100):
        answer = patiently(cloud.ecs.describe_tasks, tasks=arns[start : start + 100])
        assert not answer["failures"], answer["failures"]
        found |= {task["taskArn"]: task for task in answer["tasks"]}
    return found


def all_are(cloud, arns, status):
    tasks = statuses(cloud, arns).values()
    early = [task for task in tasks if task["lastStatus"] == "STOPPED" != status]
    assert not early, [(t["stoppedReason"], t["containers"]) for t in early]
    return all(task["lastStatus"] == status for task in tasks)


def definitions_of(cloud, marks):
    image = cloud.image("busybox", busybox_files("sh", "sleep"), {"Cmd": ["/bin/sh"]})
    container = {"name": "main", "image": image, "command": ["sh", "-c", LIVE], "memory": 32}
    mounted = {"mountPoints": [{"sourceVolume": "marks", "containerPath": "/marks"}]}
    volumes = [{"name": "marks", "host": {"sourcePath": str(marks)}}]
    kept = {"name": "marks", "host": {}}
    logged = {"logConfiguration": awslogs(LOG_GROUP)}
    return {
        "EC2": cloud.definition("on-host", [container | mounted], fargate=False, volumes=volumes),
        "FARGATE": cloud.definition("on-fargate", [container | mounted | logged], volumes=[kept]),
    }


def test_nothing_is_lost_doubled_or_leaked_when_processes_are_killed_amid_launches(
    killed, tmp_path
):
    cloud = Cloud(killed, tmp_path / "images")
    marks = tmp_path / "marks"
    marks.mkdir()
    definitions = definitions_of(cloud, marks)
    subnets = cloud.default_subnets()[:1]
    first = [launch(cloud, definitions, subnets, LAUNCHES + more) for more in range(2)]
    run_and_end(cloud, first)
    before = wait_until(lambda: at_rest(killed, cloud), 60, "the first tasks' VPC is gone")

    with Assassin(killed, cloud, 30, seed=7) as launching, ThreadPoolExecutor(AT_ONCE) as pool:
        arns = list(pool.map(lambda n: launch(cloud, definitions, subnets, n), range(LAUNCHES)))
        assert len(set(arns)) == LAUNCHES
        wait_until(lambda: all_are(cloud, arns, "RUNNING"), SECONDS, "every task is RUNNING")
    early, late = arns[: LAUNCHES // 2], arns[LAUNCHES // 2 :]
    with Assassin(killed, cloud, 15, seed=8) as stopping, ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda arn: patiently(cloud.ecs.stop_task, task=arn), early))
        wait_until(lambda: all_are(cloud, early, "STOPPED"), SECONDS, "half of them are STOPPED")

    assert all(launching.kills.values()), launching.kills
    assert sum(stopping.kills.values()), stopping.kills
    assert all_are(cloud, late, "RUNNING")
    on_host = [number for number in range(LAUNCHES) if number % FARGATE_EVERY]
    starts = {number: (marks / str(number)).read_text() for number in on_host}
    assert starts == dict.fromkeys(on_host, "started\n")
    on_fargate = sorted(a.rpartition("/")[2] for a in (first[0], *arns[::FARGATE_EVERY]))
    wait_until(lambda: set(fargate_starts(cloud)) >= {*on_fargate}, 60, "each started on Fargate")
    assert fargate_starts(cloud) == on_fargate

    for arn in late:
        patiently(cloud.ecs.stop_task, task=arn)
    wait_until(lambda: all_are(cloud, late, "STOPPED"), SECONDS, "the rest are STOPPED")
    wait_until(lambda: left_behind(killed, cloud) == before, 60, "nothing is left of them")


def run_and_end(cloud, arns):
    """What the first tasks make stays: folders of runc and runsc, a cgroup for all of them."""
    wait_until(lambda: all_are(cloud, arns, "RUNNING"), SECONDS, "the first tasks run")
    for arn in arns:
        cloud.ecs.stop_task(task=arn)
    wait_until(lambda: all_are(cloud, arns, "STOPPED"), SECONDS, "the first tasks have ended")


def fargate_starts(cloud):
    """Ids of the tasks on Fargate, each as often as it said that it had started."""
    pages = cloud.logs.get_paginator("filter_log_events").paginate(logGroupName=LOG_GROUP)
    events = [event for page in pages for event in page["events"]]
    return sorted(event["logStreamName"].rpartition("/")[2] for event in events)


def left_behind(longshore, cloud):
    """What tasks hold: addresses, room, namespaces, mounts, rules, routes, processes, files."""
    installation = longshore.installation
    filters = [{"Name": "interface-type", "Values": ["interface"]}]
    interfaces = patiently(cloud.ec2.describe_network_interfaces, Filters=filters)
    arns = patiently(cloud.ecs.list_container_instances)["containerInstanceArns"]
    told = patiently(cloud.ecs.describe_container_instances, containerInstances=arns)
    return {
        "interfaces": [eni["NetworkInterfaceId"] for eni in interfaces["NetworkInterfaces"]],
        "room": [each["remainingResources"] for each in told["containerInstances"]],
        "kernel": sorted(line for line in traces(installation) if not is_a_daemon(line)),
        "cgroups": cgroups(f"longshore-{installation.id}", "*"),
        "snapshots": active_snapshots(installation),
        "work": list((installation.data_dir / "agent" / "work").glob("*")),
    }


def at_rest(longshore, cloud):
    """The same once the last VPC's router is gone, which the host hears of after the task's end."""
    found = left_behind(longshore, cloud)
    return None if any("/run/netns/" in line for line in found["kernel"]) else found


def is_a_daemon(trace):
    """Whether a line of `traces` is one of Longshore's own processes."""
    return trace.startswith("process") and "shim" not in trace and "runsc" not in trace


def active_snapshots(installation):
    """Writable snapshots, as containers have them."""
    listing = subprocess.run(
        [
            locate("ctr"),
            f"--address={daemon.socket_path(installation)}",
            f"--namespace={daemon.namespace(installation)}",
            *("snapshots", "list"),
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [line for line in listing.splitlines() if line.endswith("Active")]
