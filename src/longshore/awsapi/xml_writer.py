"""Responses as XML: one closure a place, which appends its element's text."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from longshore.awsapi.model import Member, ServiceModel
from longshore.awsapi.scalars import FORMATS, format_float, format_iso8601
from longshore.awsapi.sites import (
    FLOATS,
    Site,
    element,
    entry,
    site_of,
    unknown_member,
    wrong_type,
)
from longshore.awsapi.tree import checked

Write = Callable[[list[str], Any], None]
ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def xml_text(text: str) -> str:
    """Escaped text; what XML 1.0 cannot hold becomes U+FFFD."""
    # As xml.sax.saxutils does, which would bring urllib.request with it.
    text = text.replace("&", "&amp;").replace(">", "&gt;").replace("<", "&lt;")
    return ILLEGAL.sub("\ufffd", text.replace("\r", "&#xD;"))


def attribute_text(text: str) -> str:
    """Text as it stands between the double quotes of an attribute."""
    text = xml_text(text).replace('"', "&quot;")
    return text.replace("\n", "&#xA;").replace("\t", "&#x9;")


def namespace_of(traits: Any) -> str:
    """The `xmlns` attribute for a model's xmlNamespace trait, or nothing."""
    if not traits:
        return ""
    if isinstance(traits, str):
        return f' xmlns="{traits}"'
    prefix = f":{traits['prefix']}" if traits.get("prefix") else ""
    return f' xmlns{prefix}="{traits["uri"]}"'


class XmlWriter:
    """Compiles (shape, tag) to writers. `timestamp` is the protocol's default format."""

    def __init__(
        self, model: ServiceModel, timestamp: Callable[[Any], str] = format_iso8601
    ) -> None:
        self.model = model
        self._timestamp = timestamp
        self._contents: dict[tuple[Any, ...], Write] = {}

    def element(self, member: Member, tag: str) -> Write:
        """Writes `<tag>…</tag>`, or a run of elements for a flattened list or map."""
        site = site_of(self.model, member)
        if site.flattened and site.shape.type == "list":
            return self._each(element(site), element(site).location_name or tag)
        if site.flattened and site.shape.type == "map":
            return self._entries(site, tag)
        content = self.content(member)
        attributes = self._attributes(site)
        opening = f"<{tag}{namespace_of(member.xml_namespace or site.shape.xml_namespace)}"

        def write(parts: list[str], value: Any) -> None:
            parts.append(opening)
            for name, attribute in attributes.items():
                if name in value:
                    parts.append(f' {attribute}="{attribute_text(value[name])}"')
            parts.append(">")
            content(parts, value)
            parts.append(f"</{tag}>")

        return write

    def _attributes(self, site: Site) -> dict[str, str]:
        return {
            name: member.location_name or name
            for name, member in site.shape.members.items()
            if member.xml_attribute
        }

    def content(self, member: Member) -> Write:
        """Writes what stands between an element's tags."""
        site = site_of(self.model, member)
        key = (site.name, *site[2:])
        if key not in self._contents:

            def itself(parts: list[str], value: Any) -> None:
                self._contents[key](parts, value)

            self._contents[key] = itself
            self._contents[key] = self._build(site)
        return self._contents[key]

    def _build(self, site: Site) -> Write:
        match site.shape.type:
            case "structure":
                return self._structure(site)
            case "list":
                return self._each(element(site), element(site).location_name or "member")
            case "map":
                return self._entries(site, "entry")
            case _:
                return self._scalar(site)

    def _structure(self, site: Site) -> Write:
        writers = {
            name: self.element(member, member.location_name or self._inherited(member) or name)
            for name, member in site.shape.members.items()
            if not member.location and not member.xml_attribute
        }
        elsewhere = frozenset(site.shape.members) - writers.keys()

        def write(parts: list[str], value: Any) -> None:
            if not isinstance(value, Mapping):
                raise wrong_type(site, value)
            for name, item in value.items():
                writer = writers.get(name)
                if writer is not None:
                    writer(parts, item)
                elif name not in elsewhere:
                    raise unknown_member(site, name)

        return write

    def _inherited(self, member: Member) -> str:
        return self.model.shapes[member.shape].location_name

    def _each(self, member: Member, tag: str) -> Write:
        write_one = self._later(member, tag)

        def write(parts: list[str], value: Any) -> None:
            if not isinstance(value, list | tuple):
                raise ResponseNotListError(member.shape, value)
            for item in value:
                write_one(parts, item)

        return write

    def _entries(self, site: Site, tag: str) -> Write:
        key_member, value_member = entry(site)
        write_key = self._later(key_member, key_member.location_name or "key")
        write_value = self._later(value_member, value_member.location_name or "value")

        def write(parts: list[str], value: Any) -> None:
            if not isinstance(value, Mapping):
                raise wrong_type(site, value)
            for key, item in value.items():
                parts.append(f"<{tag}>")
                write_key(parts, key)
                write_value(parts, item)
                parts.append(f"</{tag}>")

        return write

    def _later(self, member: Member, tag: str) -> Write:
        """The element's writer, compiled when first used: flattened shapes may hold themselves."""
        made: list[Write] = []

        def write(parts: list[str], value: Any) -> None:
            if not made:
                made.append(self.element(member, tag))
            made[0](parts, value)

        return write

    def _scalar(self, site: Site) -> Write:
        convert = self.text_of(site)

        def write(parts: list[str], value: Any) -> None:
            parts.append(convert(value))

        return write

    def text_of(self, site: Site) -> Callable[[Any], str]:
        """A scalar's escaped text."""
        kind = site.shape.type
        if kind == "timestamp":
            return FORMATS.get(site.timestamp_format, self._timestamp)
        if kind == "blob":
            return lambda value: base64.b64encode(value).decode("ascii")
        if kind in FLOATS:
            return lambda value: format_float(float(value))
        passed = checked(site)
        if kind == "boolean":
            return lambda value: "true" if passed(value) else "false"
        if kind == "string":
            return lambda value: xml_text(passed(value))
        return lambda value: str(passed(value))


class ResponseNotListError(TypeError):
    """An operation returned something else where its output shape has a list."""

    def __init__(self, shape_name: str, value: object) -> None:
        super().__init__(f"a list of {shape_name} is wanted, not {type(value).__name__}")
