"""CloudWatch Logs, as boto3 and the AWS CLI see it."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from integration.services.served import ACCOUNT, REGION, Served, serving

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.controllers.interface import Surroundings
from longshore.controllers.log_retention import LogRetention
from longshore.model.logs import LOG_GROUP
from longshore.services.logs import filtering, service
from longshore.store.interface import Key
from longshore.telemetry.interface import LogStore
from longshore.telemetry.logs import open_log_store
from longshore.testing.identity import KEY_ID, SECRET
from longshore.testing.wait import eventually

DAY = 24 * 3600 * 1000


class ServedLogs(Served):
    log_store: LogStore

    async def put(self, *messages: str, stream: str = "s", at: int = 0, **more: Any) -> Any:
        """Put messages a millisecond apart, beginning `at` milliseconds from a minute ago."""
        start = now() - 60_000 + at
        events = [
            {"timestamp": start + number, "message": message}
            for number, message in enumerate(messages)
        ]
        return await self.call(
            "put_log_events", logGroupName="/g", logStreamName=stream, logEvents=events, **more
        )

    async def messages(self, **request: Any) -> list[str]:
        found = await self.call("filter_log_events", logGroupName="/g", **request)
        return [event["message"] for event in found["events"]]


def now() -> int:
    return int(time.time() * 1000)


@pytest.fixture
async def logs(tmp_path: Path) -> AsyncIterator[ServedLogs]:
    log_store = open_log_store(tmp_path / "telemetry")
    async with serving(tmp_path, [service(log_store)]) as served:
        served.__class__ = ServedLogs
        served.log_store = log_store  # type: ignore[attr-defined]
        await served.call("create_log_group", logGroupName="/g", tags={"stage": "prod"})
        await served.call("create_log_stream", logGroupName="/g", logStreamName="s")
        yield served  # type: ignore[misc]
    await log_store.close()


async def test_events_read_back_in_order_of_their_time(logs: ServedLogs):
    await logs.put("second", at=10_000)
    await logs.put("first", at=0)
    found = await logs.call("get_log_events", logGroupName="/g", logStreamName="s")
    assert [event["message"] for event in found["events"]] == ["first", "second"]
    assert all(event["ingestionTime"] >= event["timestamp"] for event in found["events"])


async def test_forward_token_stays_the_same_at_the_end_and_goes_on_when_more_comes(
    logs: ServedLogs,
):
    await logs.put(*"abcde")
    request = {"logGroupName": "/g", "logStreamName": "s", "startFromHead": True, "limit": 2}
    seen, token = [], {}
    while True:
        page = await logs.call("get_log_events", **request, **token)
        if token.get("nextToken") == page["nextForwardToken"]:
            break
        seen += [event["message"] for event in page["events"]]
        token = {"nextToken": page["nextForwardToken"]}
    assert seen == list("abcde")
    assert page["events"] == []
    await logs.put("f", at=100)
    page = await logs.call("get_log_events", **request, **token)
    assert [event["message"] for event in page["events"]] == ["f"]
    back = await logs.call("get_log_events", **request, nextToken=page["nextBackwardToken"])
    assert [event["message"] for event in back["events"]] == ["d", "e"]


async def test_newest_page_comes_first_by_default(logs: ServedLogs):
    await logs.put(*"abcde")
    page = await logs.call("get_log_events", logGroupName="/g", logStreamName="s", limit=2)
    assert [event["message"] for event in page["events"]] == ["d", "e"]


async def test_end_time_is_exclusive_for_get_and_inclusive_for_filter(logs: ServedLogs):
    await logs.put("a", "b")
    found = await logs.call("get_log_events", logGroupName="/g", logStreamName="s")
    last = found["events"][-1]["timestamp"]
    before = await logs.call("get_log_events", logGroupName="/g", logStreamName="s", endTime=last)
    assert [event["message"] for event in before["events"]] == ["a"]
    assert await logs.messages(endTime=last) == ["a", "b"]
    assert await logs.messages(startTime=last) == ["b"]


async def test_batch_sent_again_with_its_position_makes_no_duplicates(logs: ServedLogs):
    answer = await logs.put("a", "b", sequenceToken="longshore:agent-1:0")
    assert answer["nextSequenceToken"] == "longshore:agent-1:2"
    await logs.put("a", "b", sequenceToken="longshore:agent-1:0")
    await logs.put("b", "c", at=1, sequenceToken="longshore:agent-1:1")
    assert await logs.messages() == ["a", "b", "c"]
    (stream,) = (await logs.call("describe_log_streams", logGroupName="/g"))["logStreams"]
    assert stream["uploadSequenceToken"] == "longshore:agent-1:3"
    await logs.put("a", sequenceToken="49039859556000000000000000000000000000000000000000000000")
    assert (await logs.messages()).count("a") == 2


async def test_events_too_old_too_new_and_expired_are_told_and_left_out(logs: ServedLogs):
    await logs.call("put_retention_policy", logGroupName="/g", retentionInDays=3)

    async def rejected(*times: int) -> dict[str, int]:
        events = [{"timestamp": each, "message": "m"} for each in times]
        answer = await logs.call(
            "put_log_events", logGroupName="/g", logStreamName="s", logEvents=events
        )
        return answer.get("rejectedLogEventsInfo", {})

    present = now()
    assert await rejected(present - 15 * DAY) == {"tooOldLogEventEndIndex": 1}
    assert await rejected(present - 4 * DAY) == {"expiredLogEventEndIndex": 1}
    assert await rejected(present, present + DAY // 6) == {"tooNewLogEventStartIndex": 1}
    assert await logs.messages() == ["m"]


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([{"timestamp": 2, "message": "x"}, {"timestamp": 1, "message": "x"}], "chronological"),
        ([{"timestamp": 0, "message": "x"}, {"timestamp": 2 * DAY, "message": "x"}], "24 hours"),
        ([{"timestamp": 1, "message": "x" * 1_048_576}], "Upload too large"),
    ],
)
async def test_batch_outside_of_the_limits_is_refused_whole(
    logs: ServedLogs, events: list[dict], message: str
):
    error = await logs.error(
        "put_log_events", logGroupName="/g", logStreamName="s", logEvents=events
    )
    assert error[0] == "InvalidParameterException"
    assert message in error[1]


async def test_filter_finds_across_streams_in_pages(logs: ServedLogs):
    await logs.call("create_log_stream", logGroupName="/g", logStreamName="other")
    await logs.put("ERROR one", "fine", at=0)
    await logs.put("ERROR two", "fine", at=10, stream="other")
    await logs.put("ERROR three", at=20)
    pages, token = [], {}
    while True:
        page = await logs.call(
            "filter_log_events", logGroupName="/g", filterPattern="ERROR", limit=2, **token
        )
        pages.append([(event["logStreamName"], event["message"]) for event in page["events"]])
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert pages == [[("s", "ERROR one"), ("other", "ERROR two")], [("s", "ERROR three")]]
    assert await logs.messages(logStreamNames=["other"]) == ["ERROR two", "fine"]
    assert await logs.messages(logStreamNamePrefix="ot", filterPattern="fine") == ["fine"]
    assert await logs.messages(startFromHead=False, limit=2) == ["ERROR three", "fine"]


async def test_filter_that_would_never_end_is_given_up_and_nobody_waits(logs: ServedLogs):
    await logs.put(*["a" * 60 + "!"] * 200)
    request = {"logGroupName": "/g", "filterPattern": "%^(a|aa)+$%"}
    refused = asyncio.create_task(logs.error("filter_log_events", **request))
    await asyncio.wait_for(logs.call("describe_log_groups"), 5)
    code, message = await refused
    assert (code, "too long" in message) == ("InvalidParameterException", True)


async def test_slow_filter_ends_its_page_early_and_finds_everything_on_the_next(
    logs: ServedLogs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(filtering, "MATCHING_SECONDS", 1e-9)
    await logs.put("ERROR one", "fine", "ERROR two")
    found, pages, token = [], 0, {}
    while pages == 0 or token:
        page = await logs.call(
            "filter_log_events", logGroupName="/g", filterPattern="ERROR", **token
        )
        found += [event["message"] for event in page["events"]]
        token = {"nextToken": page["nextToken"]} if "nextToken" in page else {}
        pages += 1
    assert found == ["ERROR one", "ERROR two"]
    assert pages >= 3


async def test_wrong_filter_pattern_is_refused(logs: ServedLogs):
    code, message = await logs.error(
        "filter_log_events", logGroupName="/g", filterPattern="{ $.x ="
    )
    assert code == "InvalidParameterException"
    assert "filter pattern" in message


async def test_groups_and_streams_are_described(logs: ServedLogs):
    await logs.put("abc")
    (group,) = (await logs.call("describe_log_groups", logGroupNamePrefix="/"))["logGroups"]
    assert group["arn"] == "arn:aws:logs:us-east-1:123456789012:log-group:/g:*"
    assert group["storedBytes"] == 3 + 26
    assert "retentionInDays" not in group
    (stream,) = (
        await logs.call("describe_log_streams", logGroupName="/g", orderBy="LastEventTime")
    )["logStreams"]
    assert stream["arn"] == "arn:aws:logs:us-east-1:123456789012:log-group:/g:log-stream:s"
    assert stream["firstEventTimestamp"] == stream["lastEventTimestamp"]


async def test_groups_are_listed_in_pages(logs: ServedLogs):
    for number in range(3):
        await logs.call("create_log_group", logGroupName=f"/x/{number}")
    first = await logs.call("describe_log_groups", logGroupNamePrefix="/x", limit=2)
    second = await logs.call(
        "describe_log_groups", logGroupNamePrefix="/x", limit=2, nextToken=first["nextToken"]
    )
    names = [each["logGroupName"] for each in first["logGroups"] + second["logGroups"]]
    assert names == ["/x/0", "/x/1", "/x/2"]
    assert "nextToken" not in second


async def test_tags_are_kept_by_name_and_by_arn(logs: ServedLogs):
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/g"
    await logs.call("tag_resource", resourceArn=arn, tags={"team": "red"})
    found = await logs.call("list_tags_for_resource", resourceArn=arn)
    assert found["tags"] == {"stage": "prod", "team": "red"}
    await logs.call("untag_resource", resourceArn=arn, tagKeys=["stage"])
    assert (await logs.call("list_tags_log_group", logGroupName="/g"))["tags"] == {"team": "red"}


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("create_log_group", {"logGroupName": "/g"}, "ResourceAlreadyExistsException"),
        (
            "create_log_stream",
            {"logGroupName": "/g", "logStreamName": "s"},
            "ResourceAlreadyExistsException",
        ),
        (
            "create_log_stream",
            {"logGroupName": "/none", "logStreamName": "s"},
            "ResourceNotFoundException",
        ),
        (
            "get_log_events",
            {"logGroupName": "/g", "logStreamName": "none"},
            "ResourceNotFoundException",
        ),
        (
            "get_log_events",
            {"logGroupName": "/g", "logStreamName": "s", "nextToken": "f/12"},
            "InvalidParameterException",
        ),
        (
            "put_retention_policy",
            {"logGroupName": "/g", "retentionInDays": 2},
            "InvalidParameterException",
        ),
        ("create_log_group", {"logGroupName": "a b"}, "InvalidParameterException"),
        ("create_log_group", {"logGroupName": "/k", "kmsKeyId": "arn:k"}, "NotImplemented"),
        ("start_query", {"startTime": 1, "endTime": 2, "queryString": "x"}, "NotImplemented"),
    ],
)
async def test_wrong_call_is_refused_with_aws_code(
    logs: ServedLogs, operation: str, request_: dict, code: str
):
    assert (await logs.error(operation, **request_))[0] == code


async def test_group_made_anew_shows_nothing_of_the_old_one(logs: ServedLogs):
    await logs.put("old")
    await logs.call("delete_log_group", logGroupName="/g")
    await logs.call("create_log_group", logGroupName="/g")
    await logs.call("create_log_stream", logGroupName="/g", logStreamName="s")
    assert await logs.messages() == []
    controller = retention(logs)
    (orphans, _) = controller.every_key(logs.store.reader)
    await controller.reconcile(orphans)
    assert await logs.log_store.groups() == {}


def retention(logs: ServedLogs) -> LogRetention:
    surroundings = Surroundings(
        store=logs.store, clock=SystemClock(), ids=RandomIds(), installation=logs.installation
    )
    return LogRetention(surroundings, logs.log_store)


async def test_events_past_their_retention_are_removed(logs: ServedLogs):
    await logs.put("old", at=-2 * DAY)
    await logs.put("new")
    await logs.call("put_retention_policy", logGroupName="/g", retentionInDays=1)
    await retention(logs).reconcile(Key(LOG_GROUP.name, ACCOUNT, REGION, "/g"))
    assert await logs.messages() == ["new"]
    (group,) = (await logs.call("describe_log_groups"))["logGroups"]
    assert (group["storedBytes"], group["retentionInDays"]) == (3 + 26, 1)


async def test_following_by_time_sees_each_new_event_once(logs: ServedLogs):
    """As `aws logs tail --follow` does: ask from the last time on, know events by their id."""
    await logs.put("a", "b")
    seen: dict[str, str] = {}
    start = 0
    for more in (["c"], ["d", "e"], []):
        found = await logs.call("filter_log_events", logGroupName="/g", startTime=start)
        seen |= {event["eventId"]: event["message"] for event in found["events"]}
        start = max(event["timestamp"] for event in found["events"])
        if more:
            await logs.put(*more, at=len(seen))
    assert list(seen.values()) == list("abcde")


def cli_version_2() -> str | None:
    """The AWS CLI that knows `logs tail`: version 2, as Debian packages it."""
    program = shutil.which("aws", path="/usr/bin:/usr/local/bin")
    if program is None:
        return None
    told = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    return program if told.stdout.startswith("aws-cli/2") else None


def tail(logs: ServedLogs, output: Path) -> "subprocess.Popen[bytes]":
    program = cli_version_2()
    if program is None:
        pytest.skip("the AWS CLI, version 2, is missing: apt-get install awscli")
    environment = {
        **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "PYTHONUNBUFFERED": "1",
    }
    command = [program, "--endpoint-url", logs.url, "logs", "tail", "/g", "--follow"]
    with output.open("wb") as file:
        return subprocess.Popen([*command, "--format", "short"], stdout=file, env=environment)


async def test_aws_logs_tail_follow_shows_new_lines(logs: ServedLogs, tmp_path: Path):
    await logs.put("before")
    output = tmp_path / "tail.txt"
    process = tail(logs, output)
    try:
        await eventually(lambda: said(output, "before"), 30)
        await logs.put("after one", "after two", at=30_000)
        await eventually(lambda: said(output, "after two"), 30)
    finally:
        process.kill()
        process.wait()
    assert [line.partition(" ")[2] for line in output.read_text().splitlines()] == [
        "before",
        "after one",
        "after two",
    ]


async def said(output: Path, text: str) -> bool:
    return text in output.read_text()


async def test_log_store_that_cannot_be_used_is_told_as_aws_does(logs: ServedLogs, tmp_path: Path):
    (file,) = (tmp_path / "telemetry").glob("*.db")
    with contextlib.closing(sqlite3.connect(file)) as broken:
        broken.execute("DROP TABLE events")
    place = {"logGroupName": "/g", "logStreamName": "s"}
    event = {"timestamp": now(), "message": "lost?"}
    for operation, request in (
        ("filter_log_events", {"logGroupName": "/g"}),
        ("get_log_events", place),
        ("put_log_events", {**place, "logEvents": [event]}),
    ):
        code, _ = await logs.error(operation, **request)
        assert code == "ServiceUnavailableException", operation


async def test_authorisation_is_asked_for_the_streams_arn(logs: ServedLogs):
    await logs.put("x")
    action, arn, _ = logs.identity.asked[-1]
    assert action == "logs:PutLogEvents"
    assert arn == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/g:log-stream:s"
