"""Client tokens ("Ensuring idempotency in Amazon EC2 API requests")."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from longshore.model.ec2 import CLIENT_TOKEN, ClientToken
from longshore.model.errors import AwsError
from longshore.model.kind import Kind
from longshore.services.interface import Context

T = TypeVar("T", bound=msgspec.Struct)


def once(context: Context, request: Mapping[str, Any], kind: Kind[T], make: Callable[[], T]) -> T:
    """What `make` makes, or what an earlier call with the same token made.

    AwsError IdempotentParameterMismatch where that call asked for something else. A resource that
    is gone by now is made anew.
    """
    token = request.get("ClientToken", "")
    if not token:
        return make()
    place = (context.account, context.region)
    name = f"{context.operation}/{token}"
    digest = hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()
    known = context.tx.get(CLIENT_TOKEN, *place, name)
    if known is not None:
        if known.value.request != digest:
            raise mismatch()
        found = context.tx.get(kind, *place, known.value.resource_id)
        if found is not None:
            return found.value
    made = make()
    resource_id: str = getattr(made, "id")  # noqa: B009 - every kind of EC2's has one
    value = ClientToken(request=digest, resource_id=resource_id)
    context.tx.put(CLIENT_TOKEN, *place, name, value)
    return made


def mismatch() -> AwsError:
    """The error for a token that has been used for something else."""
    return AwsError(
        "IdempotentParameterMismatch",
        "The client token you have provided is associated with a resource that was created with "
        "different parameters",
    )
