"""The query protocol: a form in, XML out."""

from collections.abc import Mapping
from typing import Any

from longshore.awsapi.errors import QUERY, Described, Spelling
from longshore.awsapi.form import FormReader, form_tree, parse_form
from longshore.awsapi.http import HttpRequest, HttpResponse
from longshore.awsapi.model import Member, OperationModel, ServiceModel
from longshore.awsapi.protocol.interface import Parse, Protocol, Serialize, top
from longshore.awsapi.xml_writer import Write, XmlWriter, namespace_of, xml_text
from longshore.model.errors import AwsError

CONTENT_TYPE = ("content-type", "text/xml")


def form_of(request: HttpRequest) -> dict[str, str]:
    """The parameters of a request: of its body, or of its query where there is none."""
    if not request.body:
        return parse_form(request.query)
    try:
        text = request.body.decode()
    except UnicodeDecodeError:
        raise AwsError("MalformedInput", "The request body is not valid UTF-8.") from None
    return parse_form(text)


class QueryProtocol(Protocol):
    spellings: dict[str, Spelling] = QUERY

    def __init__(self, model: ServiceModel) -> None:
        super().__init__(model)
        self._reader = self.make_reader()
        self._writer = self.make_writer()
        self.namespace = namespace_of(model.metadata.xml_namespace)

    def make_reader(self) -> FormReader:
        return FormReader(self.model)

    def make_writer(self) -> XmlWriter:
        return XmlWriter(self.model)

    def parser(self, operation: OperationModel) -> Parse:
        member = top(operation.input)
        if member is None:
            return lambda request: {}
        read = self._reader.compile(member)

        def parse(request: HttpRequest) -> dict[str, Any]:
            values: dict[str, Any] = read(form_tree(form_of(request)), "")
            return values

        return parse

    def serializer(self, operation: OperationModel) -> Serialize:
        member = top(operation.output)
        write = self._writer.content(member) if member is not None else None
        wrapper = operation.output.result_wrapper if operation.output is not None else ""
        name = operation.name
        head = f"<{name}Response{self.namespace}>" + (f"<{wrapper}>" if wrapper else "")
        tail = f"</{wrapper}>" if wrapper else ""

        def serialize(value: Mapping[str, Any], request_id: str) -> HttpResponse:
            parts = [head]
            if write is not None:
                write(parts, value)
            parts.append(
                f"{tail}<ResponseMetadata><RequestId>{request_id}</RequestId>"
                f"</ResponseMetadata></{name}Response>"
            )
            return xml_response(200, parts, request_id)

        return serialize

    def error_response(
        self, described: Described, members: Mapping[str, object], request_id: str
    ) -> HttpResponse:
        parts = [
            f"<ErrorResponse{self.namespace}><Error>"
            f"<Type>{'Sender' if described.sender else 'Receiver'}</Type>"
            f"<Code>{xml_text(described.wire_code)}</Code>"
            f"<Message>{xml_text(described.message)}</Message>"
        ]
        self.write_members(parts, described, members)
        parts.append(f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>")
        return xml_response(described.status, parts, request_id)

    def write_members(
        self, parts: list[str], described: Described, members: Mapping[str, object]
    ) -> None:
        """The error shape's own members besides code and message."""
        if not described.shape_name:
            return
        known = self.model.shapes[described.shape_name].members
        values = {
            name: value
            for name, value in members.items()
            if name in known and name.lower() not in {"message", "code", "type"}
        }
        write: Write = self._writer.content(Member(shape=described.shape_name))
        write(parts, values)


def xml_response(status: int, parts: list[str], request_id: str) -> HttpResponse:
    """An XML document as a response."""
    body = "".join(parts).encode()
    return HttpResponse(status, [("x-amzn-requestid", request_id), CONTENT_TYPE], body)
