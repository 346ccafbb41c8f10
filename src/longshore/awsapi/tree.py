"""JSON-like bodies (JSON and CBOR) between decoded trees and plain values of a shape."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from longshore.awsapi.model import Member
from longshore.awsapi.sites import (
    FLOATS,
    INTEGERS,
    Compiler,
    Site,
    element,
    entry,
    site_of,
    unknown_member,
    wrong_type,
)
from longshore.model.errors import AwsError

Convert = Callable[[Any], Any]
INTEGER_BITS = {"byte": 7, "short": 15, "integer": 31}
TOKENS = {
    str: "STRING_VALUE",
    int: "NUMBER_VALUE",
    float: "DECIMAL_VALUE",
    bytes: "BLOB_VALUE",
}
NAMES = {"string": "a String", "boolean": "a Boolean", "integer": "an Integer", "long": "a Long"}


def malformed(message: str = "") -> AwsError:
    """What a service answers to a body that it cannot read."""
    return AwsError("SerializationException", message)


def unexpected(site: Site, value: object) -> AwsError:
    """A value of another type than the shape's, in the words of AWS's services."""
    if isinstance(value, dict):
        return malformed("Start of structure or map found where not expected.")
    if isinstance(value, list):
        return malformed("Start of list found where not expected")
    if site.shape.type in {"structure", "map", "list"}:
        return malformed("Unexpected field type")
    token = f"{value}".upper() + "_VALUE" if isinstance(value, bool) else TOKENS.get(type(value))
    kind = NAMES.get(site.shape.type, f"a {site.shape.type.capitalize()}")
    return malformed(f"{token} can not be converted to {kind}")


class _Tree(Compiler[Convert]):
    """What reading and writing have in common."""

    def later(self, find: Callable[[], Convert]) -> Convert:
        def call(value: Any) -> Any:
            return find()(value)

        return call

    def wire_name(self, name: str, member: Member) -> str:
        return member.location_name or name


class TreeReader(_Tree):
    """From a decoded body to plain values; unknown members and nulls are left out."""

    def structure(self, site: Site) -> Convert:
        if site.shape.document:
            return lambda value: value
        members = {
            self.wire_name(name, member): (name, self.compile(member))
            for name, member in site.shape.members.items()
            if not member.location
        }

        def read(value: Any) -> Any:
            if type(value) is not dict:
                raise unexpected(site, value)
            result = {}
            for key, item in value.items():
                found = members.get(key)
                if found is not None and item is not None:
                    result[found[0]] = found[1](item)
            return result

        return read

    def list(self, site: Site) -> Convert:
        convert = self.compile(element(site))

        def read(value: Any) -> Any:
            if type(value) is not list:
                raise unexpected(site, value)
            return [convert(item) for item in value if item is not None]

        return read

    def map(self, site: Site) -> Convert:
        convert = self.compile(entry(site)[1])

        def read(value: Any) -> Any:
            if type(value) is not dict:
                raise unexpected(site, value)
            return {
                key: convert(item)
                for key, item in value.items()
                if item is not None and isinstance(key, str)
            }

        return read

    def scalar(self, site: Site) -> Convert:
        kind = site.shape.type
        if kind in INTEGERS:
            return _integer_reader(site)
        if kind in FLOATS:
            return _float_reader(site)
        if kind == "boolean":
            return _exact_reader(site, bool)
        if kind == "timestamp":
            return self.timestamp(site)
        if kind == "blob":
            return self.blob(site)
        return _exact_reader(site, str)

    def timestamp(self, site: Site) -> Convert:
        raise NotImplementedError

    def blob(self, site: Site) -> Convert:
        raise NotImplementedError


def _exact_reader(site: Site, kind: type) -> Convert:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise unexpected(site, value)
        return value

    return read


def _integer_reader(site: Site) -> Convert:
    limit = 1 << INTEGER_BITS.get(site.shape.type, 63)

    def read(value: Any) -> Any:
        if type(value) is float and value.is_integer() and abs(value) < 2**53:
            value = int(value)
        if type(value) is not int:
            raise unexpected(site, value)
        if not -limit <= value < limit:
            raise malformed(f"Numeric value ({value}) out of range")
        return value

    return read


def _float_reader(site: Site) -> Convert:
    special = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

    def read(value: Any) -> Any:
        if type(value) is float:
            return value
        if type(value) is int:
            return float(value) if abs(value) < 2**1000 else math.inf
        if isinstance(value, str) and value in special:
            return special[value]
        raise unexpected(site, value)

    return read


class TreeWriter(_Tree):
    """From a response to what is encoded; raises ResponseShapeError for what the shape forbids."""

    def structure(self, site: Site) -> Convert:
        if site.shape.document:
            return lambda value: value
        members = {
            name: (self.wire_name(name, member), self.compile(member), self._plain(member))
            for name, member in site.shape.members.items()
        }

        def write(value: Mapping[str, Any]) -> Any:
            if type(value) is not dict and not isinstance(value, Mapping):
                raise wrong_type(site, value)
            result = {}
            for name, item in value.items():
                found = members.get(name)
                if found is None:
                    raise unknown_member(site, name)
                wire, convert, plain = found
                result[wire] = item if type(item) is plain else convert(item)
            return result

        return write

    def list(self, site: Site) -> Convert:
        convert = self.compile(element(site))

        def write(value: Any) -> Any:
            if type(value) is not list and not isinstance(value, list | tuple):
                raise wrong_type(site, value)
            return [convert(item) for item in value]

        return write

    def map(self, site: Site) -> Convert:
        convert = self.compile(entry(site)[1])

        def write(value: Any) -> Any:
            if type(value) is not dict and not isinstance(value, Mapping):
                raise wrong_type(site, value)
            return {key: convert(item) for key, item in value.items()}

        return write

    def scalar(self, site: Site) -> Convert:
        kind = site.shape.type
        if kind == "timestamp":
            return self.timestamp(site)
        if kind == "blob":
            return self.blob(site)
        if kind in FLOATS:
            return self.float(site)
        return checked(site)

    def _plain(self, member: Member) -> type | None:
        """What needs no call to be written, where this protocol writes scalars as they are."""
        site = site_of(self.model, member)
        return plain_type(site) if not (member.jsonvalue or site.shape.jsonvalue) else None

    def timestamp(self, site: Site) -> Convert:
        raise NotImplementedError

    def blob(self, site: Site) -> Convert:
        raise NotImplementedError

    def float(self, site: Site) -> Convert:
        raise NotImplementedError


def plain_type(site: Site) -> type | None:
    """The type whose values are written as they are; None where the shape has something to say."""
    kind = site.shape.type
    if kind in INTEGERS:
        return int
    return {"boolean": bool, "string": str}.get(kind)


def checked(site: Site) -> Convert:
    """Lets a string, boolean or integer pass, and nothing else."""
    kind = plain_type(site) or str

    def write(value: Any) -> Any:
        if type(value) is kind:
            return value
        if not isinstance(value, kind) or isinstance(value, bool):
            raise wrong_type(site, value)
        return kind(value)

    return write
