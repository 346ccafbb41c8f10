"""What the owner of a cluster reads in the log `authenticator` of its control plane."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from integration.authenticator.api_server import ACCOUNT, NAME, REGION, ApiServer, running, token_of

from longshore.model import eks
from longshore.model.logs import LOG_GROUP, LOG_STREAM, LogGroup, LogStream, stream_key
from longshore.telemetry.interface import LogStoreUnavailable, Query
from longshore.telemetry.logs import SqliteLogStore, open_log_store


class Log:
    """The cluster's log group, with the stream of its authenticator."""

    def __init__(self, server: ApiServer, store: SqliteLogStore) -> None:
        self.server, self.store = server, store

    async def enable(self) -> None:
        cluster = self.server.store.reader.get(eks.CLUSTER, ACCOUNT, REGION, NAME)
        assert cluster is not None
        enabled = msgspec.structs.replace(cluster.value, log_types=("authenticator",))
        group, stream = eks.log_group(NAME), eks.log_stream(enabled, "authenticator")
        key = stream_key(group, stream)
        await self.server.put(eks.CLUSTER, REGION, NAME, enabled)
        made = LogGroup(name=group, id="g", created_at=0)
        await self.server.put(LOG_GROUP, REGION, group, made)
        own = LogStream(group=group, name=stream, id="s", created_at=0)
        await self.server.put(LOG_STREAM, REGION, key, own)

    async def lines(self) -> list[str]:
        found = await self.store.read("g", Query(streams=("s",), limit=100))
        return [event.message for event in found]


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    store = open_log_store(tmp_path / "telemetry")
    async with running(tmp_path, log_store=store) as server:
        await server.cluster()
        yield Log(server, store)
    await store.close()


async def test_each_decision_is_a_line_with_who_asked_and_what_came_of_it(
    log: Log,
) -> None:
    server = log.server
    await log.enable()
    ann, keys = await server.user("ann")
    bob, others = await server.user("bob")
    await server.entry(ann, username="ann", groups=("editors", "viewers"))
    await server.authenticate(token_of(keys))
    await server.authenticate(token_of(others))
    accepted, refused = await log.lines()
    assert 'level=info msg="access granted"' in accepted
    assert f'arn="{ann.arn}"' in accepted
    assert f"cluster={NAME}" in accepted
    assert 'groups="[editors viewers]"' in accepted
    assert accepted.endswith("username=ann")
    assert 'level=warning msg="access denied"' in refused
    assert f'arn="{bob.arn}"' in refused
    assert 'error="the principal has no access entry' in refused
    assert not any("k8s-aws-v1." in line or "X-Amz" in line for line in (accepted, refused))


async def test_a_line_holds_one_decision_whatever_is_in_it(log: Log) -> None:
    server = log.server
    await log.enable()
    ann, keys = await server.user("ann")
    await server.entry(ann, username='ann"\nlevel=info msg="access granted"')
    await server.authenticate(token_of(keys))
    (line,) = await log.lines()
    assert "\n" not in line
    assert line.count(' msg="access granted"') == 1


async def test_nothing_is_kept_where_the_log_is_not_enabled(log: Log) -> None:
    server = log.server
    ann, keys = await server.user("ann")
    await server.entry(ann)
    assert (await server.authenticate(token_of(keys)))["authenticated"]
    assert await log.store.groups() == {}


async def test_a_log_that_cannot_be_written_keeps_nobody_out(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = log.server

    async def full(*_: Any) -> int:
        raise LogStoreUnavailable("the disk is full")

    await log.enable()
    ann, keys = await server.user("ann")
    await server.entry(ann)
    monkeypatch.setattr(log.store, "append", full)
    assert (await server.authenticate(token_of(keys)))["authenticated"]
