"""Asks IAM whether the caller may."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from time import gmtime, strftime
from typing import Any

from longshore.awsapi.http import HttpRequest
from longshore.base.installation import Installation
from longshore.gateway.exchange import Exchange
from longshore.model.errors import AwsError
from longshore.services.interface import Authorize, Identity, Resource, Service

Conditions = Mapping[str, str | list[str]]
EVERYTHING = Resource(arn="*")
EC2_DENIED = "You are not authorized to perform this operation."


class Authorise:
    """The action must be allowed on each resource of the call; with `auth=open` all may all."""

    def __init__(self, identity: Identity, installation: Installation) -> None:
        self._identity = identity
        self._open = installation.auth == "open"

    def __call__(self, exchange: Exchange) -> None:
        service, context, name = exchange.service, exchange.context, exchange.operation_name
        assert service is not None
        assert context is not None
        if self._open or name in service.unauthorized or name in service.anonymous:
            return
        action = service.actions.get(name) or f"{service.iam_prefix}:{name}"
        conditions = RequestConditions(exchange)
        resources_of = service.resources.get(name)
        if resources_of is None:
            self.ask(exchange, service, action, EVERYTHING, conditions)
            return
        resources = list(resources_of(context, exchange.values))
        for resource in resources or [EVERYTHING]:
            self.ask(exchange, service, action, resource, conditions)

    def ask(
        self,
        exchange: Exchange,
        service: Service,
        action: str,
        resource: Resource,
        conditions: Conditions,
    ) -> None:
        """Raise what the service says to a caller who may not."""
        context = exchange.context
        assert context is not None
        policy = service.resource_policy(context.tx, resource.arn) if resource.arn != "*" else None
        try:
            self._identity.authorize(
                context.tx, context.principal, action, resource, conditions, policy
            )
        except AwsError as error:
            raise worded(service, error) from None

    def asker(self, exchange: Exchange) -> Authorize:
        """What `context.authorize` is for this request, until it is answered."""
        return allow_all if self._open else Asker(self, exchange)


class Asker:
    """Asks about further actions of one request: `services.interface.Authorize`."""

    __slots__ = ("_authorise", "_exchange")

    def __init__(self, authorise: Authorise, exchange: Exchange) -> None:
        self._authorise = authorise
        self._exchange = exchange

    def __call__(self, action: str, resource: str, conditions: Conditions | None = None) -> None:
        exchange = self._exchange
        asked = Resource(arn=resource, conditions=conditions or {})
        self._authorise.ask(
            exchange, exchange.call.service, action, asked, RequestConditions(exchange)
        )


def allow_all(action: str, resource: str, conditions: Conditions | None = None) -> None:
    """With `auth=open`."""


def worded(service: Service, error: AwsError) -> AwsError:
    """EC2 says the same without the details, unless the caller may decode them."""
    if service.name != "ec2" or not error.code.startswith("AccessDenied"):
        return error
    return AwsError(
        "UnauthorizedOperation",
        f"{EC2_DENIED} {error.message}".strip(),
        403,
    )


class RequestConditions(Mapping[str, str | list[str]]):
    """`request_conditions`, put together when a policy first asks for one: most ask for none."""

    __slots__ = ("_exchange", "_found")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._found: Conditions | None = None

    def _conditions(self) -> Conditions:
        if self._found is None:
            self._found = request_conditions(self._exchange)
        return self._found

    def __getitem__(self, key: str) -> str | list[str]:
        return self._conditions()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._conditions())

    def __len__(self) -> int:
        return len(self._conditions())


def request_conditions(exchange: Exchange) -> dict[str, str | list[str]]:
    """The global condition keys of a request ("AWS global condition context keys")."""
    request = exchange.request
    conditions = environment_conditions(request, exchange.now, exchange.region)
    tags = request_tags(exchange.values) if exchange.values else None
    if tags:
        conditions["aws:TagKeys"] = list(tags)
        conditions.update({f"aws:RequestTag/{key}": value for key, value in tags.items()})
    return conditions


def environment_conditions(
    request: HttpRequest, now: float, region: str
) -> dict[str, str | list[str]]:
    """Where, when and how a request came."""
    conditions: dict[str, str | list[str]] = {
        "aws:SourceIp": request.source_ip,
        "aws:CurrentTime": _iso8601(int(now)),
        "aws:EpochTime": str(int(now)),
        "aws:SecureTransport": "true" if request.secure else "false",
        "aws:RequestedRegion": region,
        "aws:ViaAWSService": "false",
    }
    for key, header in (("aws:UserAgent", "user-agent"), ("aws:Referer", "referer")):
        if header in request.headers:
            conditions[key] = request.headers[header]
    return conditions


@lru_cache(maxsize=4)
def _iso8601(seconds: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(seconds))


def request_tags(values: Mapping[str, Any]) -> dict[str, str]:
    """The tags in a request, in the shapes that services give them."""
    found = values.get("tags") or values.get("Tags")
    if isinstance(found, dict):
        return {key: text for key, text in found.items() if isinstance(text, str)}
    tags: dict[str, str] = {}
    for tag in [*(found or ()), *_specified(values)]:
        if isinstance(tag, dict):
            key = tag.get("key", tag.get("Key"))
            if isinstance(key, str):
                tags[key] = str(tag.get("value", tag.get("Value", "")))
    return tags


def _specified(values: Mapping[str, Any]) -> list[Any]:
    """EC2's TagSpecifications."""
    tags: list[Any] = []
    for specification in values.get("TagSpecifications") or ():
        tags += specification.get("Tags") or ()
    return tags
