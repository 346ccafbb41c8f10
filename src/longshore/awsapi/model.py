"""botocore's service models as values: only what the wire needs, none of the documentation."""

import gzip
import json
import zlib
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec


def _data() -> Path:
    """Where botocore keeps its models; found without the cost of importing it."""
    spec = find_spec("botocore")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("botocore")
    return Path(spec.origin).parent / "data"


DATA = _data()
HEAD = 8192
"""Bytes in which a model's metadata is looked for: reading all of EC2's takes 20 ms."""


class Member(msgspec.Struct, frozen=True, rename="camel"):
    """A reference to a shape, with the traits that hold for this place alone."""

    shape: str
    location: str = ""
    """`uri`, `header`, `headers`, `querystring`, `statusCode`, or empty for the body."""
    location_name: str = ""
    query_name: str = ""
    flattened: bool | None = None
    xml_attribute: bool = False
    xml_namespace: Any = None
    timestamp_format: str = ""
    jsonvalue: bool = False
    streaming: bool = False
    eventpayload: bool = False


class ErrorTraits(msgspec.Struct, frozen=True, rename="camel"):
    code: str = ""
    http_status_code: int = 0
    sender_fault: bool | None = None


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """One shape. `type` is structure, list, map, string, integer, long, float, double, …"""

    type: str
    required: tuple[str, ...] = ()
    members: dict[str, Member] = msgspec.field(default_factory=dict)
    member: Member | None = None
    key: Member | None = None
    value: Member | None = None
    enum: tuple[Any, ...] = ()
    min: float | None = None
    max: float | None = None
    pattern: str = ""
    exception: bool = False
    error: ErrorTraits = ErrorTraits()
    fault: bool = False
    flattened: bool = False
    location_name: str = ""
    payload: str = ""
    streaming: bool = False
    timestamp_format: str = ""
    xml_namespace: Any = None
    jsonvalue: bool = False
    document: bool = False
    eventstream: bool = False
    union: bool = False
    box: bool = False


class Http(msgspec.Struct, frozen=True, rename="camel"):
    method: str = "POST"
    request_uri: str = "/"
    response_code: int = 200


class Reference(msgspec.Struct, frozen=True, rename="camel"):
    """An operation's input or output."""

    shape: str
    result_wrapper: str = ""
    location_name: str = ""
    xml_namespace: Any = None


class OperationModel(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    http: Http = Http()
    input: Reference | None = None
    output: Reference | None = None
    errors: tuple[Reference, ...] = ()


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    protocol: str
    api_version: str = ""
    endpoint_prefix: str = ""
    json_version: str = "1.0"
    protocols: tuple[str, ...] = ()
    service_id: str = ""
    signing_name: str = ""
    target_prefix: str = ""
    xml_namespace: Any = None
    aws_query_compatible: Any = None

    @property
    def scope_name(self) -> str:
        """The service's name in a credential scope."""
        return self.signing_name or self.endpoint_prefix


class ServiceModel(msgspec.Struct, frozen=True, rename="camel", dict=True):
    """One API version of one service."""

    metadata: Metadata
    operations: dict[str, OperationModel]
    shapes: dict[str, Shape]

    @cached_property
    def error_shapes(self) -> dict[str, str]:
        """Shape names of errors by shape name and by wire code (`AuthorizationError`)."""
        names = {shape.error.code: name for name, shape in self.shapes.items() if shape.error.code}
        names.update({name: name for name, shape in self.shapes.items() if shape.exception})
        return names


class ModelHead(msgspec.Struct, frozen=True):
    """A model read for its metadata alone."""

    metadata: Metadata


def model_path(name: str) -> Path | None:
    """The newest model of botocore's service `name` (`ecs`), or None where there is none."""
    if "/" in name or name.startswith("."):
        return None
    versions = sorted((DATA / name).glob("*/service-2.json*"))
    return versions[-1] if versions else None


def load_model(name: str) -> ServiceModel:
    """The model of botocore's service `name`; raises LookupError where there is none."""
    path = model_path(name)
    if path is None:
        raise LookupError(name)
    return msgspec.json.decode(read(path), type=ServiceModel)


@cache
def load_metadata(name: str) -> Metadata:
    """The metadata alone, from the head of the model where it stands there; raises LookupError."""
    path = model_path(name)
    if path is None:
        raise LookupError(name)
    text = _head(path)
    start = text.find('"metadata":')
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start + len('"metadata":'))
        return msgspec.convert(value, Metadata)
    except (ValueError, msgspec.ValidationError):
        return msgspec.json.decode(read(path), type=ModelHead).metadata


def _head(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(HEAD)
    if path.suffix == ".gz":
        data = zlib.decompressobj(wbits=31).decompress(data, HEAD)
    return data.decode("utf-8", "replace")


def read(path: Path) -> bytes:
    """The model's JSON; botocore's packages hold it compressed or plain."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
