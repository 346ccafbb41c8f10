"""What Systems Manager's Parameter Store keeps. Values are sealed where the type is SecureString.

A parameter's record is named by its name with a leading slash; versions lie in it, oldest first.
Times are epoch seconds.
"""

import msgspec

from longshore.model.arn import make_arn
from longshore.model.kind import Kind

Tags = tuple[tuple[str, str], ...]


class ParameterVersion(msgspec.Struct, frozen=True, kw_only=True):
    """`value` is base64 of the sealed value for a SecureString, the value itself otherwise."""

    number: int
    value: str
    type: str
    modified_at: float
    modified_by: str
    description: str = ""
    allowed_pattern: str = ""
    key_id: str = ""
    tier: str = "Standard"
    data_type: str = "text"
    labels: tuple[str, ...] = ()


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    versions: tuple[ParameterVersion, ...]
    tags: Tags = ()

    @property
    def latest(self) -> ParameterVersion:
        return self.versions[-1]


PARAMETER = Kind("ssm.parameter", Parameter)


def parameter_arn(account: str, region: str, name: str) -> str:
    """`parameter/name`: a leading slash of the name is not doubled."""
    return make_arn("ssm", region, account, f"parameter/{name.removeprefix('/')}")


def parameter_key(name: str) -> str:
    """The record name; `/a` and `a` share an ARN, so they are one record."""
    return name if name.startswith("/") else f"/{name}"
