"""Log streams: create, delete, describe."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from longshore.model.errors import AwsError
from longshore.model.logs import LOG_STREAM, LogStream, log_stream_arn, stream_key
from longshore.services.interface import Context, Response
from longshore.services.logs.pages import page
from longshore.services.logs.positions import upload_token
from longshore.services.logs.resources import invalid_parameter, require_group, require_stream
from longshore.telemetry.interface import NOTHING, LogStore, StreamState

if TYPE_CHECKING:
    from types_boto3_logs import type_defs as t

PAGE = 50


def create(context: Context, request: "t.CreateLogStreamRequestTypeDef") -> Response:
    group = require_group(context.tx, context, request).value
    name = request["logStreamName"]
    key = stream_key(group.name, name)
    if context.tx.get(LOG_STREAM, context.account, context.region, key) is not None:
        raise AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")
    stream = LogStream(
        group=group.name,
        name=name,
        id=context.ids.hex(16),
        created_at=int(context.now * 1000),
    )
    context.tx.create(LOG_STREAM, context.account, context.region, key, stream)
    return {}


def delete(context: Context, request: "t.DeleteLogStreamRequestTypeDef") -> Response:
    group = require_group(context.tx, context, request).value
    stream = require_stream(context.tx, context, group, request["logStreamName"])
    context.tx.delete(LOG_STREAM, context.account, context.region, stream.key.name)
    return {}


async def describe(
    log_store: LogStore, context: Context, request: "t.DescribeLogStreamsRequestTypeDef"
) -> Response:
    reader = context.store.reader
    group = require_group(reader, context, request).value
    by_time = request.get("orderBy") == "LastEventTime"
    prefix = request.get("logStreamNamePrefix", "")
    if by_time and prefix:
        raise invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix.")
    records = reader.scan(
        LOG_STREAM, context.account, context.region, prefix=stream_key(group.name, prefix)
    )
    streams = [record.value for record in records]
    states: Mapping[str, StreamState] = {}
    if by_time:
        states = await log_store.states([stream.id for stream in streams])
        streams.sort(key=lambda stream: states.get(stream.id, NOTHING).last_event or 0)
    if request.get("descending"):
        streams.reverse()
    shown, token = page(streams, request.get("nextToken"), request.get("limit", PAGE))
    states = states or await log_store.states([stream.id for stream in shown])
    described = [_described(context, stream, states.get(stream.id, NOTHING)) for stream in shown]
    return {"logStreams": described, **({"nextToken": token} if token else {})}


def _described(context: Context, stream: LogStream, state: StreamState) -> dict[str, Any]:
    described: dict[str, Any] = {
        "logStreamName": stream.name,
        "creationTime": stream.created_at,
        "firstEventTimestamp": state.first_event,
        "lastEventTimestamp": state.last_event,
        "lastIngestionTime": state.last_ingestion,
        "uploadSequenceToken": upload_token(state),
        "arn": log_stream_arn(context.account, context.region, stream.group, stream.name),
        # "As of June 17, 2019, this parameter is no longer supported for log streams" (LogStream).
        "storedBytes": 0,
    }
    return {name: value for name, value in described.items() if value is not None}
