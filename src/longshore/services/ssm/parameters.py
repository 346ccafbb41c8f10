"""PutParameter and the deletions."""

from typing import TYPE_CHECKING

import msgspec

from longshore.base.expressions import ExpressionError, compile_expression
from longshore.base.sealing import Sealer
from longshore.model.errors import AwsError, not_built, not_implemented
from longshore.model.ssm import (
    PARAMETER,
    Parameter,
    ParameterVersion,
    parameter_arn,
    parameter_key,
)
from longshore.services.interface import Context, Response
from longshore.services.ssm.names import (
    check_new_name,
    find,
    keep,
    parameter_not_found,
    reference,
    validation,
)
from longshore.services.ssm.tags import checked

if TYPE_CHECKING:
    from types_boto3_ssm import type_defs as t

STANDARD_BYTES = 4096
ADVANCED_BYTES = 8192
MOST_VERSIONS = 100
PATTERN_SECONDS = 0.1
"""Longest that AllowedPattern may take on the value; it cannot be validated then."""
DEFAULT_KEY = "alias/aws/ssm"
DATA_TYPES = ("text", "aws:ec2:image", "aws:ssm:integration")
_USER_GUIDE = (
    "For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "parameter-store-advanced-parameters.html"
)


def put(sealer: Sealer, context: Context, request: "t.PutParameterRequestTypeDef") -> Response:
    to = reference(request["Name"])
    if to.selector:
        check_new_name(request["Name"])
    old = find(context, to)
    _check(request, old)
    name = old.name if old is not None else request["Name"]
    version = _version(sealer, context, request, old, name)
    if old is None:
        tags = checked((each["Key"], each["Value"]) for each in request.get("Tags") or ())
        keep(context, Parameter(name=name, versions=(version,), tags=tags))
    else:
        versions = (*_room_for_one(old), version)
        keep(context, msgspec.structs.replace(old, versions=versions))
    return {"Version": version.number, "Tier": version.tier}


def _check(request: "t.PutParameterRequestTypeDef", old: Parameter | None) -> None:
    name = request["Name"]
    if old is None:
        check_new_name(name)
    if request.get("Policies", "[]").strip() not in {"", "[]"}:
        raise not_implemented("ssm", "PutParameter with Policies")
    if request.get("Tags") and request.get("Overwrite"):
        raise validation(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with"
            " tags, please remove overwrite flag. To update tags for an existing parameter, please"
            " use AddTagsToResource or RemoveTagsFromResource."
        )
    if old is not None and not request.get("Overwrite"):
        raise AwsError(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in the"
            " request to true.",
        )
    data_type = request.get("DataType", "text")
    if data_type not in DATA_TYPES:
        raise validation(
            f"The following data type is not supported: {data_type} (Data type names are all"
            " lowercase.)"
        )
    _check_type(request, old)
    _check_pattern(request)


def _check_type(request: "t.PutParameterRequestTypeDef", old: Parameter | None) -> None:
    kind = request.get("Type")
    if kind is None and old is None:
        raise validation("A parameter type is required when you create a parameter.")
    if kind is not None and old is not None and kind != old.latest.type:
        raise AwsError(
            "HierarchyTypeMismatchException",
            f"The parameter type cannot be changed from {old.latest.type} to {kind}. Create a new,"
            " unique parameter.",
        )
    if request.get("KeyId") and (kind or (old and old.latest.type)) != "SecureString":
        raise validation("KeyId is not allowed for a parameter that is not of type SecureString.")
    if request.get("KeyId", DEFAULT_KEY) != DEFAULT_KEY:
        raise not_built("KMS keys of one's own for parameters")


def _check_pattern(request: "t.PutParameterRequestTypeDef") -> None:
    pattern, value = request.get("AllowedPattern"), request["Value"]
    if not value:
        raise validation(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member"
            " must have length greater than or equal to 1."
        )
    if not pattern:
        return
    if not _matches(pattern, value):
        raise AwsError(
            "ParameterPatternMismatchException",
            f"Parameter value, cannot be validated against allowedPattern: {pattern}",
        )


def _matches(pattern: str, value: str) -> bool:
    """Whether the pattern is found in the value, within the time that it may take."""
    try:
        found = compile_expression(pattern).search(value, timeout=PATTERN_SECONDS)
    except TimeoutError:
        return False
    except ExpressionError:
        raise AwsError(
            "InvalidAllowedPatternException", f"The regular expression {pattern} is not valid."
        ) from None
    return found is not None


def _tier(request: "t.PutParameterRequestTypeDef", old: Parameter | None) -> str:
    """The tier that the parameter gets; refuses a value too long for it."""
    size = len(request["Value"].encode())
    wanted = request.get("Tier") or (old.latest.tier if old is not None else "Standard")
    if wanted == "Intelligent-Tiering":
        was_advanced = old is not None and old.latest.tier == "Advanced"
        wanted = "Advanced" if size > STANDARD_BYTES or was_advanced else "Standard"
    if old is not None and old.latest.tier == "Advanced" and wanted == "Standard":
        raise validation(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from"
            " the advanced-parameter tier to the standard-parameter tier. If necessary, you can"
            " delete the advanced parameter and recreate it as a standard parameter."
        )
    if wanted == "Standard" and size > STANDARD_BYTES:
        raise validation(
            f"Standard tier parameters support a maximum parameter value of {STANDARD_BYTES}"
            " characters. To create a larger parameter value, upgrade the parameter to use the"
            f" advanced-parameter tier. {_USER_GUIDE}"
        )
    if size > ADVANCED_BYTES:
        raise validation(
            f"Advanced tier parameters support a maximum parameter value of {ADVANCED_BYTES}"
            f" characters. {_USER_GUIDE}"
        )
    return wanted


def _version(
    sealer: Sealer,
    context: Context,
    request: "t.PutParameterRequestTypeDef",
    old: Parameter | None,
    name: str,
) -> ParameterVersion:
    value = request["Value"]
    kind = request.get("Type") or (old.latest.type if old is not None else "String")
    key_id = ""
    if kind == "SecureString":
        arn = parameter_arn(context.account, context.region, name)
        value = sealer.seal(value.encode(), arn)
        key_id = DEFAULT_KEY
    return ParameterVersion(
        number=1 if old is None else old.latest.number + 1,
        value=value,
        type=kind,
        modified_at=context.now,
        modified_by=context.principal.arn,
        description=request.get("Description", old.latest.description if old is not None else ""),
        allowed_pattern=request.get("AllowedPattern", ""),
        key_id=key_id,
        tier=_tier(request, old),
        data_type=request.get("DataType", "text"),
    )


def _room_for_one(parameter: Parameter) -> tuple[ParameterVersion, ...]:
    """The versions that stay; the oldest of a hundred goes, unless it has a label."""
    if len(parameter.versions) < MOST_VERSIONS:
        return parameter.versions
    oldest = parameter.versions[0]
    if oldest.labels:
        raise AwsError(
            "ParameterMaxVersionLimitExceeded",
            f"You attempted to create a new version of {parameter.name} by calling the PutParameter"
            f" API with the overwrite flag. Version {oldest.number}, the oldest version, can't be"
            " deleted because it has a label associated with it. Move the label to another version"
            " of the parameter, and try again.",
        )
    return parameter.versions[1:]


def delete(context: Context, request: "t.DeleteParameterRequestTypeDef") -> Response:
    if not _delete(context, request["Name"]):
        raise parameter_not_found()
    return {}


def delete_several(context: Context, request: "t.DeleteParametersRequestTypeDef") -> Response:
    deleted: list[str] = []
    invalid: list[str] = []
    for name in request["Names"]:
        (deleted if _delete(context, name) else invalid).append(name)
    return {"DeletedParameters": deleted, "InvalidParameters": invalid}


def _delete(context: Context, name: str) -> bool:
    found = find(context, reference(name))
    if found is None:
        return False
    context.tx.delete(PARAMETER, context.account, context.region, parameter_key(found.name))
    return True
