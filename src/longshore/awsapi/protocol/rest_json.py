"""REST with JSON bodies (EKS, Lambda)."""

from collections.abc import Mapping

from longshore.awsapi.errors import REST, Described, Spelling
from longshore.awsapi.http import HttpResponse
from longshore.awsapi.model import Member, OperationModel, ServiceModel
from longshore.awsapi.protocol.json import JsonReader, JsonWriter, decode_body, encode
from longshore.awsapi.protocol.rest import ReadBody, RestProtocol, WriteBody


class RestJsonProtocol(RestProtocol):
    spellings: dict[str, Spelling] = REST
    content_type = "application/json"

    def __init__(self, model: ServiceModel) -> None:
        super().__init__(model)
        self._reader = JsonReader(model)
        self._writer = JsonWriter(model)

    def body_reader(self, member: Member) -> ReadBody:
        read = self._reader.compile(member)
        return lambda body: read(decode_body(body))

    def body_writer(self, member: Member, operation: OperationModel) -> WriteBody:
        write = self._writer.compile(member)
        return lambda value: encode(write(value))

    def error_response(
        self, described: Described, members: Mapping[str, object], request_id: str
    ) -> HttpResponse:
        headers = [
            ("x-amzn-requestid", request_id),
            ("content-type", self.content_type),
            ("x-amzn-errortype", described.code),
        ]
        response = HttpResponse(described.status, headers)
        body = self.bind_error(described, members, response)
        known = self.model.shapes[described.shape_name].members if described.shape_name else {}
        name = next((name for name in known if name.lower() == "message"), "message")
        if described.shape_name:
            body = self._writer.compile(Member(shape=described.shape_name))(body)
        response.body = encode({**body, name: described.message})
        return response
