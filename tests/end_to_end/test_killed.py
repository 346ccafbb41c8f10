"""kill -9 of every process at random moments: no task is lost or doubled, and nothing leaks."""

import contextlib
import os
import random
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ConnectionError, HTTPClientError
from end_to_end.cloud import Cloud

from longshore.fabric.names import namespace_prefix
from longshore.testing.images import busybox_files
from longshore.testing.longshore import RunningLongshore
from longshore.testing.wait import wait_until

LAUNCHES = 200
FARGATE_EVERY = 8
AT_ONCE = 12
VICTIMS = ("control-plane", "agent", "containerd")
SECONDS = 240
LIVE = "trap 'exit 0' TERM; echo started >> /marks/$MARK; sleep 9999 & wait"


@pytest.fixture
def killed(tmp_path):
    longshore = RunningLongshore(tmp_path / "data")
    yield longshore
    longshore.end()


class Assassin:
    """Kills one of the processes at random moments, again and again once all are back."""

    def __init__(self, longshore, cloud, seed):
        self._longshore = longshore
        self._cloud = cloud
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
        while not self._ending.wait(self._random.uniform(0.0, 2.0)):
            victim = min(VICTIMS, key=lambda name: (self.kills[name], self._random.random()))
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._longshore.pid(victim), signal.SIGKILL)
                self.kills[victim] += 1
            wait_until(self._whole, 60, "the processes are back")

    def _whole(self):
        with contextlib.suppress(ConnectionError, HTTPClientError, IndexError):
            arns = self._cloud.ecs.list_container_instances()["containerInstanceArns"]
            told = self._cloud.ecs.describe_container_instances(containerInstances=arns)
            return told["containerInstances"][0]["agentConnected"]
        return False


def patiently(call, **arguments):
    """The call's response, however often the control plane dies under it."""

    def answered():
        try:
            return call(**arguments)
        except (ConnectionError, HTTPClientError):
            return None

    return wait_until(answered, 60, f"{call.__name__} answers")


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
    return {
        "EC2": cloud.definition("on-host", [container | mounted], fargate=False, volumes=volumes),
        "FARGATE": cloud.definition("on-fargate", [container | mounted], volumes=[kept]),
    }


def test_nothing_is_lost_doubled_or_leaked_when_processes_are_killed_amid_launches(
    killed, tmp_path
):
    cloud = Cloud(killed, tmp_path / "images")
    marks = tmp_path / "marks"
    marks.mkdir()
    definitions = definitions_of(cloud, marks)
    subnets = cloud.default_subnets()[:1]

    with Assassin(killed, cloud, seed=7) as assassin, ThreadPoolExecutor(AT_ONCE) as pool:
        arns = list(pool.map(lambda n: launch(cloud, definitions, subnets, n), range(LAUNCHES)))
        assert len(set(arns)) == LAUNCHES
        wait_until(lambda: all_are(cloud, arns, "RUNNING"), SECONDS, "every task is RUNNING")
        early, late = arns[: LAUNCHES // 2], arns[LAUNCHES // 2 :]
        list(pool.map(lambda arn: patiently(cloud.ecs.stop_task, task=arn), early))
        wait_until(lambda: all_are(cloud, early, "STOPPED"), SECONDS, "half of them are STOPPED")

    assert all(assassin.kills.values()), assassin.kills
    assert all_are(cloud, late, "RUNNING")
    on_host = [number for number in range(LAUNCHES) if number % FARGATE_EVERY]
    starts = {number: (marks / str(number)).read_text() for number in on_host}
    assert starts == dict.fromkeys(on_host, "started\n")

    for arn in late:
        patiently(cloud.ecs.stop_task, task=arn)
    wait_until(lambda: all_are(cloud, late, "STOPPED"), SECONDS, "the rest are STOPPED")
    wait_until(lambda: not leaks(killed, cloud), 30, "nothing is left of them")


def leaks(longshore, cloud):
    """What ended tasks have left behind: addresses, namespaces, mounts, processes, files."""
    installation = longshore.installation
    filters = [{"Name": "interface-type", "Values": ["interface"]}]
    interfaces = patiently(cloud.ec2.describe_network_interfaces, Filters=filters)
    prefix = namespace_prefix(installation.id)
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    cgroups = Path("/sys/fs/cgroup").glob(f"**/longshore-{installation.id}/*/")
    found = {
        "interfaces": [eni["NetworkInterfaceId"] for eni in interfaces["NetworkInterfaces"]],
        "namespaces": [p.name for p in Path("/run/netns").glob(f"{prefix}eni-*")],
        "mounts": [line for line in mounts if str(installation.data_dir) in line],
        "cgroups": [str(path) for path in cgroups],
        "processes": shims(installation),
        "work": list((installation.data_dir / "agent" / "work").glob("*")),
    }
    return {what: left for what, left in found.items() if left}


def shims(installation):
    told = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
    name = f"longshore-{installation.id}"
    return [line for line in told.splitlines() if "shim" in line and name in line]
