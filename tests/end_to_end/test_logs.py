"""What containers print is in CloudWatch Logs: soon, whole and in order, whoever is killed."""

import re
import subprocess
import time

import pytest
from end_to_end.checks import LAUNCH_TYPES, checking_image, run_without_interface
from end_to_end.cloud import awslogs
from end_to_end.kills import (
    await_whole,
    kill_agent_before_it_hears,
    kill_control_plane_before_it_reads,
    patiently,
)

from longshore.testing.longshore import aws_cli_2
from longshore.testing.wait import wait_until

GROUP = "/logs"
PROMISE_SECONDS = 2.0
MARGIN_SECONDS = 2.0
"""For a machine that does other things, too, and for this test's own looking."""
TIMED_LINES = 40
TIMED = f"""
import sys, time
for number in range({TIMED_LINES}):
    for output in (sys.stdout, sys.stderr):
        print(output.name, number, time.time(), file=output, flush=True)
    time.sleep(0.1)
"""
LINES = 2000
BATCH_BYTES = 2000
"""No other request of the agent is as long as one with these lines."""
NUMBERED = f"""
number=0
while [ $number -lt {LINES} ]; do
  echo "out $number"; echo "err $number" >&2
  number=$((number + 1))
  [ $((number % 10)) -ne 0 ] || sleep 0.05
done
"""
TALKATIVE = """
trap 'exit 0' TERM
number=0
while :; do number=$((number + 1)); echo $number; sleep 0.2; done
"""


def start(cloud, launch_type, family, **container):
    """One task with a log stream; its ARN and the stream's name."""
    main = {"name": "main", "memory": 256, "stopTimeout": 2, **container}
    main["logConfiguration"] = awslogs(GROUP, family)
    if launch_type == "FARGATE":
        (arn,) = cloud.run(cloud.definition(family, [main], cpu="512", memory="1024"))
    else:
        role = cloud.execution_role()
        definition = cloud.definition(
            family, [main], fargate=False, networkMode="bridge", executionRoleArn=role
        )
        arn = run_without_interface(cloud, definition)
    return arn, f"{family}/main/{arn.rpartition('/')[2]}"


def shell(cloud, script):
    return {"image": checking_image(cloud), "command": ["sh", "-c", script]}


def messages(cloud, stream):
    """What is in the stream by now; nothing where there is none yet."""
    try:
        return patiently(cloud.log_lines, group=GROUP, stream=stream)
    except cloud.logs.exceptions.ResourceNotFoundException:
        return []


def test_every_line_is_in_cloudwatch_logs_within_two_seconds(cloud, python_image):
    program = {"image": python_image, "command": ["-c", TIMED]}
    tasks = [start(cloud, launch_type, "timed", **program) for launch_type in LAUNCH_TYPES]
    seen = {stream: {} for _, stream in tasks}

    def all_seen():
        for stream, lines in seen.items():
            for line in messages(cloud, stream):
                lines.setdefault(line, time.time())
        return all(len(lines) >= 2 * TIMED_LINES for lines in seen.values())

    wait_until(all_seen, 60, "every line is there")
    for arn, stream in tasks:
        cloud.await_status(arn, "STOPPED")
        for output in ("<stdout>", "<stderr>"):
            lines = [line.split() for line in messages(cloud, stream) if line.startswith(output)]
            assert [int(number) for _, number, _ in lines] == list(range(TIMED_LINES))
        lags = {line: at - float(line.split()[2]) for line, at in seen[stream].items()}
        slow = {line: lag for line, lag in lags.items() if lag > PROMISE_SECONDS + MARGIN_SECONDS}
        assert slow == {}


def test_no_line_is_lost_or_doubled_when_agent_and_control_plane_are_killed(longshore, cloud):
    script = shell(cloud, NUMBERED)
    tasks = []
    for launch_type in LAUNCH_TYPES:
        # One after the other begins: on the bridge all would be written before Fargate has started.
        tasks.append(start(cloud, launch_type, "numbered", **script))
        await_more(cloud, tasks[-1:])
    for killing in (kill_agent_before_it_hears, kill_control_plane_before_it_reads):
        await_more(cloud, tasks)
        killing(longshore, BATCH_BYTES)
    await_whole(cloud)
    for arn, stream in tasks:
        task = cloud.await_status(arn, "STOPPED")
        assert task["containers"][0]["exitCode"] == 0
        wait_until(lambda s=stream: len(messages(cloud, s)) >= 2 * LINES, 30, "all is there")
        found = messages(cloud, stream)
        for output in ("out", "err"):
            printed = [line for line in found if line.startswith(output)]
            assert printed == [f"{output} {number}" for number in range(LINES)]


def await_more(cloud, tasks):
    """Return when new lines of one of the tasks have come."""

    def count():
        return sum(len(messages(cloud, stream)) for _, stream in tasks)

    before = count()
    wait_until(lambda: count() > before, 60, "lines come")


def test_aws_logs_tail_follow_shows_new_lines(longshore, cloud, tmp_path):
    program = aws_cli_2()
    if program is None:
        pytest.skip("the AWS CLI, version 2, is missing: apt-get install awscli")
    arn, stream = start(cloud, "EC2", "tailed", **shell(cloud, TALKATIVE))
    wait_until(lambda: messages(cloud, stream), 30, "the first line is there")
    output = tmp_path / "tail.txt"
    command = longshore.aws_command("logs", "tail", GROUP, "--follow", "--since", "10m")
    command += ["--log-stream-names", stream, "--format", "short"]
    with output.open("wb") as file:
        environment = longshore.environment() | {"PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(command, stdout=file, env=environment)
    try:
        wait_until(lambda: output.read_text().endswith("\n"), 30, "tail shows what is there")
        newest = messages(cloud, stream)[-1]
        shown = re.compile(rf" {int(newest) + 1}$", re.MULTILINE)
        wait_until(lambda: shown.search(output.read_text()), 30, "tail shows what is new")
    finally:
        process.kill()
        process.wait()
        cloud.stop(arn)
    lines = [int(line.split()[1]) for line in output.read_text().splitlines()]
    assert lines == list(range(1, len(lines) + 1))
