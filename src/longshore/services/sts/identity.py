"""Who a caller is, and whose a key is."""

from typing import TYPE_CHECKING

from longshore.model.errors import AwsError
from longshore.policy.key_ids import account_of_key
from longshore.services.interface import Context, Response

if TYPE_CHECKING:
    from types_boto3_sts.type_defs import GetAccessKeyInfoRequestTypeDef


def get_caller_identity(context: Context, request: object) -> Response:
    principal = context.principal
    return {"UserId": principal.user_id, "Account": principal.account, "Arn": principal.arn}


def get_access_key_info(context: Context, request: "GetAccessKeyInfoRequestTypeDef") -> Response:
    """The account is read from the key id itself, whether the key exists or not."""
    try:
        return {"Account": account_of_key(request["AccessKeyId"])}
    except ValueError:
        message = f"Invalid Access Key ID: {request['AccessKeyId']}"
        raise AwsError("ValidationError", message) from None
