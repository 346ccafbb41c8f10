"""Instance profiles, and the roles that instances have by them."""

from longshore.model.arn import parse_arn
from longshore.model.iam import INSTANCE_PROFILE, ROLE, InstanceProfile, Role
from longshore.store.interface import Reader


def find_profile(reader: Reader, account: str, profile_arn: str) -> InstanceProfile | None:
    """The account's instance profile of exactly this ARN."""
    arn = parse_arn(profile_arn)
    if arn is None or arn.account != account or arn.resource_type != "instance-profile":
        return None
    found = profile_named(reader, account, arn.resource.rpartition("/")[2])
    return found if found is not None and found.arn == profile_arn else None


def profile_named(reader: Reader, account: str, name: str) -> InstanceProfile | None:
    record = reader.get(INSTANCE_PROFILE, account, "", name.lower())
    return record.value if record is not None else None


def role_of(reader: Reader, account: str, profile_arn: str) -> Role | None:
    """The role of an instance profile; None where there is no such profile, or no role in it."""
    profile = find_profile(reader, account, profile_arn)
    if profile is None or not profile.roles:
        return None
    record = reader.get(ROLE, account, "", profile.roles[0].lower())
    return record.value if record is not None else None
