"""One request on its way: what the steps of the path find out, in their order."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from longshore.awsapi.api import Api, ApiOperation
from longshore.awsapi.http import HttpRequest, HttpResponse
from longshore.awsapi.sigv4 import Signed
from longshore.model.errors import AwsError
from longshore.model.principal import Principal
from longshore.services.interface import Context, Service


@dataclass(slots=True)
class Exchange:
    """A request and what is known of it so far; each field is set by the step named beside it."""

    request: HttpRequest
    started: float
    """Monotonic seconds."""
    now: float = 0.0
    """Epoch seconds. (request id)"""
    request_id: str = ""
    """(request id)"""
    signed: Signed | None = None
    """(operation)"""
    api: Api | None = None
    """(operation)"""
    protocol: str = ""
    """(operation)"""
    operation_name: str = ""
    """(operation)"""
    service: Service | None = None
    """(operation)"""
    operation: ApiOperation | None = None
    """(operation)"""
    principal: Principal | None = None
    """(authentication)"""
    region: str = ""
    """(caller)"""
    context: Context | None = None
    """(caller)"""
    values: dict[str, Any] = field(default_factory=dict)
    """(parsing)"""
    output: Mapping[str, Any] = field(default_factory=dict)
    """(invocation)"""
    error: AwsError | None = None
    response: HttpResponse | None = None
    """(serialisation)"""

    @property
    def call(self) -> "Call":
        """What is known once the operation and the caller are."""
        assert self.service is not None
        assert self.operation is not None
        assert self.context is not None
        return Call(self.service, self.operation, self.context)


class Call(NamedTuple):
    """What is certain: no field of it is None."""

    service: Service
    operation: ApiOperation
    context: Context


class Step(Protocol):
    """One step of the path; gives an awaitable only where it must wait."""

    def __call__(self, exchange: Exchange, /) -> Awaitable[None] | None: ...


Steps = tuple[Step, ...]
Reset = Callable[[], Awaitable[None]]
