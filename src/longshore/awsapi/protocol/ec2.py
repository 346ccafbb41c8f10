"""EC2's variant of query: lists always flat on the way in, names capitalised, errors in a list."""

from collections.abc import Mapping
from typing import Any

from longshore.awsapi.errors import EC2, Described, Spelling
from longshore.awsapi.form import FormReader
from longshore.awsapi.http import HttpResponse
from longshore.awsapi.model import Member, OperationModel
from longshore.awsapi.protocol.interface import Serialize, top
from longshore.awsapi.protocol.query import QueryProtocol, xml_response
from longshore.awsapi.scalars import format_iso8601_millis
from longshore.awsapi.sites import Site, site_of
from longshore.awsapi.xml_writer import XmlWriter, xml_text
from longshore.model.errors import AwsError

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Ec2Reader(FormReader):
    def member_name(self, name: str, member: Member) -> str:
        site = site_of(self.model, member)
        if site.query_name:
            return site.query_name
        location = site.location_name
        return location[0].upper() + location[1:] if location else name

    def list_step(self, site: Site) -> str:
        return ""

    def unreadable(self, site: Site, text: str, path: str) -> AwsError:
        kind = {"integer": "integer", "boolean": "boolean"}.get(site.shape.type, site.shape.type)
        return AwsError(
            "InvalidParameterValue",
            f"Value ({text}) for parameter {path} is invalid. It is not a valid {kind}.",
        )


class Ec2Protocol(QueryProtocol):
    spellings: dict[str, Spelling] = EC2

    def make_reader(self) -> FormReader:
        return Ec2Reader(self.model)

    def make_writer(self) -> XmlWriter:
        return XmlWriter(self.model, format_iso8601_millis)

    def serializer(self, operation: OperationModel) -> Serialize:
        member = top(operation.output)
        write = self._writer.content(member) if member is not None else None
        head = f"{DECLARATION}<{operation.name}Response{self.namespace}><requestId>"
        tail = f"</{operation.name}Response>"

        def serialize(value: Mapping[str, Any], request_id: str) -> HttpResponse:
            parts = [head, request_id, "</requestId>"]
            if write is not None:
                write(parts, value)
            parts.append(tail)
            return xml_response(200, parts, request_id)

        return serialize

    def error_response(
        self, described: Described, members: Mapping[str, object], request_id: str
    ) -> HttpResponse:
        parts = [
            f"{DECLARATION}<Response><Errors><Error>"
            f"<Code>{xml_text(described.wire_code)}</Code>"
            f"<Message>{xml_text(described.message)}</Message>"
            f"</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        ]
        return xml_response(described.status, parts, request_id)
