"""Tags of users, roles, managed policies, instance profiles and identity providers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from longshore.model.iam import InstanceProfile, OidcProvider, Policy, Role, Tags, User
from longshore.services.iam.entities import INSTANCE_PROFILE, ROLE, USER, Noun, keep, require
from longshore.services.iam.oidc_providers import keep_provider, require_provider
from longshore.services.iam.pages import page
from longshore.services.iam.policies import keep_policy, require_own
from longshore.services.iam.tagging import checked_tags
from longshore.services.iam.views import tag_list
from longshore.services.interface import Context, Operation, Response

Entity = TypeVar("Entity", User, Role, InstanceProfile)
Tagged = TypeVar("Tagged", User, Role, InstanceProfile, Policy, OidcProvider)


def _left(tags: Tags, keys: Iterable[str]) -> Tags:
    gone = {key.lower() for key in keys}
    return tuple(tag for tag in tags if tag[0].lower() not in gone)


def _listed(tags: Tags, request: Any) -> Response:
    given, more = page(tags, lambda tag: tag[0], request)
    return {"Tags": tag_list(tuple(given)), **more}


def _operations(
    title: str,
    parameter: str,
    found: Callable[[Context, str], Tagged],
    kept: Callable[[Context, Tagged], None],
) -> Mapping[str, Operation]:
    """The three operations of what requests name in `parameter`."""

    def tag(context: Context, request: Any) -> Response:
        entity = found(context, request[parameter])
        tags = checked_tags(request["Tags"], entity.tags)
        kept(context, msgspec.structs.replace(entity, tags=tags))
        return {}

    def untag(context: Context, request: Any) -> Response:
        entity = found(context, request[parameter])
        tags = _left(entity.tags, request["TagKeys"])
        kept(context, msgspec.structs.replace(entity, tags=tags))
        return {}

    def list_tags(context: Context, request: Any) -> Response:
        return _listed(found(context, request[parameter]).tags, request)

    return {f"Tag{title}": tag, f"Untag{title}": untag, f"List{title}Tags": list_tags}


def _of_entities(noun: Noun[Entity]) -> Mapping[str, Operation]:
    def found(context: Context, name: str) -> Entity:
        return require(context, noun, name)

    def kept(context: Context, entity: Entity) -> None:
        keep(context, noun, entity)

    return _operations(noun.title, noun.parameter, found, kept)


OPERATIONS: Mapping[str, Operation] = {
    **_of_entities(USER),
    **_of_entities(ROLE),
    **_of_entities(INSTANCE_PROFILE),
    **_operations("Policy", "PolicyArn", require_own, keep_policy),
    **_operations(
        "OpenIDConnectProvider", "OpenIDConnectProviderArn", require_provider, keep_provider
    ),
}
