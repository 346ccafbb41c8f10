"""Deletion of keys, after a waiting period in which they are of no use and can be had back."""

from typing import Any

import msgspec

from longshore.model.errors import AwsError
from longshore.services.interface import Context, Response
from longshore.services.keys import invalid_state
from longshore.services.kms.resources import find_changeable, find_own, keep

DAY = 86_400.0
DEFAULT_DAYS, LEAST_DAYS, MOST_DAYS = 30, 7, 30


def schedule(context: Context, request: Any) -> Response:
    days = request.get("PendingWindowInDays", DEFAULT_DAYS)
    if not LEAST_DAYS <= days <= MOST_DAYS:
        raise AwsError(
            "ValidationException",
            f"PendingWindowInDays must be between {LEAST_DAYS} and {MOST_DAYS}",
        )
    key = find_changeable(context, request["KeyId"])
    deletes_at = context.now + days * DAY
    planned = msgspec.structs.replace(
        key, enabled=False, deletes_at=deletes_at, rotation_days=0, rotates_at=0.0
    )
    keep(context, planned)
    return {
        "KeyId": key.arn,
        "DeletionDate": deletes_at,
        "KeyState": planned.state,
        "PendingWindowInDays": days,
    }


def cancel(context: Context, request: Any) -> Response:
    """The key is disabled then (CancelKeyDeletion, AWS KMS API Reference)."""
    key = find_own(context, request["KeyId"])
    if not key.deletes_at:
        raise invalid_state(key, "is not pending deletion.")
    keep(context, msgspec.structs.replace(key, deletes_at=0.0))
    return {"KeyId": key.arn}
