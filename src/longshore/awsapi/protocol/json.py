"""AWS JSON 1.0 and 1.1: the operation in `X-Amz-Target`, everything else in the body."""

import base64
import binascii
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.awsapi.errors import JSON, Described, Spelling
from longshore.awsapi.http import HttpRequest, HttpResponse
from longshore.awsapi.model import Member, OperationModel, ServiceModel
from longshore.awsapi.protocol.interface import Parse, Protocol, Serialize, top
from longshore.awsapi.scalars import epoch, format_iso8601, in_range, parse_timestamp
from longshore.awsapi.sites import Site, wrong_type
from longshore.awsapi.tree import Convert, TreeReader, TreeWriter, malformed, unexpected

decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode


def decode_body(body: bytes) -> Any:
    """The body's JSON, an empty object for an empty body; raises SerializationException."""
    if not body:
        return {}
    try:
        return decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise malformed("Unable to parse the request: the body is not valid JSON.") from None


class JsonReader(TreeReader):
    """Timestamps are numbers (or ISO 8601 where the shape says so), blobs base64 text."""

    def timestamp(self, site: Site) -> Convert:
        def read(value: Any) -> Any:
            try:
                if isinstance(value, str):
                    return parse_timestamp(value)
                if type(value) in {int, float}:
                    return in_range(float(value))
            except (ValueError, OverflowError, TypeError):
                raise malformed(f"'{value}' is not a valid Timestamp") from None
            raise unexpected(site, value)

        return read

    def blob(self, site: Site) -> Convert:
        def read(value: Any) -> Any:
            if not isinstance(value, str):
                raise unexpected(site, value)
            try:
                return base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                raise malformed("The value is not valid base64") from None

        return read


class JsonWriter(TreeWriter):
    def timestamp(self, site: Site) -> Convert:
        if site.timestamp_format == "iso8601":
            return format_iso8601
        return epoch

    def blob(self, site: Site) -> Convert:
        return lambda value: base64.b64encode(value).decode("ascii")

    def float(self, site: Site) -> Convert:
        def write(value: Any) -> Any:
            if isinstance(value, bool) or not isinstance(value, float | int):
                raise wrong_type(site, value)
            if math.isfinite(value):
                return value
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"

        return write


class JsonProtocol(Protocol):
    spellings: dict[str, Spelling] = JSON

    def __init__(self, model: ServiceModel) -> None:
        super().__init__(model)
        self._reader = self.make_reader()
        self._writer = self.make_writer()
        self.content_type = f"application/x-amz-json-{model.metadata.json_version}"

    def make_reader(self) -> TreeReader:
        return JsonReader(self.model)

    def make_writer(self) -> TreeWriter:
        return JsonWriter(self.model)

    def parser(self, operation: OperationModel) -> Parse:
        member = top(operation.input)
        if member is None:
            return lambda request: {}
        read = self._reader.compile(member)

        def parse(request: HttpRequest) -> dict[str, Any]:
            values: dict[str, Any] = read(decode_body(request.body))
            return values

        return parse

    def serializer(self, operation: OperationModel) -> Serialize:
        member = top(operation.output)
        write = self._writer.compile(member) if member is not None else None
        content_type = ("content-type", self.content_type)

        def serialize(value: Mapping[str, Any], request_id: str) -> HttpResponse:
            body = encode(write(value)) if write is not None else b"{}"
            return HttpResponse(200, [("x-amzn-requestid", request_id), content_type], body)

        return serialize

    def error_response(
        self, described: Described, members: Mapping[str, object], request_id: str
    ) -> HttpResponse:
        body = {"__type": described.code, **self.error_body(described, members)}
        headers = [
            ("x-amzn-requestid", request_id),
            ("content-type", self.content_type),
            ("x-amzn-errortype", described.code),
        ]
        return HttpResponse(described.status, headers + self.query_error(described), encode(body))

    def query_error(self, described: Described) -> list[tuple[str, str]]:
        """For services that once spoke query: the code as it was then."""
        if self.model.metadata.aws_query_compatible is None:
            return []
        fault = "Sender" if described.sender else "Receiver"
        return [("x-amzn-query-error", f"{described.wire_code};{fault}")]

    def error_body(self, described: Described, members: Mapping[str, object]) -> dict[str, Any]:
        """The message under the name that the shape gives it, and the shape's other members."""
        if not described.shape_name:
            name = "Message" if described.code == "AccessDeniedException" else "message"
            return {name: described.message}
        shape = self.model.shapes[described.shape_name]
        values: dict[str, Any] = {k: v for k, v in members.items() if k in shape.members}
        name = next((name for name in shape.members if name.lower() == "message"), "")
        if name:
            values[name] = described.message
        body: dict[str, Any] = self._writer.compile(Member(shape=described.shape_name))(values)
        return body if name else {**body, "message": described.message}
