"""Names of parameters, what they refer to, and the resources of each call for IAM."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from longshore.model.arn import parse_arn
from longshore.model.errors import AwsError
from longshore.model.ssm import (
    PARAMETER,
    Parameter,
    ParameterVersion,
    parameter_arn,
    parameter_key,
)
from longshore.services.interface import Context, Resource
from longshore.services.ssm.public import arn_of, public_parameter

LEVELS = 15
LONGEST = 1011
"""Characters of the ARN's part after `parameter/` ("PutParameter", API reference)."""
_NAME = re.compile(r"[A-Za-z0-9_./-]+")


def validation(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def parameter_not_found() -> AwsError:
    return AwsError("ParameterNotFound", "")


def check_new_name(name: str) -> None:
    """The rules of PutParameter."""
    if not _NAME.fullmatch(name) or name.endswith("/") or "//" in name:
        raise validation(_requirements())
    if "/" in name and not name.startswith("/"):
        raise validation("Parameter name must be a fully qualified name.")
    bare = name.removeprefix("/").lower()
    if bare.startswith("aws"):
        raise AwsError("AccessDeniedException", f"No access to reserved parameter name: {name}.")
    if bare.startswith("ssm"):
        raise validation(_requirements())
    levels = name.removeprefix("/").count("/") + 1
    if levels > LEVELS:
        raise AwsError(
            "HierarchyLevelLimitExceededException",
            f"Hierarchical parameter has {levels} levels, which exceeds the limit of {LEVELS}.",
        )
    if len(name) > LONGEST:
        raise validation(f"Parameter name must not be longer than {LONGEST} characters.")


def _requirements() -> str:
    return (
        'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive). If formed as a'
        " path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as"
        " a mix of letters, numbers and the following 3 symbols .-_"
    )


class Reference(NamedTuple):
    """A parameter as a request names it: `name`, `name:version`, `name:label` or an ARN."""

    name: str
    selector: str = ""
    """With its colon, as responses show it."""
    account: str = ""
    region: str = ""


def reference(text: str) -> Reference:
    arn = parse_arn(text)
    if arn is None:
        name, colon, selector = text.partition(":")
        return Reference(name, colon + selector)
    if arn.service != "ssm" or not arn.resource.startswith("parameter/"):
        raise validation(f"Invalid parameter ARN: {text}")
    name, colon, selector = arn.resource.removeprefix("parameter").partition(":")
    return Reference(name, colon + selector, arn.account, arn.region)


def find(context: Context, to: Reference) -> Parameter | None:
    """The parameter, or None; of the caller's own account and region only."""
    if (to.account or context.account, to.region or context.region) != (
        context.account,
        context.region,
    ):
        return None
    record = context.tx.get(PARAMETER, context.account, context.region, parameter_key(to.name))
    return None if record is None else record.value


def find_any(context: Context, to: Reference) -> Parameter | None:
    """The same, or the public parameter of that name."""
    return find(context, to) or public_parameter(to.region or context.region, to.name)


def require(context: Context, text: str) -> Parameter:
    found = find(context, reference(text))
    if found is None:
        raise parameter_not_found()
    return found


def version_of(parameter: Parameter, selector: str) -> ParameterVersion | None:
    """The version that a selector (`:3`, `:prod` or nothing) picks."""
    wanted = selector.removeprefix(":")
    if not wanted:
        return parameter.latest
    for version in parameter.versions:
        if str(version.number) == wanted or wanted in version.labels:
            return version
    return None


def keep(context: Context, parameter: Parameter) -> None:
    key = parameter_key(parameter.name)
    context.tx.put(PARAMETER, context.account, context.region, key, parameter)


def _resource(context: Context, text: str) -> Resource:
    to = reference(text)
    parameter = find(context, to)
    tags = {} if parameter is None else dict(parameter.tags)
    arn = parameter_arn(to.account or context.account, to.region or context.region, to.name)
    return Resource(
        arn=arn if to.account else arn_of(context.account, context.region, to.name),
        conditions={f"aws:ResourceTag/{key}": value for key, value in tags.items()},
    )


def named(context: Context, request: Mapping[str, Any]) -> Iterable[Resource]:
    yield _resource(context, request["Name"])


def all_named(context: Context, request: Mapping[str, Any]) -> Iterable[Resource]:
    for name in request["Names"]:
        yield _resource(context, name)


def tagged(context: Context, request: Mapping[str, Any]) -> Iterable[Resource]:
    if request["ResourceType"] == "Parameter":
        yield _resource(context, request["ResourceId"])


def under_path(context: Context, request: Mapping[str, Any]) -> Iterable[Resource]:
    path = request["Path"].rstrip("/")
    yield Resource(arn=arn_of(context.account, context.region, path))


def every_parameter(context: Context, request: Mapping[str, Any]) -> Iterable[Resource]:
    del request
    yield Resource(arn=f"arn:aws:ssm:{context.region}:{context.account}:*")
