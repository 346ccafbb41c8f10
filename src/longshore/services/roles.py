"""Roles as every service finds them: by ARN, in the store."""

from longshore.model import iam
from longshore.model.arn import parse_arn
from longshore.store.interface import Reader


def role_of_arn(reader: Reader, role_arn: str) -> iam.Role | None:
    """The role that has exactly this ARN."""
    arn = parse_arn(role_arn)
    if arn is None or arn.service != "iam" or arn.resource_type != "role":
        return None
    record = reader.get(iam.ROLE, arn.account, "", arn.resource.rpartition("/")[2].lower())
    return record.value if record is not None and record.value.arn == role_arn else None
