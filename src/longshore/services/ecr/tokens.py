"""Authorization tokens for clients of the registry."""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

from longshore.images import catalog, tokens
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_ecr.type_defs import GetAuthorizationTokenRequestTypeDef


def get_authorization_token(
    context: Context, request: "GetAuthorizationTokenRequestTypeDef"
) -> Response:
    """One token a registry asked for; each speaks for the caller at every registry."""
    expires = context.now + tokens.LIFETIME_SECONDS
    key = tokens.token_key(context.tx, context.ids)
    password = tokens.seal(key, context.principal, expires, context.ids)
    token = base64.b64encode(f"{tokens.USER}:{password}".encode()).decode()
    catalog.open_registry(context.tx, context.account, context.region, context.now)
    data = [
        {
            "authorizationToken": token,
            "expiresAt": expires,
            "proxyEndpoint": "https://"
            + context.installation.registry_host(account, context.region),
        }
        for account in request.get("registryIds") or [context.account]
    ]
    return {"authorizationData": data}


OPERATIONS: Mapping[str, Operation] = {"GetAuthorizationToken": get_authorization_token}
