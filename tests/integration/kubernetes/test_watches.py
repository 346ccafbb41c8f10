"""The client of Kubernetes' API is told of changes as they come, and of a watch that breaks."""

import asyncio
import json
import time
from contextlib import aclosing

import msgspec
import pytest
from integration.controllers.played_cluster import served

from longshore.awsapi.connection import ConnectionBroken
from longshore.kubernetes.client import Client, Event, Refused

MAPS = "/api/v1/namespaces/default/configmaps"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
ADDED = Event("ADDED", {"metadata": {"name": "ä"}})
EXPIRED = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}
DEADLINE_SECONDS = 30


def config_map(name):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def test_a_watch_tells_of_what_is_there_and_of_what_comes_and_goes(shared_plane):
    async def told():
        async with Client(shared_plane.access) as client:
            await client.create(MAPS, config_map("watched"))
            seen = []
            only = {"fieldSelector": "metadata.name=watched"}
            async with aclosing(client.watch(MAPS, **only)) as events:
                async for event in events:
                    seen.append(event.type)
                    if event.type == "ADDED":
                        await client.patch(f"{MAPS}/watched", {"data": {"a": "1"}})
                        await client.create(MAPS, config_map("another"))
                    elif event.type == "MODIFIED":
                        assert event.object["data"] == {"a": "1"}
                        await client.delete(f"{MAPS}/another")
                        await client.delete(f"{MAPS}/watched")
                    else:
                        break
            return seen

    assert shared_plane.inside(told) == ["ADDED", "MODIFIED", "DELETED"]


def test_a_watch_ends_when_the_server_was_asked_to_end_it(shared_plane):
    async def count():
        async with Client(shared_plane.access) as client:
            only = {"fieldSelector": "metadata.name=nobody", "timeoutSeconds": "1"}
            return [each async for each in client.watch(MAPS, **only)]

    assert shared_plane.inside(count) == []


def test_a_watch_of_what_is_not_there_is_refused(shared_plane):
    async def watch():
        async with Client(shared_plane.access) as client:
            return [each async for each in client.watch("/api/v1/nothings")]

    with pytest.raises(Refused) as caught:
        shared_plane.inside(watch)
    assert caught.value.is_absence


def chunks(*pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


async def watched(*sent):
    """What a client hears of a server that sends this and hangs up."""

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for each in sent:
            writer.write(each)
            await writer.drain()

    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        served(serve, time.time()) as access,
        Client(access) as client,
    ):
        return [event async for event in client.watch("/api/v1/pods")]


async def test_an_event_may_come_in_pieces_and_two_in_one():
    line = msgspec.json.encode(ADDED) + b"\n"
    middle = line.index(b"\xa4")
    pieces = chunks(line[:middle], line[middle:] + line), chunks(line, b"\n")
    assert await watched(HEAD, *pieces, b"0\r\n\r\n") == [ADDED] * 3


async def test_a_server_that_cannot_go_on_says_why():
    with pytest.raises(Refused, match="410 Expired: too old"):
        await watched(HEAD, chunks(json.dumps(EXPIRED).encode() + b"\n"))


@pytest.mark.parametrize(
    "sent",
    [
        (),
        (b"HTTP/1.1 200",),
        (b"no answer at all\r\n\r\n",),
        (HEAD, b"zz\r\n"),
        (HEAD, chunks(b'{"type": "ADD')),
        (HEAD, chunks(b"not JSON\n")),
        (HEAD, chunks(b"[]\n")),
        (HEAD, chunks(b'{"type": "ADDED", "object": null}\n')),
        (HEAD, chunks(b"\xff\xfe\n")),
    ],
)
async def test_what_breaks_off_or_is_no_watch_is_told_as_a_broken_connection(sent):
    with pytest.raises(ConnectionBroken):
        await watched(*sent)
