"""Every operation through botocore's own serialisers and parsers, both ways."""

from datetime import datetime

import pytest
from botocore.awsrequest import HeadersDict, create_request_object, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from longshore.awsapi.api import Api
from longshore.awsapi.http import HttpRequest
from longshore.model.errors import AwsError
from longshore.testing.shape_values import ShapeValues

SERVICES = [
    ("ecs", "json"),
    ("ecr", "json"),
    ("ec2", "ec2"),
    ("iam", "query"),
    ("sts", "query"),
    ("logs", "json"),
    ("ssm", "json"),
    ("secretsmanager", "json"),
    ("kms", "json"),
    ("eks", "rest-json"),
    ("lambda", "rest-json"),
    ("s3", "rest-xml"),
    ("elbv2", "query"),
    ("application-autoscaling", "json"),
    ("cloudwatch", "smithy-rpc-v2-cbor"),
    ("cloudwatch", "json"),
    ("cloudwatch", "query"),
    ("servicediscovery", "smithy-rpc-v2-cbor"),
    ("sqs", "json"),
]
SEEDS = (1, 2)
LOADER = Loader()


def models(service):
    model = ServiceModel(LOADER.load_service_model(service, "service-2"), service)
    return [model.operation_model(name) for name in model.operation_names]


def streams_events(shape):
    return shape is not None and any(
        member.serialization.get("eventstream") for member in shape.members.values()
    )


def sent(operation: OperationModel, protocol: str, values) -> HttpRequest:
    """What botocore would put on the wire."""
    serialized = create_serializer(protocol, include_validation=False).serialize_to_request(
        values, operation
    )
    prepare_request_dict(serialized, "http://127.0.0.1:4566", context={"is_presign_request": False})
    prepared = create_request_object(serialized).prepare()
    path, _, query = prepared.url.removeprefix("http://127.0.0.1:4566").partition("?")
    body = prepared.body if isinstance(prepared.body, bytes) else (prepared.body or "").encode()
    headers = {name.lower(): as_text(value) for name, value in prepared.headers.items()}
    return HttpRequest(prepared.method, path, query, headers, body)


def as_text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def as_epoch(value):
    """The value as our parsers give it: timestamps in epoch seconds."""
    if isinstance(value, dict):
        return {key: as_epoch(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_epoch(item) for item in value]
    return value.timestamp() if isinstance(value, datetime) else value


def without_empties(value):
    """Forms cannot say that a structure is there but empty."""
    if isinstance(value, dict):
        kept = {key: without_empties(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ({}, [])}
    if isinstance(value, list):
        return [item for item in map(without_empties, value) if item not in ({}, [])]
    return value


def request_values(seed, operation, protocol):
    values = ShapeValues(seed).of(operation.input_shape)
    values.pop("Expires", None)  # S3's: text in the model, a timestamp in botocore's extras
    return without_empties(values) if protocol in {"query", "ec2"} else values


AMBIGUOUS = {"PutBucketNotification", "GetBucketNotification"}
"""Deprecated S3 operations whose shapes give two members the same element."""


@pytest.mark.parametrize(("service", "protocol"), SERVICES)
def test_every_request_reads_back_as_botocore_wrote_it(service, protocol):
    api = Api(service)
    wire = api.protocol(protocol)
    wrong = []
    for operation in models(service):
        if operation.input_shape is None or streams_events(operation.input_shape):
            continue
        if operation.name in AMBIGUOUS:
            continue
        parse = wire.parser(api.model.operations[operation.name])
        for seed in SEEDS:
            values = request_values(seed, operation, protocol)
            read = parse(sent(operation, protocol, values))
            if read != as_epoch(values):
                wrong.append((operation.name, differences(as_epoch(values), read)))
    assert not wrong, f"{len(wrong)}: {wrong[:10]}"


@pytest.mark.parametrize(("service", "protocol"), SERVICES)
def test_every_response_decodes_with_botocores_own_parser(service, protocol):
    api = Api(service)
    wire = api.protocol(protocol)
    wrong = []
    for operation in models(service):
        if streams_events(operation.output_shape) or operation.name in AMBIGUOUS:
            continue
        serialize = wire.serializer(api.model.operations[operation.name])
        for seed in SEEDS:
            shape = operation.output_shape
            values = ShapeValues(seed).of(shape) if shape is not None else {}
            parsed = decoded(protocol, serialize(values, "request-1"), shape)
            metadata = parsed.pop("ResponseMetadata")
            assert metadata.get("RequestId", "request-1") == "request-1"
            if parsed != as_parsed(shape, values):
                wrong.append((operation.name, differences(as_parsed(shape, values), parsed)))
    assert not wrong, f"{len(wrong)}: {wrong[:10]}"


@pytest.mark.parametrize(("service", "protocol"), SERVICES)
def test_every_modelled_error_decodes_with_its_code_and_message(service, protocol):
    api = Api(service)
    wire = api.protocol(protocol)
    model = ServiceModel(LOADER.load_service_model(service, "service-2"), service)
    for shape in model.error_shapes:
        response = wire.error(AwsError(shape.name, "no <such> thing", 400), "request-1")
        parsed = decoded(protocol, response, None)
        code = shape.error_code if protocol in {"query", "ec2", "rest-xml"} else shape.name
        if "QueryErrorCode" in parsed["Error"]:
            assert parsed["Error"]["QueryErrorCode"] == shape.name
            code = shape.error_code
        assert parsed["Error"]["Code"] == code, response.body
        assert parsed["Error"]["Message"] == "no <such> thing", response.body
        assert response.status >= 400


def decoded(protocol, response, shape):
    return create_parser(protocol).parse(
        {
            "body": response.body,
            "headers": HeadersDict(response.headers),
            "status_code": response.status,
            "context": {},
        },
        shape,
    )


def as_parsed(shape, values):
    """What botocore makes of a raw payload: text, in both kinds."""
    payload = shape.serialization.get("payload") if shape is not None else None
    if payload and isinstance(values.get(payload), bytes):
        return {**values, payload: values[payload].decode()}
    return values


def differences(wanted, found, path=""):
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [
            line
            for key in sorted({*wanted, *found})
            for line in differences(wanted.get(key), found.get(key), f"{path}.{key}")
        ][:4]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [
            line
            for position, pair in enumerate(zip(wanted, found, strict=True))
            for line in differences(*pair, f"{path}[{position}]")
        ][:4]
    return [] if wanted == found else [f"{path}: {wanted!r} != {found!r}"]
