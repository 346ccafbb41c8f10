"""Tags of users, roles, managed policies, instance profiles and identity providers."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from longshore.model.iam import InstanceProfile, Role, Tags, User
from longshore.services.iam.entities import INSTANCE_PROFILE, ROLE, USER, Noun, keep, require
from longshore.services.iam.oidc_providers import keep_provider, require_provider
from longshore.services.iam.pages import page
from longshore.services.iam.policies import keep_policy, require_own
from longshore.services.iam.tagging import checked_tags
from longshore.services.iam.views import tag_list
from longshore.services.interface import Context, Operation, Response

Tagged = TypeVar("Tagged", User, Role, InstanceProfile)


def _left(tags: Tags, keys: Iterable[str]) -> Tags:
    gone = {key.lower() for key in keys}
    return tuple(tag for tag in tags if tag[0].lower() not in gone)


def _listed(tags: Tags, request: Any) -> Response:
    given, more = page(tags, lambda tag: tag[0], request)
    return {"Tags": tag_list(tuple(given)), **more}


def _of_entities(noun: Noun[Tagged]) -> Mapping[str, Operation]:
    def tag(context: Context, request: Any) -> Response:
        entity = require(context, noun, request[noun.parameter])
        tags = checked_tags(request["Tags"], entity.tags)
        keep(context, noun, msgspec.structs.replace(entity, tags=tags))
        return {}

    def untag(context: Context, request: Any) -> Response:
        entity = require(context, noun, request[noun.parameter])
        tags = _left(entity.tags, request["TagKeys"])
        keep(context, noun, msgspec.structs.replace(entity, tags=tags))
        return {}

    def list_tags(context: Context, request: Any) -> Response:
        return _listed(require(context, noun, request[noun.parameter]).tags, request)

    return {
        f"Tag{noun.title}": tag,
        f"Untag{noun.title}": untag,
        f"List{noun.title}Tags": list_tags,
    }


def tag_policy(context: Context, request: Any) -> Response:
    policy = require_own(context, request["PolicyArn"])
    tags = checked_tags(request["Tags"], policy.tags)
    keep_policy(context, msgspec.structs.replace(policy, tags=tags))
    return {}


def untag_policy(context: Context, request: Any) -> Response:
    policy = require_own(context, request["PolicyArn"])
    keep_policy(
        context, msgspec.structs.replace(policy, tags=_left(policy.tags, request["TagKeys"]))
    )
    return {}


def list_policy_tags(context: Context, request: Any) -> Response:
    return _listed(require_own(context, request["PolicyArn"]).tags, request)


def tag_open_id_connect_provider(context: Context, request: Any) -> Response:
    provider = require_provider(context, request["OpenIDConnectProviderArn"])
    tags = checked_tags(request["Tags"], provider.tags)
    keep_provider(context, msgspec.structs.replace(provider, tags=tags))
    return {}


def untag_open_id_connect_provider(context: Context, request: Any) -> Response:
    provider = require_provider(context, request["OpenIDConnectProviderArn"])
    tags = _left(provider.tags, request["TagKeys"])
    keep_provider(context, msgspec.structs.replace(provider, tags=tags))
    return {}


def list_open_id_connect_provider_tags(context: Context, request: Any) -> Response:
    provider = require_provider(context, request["OpenIDConnectProviderArn"])
    return _listed(provider.tags, request)


OPERATIONS: Mapping[str, Operation] = {
    **_of_entities(USER),
    **_of_entities(ROLE),
    **_of_entities(INSTANCE_PROFILE),
    "TagPolicy": tag_policy,
    "UntagPolicy": untag_policy,
    "ListPolicyTags": list_policy_tags,
    "TagOpenIDConnectProvider": tag_open_id_connect_provider,
    "UntagOpenIDConnectProvider": untag_open_id_connect_provider,
    "ListOpenIDConnectProviderTags": list_open_id_connect_provider_tags,
}
