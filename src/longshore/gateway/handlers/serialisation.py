"""Writes the response, or the error in its protocol's form."""

from longshore.awsapi.http import HttpResponse
from longshore.awsapi.xml_writer import xml_text
from longshore.gateway.exchange import Exchange
from longshore.model.errors import AwsError


def serialise(exchange: Exchange) -> None:
    """Raises ResponseShapeError where the operation returned what its model forbids."""
    assert exchange.operation is not None
    exchange.response = exchange.operation.serialize(exchange.output, exchange.request_id)


def serialise_error(exchange: Exchange, error: AwsError) -> HttpResponse:
    """The error as the service called would write it; plain text where none was found."""
    if exchange.api is not None:
        return exchange.api.error(error, exchange.request_id, exchange.protocol)
    return HttpResponse(
        error.status,
        [("x-amzn-requestid", exchange.request_id), ("content-type", "text/xml")],
        (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{xml_text(error.code)}</Code>"
            f"<Message>{xml_text(error.message)}</Message></Error>"
            f"<RequestId>{exchange.request_id}</RequestId></ErrorResponse>"
        ).encode(),
    )
