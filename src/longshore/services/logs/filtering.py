"""FilterLogEvents and TestMetricFilter."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from longshore.model.errors import AwsError
from longshore.model.logs import LOG_STREAM, LogGroup, stream_key
from longshore.services.interface import Context, Response
from longshore.services.logs.pages import seal, unseal
from longshore.services.logs.pattern import (
    Allowance,
    InvalidPattern,
    Pattern,
    TooSlow,
    parse_pattern,
)
from longshore.services.logs.resources import invalid_parameter, require_group, require_stream
from longshore.telemetry.interface import Cursor, Event, LogStore, Query, StoredEvent
from longshore.telemetry.logs import stored_size

if TYPE_CHECKING:
    from types_boto3_logs import type_defs as t

PAGE_EVENTS = 10_000
PAGE_BYTES = 1_048_576
CHUNK = 2_000
MOST_SCANNED = 50_000
"""Events that one call looks at; a page may come back short or empty, with a token."""
MATCHING_SECONDS = 0.2
"""Time that one call spends on matching; the page then ends, like one that is full."""
MOST_NAMED = 500
"""Streams that are worth naming in the query; more are left out of what it found instead."""


async def filter_events(
    log_store: LogStore, context: Context, request: "t.FilterLogEventsRequestTypeDef"
) -> Response:
    group = require_group(context.store.reader, context, request).value
    allowance = Allowance(MATCHING_SECONDS)
    pattern = parsed(request.get("filterPattern", ""), allowance)
    streams = _stream_ids(context, group, request)
    newest, cursor = _parse(request.get("nextToken"))
    if not request.get("nextToken"):
        newest = request.get("startFromHead") is False
    query = Query(
        streams=streams if streams is not None and len(streams) <= MOST_NAMED else None,
        start=request.get("startTime"),
        end=request.get("endTime"),
        after=None if newest else cursor,
        before=cursor if newest else None,
        limit=CHUNK,
        newest=newest,
    )
    limit = request.get("limit", PAGE_EVENTS)
    search = Search(context, pattern, allowance, streams, limit)
    await search.run(log_store, group, query)
    response: dict[str, Any] = {"events": search.found, "searchedLogStreams": []}
    if search.stopped is not None:
        timestamp, sequence = search.stopped
        response["nextToken"] = seal(f"{'b' if newest else 'f'}:{timestamp}:{sequence}")
    return response


class Search:
    """One call's walk over a group's events."""

    def __init__(
        self,
        context: Context,
        pattern: Pattern,
        allowance: Allowance,
        streams: Sequence[str] | None,
        limit: int,
    ) -> None:
        self._context = context
        self._pattern = pattern
        self._allowance = allowance
        self._streams = None if streams is None else frozenset(streams)
        self._limit = limit
        self._bytes = 0
        self._names: dict[str, str | None] = {}
        self.found: list[dict[str, Any]] = []
        self.stopped: Cursor | None = None
        """The last event looked at, where there may be more."""

    async def run(self, log_store: LogStore, group: LogGroup, query: Query) -> None:
        """Collect until the page is full, enough was scanned, or nothing is left."""
        for _ in range(MOST_SCANNED // CHUNK):
            events = await log_store.read(group.id, query)
            if not self._look_at(reversed(events) if query.newest else events):
                return
            if len(events) < CHUNK:
                self.stopped = None
                return
            if query.newest:
                query = query._replace(before=self.stopped)
            else:
                query = query._replace(after=self.stopped)

    def _look_at(self, events: Iterable[StoredEvent]) -> bool:
        """Whether the page still has room after these events, and the call time."""
        self._allowance.begin()
        for event in events:
            if self._full():
                return False
            try:
                self._look(event)
            except TooSlow:
                if self.stopped is None:
                    raise too_slow() from None
                return False
            self.stopped = event.cursor
        self._allowance.pause()
        return True

    def _full(self) -> bool:
        if len(self.found) >= self._limit or self._bytes > PAGE_BYTES:
            return True
        return self.stopped is not None and self._allowance.left <= 0

    def _look(self, event: StoredEvent) -> None:
        name = self._name(event.stream)
        if name is not None and self._pattern.matches(event.message):
            self._bytes += stored_size((Event(event.timestamp, event.message),))
            self.found.append(
                {
                    "logStreamName": name,
                    "timestamp": event.timestamp,
                    "message": event.message,
                    "ingestionTime": event.ingested,
                    "eventId": f"{event.timestamp:028d}{event.sequence:028d}",
                }
            )

    def _name(self, stream: str) -> str | None:
        """The stream's name; None where it is not searched or was deleted."""
        if self._streams is not None and stream not in self._streams:
            return None
        if stream not in self._names:
            context = self._context
            records = context.store.reader.find(
                LOG_STREAM, context.account, context.region, "id", stream
            )
            self._names[stream] = records[0].value.name if records else None
        return self._names[stream]


def parsed(text: str, allowance: Allowance) -> Pattern:
    try:
        return parse_pattern(text, allowance)
    except InvalidPattern as error:
        raise invalid_parameter(f"Invalid filter pattern: {error}") from None


def too_slow() -> AwsError:
    return invalid_parameter("The filter pattern takes too long to match the log events.")


def _stream_ids(
    context: Context, group: LogGroup, request: "t.FilterLogEventsRequestTypeDef"
) -> Sequence[str] | None:
    """The streams to search; None for all."""
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
    if names and prefix:
        raise invalid_parameter("logStreamNamePrefix and logStreamNames are mutually exclusive.")
    reader = context.store.reader
    if names:
        return [require_stream(reader, context, group, name).value.id for name in names]
    if prefix:
        key = stream_key(group.name, prefix)
        records = reader.scan(LOG_STREAM, context.account, context.region, prefix=key)
        return [record.value.id for record in records]
    return None


def _parse(token: str | None) -> tuple[bool, Cursor | None]:
    """Direction and place of a token."""
    if not token:
        return False, None
    direction, _, place = unseal(token).partition(":")
    timestamp, _, sequence = place.partition(":")
    if direction not in {"f", "b"} or not (timestamp + sequence).isdecimal():
        raise invalid_parameter("The specified nextToken is invalid.")
    return direction == "b", (int(timestamp), int(sequence))


def test_pattern(context: Context, request: "t.TestMetricFilterRequestTypeDef") -> Response:
    """TestMetricFilter: which of some messages a pattern matches, and what it finds in them."""
    del context
    pattern = parsed(request["filterPattern"], Allowance(MATCHING_SECONDS))
    try:
        return {"matches": _matches(pattern, request["logEventMessages"])}
    except TooSlow:
        raise too_slow() from None


def _matches(pattern: Pattern, messages: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "eventNumber": number,
            "eventMessage": message,
            "extractedValues": dict(pattern.extract(message)),
        }
        for number, message in enumerate(messages, 1)
        if pattern.matches(message)
    ]
