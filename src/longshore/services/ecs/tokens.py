"""Client tokens: the same call again answers with what the first one made.

("Ensuring idempotency", Amazon ECS API Reference.)
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from longshore.model.ecs import CLIENT_TOKEN, CLIENT_TOKEN_SECONDS, ClientToken
from longshore.model.errors import AwsError
from longshore.services.interface import Context, Response


def once(
    context: Context,
    request: Mapping[str, Any],
    act: Callable[[], tuple[Response, Sequence[str]]],
    again: Callable[[Sequence[str]], Response],
) -> Response:
    """Act, unless the request's `clientToken` was used before: then answer from its ARNs.

    Raises ConflictException where the token came with another request.
    """
    token = request.get("clientToken")
    if not token:
        return act()[0]
    place = (context.account, context.region, f"{context.operation}/{token}")
    own = _digest(request)
    record = context.tx.get(CLIENT_TOKEN, *place)
    if record is not None and record.value.at > context.now - CLIENT_TOKEN_SECONDS:
        if record.value.request != own:
            raise AwsError(
                "ConflictException",
                "The client token was used with different parameters.",
                members={"resourceIds": list(record.value.arns)},
            )
        return again(record.value.arns)
    response, arns = act()
    if arns:
        made = ClientToken(request=own, arns=tuple(arns), at=context.now)
        context.tx.put(CLIENT_TOKEN, *place, made)
    return response


def _digest(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(request, order="deterministic")).hexdigest()
