"""Labels of parameter versions."""

import re
from typing import TYPE_CHECKING

import msgspec

from longshore.model.errors import AwsError
from longshore.model.ssm import Parameter, ParameterVersion
from longshore.services.interface import Context, Response
from longshore.services.ssm.names import keep, require

if TYPE_CHECKING:
    from types_boto3_ssm import type_defs as t

MOST_LABELS = 10
_LABEL = re.compile(r"(?!aws|ssm)(?!\d)[A-Za-z0-9_.-]{1,100}", re.IGNORECASE)


def label(context: Context, request: "t.LabelParameterVersionRequestTypeDef") -> Response:
    """Give labels to a version (the latest, if none is named); others lose them."""
    parameter = require(context, request["Name"])
    version = _version(parameter, request.get("ParameterVersion"))
    invalid = [each for each in request["Labels"] if not _LABEL.fullmatch(each)]
    labels = [each for each in request["Labels"] if each not in invalid]
    kept = tuple(dict.fromkeys((*version.labels, *labels)))
    if len(kept) > MOST_LABELS:
        raise AwsError(
            "ParameterVersionLabelLimitExceeded",
            f"A parameter version can have maximum {MOST_LABELS} labels. Move one or more labels to"
            " another version and try again.",
        )
    versions = tuple(
        _labelled(each, kept)
        if each.number == version.number
        else _labelled(each, tuple(text for text in each.labels if text not in labels))
        for each in parameter.versions
    )
    keep(context, msgspec.structs.replace(parameter, versions=versions))
    return {"InvalidLabels": invalid, "ParameterVersion": version.number}


def unlabel(context: Context, request: "t.UnlabelParameterVersionRequestTypeDef") -> Response:
    parameter = require(context, request["Name"])
    version = _version(parameter, request["ParameterVersion"])
    removed = [each for each in request["Labels"] if each in version.labels]
    left = tuple(each for each in version.labels if each not in removed)
    versions = tuple(
        _labelled(each, left) if each.number == version.number else each
        for each in parameter.versions
    )
    keep(context, msgspec.structs.replace(parameter, versions=versions))
    return {
        "RemovedLabels": removed,
        "InvalidLabels": [each for each in request["Labels"] if each not in removed],
    }


def _labelled(version: ParameterVersion, labels: tuple[str, ...]) -> ParameterVersion:
    return msgspec.structs.replace(version, labels=labels)


def _version(parameter: Parameter, number: int | None) -> ParameterVersion:
    if number is None:
        return parameter.latest
    for version in parameter.versions:
        if version.number == number:
            return version
    raise AwsError(
        "ParameterVersionNotFound",
        f"Systems Manager could not find version {number} of {parameter.name}. Verify the version"
        " and try again.",
    )
