"""Launches: from RunTask to RUNNING, beside `docker run` of the same image in the same minutes.

    .venv/bin/python benchmarks/launches.py [--rounds N] [--burst N]

Each round launches one task on runc and one on gVisor (network mode awsvpc: each has an ENI of its
own) and one container by `docker run --detach` on Docker's bridge, in turns; the image is cached
everywhere. A task counts from the call of RunTask until DescribeTasks says RUNNING. Then a burst of
many at once, as fast as they come. Needs `dockerd` (apt-get install docker.io); Docker runs in a
network namespace of its own.
"""

import argparse
import base64
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshore.testing.docker import DockerEngine
from longshore.testing.images import busybox, busybox_files, make_image, push_image
from longshore.testing.longshore import RunningLongshore
from longshore.testing.wait import wait_until

COMMAND = ["sh", "-c", "trap 'exit 0' TERM; sleep 9999 & wait"]
EXECUTION_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
AT_ONCE = 4
"""`docker run` commands of a burst that run side by side."""
RUN_TASK_COUNT = 10
"""Tasks that one RunTask may start."""


@dataclass
class Contender:
    """One way to launch: `launch(n)` starts n and returns their ids once all run."""

    name: str
    launch: Callable[[int], Sequence[str]]
    stop: Callable[[Sequence[str]], None]


def main() -> None:
    """Measure and print the table."""
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="longshore-bench-") as place,
        _contenders(Path(place)) as contenders,
    ):
        for contender in contenders:
            contender.stop(contender.launch(1))
        single = {contender.name: _rounds(contender, 0) for contender in contenders}
        for _ in range(options.rounds):
            for contender in contenders:
                single[contender.name] += _rounds(contender, 1)
        bursts = {c.name: _burst(c, options.burst) for c in contenders}
    _report(single, bursts, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--burst", type=int, default=20)
    return parser.parse_args()


@contextlib.contextmanager
def _contenders(place: Path) -> Iterator[list[Contender]]:
    longshore = RunningLongshore(place / "data")
    try:
        docker = DockerEngine(place / "docker", bridge=True)
        try:
            docker.import_image("bench", _docker_files(), COMMAND)
            tasks = Tasks(longshore, place)
            yield [
                Contender("runc", tasks.launcher("EC2"), tasks.stop),
                Contender("gVisor", tasks.launcher("FARGATE"), tasks.stop),
                Contender("docker run", *_docker(docker)),
            ]
        finally:
            docker.close()
    finally:
        longshore.end()


def _docker_files() -> Mapping[str, bytes]:
    content = busybox().read_bytes()
    return {"bin/busybox": content, "bin/sh": content, "bin/sleep": content}


def _docker(
    engine: DockerEngine,
) -> tuple[Callable[[int], Sequence[str]], Callable[[Sequence[str]], None]]:
    def launch(count: int) -> Sequence[str]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda _: engine.docker("run", "-d", "bench"), range(count)))

    def stop(ids: Sequence[str]) -> None:
        engine.docker("rm", "--force", *ids)

    return launch, stop


class Tasks:
    """Tasks of one image on one Longshore."""

    def __init__(self, longshore: RunningLongshore, place: Path) -> None:
        self._ecs = longshore.client("ecs")
        ec2 = longshore.client("ec2")
        subnets = ec2.describe_subnets()["Subnets"]
        self._network = {"subnets": [subnets[0]["SubnetId"]], "assignPublicIp": "DISABLED"}
        image, role = _pushed(longshore, place), _role(longshore)
        container = {"name": "main", "image": image, "command": COMMAND, "memory": 32}
        common = {
            "networkMode": "awsvpc",
            "executionRoleArn": role,
            "containerDefinitions": [{**container, "stopTimeout": 2}],
        }
        fargate = {"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}
        for family, more in (("EC2", {}), ("FARGATE", fargate)):
            self._ecs.register_task_definition(family=family, **common, **more)

    def launcher(self, launch_type: str) -> Callable[[int], Sequence[str]]:
        """What launches tasks of this type."""

        def launch(count: int) -> Sequence[str]:
            arns: list[str] = []
            while len(arns) < count:
                answer = self._ecs.run_task(
                    taskDefinition=launch_type,
                    launchType=launch_type,
                    count=min(RUN_TASK_COUNT, count - len(arns)),
                    networkConfiguration={"awsvpcConfiguration": self._network},
                )
                if answer["failures"]:
                    raise RuntimeError(answer["failures"])
                arns += [task["taskArn"] for task in answer["tasks"]]
            wait_until(lambda: self._all(arns, "RUNNING"), 120)
            return arns

        return launch

    def stop(self, arns: Sequence[str]) -> None:
        """End the tasks; returns when they have ended."""
        for arn in arns:
            self._ecs.stop_task(task=arn)
        wait_until(lambda: self._all(arns, "STOPPED"), 120)

    def _all(self, arns: Sequence[str], status: str) -> bool:
        tasks = self._ecs.describe_tasks(tasks=list(arns))["tasks"]
        early = [t for t in tasks if t["lastStatus"] == "STOPPED" != status]
        if early:
            raise RuntimeError(early[0].get("stoppedReason"))
        return all(task["lastStatus"] == status for task in tasks)


def _pushed(longshore: RunningLongshore, place: Path) -> str:
    ecr = longshore.client("ecr")
    uri = ecr.create_repository(repositoryName="bench")["repository"]["repositoryUri"]
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    layout = make_image(place / "image", busybox_files("sh", "sleep"), {"Cmd": COMMAND})
    push_image(layout, f"{uri}:latest", base64.b64decode(token).decode())
    return f"{uri}:latest"


def _role(longshore: RunningLongshore) -> str:
    iam = longshore.client("iam")
    role: dict[str, Any] = iam.create_role(
        RoleName="execution", AssumeRolePolicyDocument=json.dumps(TRUST)
    )["Role"]
    iam.attach_role_policy(RoleName="execution", PolicyArn=EXECUTION_POLICY)
    return str(role["Arn"])


def _rounds(contender: Contender, rounds: int) -> list[float]:
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        ids = contender.launch(1)
        found.append(time.perf_counter() - begun)
        contender.stop(ids)
    return found


def _burst(contender: Contender, count: int) -> float:
    """Launches a second."""
    begun = time.perf_counter()
    ids = contender.launch(count)
    seconds = time.perf_counter() - begun
    contender.stop(ids)
    return count / seconds


def _report(
    single: Mapping[str, Sequence[float]], bursts: Mapping[str, float], options: argparse.Namespace
) -> None:
    docker = statistics.median(single["docker run"])
    print(f"{options.rounds} launches each, in turns; then {options.burst} at once")
    print(f"{'':<12}{'p50 s':>8}{'p99 s':>8}{'of docker':>11}{'launches/s':>12}{'of docker':>11}")
    for name, seconds in single.items():
        ordered = sorted(seconds)
        p50, p99 = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
        print(
            f"{name:<12}{p50:>8.3f}{p99:>8.3f}{p50 / docker:>11.2f}"
            f"{bursts[name]:>12.1f}{bursts[name] / bursts['docker run']:>11.2f}"
        )


if __name__ == "__main__":
    main()
