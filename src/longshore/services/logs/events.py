"""PutLogEvents and GetLogEvents."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from longshore.model.logs import LOG_GROUP, LOG_STREAM, LogGroup, LogStream, stream_key
from longshore.services.interface import Context, Response
from longshore.services.logs.positions import position_of, token_of
from longshore.services.logs.resources import invalid_parameter, require_group, require_stream
from longshore.telemetry.interface import (
    Cursor,
    Event,
    LogStore,
    Position,
    Query,
    StoredEvent,
)
from longshore.telemetry.logs import stored_size

if TYPE_CHECKING:
    from types_boto3_logs import type_defs as t

DAY = 24 * 3600 * 1000
BATCH_BYTES = 1_048_576
OLDEST = 14 * DAY
NEWEST = 2 * 3600 * 1000
"""Limits of PutLogEvents (API reference): bytes, and milliseconds before and after now."""
PAGE_EVENTS = 10_000
PAGE_BYTES = 1_048_576


async def put(
    log_store: LogStore, context: Context, request: "t.PutLogEventsRequestTypeDef"
) -> Response:
    group = require_group(context.store.reader, context, request).value
    stream = require_stream(context.store.reader, context, group, request["logStreamName"]).value
    events = [Event(each["timestamp"], each["message"]) for each in request["logEvents"]]
    _check(events)
    now = int(context.now * 1000)
    position = position_of(request.get("sequenceToken"))
    rejected: Mapping[str, int] = {}
    place = _place(context, group, stream)
    if place is not None:
        since = stream.delivery.since if stream.delivery is not None else 0
        group, stream = place
        first, end, rejected = accepted(events, now, group)
        first = max(first, sum(event.timestamp < since for event in events))
        kept = position and Position(position.producer, position.number + first)
        await log_store.append(group.id, stream.id, events[first:end], now, kept)
    following = position and Position(position.producer, position.number + len(events))
    token = token_of(following) if following else f"{now:056d}"
    response: dict[str, Any] = {"nextSequenceToken": token}
    if rejected:
        response["rejectedLogEventsInfo"] = rejected
    return response


def _place(
    context: Context, group: LogGroup, stream: LogStream
) -> tuple[LogGroup, LogStream] | None:
    """Where events are kept that are put into this stream; None where they go nowhere."""
    delivery, reader = stream.delivery, context.store.reader
    if delivery is None:
        return group, stream
    there = (delivery.account, context.region)
    kept = reader.get(LOG_GROUP, *there, delivery.group)
    found = reader.get(LOG_STREAM, *there, stream_key(delivery.group, delivery.stream))
    return (kept.value, found.value) if kept is not None and found is not None else None


def _check(events: Sequence[Event]) -> None:
    """What PutLogEvents refuses whole."""
    size = stored_size(events)
    if size > BATCH_BYTES:
        raise invalid_parameter(f"Upload too large: {size} bytes exceeds limit of {BATCH_BYTES}")
    times = [event.timestamp for event in events]
    if any(not event.message for event in events):
        raise invalid_parameter("Log event message must not be empty")
    if any(later < earlier for earlier, later in pairwise(times)):
        raise invalid_parameter(
            "Log events in a single PutLogEvents request must be in chronological order."
        )
    if times[-1] - times[0] > DAY:
        raise invalid_parameter(
            "The batch of log events in a single PutLogEvents request cannot span more than"
            " 24 hours."
        )


def accepted(
    events: Sequence[Event], now: int, group: LogGroup
) -> tuple[int, int, Mapping[str, int]]:
    """Which of the events (in order of time) are taken, and `rejectedLogEventsInfo` for the rest.

    Events older than 14 days or than the group's retention, or more than two hours ahead, are left
    out; the others of the batch are kept. The ends are exclusive.
    """
    oldest = now - OLDEST
    expired = now - group.retention_days * DAY if group.retention_days else oldest
    old = sum(event.timestamp < oldest for event in events)
    gone = sum(event.timestamp < expired for event in events)
    new = sum(event.timestamp > now + NEWEST for event in events)
    rejected = {}
    if old:
        rejected["tooOldLogEventEndIndex"] = old
    if gone > old:
        rejected["expiredLogEventEndIndex"] = gone
    if new:
        rejected["tooNewLogEventStartIndex"] = len(events) - new
    return max(old, gone), len(events) - new, rejected


async def get(
    log_store: LogStore, context: Context, request: "t.GetLogEventsRequestTypeDef"
) -> Response:
    group = require_group(context.store.reader, context, request).value
    stream = require_stream(context.store.reader, context, group, request["logStreamName"]).value
    token = request.get("nextToken")
    forward, cursor = _parse(token) if token else (bool(request.get("startFromHead")), None)
    end = request.get("endTime")
    query = Query(
        streams=(stream.id,),
        start=request.get("startTime"),
        end=None if end is None else end - 1,
        after=cursor if forward else None,
        before=None if forward else cursor,
        limit=request.get("limit", PAGE_EVENTS),
        newest=not forward,
    )
    events = _within_a_page(await log_store.read(group.id, query), forward)
    last, first = _ends(events, cursor)
    return {
        "events": [
            {
                "timestamp": event.timestamp,
                "message": event.message,
                "ingestionTime": event.ingested,
            }
            for event in events
        ],
        "nextForwardToken": _token("f", last),
        "nextBackwardToken": _token("b", first),
    }


def _ends(events: Sequence[StoredEvent], cursor: Cursor | None) -> tuple[Cursor, Cursor]:
    """Where the pages after and before this one begin; both where we are if there is nothing."""
    if events:
        return events[-1].cursor, events[0].cursor
    return (cursor or (0, 0),) * 2


def _within_a_page(events: Sequence[StoredEvent], forward: bool) -> Sequence[StoredEvent]:
    """As many as a response may hold (1 MiB), from the end that the reader comes from."""
    size, count = 0, 0
    for event in events if forward else reversed(events):
        size += stored_size((Event(event.timestamp, event.message),))
        if size > PAGE_BYTES and count:
            break
        count += 1
    return events[:count] if forward else events[len(events) - count :]


def _token(direction: str, cursor: Cursor) -> str:
    """`f/` or `b/` and 56 digits, as AWS's look: 28 of the timestamp, 28 of the sequence."""
    return f"{direction}/{cursor[0]:028d}{cursor[1]:028d}"


def _parse(token: str) -> tuple[bool, Cursor]:
    direction, _, digits = token.partition("/")
    if direction not in {"f", "b"} or len(digits) != 56 or not digits.isdecimal():
        raise invalid_parameter("The specified nextToken is invalid.")
    cursor = int(digits[:28]), int(digits[28:])
    if max(cursor) >= 2**63:
        raise invalid_parameter("The specified nextToken is invalid.")
    return direction == "f", cursor
