"""Users and keys of IAM as records, for tests that are not about how they are made."""

from typing import Any

from longshore.base.ids import Ids
from longshore.model import iam
from longshore.model.arn import make_arn
from longshore.policy.key_ids import LONG_LIVED, access_key_id, unique_id


def user_with_key(
    ids: Ids, account: str, name: str, **fields: Any
) -> tuple[iam.User, iam.AccessKey]:
    """A user with `fields` and an active key of theirs; neither is in a store."""
    user = iam.User(
        name=name,
        path="/",
        id=unique_id("user", ids),
        arn=make_arn("iam", "", account, f"user/{name}"),
        created_at=0.0,
        **fields,
    )
    key = iam.AccessKey(
        id=access_key_id(LONG_LIVED, account, ids),
        secret=ids.hex(40),
        account=account,
        user_name=name,
        status="Active",
        created_at=0.0,
    )
    return user, key
