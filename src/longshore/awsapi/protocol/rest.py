"""What rest-json and rest-xml share: where each member of a request or response lies."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from longshore.awsapi.bindings import RequestBindings, ResponseBindings
from longshore.awsapi.errors import Described
from longshore.awsapi.http import HttpRequest, HttpResponse
from longshore.awsapi.model import Member, OperationModel, Shape
from longshore.awsapi.protocol.interface import Parse, Protocol, Serialize
from longshore.awsapi.sites import site_of, unknown_member

ReadBody = Callable[[bytes], Any]
WriteBody = Callable[[Any], bytes]


class RestProtocol(Protocol):
    """The body is a payload member, or what has no location."""

    content_type: str

    @abstractmethod
    def body_reader(self, member: Member) -> ReadBody: ...

    @abstractmethod
    def body_writer(self, member: Member, operation: OperationModel) -> WriteBody: ...

    def parser(self, operation: OperationModel) -> Parse:
        if operation.input is None:
            return lambda request: {}
        shape = self.model.shapes[operation.input.shape]
        bindings = RequestBindings(self.model, operation, shape)
        read_body = self._request_body(operation.input.shape, shape)

        def parse(request: HttpRequest) -> dict[str, Any]:
            values = read_body(request.body)
            values.update(bindings.read(request))
            return values

        return parse

    def _request_body(self, name: str, shape: Shape) -> Callable[[bytes], dict[str, Any]]:
        if shape.payload:
            member = shape.members[shape.payload]
            kind = self.model.shapes[member.shape].type
            read = raw_reader(kind) or self.body_reader(member)
            return lambda body: {shape.payload: read(body)} if body else {}
        if all(member.location for member in shape.members.values()):
            return lambda body: {}
        read_all = self.body_reader(Member(shape=name))
        return lambda body: dict(read_all(body)) if body else {}

    def serializer(self, operation: OperationModel) -> Serialize:
        status = operation.http.response_code
        if operation.output is None:
            return lambda value, request_id: HttpResponse(
                status, [("x-amzn-requestid", request_id)]
            )
        output = Member(shape=operation.output.shape)
        shape = self.model.shapes[output.shape]
        bindings = ResponseBindings(self.model, shape)
        bound = bindings.names
        write_body = self._response_body(operation, shape, bound)

        def serialize(value: Mapping[str, Any], request_id: str) -> HttpResponse:
            response = HttpResponse(status, [("x-amzn-requestid", request_id)])
            for name in value:
                if name not in shape.members:
                    raise unknown_member(site_of(self.model, output), name)
            bindings.write(value, response)
            write_body({k: v for k, v in value.items() if k not in bound}, response)
            return response

        return serialize

    def _response_body(
        self, operation: OperationModel, shape: Shape, bound: frozenset[str]
    ) -> Callable[[dict[str, Any], HttpResponse], None]:
        content = ("content-type", self.content_type)
        if shape.payload:
            member = shape.members[shape.payload]
            raw = self.model.shapes[member.shape].type in {"blob", "string"}
            write_payload = raw_bytes if raw else self.body_writer(member, operation)

            def write(values: dict[str, Any], response: HttpResponse) -> None:
                if shape.payload in values:
                    response.body = write_payload(values[shape.payload])
                    if not raw:
                        response.headers.append(content)

            return write
        if not shape.members.keys() - bound:
            return lambda values, response: None
        assert operation.output is not None
        write_all = self.body_writer(Member(shape=operation.output.shape), operation)

        def write_members(values: dict[str, Any], response: HttpResponse) -> None:
            response.body = write_all(values)
            response.headers.append(content)

        return write_members

    def bind_error(
        self, described: Described, members: Mapping[str, object], response: HttpResponse
    ) -> dict[str, object]:
        """Writes an error's bound members; gives those for the body."""
        if not described.shape_name:
            return {}
        shape = self.model.shapes[described.shape_name]
        bindings = ResponseBindings(self.model, shape)
        bindings.write(members, response)
        return {
            name: value
            for name, value in members.items()
            if name in shape.members and name not in bindings.names
        }


def raw_reader(kind: str) -> ReadBody | None:
    """For payloads that are the body as it is."""
    if kind == "blob":
        return bytes
    if kind == "string":
        return lambda body: body.decode("utf-8", "replace")
    return None


def raw_bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value
