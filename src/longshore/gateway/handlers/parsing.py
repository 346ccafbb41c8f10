"""Reads the request's members and checks them against the model."""

from longshore.gateway.exchange import Exchange


def parse(exchange: Exchange) -> None:
    """Raises the service's own error for what is malformed or out of bounds."""
    assert exchange.operation is not None
    exchange.values = exchange.operation.parse(exchange.request)
