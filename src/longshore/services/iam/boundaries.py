"""Permissions boundaries of users and roles."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from longshore.model import iam
from longshore.services.iam.attachments import changeable_entity
from longshore.services.iam.entities import ROLE, USER, Noun, keep
from longshore.services.iam.policies import check_boundary
from longshore.services.interface import Context, Operation, Response

Bounded = TypeVar("Bounded", iam.User, iam.Role)


def _operations(noun: Noun[Bounded]) -> Mapping[str, Operation]:
    def put(context: Context, request: Any) -> Response:
        entity = changeable_entity(context, noun, request)
        boundary = check_boundary(context, request["PermissionsBoundary"])
        keep(context, noun, msgspec.structs.replace(entity, boundary=boundary))
        return {}

    def delete(context: Context, request: Any) -> Response:
        entity = changeable_entity(context, noun, request)
        keep(context, noun, msgspec.structs.replace(entity, boundary=""))
        return {}

    return {
        f"Put{noun.title}PermissionsBoundary": put,
        f"Delete{noun.title}PermissionsBoundary": delete,
    }


OPERATIONS: Mapping[str, Operation] = {**_operations(USER), **_operations(ROLE)}
