"""REST with XML bodies (S3, Route 53)."""

from collections.abc import Mapping
from typing import Any

from longshore.awsapi.errors import XML, Described, Spelling
from longshore.awsapi.http import HttpResponse
from longshore.awsapi.model import Member, OperationModel, ServiceModel
from longshore.awsapi.protocol.rest import ReadBody, RestProtocol, WriteBody
from longshore.awsapi.sites import site_of
from longshore.awsapi.xml_reader import XmlReader, parse_xml
from longshore.awsapi.xml_writer import XmlWriter, namespace_of, xml_text

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


class RestXmlProtocol(RestProtocol):
    spellings: dict[str, Spelling] = XML
    content_type = "application/xml"

    def __init__(self, model: ServiceModel) -> None:
        super().__init__(model)
        self._reader = XmlReader(model)
        self._writer = XmlWriter(model)
        self.namespace = namespace_of(model.metadata.xml_namespace)

    def body_reader(self, member: Member) -> ReadBody:
        read = self._reader.compile(member)
        return lambda body: read([parse_xml(body)])

    def body_writer(self, member: Member, operation: OperationModel) -> WriteBody:
        write = self._writer.content(member)
        site = site_of(self.model, member)
        tag = site.location_name or site.name

        def write_document(value: Any) -> bytes:
            parts = [f"{DECLARATION}<{tag}{self.namespace}>"]
            write(parts, value)
            parts.append(f"</{tag}>")
            return "".join(parts).encode()

        return write_document

    def error_response(
        self, described: Described, members: Mapping[str, object], request_id: str
    ) -> HttpResponse:
        headers = [("x-amzn-requestid", request_id), ("content-type", self.content_type)]
        response = HttpResponse(described.status, headers)
        body = self.bind_error(described, members, response)
        fields = (
            f"<Code>{described.wire_code}</Code><Message>{xml_text(described.message)}</Message>"
        )
        parts: list[str] = []
        if described.shape_name:
            self._writer.content(Member(shape=described.shape_name))(parts, body)
        if self.model.metadata.endpoint_prefix == "s3":
            text = f"<Error>{fields}{''.join(parts)}<RequestId>{request_id}</RequestId></Error>"
        else:
            kind = "Sender" if described.sender else "Receiver"
            text = (
                f"<ErrorResponse{self.namespace}><Error><Type>{kind}</Type>{fields}"
                f"{''.join(parts)}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
            )
        response.body = (DECLARATION + text).encode()
        return response
