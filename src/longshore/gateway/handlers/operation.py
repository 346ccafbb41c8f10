"""Finds the service and operation that a request means."""

from collections.abc import Mapping

from longshore.awsapi.catalogue import Catalogue, unknown_target
from longshore.awsapi.sigv4 import read_signature
from longshore.base.installation import Installation
from longshore.gateway.exchange import Exchange
from longshore.model.errors import AwsError, not_implemented
from longshore.services.interface import Service


class FindOperation:
    """Reads the signature's scope as well, since it names the service of most requests.

    Raises `InvalidAction` for what AWS does not have, `NotImplemented` for what Longshore has not.
    """

    def __init__(
        self, catalogue: Catalogue, services: Mapping[str, Service], installation: Installation
    ) -> None:
        self._catalogue = catalogue
        self._services = services
        self._open = installation.auth == "open"

    def __call__(self, exchange: Exchange) -> None:
        try:
            exchange.signed = read_signature(exchange.request)
        except AwsError:
            self._find(exchange, "")
            if not self._open:
                raise
            return
        self._find(exchange, exchange.signed.service if exchange.signed is not None else "")

    def _find(self, exchange: Exchange, scope: str) -> None:
        target = self._catalogue.find(exchange.request, scope)
        if target is None:
            closest = self._catalogue.closest(exchange.request, scope)
            if closest is not None:
                exchange.api, exchange.protocol = closest
            raise unknown_target(exchange.request, scope)
        exchange.api, exchange.protocol, exchange.operation_name = target
        exchange.service = self._services.get(target.api.name)
        if target.operation not in target.api.model.operations:
            raise target.api.unknown_operation(target.operation)
        if exchange.service is None or not offers(exchange.service, target.operation):
            raise not_implemented(target.api.name, target.operation)
        exchange.operation = target.api.operation(target.operation, target.protocol)


def offers(service: Service, operation: str) -> bool:
    """Whether the service has built the operation."""
    return operation in service.operations or operation in service.waiting
