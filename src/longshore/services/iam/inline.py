"""Policies inside of users, groups and roles."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from longshore.model import iam
from longshore.policy.document import read_document
from longshore.services.iam.attachments import changeable_entity
from longshore.services.iam.documents import encoded, size
from longshore.services.iam.entities import GROUP, ROLE, USER, Noun, Principal, keep, require
from longshore.services.iam.failures import limit_exceeded, no_such_entity
from longshore.services.iam.pages import page
from longshore.services.iam.views import Shape
from longshore.services.interface import Context, Operation, Response

INLINE_SIZES = {"user": 2048, "group": 5120, "role": 10240}
"""Characters of all inline policies of one entity together ("IAM and AWS STS quotas")."""


def inline_shapes(inline: iam.Inline) -> list[Shape]:
    return [{"PolicyName": name, "PolicyDocument": encoded(text)} for name, text in inline]


def _put(noun: Noun[Principal], context: Context, request: Any) -> Response:
    entity = changeable_entity(context, noun, request)
    name, document = request["PolicyName"], request["PolicyDocument"]
    read_document(document)
    inline: iam.Inline = tuple(each for each in entity.inline if each[0] != name)
    inline = (*inline, (name, document))
    most = INLINE_SIZES[noun.word]
    if sum(size(text) for _, text in inline) > most:
        raise limit_exceeded(
            f"Maximum policy size of {most} bytes exceeded for {noun.word} {entity.name}"
        )
    keep(context, noun, msgspec.structs.replace(entity, inline=inline))
    return {}


def _get(noun: Noun[Principal], context: Context, request: Any) -> Response:
    entity, name = require(context, noun, request[noun.parameter]), request["PolicyName"]
    document = dict(entity.inline).get(name)
    if document is None:
        raise _missing(noun, name)
    return {
        noun.parameter: entity.name,
        "PolicyName": name,
        "PolicyDocument": encoded(document),
    }


def _delete(noun: Noun[Principal], context: Context, request: Any) -> Response:
    entity, name = changeable_entity(context, noun, request), request["PolicyName"]
    left = tuple(each for each in entity.inline if each[0] != name)
    if len(left) == len(entity.inline):
        raise _missing(noun, name)
    keep(context, noun, msgspec.structs.replace(entity, inline=left))
    return {}


def _list(noun: Noun[Principal], context: Context, request: Any) -> Response:
    entity = require(context, noun, request[noun.parameter])
    given, more = page((name for name, _ in entity.inline), str, request)
    return {"PolicyNames": given, **more}


def _operations(noun: Noun[Principal]) -> Mapping[str, Operation]:
    return {
        f"Put{noun.title}Policy": partial(_put, noun),
        f"Get{noun.title}Policy": partial(_get, noun),
        f"Delete{noun.title}Policy": partial(_delete, noun),
        f"List{noun.title}Policies": partial(_list, noun),
    }


def _missing(noun: Noun[Principal], name: str) -> Exception:
    return no_such_entity(f"The {noun.word} policy with name {name} cannot be found.")


OPERATIONS: Mapping[str, Operation] = {
    **_operations(USER),
    **_operations(GROUP),
    **_operations(ROLE),
}
