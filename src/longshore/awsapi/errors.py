"""Error codes as each protocol and service spells them ("Common Errors" of their references).

Rooms below and above raise the codes of the query protocol (`SignatureDoesNotMatch`); the tables
here say what that is elsewhere.
"""

from typing import NamedTuple

from longshore.awsapi.model import ErrorTraits, ServiceModel, Shape
from longshore.model.errors import AwsError


class Spelling(NamedTuple):
    """A code, its HTTP status, and AWS's message where it differs (empty: the message given)."""

    code: str
    status: int
    message: str = ""


NOT_VALIDATED = "AWS was not able to validate the provided access credentials"

JSON = {
    "AccessDenied": Spelling("AccessDeniedException", 400),
    "AccessDeniedException": Spelling("AccessDeniedException", 400),
    "ExpiredToken": Spelling("ExpiredTokenException", 400),
    "IncompleteSignature": Spelling("IncompleteSignatureException", 400),
    "InternalFailure": Spelling("InternalFailure", 500),
    "InvalidAction": Spelling("UnknownOperationException", 400),
    "InvalidClientTokenId": Spelling("UnrecognizedClientException", 400),
    "MissingAuthenticationToken": Spelling("MissingAuthenticationTokenException", 400),
    "SerializationException": Spelling("SerializationException", 400),
    "ServiceUnavailable": Spelling("ServiceUnavailableException", 503),
    "SignatureDoesNotMatch": Spelling("InvalidSignatureException", 400),
    "Throttling": Spelling("ThrottlingException", 400),
}
REST = {code: spelling._replace(status=403) for code, spelling in JSON.items()} | {
    code: JSON[code] for code in ("InternalFailure", "ServiceUnavailable", "SerializationException")
}
REST["InvalidAction"] = Spelling("UnknownOperationException", 404)
REST["Throttling"] = Spelling("TooManyRequestsException", 429)
QUERY = {
    "AccessDenied": Spelling("AccessDenied", 403),
    "AccessDeniedException": Spelling("AccessDenied", 403),
    "ExpiredToken": Spelling("ExpiredToken", 403),
    "IncompleteSignature": Spelling("IncompleteSignature", 400),
    "InternalFailure": Spelling("InternalFailure", 500),
    "InvalidAction": Spelling("InvalidAction", 400),
    "InvalidClientTokenId": Spelling("InvalidClientTokenId", 403),
    "MissingAuthenticationToken": Spelling("MissingAuthenticationToken", 403),
    "SerializationException": Spelling("MalformedInput", 400),
    "ServiceUnavailable": Spelling("ServiceUnavailable", 503),
    "SignatureDoesNotMatch": Spelling("SignatureDoesNotMatch", 403),
    "Throttling": Spelling("Throttling", 400),
}
EC2 = QUERY | {
    "AccessDenied": Spelling("UnauthorizedOperation", 403),
    "AccessDeniedException": Spelling("UnauthorizedOperation", 403),
    "ExpiredToken": Spelling("RequestExpired", 400, "Request has expired."),
    "IncompleteSignature": Spelling("AuthFailure", 401, NOT_VALIDATED),
    "InternalFailure": Spelling("InternalError", 500, "An internal error has occurred"),
    "InvalidClientTokenId": Spelling("AuthFailure", 401, NOT_VALIDATED),
    "MissingAuthenticationToken": Spelling(
        "MissingParameter", 400, "The request must contain the parameter AWSAccessKeyId"
    ),
    "ServiceUnavailable": Spelling("Unavailable", 503),
    "SignatureDoesNotMatch": Spelling("AuthFailure", 401, NOT_VALIDATED),
    "Throttling": Spelling("RequestLimitExceeded", 503, "Request limit exceeded."),
}
XML = QUERY | {
    "AccessDenied": Spelling("AccessDenied", 403),
    "InvalidClientTokenId": Spelling(
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "InternalFailure": Spelling("InternalError", 500),
    "SerializationException": Spelling(
        "MalformedXML",
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
}


class Described(NamedTuple):
    """An error as it goes out."""

    code: str
    message: str
    status: int
    shape_name: str
    """Of the modelled error; empty where the model knows none."""
    sender: bool
    wire_code: str
    """What the query protocol calls it (`error.code` of the model)."""


def describe(model: ServiceModel, error: AwsError, spellings: dict[str, Spelling]) -> Described:
    """What this error is in this service's model, or among the common errors."""
    name = model.error_shapes.get(error.code, "")
    if name:
        shape = model.shapes[name]
        status = modelled_status(shape, error.status)
        return Described(
            name, error.message, status, name, _sender(shape, status), shape.error.code or name
        )
    spelling = spellings.get(error.code, Spelling(error.code, error.status))
    message = spelling.message or error.message
    return Described(
        spelling.code, message, spelling.status, "", spelling.status < 500, spelling.code
    )


def modelled_status(shape: Shape, given: int) -> int:
    """The model's status; 500 for a fault without one; else what was given."""
    if shape.error.http_status_code:
        return shape.error.http_status_code
    if shape.fault:
        return max(given, 500)
    return given


def _sender(shape: Shape, status: int) -> bool:
    traits: ErrorTraits = shape.error
    return traits.sender_fault if traits.sender_fault is not None else status < 500
