"""What every Describe operation shares: ids, filters and pages.

Items are responses' own mappings. A filter names a path into them: `Associations[].SubnetId` is
that member of each element. "Using filtering" and "Pagination" (EC2 API Reference) are the rules.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from longshore.model.errors import AwsError

Item = Mapping[str, Any]
MAX_FILTER_VALUES = 200


@dataclass(frozen=True, kw_only=True)
class Listing:
    """How one resource is described.

    `member` is the response's list, `ids` the request's, `id` the item's own id; `absent` the code
    and message (of one id) where it is not there; `filters` the filters' paths, to which those for
    tags are added where `tags` names the item's tag list.
    """

    member: str
    id: str
    absent: tuple[str, str]
    ids: str = ""
    tags: str = "Tags"
    filters: Mapping[str, str] = field(default_factory=dict)
    smallest_page: int = 5


def describe(listing: Listing, items: Iterable[Item], request: Mapping[str, Any]) -> Item:
    """The response: the items asked for by id and filter, one page of them."""
    ids = list(request.get(listing.ids) or ()) if listing.ids else []
    if ids and request.get("MaxResults"):
        raise AwsError(
            "InvalidParameterCombination",
            f"The parameter {listing.ids} cannot be used with the parameter maxResults",
        )
    chosen = _by_ids(listing, items, ids)
    conditions = [_Condition(listing, wanted) for wanted in request.get("Filters") or ()]
    found = [item for item in chosen if all(condition.holds(item) for condition in conditions)]
    return _page(listing, found, request)


def _by_ids(listing: Listing, items: Iterable[Item], ids: Sequence[str]) -> list[Item]:
    ordered = sorted(items, key=lambda item: str(item[listing.id]))
    if not ids:
        return ordered
    known = {item[listing.id] for item in ordered}
    missing = [resource_id for resource_id in ids if resource_id not in known]
    if missing:
        code, message = listing.absent
        raise AwsError(code, message.format(", ".join(missing)))
    return [item for item in ordered if item[listing.id] in ids]


class _Condition:
    """One filter: true of the items of which some value matches some pattern."""

    def __init__(self, listing: Listing, wanted: Mapping[str, Any]) -> None:
        self._name = str(wanted.get("Name", ""))
        values = [str(value) for value in wanted.get("Values") or ()]
        if len(values) > MAX_FILTER_VALUES:
            raise AwsError(
                "FilterLimitExceeded",
                f"The maximum number of filter values specified on a single call is "
                f"{MAX_FILTER_VALUES}",
            )
        self._patterns = [wildcard(value) for value in values]
        self._listing = listing
        self._path = listing.filters.get(self._name, "")
        if not self._path and not self._is_tag_filter():
            raise AwsError("InvalidParameterValue", f"The filter '{self._name}' is invalid")

    def _is_tag_filter(self) -> bool:
        return bool(self._listing.tags) and self._name.startswith(("tag:", "tag-key", "tag-value"))

    def holds(self, item: Item) -> bool:
        values = self._values(item)
        return any(pattern.fullmatch(value) for value in values for pattern in self._patterns)

    def _values(self, item: Item) -> list[str]:
        if self._path:
            return texts(item, self._path)
        tags = item.get(self._listing.tags, ())
        if self._name == "tag-key":
            return [tag["Key"] for tag in tags]
        if self._name == "tag-value":
            return [tag["Value"] for tag in tags]
        key = self._name.removeprefix("tag:")
        return [tag["Value"] for tag in tags if tag["Key"] == key]


def wildcard(pattern: str) -> re.Pattern[str]:
    r"""`*` is any text, `?` any one character, `\` takes the next one as it is."""
    parts = []
    for piece in re.findall(r"\\.|.", pattern, re.DOTALL):
        if piece == "*":
            parts.append(".*")
        elif piece == "?":
            parts.append(".")
        else:
            parts.append(re.escape(piece[1:] if len(piece) == 2 else piece))
    return re.compile("".join(parts), re.DOTALL)


def texts(item: Any, path: str) -> list[str]:
    """The values at a path, as filters compare them; alternatives are parted by `|`."""
    if "|" in path:
        return [text for part in path.split("|") for text in texts(item, part)]
    found: list[Any] = [item]
    for step in path.split("."):
        name = step.removesuffix("[]")
        found = [value[name] for value in found if isinstance(value, Mapping) and name in value]
        if step.endswith("[]"):
            found = [element for value in found for element in value]
    return [_text(value) for value in found]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _page(listing: Listing, items: Sequence[Item], request: Mapping[str, Any]) -> Item:
    limit = request.get("MaxResults")
    if limit is not None and not listing.smallest_page <= limit <= 1000:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ( {limit} ) for parameter maxResults is invalid. Expecting a value greater "
            f"than or equal to {listing.smallest_page} and less than or equal to 1000.",
        )
    token = request.get("NextToken")
    if token:
        after = _decode(token)
        items = [item for item in items if str(item[listing.id]) > after]
    if limit is None or len(items) <= limit:
        return {listing.member: list(items)}
    page = items[:limit]
    return {listing.member: list(page), "NextToken": _encode(str(page[-1][listing.id]))}


def _encode(last: str) -> str:
    return base64.urlsafe_b64encode(f"after:{last}".encode()).decode()


def _decode(token: str) -> str:
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith("after:"):
        raise AwsError("InvalidNextToken", "The specified NextToken is not valid.")
    return text.removeprefix("after:")
