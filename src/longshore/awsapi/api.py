"""One service's API, each operation compiled when it is first called."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from longshore.awsapi.dialect import dialect_of, ec2_checks
from longshore.awsapi.http import HttpRequest, HttpResponse
from longshore.awsapi.model import OperationModel, ServiceModel, load_model
from longshore.awsapi.protocol import Parse, Protocol, Serialize, protocol_of
from longshore.awsapi.uri import Router
from longshore.awsapi.validation import Checks
from longshore.model.errors import AwsError


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One operation in one protocol: what stands between its bytes and its function."""

    name: str
    parse: Parse
    """Also validates; raises `AwsError` in the service's wording."""
    serialize: Serialize


class Api:
    """The API of one of botocore's services."""

    def __init__(self, name: str) -> None:
        """Loads nothing yet; raises LookupError from the first use where there is no such model."""
        self.name = name
        self._model: ServiceModel | None = None
        self._checks: Checks | None = None
        self._router: Router | None = None
        self._protocols: dict[str, Protocol] = {}
        self._operations: dict[tuple[str, str], ApiOperation] = {}

    @property
    def model(self) -> ServiceModel:
        if self._model is None:
            self._model = load_model(self.name)
        return self._model

    def protocol(self, name: str = "") -> Protocol:
        """The protocol of this name; the model's own by default."""
        name = name or self.model.metadata.protocol
        if name not in self._protocols:
            self._protocols[name] = protocol_of(self.model, name)
        return self._protocols[name]

    def operation(self, name: str, protocol: str = "") -> ApiOperation:
        """The compiled operation; raises `InvalidAction` where the service has none such."""
        found = self._operations.get((name, protocol))
        if found is None:
            found = self._operations[name, protocol] = self._compile(name, protocol)
        return found

    def route(self, request: HttpRequest) -> str:
        """The operation of a REST request; empty where nothing matches."""
        if self._router is None:
            self._router = Router(self.model)
        operation = self._router.find(request)
        return operation.name if operation is not None else ""

    def _compile(self, name: str, protocol: str) -> ApiOperation:
        model = self.model.operations.get(name)
        if model is None:
            raise self.unknown_operation(name)
        wire = self.protocol(protocol)
        validate = self._validator(model)
        parse = wire.parser(model)
        if validate is None:
            return ApiOperation(name, parse, wire.serializer(model))

        def parse_and_validate(request: HttpRequest) -> dict[str, Any]:
            values = parse(request)
            validate(values)
            return values

        return ApiOperation(name, parse_and_validate, wire.serializer(model))

    def _validator(self, operation: OperationModel) -> Callable[[dict[str, Any]], None] | None:
        if operation.input is None:
            return None
        if self._checks is None:
            self._checks = Checks(self.model)
        check = self._checks.of(operation.input.shape)
        if check is None:
            return None
        dialect = dialect_of(self.model)
        ec2 = self.model.metadata.protocol == "ec2"

        def validate(values: dict[str, Any]) -> None:
            problems = check(values)
            if problems and ec2:
                problems = [problem for problem in problems if ec2_checks(problem)]
            if problems:
                raise dialect(problems)

        return validate

    def unknown_operation(self, name: str) -> AwsError:
        """What the service says to an operation that it does not have."""
        if self.model.metadata.protocol in {"query", "ec2"}:
            version = self.model.metadata.api_version
            if self.model.metadata.protocol == "ec2":
                text = f"The action {name} is not valid for this web service."
            else:
                text = f"Could not find operation {name} for version {version}"
            return AwsError("InvalidAction", text)
        return AwsError("InvalidAction", "")

    def error(self, error: AwsError, request_id: str, protocol: str = "") -> HttpResponse:
        """The response for an error."""
        return self.protocol(protocol).error(error, request_id)
