"""DeleteSecret with its recovery window, and RestoreSecret."""

from typing import TYPE_CHECKING

import msgspec

from longshore.model.arn import make_arn, parse_arn
from longshore.model.secretsmanager import SECRET
from longshore.services.interface import Context, Response
from longshore.services.secretsmanager.resources import (
    find,
    invalid_parameter,
    keep,
    named,
    not_found,
    require,
    require_active,
    suffix,
)

if TYPE_CHECKING:
    from types_boto3_secretsmanager import type_defs as t

DAY = 24 * 3600.0
DEFAULT_DAYS = 30


def delete(context: Context, request: "t.DeleteSecretRequestTypeDef") -> Response:
    days, forced = request.get("RecoveryWindowInDays"), request.get("ForceDeleteWithoutRecovery")
    if days is not None and forced:
        raise invalid_parameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
        )
    if days is not None and not 7 <= days <= 30:
        raise invalid_parameter(
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."
        )
    if forced:
        return _delete_at_once(context, request["SecretId"])
    secret = require_active(context, request["SecretId"])
    deletes_at = context.now + (days or DEFAULT_DAYS) * DAY
    keep(
        context,
        msgspec.structs.replace(secret, deleted_at=context.now, deletes_at=deletes_at),
    )
    return {**named(context, secret), "DeletionDate": deletes_at}


def _delete_at_once(context: Context, secret_id: str) -> Response:
    secret = find(context.tx, context.account, context.region, secret_id, context.now)
    if secret is None and parse_arn(secret_id) is not None:
        raise not_found()
    if secret is None:
        # "If you include a nonexistent secret, the operation does not return the error
        # ResourceNotFoundException" (DeleteSecret, ForceDeleteWithoutRecovery).
        name = f"secret:{secret_id}-{suffix(context)}"
        arn = make_arn("secretsmanager", context.region, context.account, name)
        return {"ARN": arn, "Name": secret_id, "DeletionDate": context.now}
    context.tx.delete(SECRET, context.account, context.region, secret.name)
    return {**named(context, secret), "DeletionDate": context.now}


def restore(context: Context, request: "t.RestoreSecretRequestTypeDef") -> Response:
    secret = require(context, request["SecretId"])
    keep(context, msgspec.structs.replace(secret, deleted_at=0.0, deletes_at=0.0))
    return named(context, secret)
