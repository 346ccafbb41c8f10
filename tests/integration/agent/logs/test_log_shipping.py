"""The awslogs driver against a real CloudWatch Logs: what a container writes is found there."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from integration.agent.logs.hosts import GROUP, directory_of, make_work
from integration.agent.logs.shipped import Agent, Logs, gone

from longshore.agent.hooks.interface import HookFailure, Work
from longshore.agent.hooks.logging import Logging
from longshore.model.principal import Credential, Principal
from longshore.nodeapi import acs
from longshore.testing.identity import ACCOUNT
from longshore.testing.wait import eventually

MIB = 2**20


@pytest.fixture
async def logs(tmp_path: Path) -> AsyncIterator[Logs]:
    logs = Logs(tmp_path)
    await logs.start()
    yield logs
    await logs.end()


@pytest.fixture
async def agent(tmp_path: Path, logs: Logs) -> AsyncIterator[Agent]:
    agent = Agent(tmp_path, logs.served.installation.port)
    agent.start()
    yield agent
    await agent.stop()


def write(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


async def test_line_is_in_its_stream_within_two_seconds(logs: Logs, agent: Agent):
    work = make_work(agent.host)
    await Logging().set_up(work)
    directory = agent.follow(work)
    for number in range(3):
        before = time.time()
        write(directory / "stdout", f"line {number}\n".encode())
        await logs.have(*(f"line {each}" for each in range(number + 1)), seconds=2.0)
        event = (await logs.events())[-1]
        assert before - 0.1 <= event["timestamp"] / 1000 <= time.time()


async def test_both_outputs_meet_in_one_stream(logs: Logs, agent: Agent):
    directory = agent.follow(make_work(agent.host))
    write(directory / "stdout", b"out\n\n")
    await logs.have("out")
    write(directory / "stderr", b"err \xff \xe2\x82\xac\n")
    await logs.have("out", "err � €")


async def test_output_may_have_two_streams(logs: Logs, agent: Agent):
    await logs.served.call("create_log_stream", logGroupName=GROUP, logStreamName="audit")
    work = make_work(agent.host, options={"longshore-stdout-stream": "audit"})
    await Logging().set_up(work)
    directory = agent.follow(work)
    write(directory / "stdout", b"asked\n")
    write(directory / "stderr", b"ready\n")
    await logs.have("ready")

    async def audited() -> bool:
        return await logs.messages("audit") == ["asked"]

    await eventually(audited, what="stdout is in its own stream")
    agent.ended(work)
    await gone(directory)


async def test_unfinished_line_is_shipped_when_the_container_has_ended(logs: Logs, agent: Agent):
    work = make_work(agent.host)
    directory = agent.follow(work)
    write(directory / "stdout", b"whole\nhalf")
    await logs.have("whole")
    agent.ended(work)
    await gone(directory)
    await logs.have("whole", "half")


async def test_lines_of_one_event_stay_together_and_do_not_wait_for_the_next(
    logs: Logs, agent: Agent
):
    work = make_work(agent.host, options={"awslogs-multiline-pattern": "^[^ ]"})
    directory = agent.follow(work)
    write(directory / "stdout", b"error\n at a\n at b\nok\n")
    await logs.have("error\n at a\n at b\n", "ok\n")
    write(directory / "stdout", b" late\nnext\n")
    await logs.have("error\n at a\n at b\n", "ok\n", " late\n", "next\n")


async def test_line_of_a_mebibyte_arrives_in_parts(logs: Logs, agent: Agent):
    work = make_work(agent.host)
    directory = agent.follow(work)
    write(directory / "stdout", b"x" * MIB + b"\nshort\n")
    agent.ended(work)
    await gone(directory)
    messages = await logs.messages()
    assert "".join(messages) == "x" * MIB + "short"
    assert [len(message) for message in messages[:4]] == [262_118] * 4


async def test_missing_group_fails_the_start_in_aws_words(logs: Logs, agent: Agent):
    with pytest.raises(HookFailure) as caught:
        await Logging().set_up(make_work(agent.host, options={"awslogs-group": "/none"}))
    assert str(caught.value) == (
        "ResourceInitializationError: failed to validate logger args: create stream has been "
        "retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The "
        "specified log group does not exist."
    )


async def test_group_is_created_where_the_options_say_so(logs: Logs, agent: Agent):
    options = {"awslogs-group": "/new", "awslogs-create-group": "true"}
    work = make_work(agent.host, options=options)
    await Logging().set_up(work)
    await Logging().set_up(work)
    found = await logs.served.call("describe_log_streams", logGroupName="/new")
    assert [stream["logStreamName"] for stream in found["logStreams"]] == ["web/app/t1"]


async def test_deleted_stream_is_created_anew(logs: Logs, agent: Agent):
    work = make_work(agent.host)
    directory = agent.follow(work)
    write(directory / "stdout", b"one\n")
    await logs.have("one")
    await logs.served.call("delete_log_stream", logGroupName=GROUP, logStreamName="web/app/t1")
    write(directory / "stdout", b"two\n")
    await logs.have("two")


async def test_output_ends_with_a_stream_that_the_driver_may_not_create(logs: Logs, agent: Agent):
    stream = {"logGroupName": GROUP, "logStreamName": "web/app/t1"}
    await logs.served.call("create_log_stream", **stream)
    work = make_work(agent.host, options={"awslogs-create-stream": "false"})
    directory = agent.follow(work)
    write(directory / "stdout", b"one\n")
    await logs.have("one")
    await logs.served.call("delete_log_stream", **stream)
    write(directory / "stdout", b"two\n")
    agent.ended(work)
    await gone(directory)
    assert await logs.messages() == []


OTHER = "999999999999"


def role_of(key: str) -> acs.RoleCredentials:
    return acs.RoleCredentials(access_key_id=key, secret_access_key="s", session_token="new")


def with_role(work: Work, role: acs.RoleCredentials) -> acs.Task:
    return msgspec.structs.replace(work.task, execution_role_credentials=role)


async def test_execution_role_signs_and_renewed_credentials_are_taken_up(logs: Logs, agent: Agent):
    role = Principal(
        account=ACCOUNT,
        arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/execution/t1",
        kind="assumed-role",
        user_id="AROAEXAMPLE:t1",
    )
    known = Credential(
        access_key_id="ASIANEW", secret_access_key="s", session_token="new", principal=role
    )
    logs.served.identity._known["ASIANEW"] = known
    asked: list[str] = []

    def note(principal: Principal, action: str, resource: Any) -> bool:
        asked.append(f"{principal.arn.rpartition(':')[2]} {action}")
        return True

    logs.served.identity._allows = note
    work = make_work(agent.host, role=role_of("ASIAOLD"))
    directory = agent.follow(work)
    write(directory / "stdout", b"one\n")
    await refused(agent, work)
    work.record.task = with_role(work, role_of("ASIANEW"))
    await logs.have("one")
    assert "assumed-role/execution/t1 logs:PutLogEvents" in asked
    assert "root logs:PutLogEvents" not in asked


async def refused(agent: Agent, work: Work) -> None:
    """The output's stream has been refused at least once."""
    stream = agent.shipping._outputs[directory_of(work).name]._streams["stdout"]

    async def is_refused() -> bool:
        return stream._refused_since > 0

    await eventually(is_refused)


@pytest.mark.parametrize("account", [ACCOUNT, OTHER])
async def test_host_never_writes_for_a_task_whose_execution_role_is_refused(
    logs: Logs, agent: Agent, account: str
):
    work = make_work(agent.host, role=role_of("ASIAGONE"), account=account)
    directory = agent.follow(work)
    write(directory / "stdout", b"secret\n")
    await refused(agent, work)
    assert await logs.messages() == []
    with pytest.raises(HookFailure, match="security token"):
        await Logging().set_up(work)


async def test_host_never_writes_for_another_account(logs: Logs, agent: Agent):
    work = make_work(agent.host, account=OTHER)
    with pytest.raises(HookFailure, match="NoCredentialProviders: no valid providers in chain"):
        await Logging().set_up(work)
    directory = agent.follow(work)
    write(directory / "stdout", b"one\n")
    agent.ended(work)
    await gone(directory)
    assert await logs.messages() == []


async def test_output_of_a_forgotten_task_is_written_for_nobody_but_the_hosts_own_account(
    tmp_path: Path, logs: Logs
):
    dead = Agent(tmp_path, logs.served.installation.port)
    works = (
        make_work(dead.host, "role", role=role_of("ASIAGONE")),
        make_work(dead.host, "other", account=OTHER),
        make_work(dead.host, "own"),
    )
    for work in works:
        write(dead.follow(work) / "stdout", b"one\n")
    agent = Agent(tmp_path, logs.served.installation.port)
    agent.start()
    agent.shipping.adopt([])
    for work in works:
        await gone(directory_of(work))
    found = [await logs.messages(f"web/app/{task}") for task in ("role", "other", "own")]
    assert found == [[], [], ["one"]]
    await agent.stop()


async def test_endpoint_of_others_fails_the_start(logs: Logs, agent: Agent):
    options = {"awslogs-endpoint": "http://169.254.169.254/latest"}
    with pytest.raises(HookFailure, match="failed to validate logger args: log opt"):
        await Logging().set_up(make_work(agent.host, options=options))
    own = agent.host.installation.endpoint_url
    await Logging().set_up(make_work(agent.host, options={"awslogs-endpoint": own}))


async def test_leftovers_of_a_dead_agent_are_shipped_and_removed(tmp_path: Path, logs: Logs):
    dead = Agent(tmp_path, logs.served.installation.port)
    works = {name: make_work(dead.host, name) for name in ("stopped", "forgotten", "running")}
    for name, work in works.items():
        write(dead.follow(work) / "stdout", f"of {name}\n".encode())
    (dead.host.home / "logs" / "x-1.gone").mkdir()
    works["stopped"].record.stopped_at = 1.0
    agent = Agent(tmp_path, logs.served.installation.port)
    agent.start()
    agent.shipping.adopt([works["stopped"].record, works["running"].record])
    for name in ("stopped", "forgotten"):
        await gone(directory_of(works[name]))
        assert await logs.messages(f"web/app/{name}") == [f"of {name}"]
    assert [path.name for path in (agent.host.home / "logs").iterdir()] == [
        directory_of(works["running"]).name
    ]
    await agent.stop()


async def test_options_of_an_adopted_task_are_those_it_began_with(tmp_path: Path, logs: Logs):
    """They may hold secrets, which are not fetched again."""
    first = Agent(tmp_path, logs.served.installation.port)
    work = make_work(first.host, options={"awslogs-stream": "secret"})
    directory = first.follow(work)
    second = Agent(tmp_path, logs.served.installation.port)
    second.start()
    second.follow(make_work(second.host))
    write(directory / "stdout", b"one\n")

    async def is_there() -> bool:
        return await logs.messages("secret") == ["one"]

    await eventually(is_there)
    await second.stop()


async def test_disk_gets_back_what_was_shipped(logs: Logs, agent: Agent):
    directory = agent.follow(make_work(agent.host))
    line = b"y" * 1000 + b"\n"
    for _ in range(8):
        write(directory / "stdout", line * 1000)
    write(directory / "stdout", b"end\n")

    async def all_there() -> bool:
        return (await logs.messages())[-1:] == ["end"]

    await eventually(all_there, 30.0)
    assert len(await logs.messages()) == 8001
    assert (directory / "stdout").stat().st_blocks * 512 < 2 * MIB


async def test_blocking_output_waits_and_non_blocking_output_is_dropped(tmp_path: Path):
    logs = Logs(tmp_path)
    agent = Agent(tmp_path, 1)  # nobody answers there
    options = {"mode": "non-blocking", "max-buffer-size": "1m"}
    blocking, dropping = make_work(agent.host, "t1"), make_work(agent.host, "t2", options=options)
    outputs = [agent.follow(work) / "stdout" for work in (blocking, dropping)]
    agent.start()
    lines = [b"%07d " % number + b"z" * 992 + b"\n" for number in range(6000)]
    for output in outputs:
        for start in range(0, 6000, 1000):
            write(output, b"".join(lines[start : start + 1000]))

    async def dropped() -> bool:
        return outputs[1].stat().st_blocks * 512 < 1.5 * MIB

    await eventually(dropped)
    assert outputs[0].stat().st_blocks * 512 >= 6_000_000
    await agent.stop()
    await logs.start()
    agent = Agent(tmp_path, logs.served.installation.port)
    agent.start()
    for work in (blocking, dropping):
        agent.follow(work)
        agent.ended(work)
        await gone(directory_of(work))
    assert await logs.messages("web/app/t1") == [line.decode().strip() for line in lines]
    kept = await logs.messages("web/app/t2")
    assert kept == [line.decode().strip() for line in lines[: len(kept)]]
    assert 1000 <= len(kept) <= 1100
    await agent.stop()
    await logs.end()


async def test_other_drivers_keep_a_bounded_rest_or_nothing(logs: Logs, agent: Agent):
    kept = agent.follow(make_work(agent.host, "t1", driver="json-file")) / "stdout"
    none = agent.follow(make_work(agent.host, "t2", driver="none")) / "stdout"
    for output in (kept, none):
        write(output, os.urandom(30 * MIB))

    async def bounded() -> bool:
        sizes = [output.stat().st_blocks * 512 for output in (kept, none)]
        return 20 * MIB <= sizes[0] < 21 * MIB and sizes[1] < MIB

    await eventually(bounded)
    assert kept.stat().st_size == 30 * MIB
    assert (await logs.served.call("describe_log_streams", logGroupName=GROUP))["logStreams"] == []
