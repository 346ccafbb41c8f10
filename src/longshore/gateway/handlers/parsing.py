"""Reads the request's members and checks them against the model."""

import zlib

from longshore.awsapi.http import HttpRequest
from longshore.gateway.exchange import Exchange
from longshore.model.errors import AwsError

LONGEST_INFLATED = 16 * 1024 * 1024
GZIP = 31
"""zlib's `wbits` for gzip."""


def parse(exchange: Exchange) -> None:
    """Raises the service's own error for what is malformed or out of bounds."""
    assert exchange.operation is not None
    request = exchange.request
    if request.headers.get("content-encoding", "") == "gzip":
        request.body = inflated(request)
    exchange.values = exchange.operation.parse(request)


def inflated(request: HttpRequest) -> bytes:
    """A compressed body as it was; SDKs compress large ones (PutMetricData)."""
    inflater = zlib.decompressobj(wbits=GZIP)
    try:
        body = inflater.decompress(request.body, LONGEST_INFLATED)
    except zlib.error:
        raise AwsError("SerializationException", "The body is not valid gzip.") from None
    if not inflater.eof:
        raise AwsError(
            "RequestEntityTooLargeException", "The body is incomplete or too large.", 413
        )
    return body
