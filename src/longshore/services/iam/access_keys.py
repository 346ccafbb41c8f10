"""Access keys of users. A secret is given once, when its key is made."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import iam
from longshore.policy.key_ids import LONG_LIVED, access_key_id, new_secret
from longshore.services.iam.entities import USER, require
from longshore.services.iam.failures import no_such_entity, over_quota
from longshore.services.iam.pages import page
from longshore.services.iam.users import keys_of, named_user
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t

KEYS_PER_USER = 2


def create_access_key(context: Context, request: "t.CreateAccessKeyRequestTypeDef") -> Response:
    user = require(context, USER, named_user(context, request))
    if len(keys_of(context, user)) >= KEYS_PER_USER:
        raise over_quota("AccessKeysPerUser", KEYS_PER_USER)
    key = iam.AccessKey(
        id=access_key_id(LONG_LIVED, context.account, context.ids),
        secret=new_secret(context.ids),
        account=context.account,
        user_name=user.name,
        status="Active",
        created_at=context.now,
    )
    context.tx.create(iam.ACCESS_KEY, "", "", key.id, key)
    return {"AccessKey": _shape(key) | {"SecretAccessKey": key.secret}}


def update_access_key(context: Context, request: "t.UpdateAccessKeyRequestTypeDef") -> Response:
    key = _key(context, request)
    changed = msgspec.structs.replace(key, status=request["Status"])
    context.tx.put(iam.ACCESS_KEY, "", "", key.id, changed)
    return {}


def delete_access_key(context: Context, request: "t.DeleteAccessKeyRequestTypeDef") -> Response:
    context.tx.delete(iam.ACCESS_KEY, "", "", _key(context, request).id)
    return {}


def list_access_keys(context: Context, request: "t.ListAccessKeysRequestTypeDef") -> Response:
    user = require(context, USER, named_user(context, request))
    keys = [record.value for record in keys_of(context, user)]
    given, more = page(keys, lambda key: f"{key.created_at:020.6f}/{key.id}", request)
    return {"AccessKeyMetadata": [_shape(key) for key in given], **more}


def _key(context: Context, request: Any) -> iam.AccessKey:
    """The key of the request, if it is the named user's."""
    user = require(context, USER, named_user(context, request))
    for record in keys_of(context, user):
        if record.value.id == request["AccessKeyId"]:
            return record.value
    raise no_such_entity(f"The Access Key with id {request['AccessKeyId']} cannot be found.")


def _shape(key: iam.AccessKey) -> dict[str, Any]:
    return {
        "UserName": key.user_name,
        "AccessKeyId": key.id,
        "Status": key.status,
        "CreateDate": key.created_at,
    }


OPERATIONS: Mapping[str, Operation] = {
    "CreateAccessKey": create_access_key,
    "UpdateAccessKey": update_access_key,
    "DeleteAccessKey": delete_access_key,
    "ListAccessKeys": list_access_keys,
}
