"""Smithy RPC v2 CBOR: the operation in the path, a CBOR map in the body."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import cbor2

from longshore.awsapi.errors import Described
from longshore.awsapi.http import HttpRequest, HttpResponse
from longshore.awsapi.model import OperationModel
from longshore.awsapi.protocol.interface import Parse, Serialize, top
from longshore.awsapi.protocol.json import JsonProtocol
from longshore.awsapi.scalars import epoch, in_range
from longshore.awsapi.sites import Site, wrong_type
from longshore.awsapi.tree import Convert, TreeReader, TreeWriter, malformed, unexpected

EPOCH_TAG = 1
HEADERS = [("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor")]


def decode_body(body: bytes) -> Any:
    """The body's CBOR, an empty map for an empty body; raises SerializationException."""
    if not body:
        return {}
    try:
        return cbor2.loads(body)
    except (cbor2.CBORDecodeError, ValueError, OverflowError, RecursionError, TypeError):
        raise malformed("Unable to parse the request: the body is not valid CBOR.") from None


class CborReader(TreeReader):
    """Timestamps are tag 1, which decodes to datetimes; blobs are byte strings."""

    def timestamp(self, site: Site) -> Convert:
        def read(value: Any) -> Any:
            try:
                if isinstance(value, datetime) or type(value) in {int, float}:
                    return in_range(epoch(value))
            except (ValueError, OverflowError):
                raise malformed(f"'{value}' is not a valid Timestamp") from None
            raise unexpected(site, value)

        return read

    def blob(self, site: Site) -> Convert:
        def read(value: Any) -> Any:
            if type(value) is not bytes:
                raise unexpected(site, value)
            return value

        return read


class CborWriter(TreeWriter):
    def timestamp(self, site: Site) -> Convert:
        return lambda value: cbor2.CBORTag(EPOCH_TAG, epoch(value))

    def blob(self, site: Site) -> Convert:
        return bytes

    def float(self, site: Site) -> Convert:
        def write(value: Any) -> Any:
            if isinstance(value, bool) or not isinstance(value, float | int):
                raise wrong_type(site, value)
            return float(value)

        return write


class CborProtocol(JsonProtocol):
    def make_reader(self) -> TreeReader:
        return CborReader(self.model)

    def make_writer(self) -> TreeWriter:
        return CborWriter(self.model)

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

        def serialize(value: Mapping[str, Any], request_id: str) -> HttpResponse:
            body = cbor2.dumps(write(value)) if write is not None else b""
            return HttpResponse(200, [("x-amzn-requestid", request_id), *HEADERS], body)

        return serialize

    def error_response(
        self, described: Described, members: Mapping[str, object], request_id: str
    ) -> HttpResponse:
        body = {"__type": described.code, **self.error_body(described, members)}
        headers = [("x-amzn-requestid", request_id), *HEADERS, *self.query_error(described)]
        return HttpResponse(described.status, headers, cbor2.dumps(body))
