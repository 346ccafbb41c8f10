"""Tags of keys."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from longshore.model.errors import AwsError
from longshore.model.kms import Tags
from longshore.services.interface import Context, Response
from longshore.services.kms.pages import page
from longshore.services.kms.resources import find_changeable, find_own, keep

MOST_TAGS = 50
TAGS_PAGE = 50


def checked_tags(old: Tags, given: Iterable[Mapping[str, str]]) -> Tags:
    """`old` with these tags, the last of a key; TagException, LimitExceededException."""
    pairs = [(each["TagKey"], each["TagValue"]) for each in given]
    if any(key.lower().startswith("aws:") for key, _ in pairs):
        raise AwsError("TagException", "Tags beginning with aws: are reserved")
    if len({key for key, _ in pairs}) < len(pairs):
        raise AwsError("TagException", "Duplicate tag keys")
    kept = tuple(dict((*old, *pairs)).items())
    if len(kept) > MOST_TAGS:
        raise AwsError("LimitExceededException", f"A key can have no more than {MOST_TAGS} tags")
    return kept


def add(context: Context, request: Any) -> Response:
    key = find_changeable(context, request["KeyId"])
    keep(context, msgspec.structs.replace(key, tags=checked_tags(key.tags, request["Tags"])))
    return {}


def remove(context: Context, request: Any) -> Response:
    key = find_changeable(context, request["KeyId"])
    left = tuple(tag for tag in key.tags if tag[0] not in request["TagKeys"])
    keep(context, msgspec.structs.replace(key, tags=left))
    return {}


def list_tags(context: Context, request: Any) -> Response:
    key = find_own(context, request["KeyId"])
    shown, more = page(key.tags, request, TAGS_PAGE)
    return {"Tags": [{"TagKey": name, "TagValue": value} for name, value in shown], **more}
