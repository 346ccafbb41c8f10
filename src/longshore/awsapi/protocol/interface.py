"""What each protocol does for one service."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from longshore.awsapi.errors import Described, Spelling, describe
from longshore.awsapi.http import HttpRequest, HttpResponse
from longshore.awsapi.model import Member, OperationModel, Reference, ServiceModel
from longshore.model.errors import AwsError

Parse = Callable[[HttpRequest], dict[str, Any]]
"""From a request to the input shape's plain values; raises `AwsError`."""
Serialize = Callable[[Mapping[str, Any], str], HttpResponse]
"""From what an operation returned, and the request id, to the response."""


class Protocol(ABC):
    """The wire form of one service's requests, responses and errors.

    Lifecycle: made once a service; `parser` and `serializer` once an operation, when it is first
    called; the closures then serve every call, and none of them keeps state.
    """

    spellings: dict[str, Spelling]

    def __init__(self, model: ServiceModel) -> None:
        self.model = model

    @abstractmethod
    def parser(self, operation: OperationModel) -> Parse: ...

    @abstractmethod
    def serializer(self, operation: OperationModel) -> Serialize: ...

    def error(self, error: AwsError, request_id: str) -> HttpResponse:
        """The response for an error, modelled or common."""
        return self.error_response(
            describe(self.model, error, self.spellings), error.members, request_id
        )

    @abstractmethod
    def error_response(
        self, described: Described, members: Mapping[str, object], request_id: str
    ) -> HttpResponse: ...


def top(reference: Reference | None) -> Member | None:
    """An operation's input or output as a place."""
    return None if reference is None else Member(shape=reference.shape)
