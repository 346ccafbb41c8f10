"""GetParameter and its kin: by name, by path, history, description."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from longshore.base.sealing import Sealer, Unsealable
from longshore.model.errors import AwsError
from longshore.model.ssm import (
    PARAMETER,
    Parameter,
    ParameterVersion,
    parameter_arn,
)
from longshore.services.interface import Context, Response
from longshore.services.ssm.filters import parsed
from longshore.services.ssm.names import (
    Reference,
    find_any,
    parameter_not_found,
    reference,
    require,
    validation,
    version_of,
)
from longshore.services.ssm.public import arn_of, under

if TYPE_CHECKING:
    from types_boto3_ssm import type_defs as t

PATH_PAGE = 10
HISTORY_PAGE = 50
DESCRIBE_PAGE = 10


def get(sealer: Sealer, context: Context, request: "t.GetParameterRequestTypeDef") -> Response:
    to = reference(request["Name"])
    parameter = find_any(context, to)
    if parameter is None:
        raise parameter_not_found()
    version = version_of(parameter, to.selector)
    if version is None:
        raise AwsError(
            "ParameterVersionNotFound",
            f"Systems Manager could not find version {to.selector.removeprefix(':')} of"
            f" {parameter.name}. Verify the version and try again.",
        )
    decrypted = request.get("WithDecryption", False)
    return {"Parameter": _shown(sealer, context, parameter, version, decrypted, to)}


def get_several(
    sealer: Sealer, context: Context, request: "t.GetParametersRequestTypeDef"
) -> Response:
    found, invalid = [], []
    for name in request["Names"]:
        to = reference(name)
        parameter = find_any(context, to)
        version = None if parameter is None else version_of(parameter, to.selector)
        if parameter is None or version is None:
            invalid.append(name)
        else:
            decrypted = request.get("WithDecryption", False)
            found.append(_shown(sealer, context, parameter, version, decrypted, to))
    return {"Parameters": found, "InvalidParameters": invalid}


def get_by_path(
    sealer: Sealer, context: Context, request: "t.GetParametersByPathRequestTypeDef"
) -> Response:
    path = request["Path"]
    if not path.startswith("/"):
        raise validation(
            "The parameter doesn't meet the parameter name requirements. The parameter name must"
            ' begin with a forward slash "/". It can\'t be prefixed with "aws" or "ssm"'
            " (case-insensitive)."
        )
    prefix = path.rstrip("/") + "/"
    accepts = parsed(request.get("ParameterFilters") or (), by_path=True)
    shown = [
        (parameter, version)
        for parameter in (*_parameters(context, prefix), *under(context.region, prefix))
        if (request.get("Recursive") or "/" not in parameter.name.removeprefix(prefix))
        and parameter.name.startswith(prefix if prefix != "/" else "")
        and (version := accepts(parameter)) is not None
    ]
    some, token = page(shown, request.get("NextToken"), request.get("MaxResults", PATH_PAGE))
    decrypted = request.get("WithDecryption", False)
    return {
        "Parameters": [
            _shown(sealer, context, parameter, version, decrypted) for parameter, version in some
        ],
        **token,
    }


def describe(context: Context, request: "t.DescribeParametersRequestTypeDef") -> Response:
    older = [
        {"Key": each["Key"], "Values": each["Values"], "Option": "BeginsWith"}
        if each["Key"] == "Name"
        else {"Key": each["Key"], "Values": each["Values"]}
        for each in request.get("Filters") or ()
    ]
    accepts = parsed([*older, *(request.get("ParameterFilters") or ())], by_path=False)
    found = [parameter for parameter in _parameters(context, "") if accepts(parameter) is not None]
    some, token = page(found, request.get("NextToken"), request.get("MaxResults", DESCRIBE_PAGE))
    described = [
        _metadata(parameter.latest)
        | {
            "Name": parameter.name,
            "ARN": parameter_arn(context.account, context.region, parameter.name),
        }
        for parameter in some
    ]
    return {"Parameters": described, **token}


def history(
    sealer: Sealer, context: Context, request: "t.GetParameterHistoryRequestTypeDef"
) -> Response:
    parameter = require(context, request["Name"])
    some, token = page(
        parameter.versions, request.get("NextToken"), request.get("MaxResults", HISTORY_PAGE)
    )
    decrypted = request.get("WithDecryption", False)
    return {
        "Parameters": [
            _metadata(version)
            | {
                "Name": parameter.name,
                "Value": _value(sealer, context, parameter, version, decrypted),
                "Labels": list(version.labels),
            }
            for version in some
        ],
        **token,
    }


def _parameters(context: Context, prefix: str) -> Sequence[Parameter]:
    records = context.tx.scan(PARAMETER, context.account, context.region, prefix=prefix)
    return [record.value for record in records]


def page(
    items: Sequence[Any], token: str | None, limit: int
) -> tuple[Sequence[Any], Mapping[str, str]]:
    """Items from the token's number on, and `NextToken` where there are more."""
    if token is not None and not (token.isascii() and token.isdecimal() and len(token) < 12):
        raise AwsError("InvalidNextToken", "The specified token is not valid.")
    start = int(token or 0)
    end = start + limit
    return items[start:end], {"NextToken": str(end)} if end < len(items) else {}


def _value(
    sealer: Sealer,
    context: Context,
    parameter: Parameter,
    version: ParameterVersion,
    decrypted: bool,
) -> str:
    """The value; that of a SecureString sealed, unless it is to be decrypted."""
    if version.type != "SecureString" or not decrypted:
        return version.value
    try:
        arn = parameter_arn(context.account, context.region, parameter.name)
        return sealer.unseal(version.value, arn).decode()
    except Unsealable:
        raise AwsError(
            "InvalidKeyId", f"The value of {parameter.name} was sealed with a key that is gone."
        ) from None


def _shown(
    sealer: Sealer,
    context: Context,
    parameter: Parameter,
    version: ParameterVersion,
    decrypted: bool,
    to: Reference | None = None,
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Name": parameter.name,
        "Type": version.type,
        "Value": _value(sealer, context, parameter, version, decrypted),
        "Version": version.number,
        "LastModifiedDate": version.modified_at,
        "ARN": arn_of(context.account, context.region, parameter.name),
        "DataType": version.data_type,
    }
    if to is not None and to.selector:
        shown["Selector"] = to.selector
    return shown


def _metadata(version: ParameterVersion) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "Type": version.type,
        "KeyId": version.key_id,
        "LastModifiedDate": version.modified_at,
        "LastModifiedUser": version.modified_by,
        "Description": version.description,
        "AllowedPattern": version.allowed_pattern,
        "Version": version.number,
        "Tier": version.tier,
        "Policies": [],
        "DataType": version.data_type,
    }
    return {name: value for name, value in metadata.items() if value != ""}
