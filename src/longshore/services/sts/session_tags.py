"""Session tags ("Pass session tags in AWS STS", IAM User Guide). Keys differ by more than case."""

from collections.abc import Iterable, Mapping
from typing import Any

from longshore.model.errors import AwsError

RESERVED = "aws:"


def tags_of(request: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a request; raises InvalidParameterValue where a key comes twice."""
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags") or ()}
    if len(_folded(tags)) != len(request.get("Tags") or ()):
        raise _invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.startswith(RESERVED) for key in _folded(tags)):
        raise _invalid("Tag keys may not start with the reserved prefix aws:")
    return tags


def transitive_keys(
    inherited: Mapping[str, str], given: Mapping[str, str], chosen: Iterable[str]
) -> tuple[str, ...]:
    """The keys that sessions chained from this one inherit: those it inherited, and its own.

    Raises InvalidParameterValue where a tag would replace an inherited one, or a key has no tag.
    """
    if _folded(inherited) & _folded(given):
        raise _invalid(
            "One of the specified transitive tag keys can't be set because it conflicts with a "
            "transitive tag key from the calling session."
        )
    wanted = _folded(chosen)
    if wanted - _folded(given):
        raise _invalid("The specified transitive tag key must be included in the requested tags.")
    return (*inherited, *(key for key in given if key.lower() in wanted))


def merged(*layers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """All tags, a later layer's in place of an earlier one's of the same key."""
    tags = {key.lower(): (key, value) for layer in layers for key, value in layer.items()}
    return tuple(tags.values())


def _folded(keys: Iterable[str]) -> set[str]:
    return {key.lower() for key in keys}


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)
