"""Members of REST shapes that are not in the body: path, query, headers, status code."""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from longshore.awsapi.form import text_reader
from longshore.awsapi.http import HttpRequest, HttpResponse
from longshore.awsapi.model import Member, OperationModel, ServiceModel, Shape
from longshore.awsapi.scalars import FORMATS, format_float, format_rfc822
from longshore.awsapi.sites import FLOATS, element, entry, site_of
from longshore.awsapi.tree import malformed
from longshore.awsapi.uri import compile_template, labels_of

FromTexts = Callable[[list[str]], Any]


class RequestBindings:
    """Reads the members of an input shape that have a location."""

    def __init__(self, model: ServiceModel, operation: OperationModel, shape: Shape) -> None:
        self._model = model
        self._template = compile_template(operation)
        self._labels: dict[str, tuple[str, FromTexts]] = {}
        self._headers: dict[str, tuple[str, FromTexts]] = {}
        self._query: dict[str, tuple[str, FromTexts]] = {}
        self._prefixes: list[tuple[str, str]] = []
        self._rest_of_query: list[tuple[str, bool]] = []
        places = {"uri": self._labels, "header": self._headers, "querystring": self._query}
        for name, member in shape.members.items():
            wire = member.location_name or name
            kind = model.shapes[member.shape].type
            if member.location == "headers":
                self._prefixes.append((wire.lower(), name))
            elif member.location == "querystring" and kind == "map":
                value = site_of(model, entry(site_of(model, member))[1])
                self._rest_of_query.append((name, value.shape.type == "list"))
            elif member.location in places:
                key = wire.lower() if member.location == "header" else wire
                places[member.location][key] = (name, self._reader(member))

    def read(self, request: HttpRequest) -> dict[str, Any]:
        """The members by name; raises SerializationException."""
        values: dict[str, Any] = {}
        for label, text in labels_of(self._template, request.path).items():
            _put(values, self._labels.get(label), [text])
        if self._query or self._rest_of_query:
            self._read_query(request.query, values)
        for header, found in self._headers.items():
            if header in request.headers:
                _put(values, found, [request.headers[header]])
        for prefix, name in self._prefixes:
            values[name] = {
                header.removeprefix(prefix): text
                for header, text in request.headers.items()
                if header.startswith(prefix)
            }
        return values

    def _read_query(self, query: str, values: dict[str, Any]) -> None:
        texts: dict[str, list[str]] = {}
        for name, text in parse_qsl(query, keep_blank_values=True, max_num_fields=2000):
            texts.setdefault(name, []).append(text)
        for name, found in texts.items():
            _put(values, self._query.get(name), found)
        for name, lists in self._rest_of_query:
            values[name] = {
                key: found if lists else found[0]
                for key, found in texts.items()
                if key not in self._query
            }

    def _reader(self, member: Member) -> FromTexts:
        site = site_of(self._model, member)
        if site.shape.type == "list":
            inner = self._reader(element(site))
            header = member.location == "header"
            return lambda texts: [inner([text]) for text in (_split(texts[0]) if header else texts)]
        if member.jsonvalue or site.shape.jsonvalue:
            return lambda texts: msgspec.json.decode(base64.b64decode(texts[0]))
        if site.shape.type == "blob":
            return lambda texts: base64.b64decode(texts[0])
        read = text_reader(site)
        return lambda texts: read(texts[0])


def _put(values: dict[str, Any], found: tuple[str, FromTexts] | None, texts: list[str]) -> None:
    if found is None:
        return
    try:
        values[found[0]] = found[1](texts)
    except (ValueError, OverflowError, TypeError, binascii.Error, msgspec.DecodeError):
        raise malformed(f"'{texts[0]}' is not a valid value for {found[0]}") from None


def _split(text: str) -> list[str]:
    """A header's list: comma-separated, quoted where a value holds a comma or a quote."""
    values: list[str] = []
    current, quoted, escaped = "", False, False
    for char in text:
        if escaped:
            current, escaped = current + char, False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            values.append(current.strip())
            current = ""
        else:
            current += char
    values.append(current.strip())
    return values


class ResponseBindings:
    """Writes the members of an output (or error) shape that have a location."""

    def __init__(self, model: ServiceModel, shape: Shape) -> None:
        self._model = model
        self._headers: dict[str, tuple[str, Callable[[Any], str]]] = {}
        self._prefixes: dict[str, str] = {}
        self._status = ""
        for name, member in shape.members.items():
            wire = (member.location_name or name).lower()
            if member.location == "header":
                self._headers[name] = (wire, self._text(member))
            elif member.location == "headers":
                self._prefixes[name] = wire
            elif member.location == "statusCode":
                self._status = name

    @property
    def names(self) -> frozenset[str]:
        """The members that are bound."""
        bound = {*self._headers, *self._prefixes}
        return frozenset(bound | {self._status} if self._status else bound)

    def write(self, values: Mapping[str, Any], response: HttpResponse) -> None:
        for name, (header, text) in self._headers.items():
            if name in values:
                response.headers.append((header, text(values[name])))
        for name, prefix in self._prefixes.items():
            for key, value in values.get(name, {}).items():
                response.headers.append((prefix + key.lower(), value))
        if self._status and self._status in values:
            response.status = values[self._status]

    def _text(self, member: Member) -> Callable[[Any], str]:
        site = site_of(self._model, member)
        kind = site.shape.type
        if member.jsonvalue or site.shape.jsonvalue:
            return lambda value: base64.b64encode(msgspec.json.encode(value)).decode()
        if kind == "list":
            inner = self._text(element(site))
            return lambda value: ",".join(inner(item) for item in value)
        if kind == "timestamp":
            return FORMATS.get(site.timestamp_format, format_rfc822)
        if kind == "boolean":
            return lambda value: "true" if value else "false"
        if kind in FLOATS:
            return lambda value: format_float(float(value))
        if kind == "blob":
            return lambda value: base64.b64encode(value).decode()
        return str
