"""Filters of DescribeParameters and GetParametersByPath ("ParameterStringFilter")."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from longshore.model.errors import AwsError
from longshore.model.ssm import Parameter, ParameterVersion

Accept = Callable[[Parameter], ParameterVersion | None]
"""The version of a parameter that passes all filters; None where none does."""

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "Name": ("Equals", "BeginsWith", "Contains"),
    "Path": ("OneLevel", "Recursive"),
    "Type": ("Equals", "BeginsWith"),
    "KeyId": ("Equals", "BeginsWith"),
    "Tier": ("Equals",),
    "DataType": ("Equals",),
    "Label": ("Equals",),
}
"""By key, the options it takes; the first one is what is meant where none is given."""
BY_PATH = ("Type", "KeyId", "Label", "DataType")


def parsed(filters: Sequence[Mapping[str, Any]], *, by_path: bool) -> Accept:
    """What the filters together accept; raises AWS's errors of wrong ones."""
    checks = [_check(each, by_path) for each in filters]
    labels = next((each["Values"] for each in filters if each["Key"] == "Label"), None)

    def accept(parameter: Parameter) -> ParameterVersion | None:
        if not all(check(parameter) for check in checks):
            return None
        if labels is None:
            return parameter.latest
        labelled = (each for each in parameter.versions if set(labels) & set(each.labels))
        return next(labelled, None)

    return accept


def _check(given: Mapping[str, Any], by_path: bool) -> Callable[[Parameter], bool]:
    key = given["Key"]
    values = given.get("Values") or []
    is_tag = key.startswith("tag:")
    if by_path and (is_tag or key not in BY_PATH):
        raise AwsError(
            "InvalidFilterKey",
            f"The following filter key is not valid: {key}. Valid filter keys include: [Type,"
            " KeyId, Label, DataType].",
        )
    options = ("Equals",) if is_tag else OPTIONS[key]
    option = given.get("Option") or options[0]
    if option not in options:
        raise AwsError(
            "InvalidFilterOption",
            f"The following filter option is not valid: {option}. Valid options include:"
            f" [{', '.join(options)}].",
        )
    if not values and not is_tag:
        raise AwsError(
            "InvalidFilterValue",
            f"The following filter values are missing: null for filter key {key}",
        )
    if is_tag:
        return lambda parameter: _has_tag(parameter, key.removeprefix("tag:"), values)
    return lambda parameter: any(
        _passes(option, candidate, value)
        for candidate in _texts(parameter, key)
        for value in values
    )


def _has_tag(parameter: Parameter, key: str, values: Sequence[str]) -> bool:
    tags = dict(parameter.tags)
    return key in tags and (not values or tags[key] in values)


def _texts(parameter: Parameter, key: str) -> Sequence[str]:
    latest = parameter.latest
    if key == "Label":
        return [label for version in parameter.versions for label in version.labels]
    return [
        {
            "Name": parameter.name,
            "Path": parameter.name,
            "Type": latest.type,
            "KeyId": latest.key_id,
            "Tier": latest.tier,
            "DataType": latest.data_type,
        }[key]
    ]


def _passes(option: str, text: str, value: str) -> bool:
    if option == "BeginsWith":
        return text.removeprefix("/").startswith(value.removeprefix("/"))
    if option == "Contains":
        return value in text
    if option == "Equals":
        return text.removeprefix("/") == value.removeprefix("/")
    prefix = value.rstrip("/") + "/"
    rest = text.removeprefix(prefix)
    return text.startswith(prefix) and (option == "Recursive" or "/" not in rest)
