"""One file a protocol: requests to plain values, responses and errors back.

Enters: a service's model, HTTP requests, what operations return, `AwsError`.
Leaves: closures for one operation each, made by `Protocol` when the operation is first called.
"""

from longshore.awsapi.model import ServiceModel
from longshore.awsapi.protocol.cbor import CborProtocol
from longshore.awsapi.protocol.ec2 import Ec2Protocol
from longshore.awsapi.protocol.interface import Parse, Protocol, Serialize
from longshore.awsapi.protocol.json import JsonProtocol
from longshore.awsapi.protocol.query import QueryProtocol
from longshore.awsapi.protocol.rest_json import RestJsonProtocol
from longshore.awsapi.protocol.rest_xml import RestXmlProtocol

__all__ = ["PROTOCOLS", "Parse", "Protocol", "Serialize", "protocol_of"]

PROTOCOLS: dict[str, type[Protocol]] = {
    "json": JsonProtocol,
    "query": QueryProtocol,
    "ec2": Ec2Protocol,
    "rest-json": RestJsonProtocol,
    "rest-xml": RestXmlProtocol,
    "smithy-rpc-v2-cbor": CborProtocol,
}


def protocol_of(model: ServiceModel, name: str = "") -> Protocol:
    """The protocol of this name, or the model's own, for a service."""
    return PROTOCOLS[name or model.metadata.protocol](model)
