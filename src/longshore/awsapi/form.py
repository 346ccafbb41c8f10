"""Form-encoded bodies of the query and EC2 protocols: `Filter.1.Value.2=x` as nested values."""

import base64
import binascii
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from longshore.awsapi.model import Member
from longshore.awsapi.scalars import parse_float, parse_integer, parse_timestamp
from longshore.awsapi.sites import FLOATS, INTEGERS, Compiler, Site, element, entry, site_of
from longshore.awsapi.tree import INTEGER_BITS
from longshore.model.errors import AwsError

Node = dict[str, Any]
"""Children by name; the text of the parameter that ends here is under the empty name."""
MOST_FIELDS = 20_000
DEEPEST = 64
READERS: dict[str, Callable[[str], Any]] = {"timestamp": parse_timestamp}


def parse_form(text: str) -> dict[str, str]:
    """The parameters of a form or query string; the last of a name wins."""
    try:
        return dict(
            parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
        )
    except ValueError:
        raise AwsError(
            "MalformedQueryString", "The query string contains a syntax error."
        ) from None


def form_tree(fields: dict[str, str]) -> Node:
    """The parameters as a tree, split at the dots of their names.

    A name with nothing between two dots is no member's: it is left out, as unknown names are.
    """
    root: Node = {}
    for name, value in fields.items():
        parts = name.split(".", DEEPEST)
        if "" in parts:
            continue
        node = root
        for part in parts:
            node = node.setdefault(part, {})
        node[""] = value
    return root


class FormReader(Compiler[Callable[[Node, str], Any]]):
    """From a node to the plain value of a shape; the second argument is the path, for errors."""

    def later(self, find: Callable[[], Any]) -> Callable[[Node, str], Any]:
        def call(node: Node, path: str) -> Any:
            return find()(node, path)

        return call

    def member_name(self, name: str, member: Member) -> str:
        """What a member is called on the wire: a flattened list is named by its elements."""
        site = site_of(self.model, member)
        if site.shape.type == "list" and site.flattened:
            return element(site).location_name or site.location_name or name
        return site.location_name or name

    def structure(self, site: Site) -> Callable[[Node, str], Any]:
        members = {
            self.member_name(name, member): (name, self.compile(member))
            for name, member in site.shape.members.items()
        }

        def read(node: Node, path: str) -> Any:
            result = {}
            for key, child in node.items():
                found = members.get(key)
                if found is not None:
                    value = found[1](child, f"{path}.{key}" if path else key)
                    if value is not None:
                        result[found[0]] = value
            return result

        return read

    def list(self, site: Site) -> Callable[[Node, str], Any]:
        convert = self.compile(element(site))
        step = self.list_step(site)

        def read(node: Node, path: str) -> Any:
            found = node.get(step, {}) if step else node
            return [convert(child, f"{path}.{number}") for number, child in numbered(found)]

        return read

    def list_step(self, site: Site) -> str:
        """The name between a list and its numbers; empty where there is none."""
        return "" if site.flattened else element(site).location_name or "member"

    def map(self, site: Site) -> Callable[[Node, str], Any]:
        key_member, value_member = entry(site)
        convert = self.compile(value_member)
        key_name = site_of(self.model, key_member).location_name or "key"
        value_name = site_of(self.model, value_member).location_name or "value"

        def read(node: Node, path: str) -> Any:
            found = node if site.flattened else node.get("entry", {})
            return {
                child.get(key_name, {}).get("", ""): convert(child.get(value_name, {"": ""}), path)
                for _, child in numbered(found)
            }

        return read

    def scalar(self, site: Site) -> Callable[[Node, str], Any]:
        convert = text_reader(site)

        def read(node: Node, path: str) -> Any:
            text = node.get("")
            if text is None:
                return None
            try:
                return convert(text)
            except (ValueError, OverflowError):
                raise self.unreadable(site, text, path) from None

        return read

    def unreadable(self, site: Site, text: str, path: str) -> AwsError:
        """The error for a text that is not of its parameter's type."""
        return AwsError("MalformedInput", f"{path} is not a valid {site.shape.type}: '{text}'")


def numbered(node: Node) -> list[tuple[int, Node]]:
    """Children whose names are numbers, in their order."""
    found = [
        (int(name), child)
        for name, child in node.items()
        if name.isascii() and name.isdigit() and len(name) < 10
    ]
    found.sort(key=lambda pair: pair[0])
    return found


def text_reader(site: Site) -> Callable[[str], Any]:
    """From the text of a scalar to its value; the reader raises ValueError."""
    kind = site.shape.type
    if kind in INTEGERS:
        limit = 1 << INTEGER_BITS.get(kind, 63)
        return lambda text: _bounded(parse_integer(text), limit)
    if kind in FLOATS:
        return parse_float
    if kind == "boolean":
        return _boolean
    if kind == "blob":
        return _blob
    return READERS.get(kind, str)


def _bounded(value: int, limit: int) -> int:
    if not -limit <= value < limit:
        raise ValueError("out of range")
    return value


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered not in {"true", "false"}:
        raise ValueError("neither true nor false")
    return lowered == "true"


def _blob(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
