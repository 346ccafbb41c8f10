"""XML bodies of requests as plain values."""

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from longshore.awsapi.form import text_reader
from longshore.awsapi.model import Member
from longshore.awsapi.sites import Compiler, Site, element, entry, site_of
from longshore.awsapi.tree import malformed

Read = Callable[[list[Element]], Any]
"""A place's elements: one, or the run of a flattened list or map."""


def parse_xml(body: bytes) -> Element:
    """The root element; raises SerializationException.

    Documents with a DOCTYPE are refused: no AWS request has one, and entities can grow without end.
    """
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body or b"\x00" in body:
        raise malformed("The XML you provided was not well-formed")
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - entities are refused above
    except (ElementTree.ParseError, ValueError, LookupError):
        raise malformed("The XML you provided was not well-formed") from None


def local(name: str) -> str:
    """An element's name without its namespace."""
    return name.rpartition("}")[2]


class XmlReader(Compiler[Read]):
    def later(self, find: Callable[[], Read]) -> Read:
        def call(nodes: list[Element]) -> Any:
            return find()(nodes)

        return call

    def member_name(self, name: str, member: Member) -> str:
        site = site_of(self.model, member)
        if site.shape.type == "list" and site.flattened:
            return element(site).location_name or site.location_name or name
        return site.location_name or name

    def structure(self, site: Site) -> Read:
        members, attributes = {}, {}
        for name, member in site.shape.members.items():
            wire = self.member_name(name, member)
            if member.xml_attribute:
                attributes[wire.rpartition(":")[2]] = name
            elif not member.location:
                members[wire] = (name, self.compile(member))

        def read(nodes: list[Element]) -> Any:
            values: dict[str, Any] = {}
            for key, children in grouped(nodes[0]).items():
                found = members.get(key)
                if found is not None:
                    values[found[0]] = found[1](children)
            for key, text in nodes[0].attrib.items():
                if local(key) in attributes:
                    values[attributes[local(key)]] = text
            return values

        return read

    def list(self, site: Site) -> Read:
        member = element(site)
        convert = self.compile(member)
        tag = member.location_name or "member"

        def read(nodes: list[Element]) -> Any:
            found = nodes if site.flattened else grouped(nodes[0]).get(tag, [])
            return [convert([node]) for node in found]

        return read

    def map(self, site: Site) -> Read:
        key_member, value_member = entry(site)
        read_key, read_value = self.compile(key_member), self.compile(value_member)
        key_name = key_member.location_name or "key"
        value_name = value_member.location_name or "value"

        def read(nodes: list[Element]) -> Any:
            found = nodes if site.flattened else grouped(nodes[0]).get("entry", [])
            values = {}
            for node in found:
                parts = grouped(node)
                if key_name in parts and value_name in parts:
                    values[read_key(parts[key_name])] = read_value(parts[value_name])
            return values

        return read

    def scalar(self, site: Site) -> Read:
        convert = text_reader(site)

        def read(nodes: list[Element]) -> Any:
            try:
                return convert(nodes[0].text or "")
            except (ValueError, OverflowError):
                raise malformed("The XML you provided was not well-formed") from None

        return read


def grouped(node: Element) -> dict[str, list[Element]]:
    """A node's children by their local names."""
    found: dict[str, list[Element]] = {}
    for child in node:
        found.setdefault(local(child.tag), []).append(child)
    return found
