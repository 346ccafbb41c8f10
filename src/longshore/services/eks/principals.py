"""IAM principals: whom access entries are for, and who makes a cluster."""

from typing import NamedTuple

from longshore.model.arn import Arn, parse_arn
from longshore.model.errors import AwsError
from longshore.model.iam import USER
from longshore.services.eks.failures import invalid_parameter
from longshore.services.interface import Context
from longshore.services.roles import role_of_arn
from longshore.store.interface import Reader

SERVICE_LINKED = "role/aws-service-role/"


class Principal(NamedTuple):
    """A user or role. `id` is its unique id, which one made anew under the same ARN has not."""

    arn: str
    account: str
    kind: str
    """`user` or `role`; the root user is a user."""
    name: str
    id: str

    @property
    def username(self) -> str:
        """Its name in clusters where none is given ("Create access entries", EKS User Guide)."""
        if self.kind == "user":
            return self.arn
        return f"arn:aws:sts::{self.account}:assumed-role/{self.name}/{{{{SessionName}}}}"


def check_format(arn: str, cluster: str) -> None:
    """InvalidParameterException unless it looks like the ARN of a user or role."""
    _parts(arn, cluster)


def existing_principal(context: Context, arn: str, cluster: str) -> Principal:
    """The user or role of this ARN, of any account; InvalidParameterException."""
    parts = _parts(arn, cluster)
    if parts.resource.startswith(SERVICE_LINKED):
        raise invalid_parameter(
            "The specified principalArn is invalid: service-linked roles are not supported.",
            cluster,
        )
    unique_id = _unique_id(context.tx, arn, parts)
    if parts.resource == "root" and parts.account == context.account:
        unique_id = parts.account
    if not unique_id:
        raise invalid_parameter(
            "The specified principalArn is invalid: invalid principal.", cluster
        )
    return _principal(arn, parts, unique_id)


def known_principal(context: Context, arn: str, cluster: str) -> Principal | None:
    """The same; None where there is none that may have an access entry."""
    try:
        return existing_principal(context, arn, cluster)
    except AwsError:
        return None


def caller(context: Context) -> Principal | None:
    """The user or role that calls (a role, not its session); None for what is neither."""
    who = context.principal
    arn = who.role_arn or who.user_arn or who.arn
    parts = parse_arn(arn)
    if parts is None or not _is_principal(parts):
        return None
    unique_id = _unique_id(context.tx, arn, parts) or who.user_id.partition(":")[0]
    return _principal(arn, parts, unique_id)


def _parts(arn: str, cluster: str) -> Arn:
    parts = parse_arn(arn)
    if parts is None or not _is_principal(parts):
        raise invalid_parameter("The principalArn parameter format is not valid", cluster)
    return parts


def _is_principal(parts: Arn) -> bool:
    kind = parts.resource.partition("/")[0]
    return parts.service == "iam" and bool(parts.account) and kind in {"user", "role", "root"}


def _principal(arn: str, parts: Arn, unique_id: str) -> Principal:
    kind = "role" if parts.resource_type == "role" else "user"
    name = parts.resource.rpartition("/")[2]
    return Principal(arn=arn, account=parts.account, kind=kind, name=name, id=unique_id)


def _unique_id(reader: Reader, arn: str, parts: Arn) -> str:
    """The id of the user or role; empty where there is none of exactly this ARN."""
    role = role_of_arn(reader, arn)
    if role is not None:
        return role.id
    user = reader.get(USER, parts.account, "", parts.resource.rpartition("/")[2].lower())
    return user.value.id if user is not None and user.value.arn == arn else ""
