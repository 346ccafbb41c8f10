"""REST routing: which operation a method, path and query mean ("HTTP bindings", Smithy)."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from longshore.awsapi.http import HttpRequest
from longshore.awsapi.model import OperationModel, ServiceModel, Shape

LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


class Template(NamedTuple):
    """One operation's `requestUri`, compiled."""

    operation: OperationModel
    method: str
    pattern: re.Pattern[str]
    labels: tuple[str, ...]
    literals: tuple[tuple[str, str], ...]
    """Query parameters that must be there; an empty value stands for any."""
    bound: tuple[tuple[str, str], ...]
    """Required members in the query or a header, as (location, name)."""
    rank: tuple[int, ...]


def compile_template(operation: OperationModel, shape: Shape | None = None) -> Template:
    """The template of an operation; `{Key+}` takes slashes as well."""
    path, _, query = operation.http.request_uri.partition("?")
    labels: list[str] = []
    pattern, last, greedy = "", 0, 0
    for found in LABEL.finditer(path):
        labels.append(found.group(1))
        greedy += bool(found.group(2))
        pattern += re.escape(path[last : found.start()])
        pattern += "(.+)" if found.group(2) else "([^/]+)"
        last = found.end()
    pattern += re.escape(path[last:].rstrip("/") or ("/" if not last else "")) + "/?"
    literals = tuple(parse_qsl(query, keep_blank_values=True))
    bound = required_bindings(shape) if shape is not None else ()
    fixed = len(LABEL.sub("", path))
    return Template(
        operation,
        operation.http.method,
        re.compile(pattern, re.DOTALL),
        tuple(labels),
        literals,
        bound,
        (-len(literals), -len(bound), greedy, len(labels) * 1000 - fixed),
    )


def required_bindings(shape: Shape) -> tuple[tuple[str, str], ...]:
    """What must be there besides the path: tells CopyObject from PutObject."""
    return tuple(
        (member.location, (member.location_name or name).lower())
        for name, member in shape.members.items()
        if name in shape.required and member.location in {"header", "querystring"}
    )


class Router:
    """Finds the operation of a REST request; the most specific template wins."""

    def __init__(self, model: ServiceModel) -> None:
        self._templates = sorted(
            (
                compile_template(
                    operation, model.shapes[operation.input.shape] if operation.input else None
                )
                for operation in model.operations.values()
            ),
            key=lambda template: template.rank,
        )

    def find(self, request: HttpRequest) -> OperationModel | None:
        """The operation, or None where there is no such route."""
        query = dict(parse_qsl(request.query, keep_blank_values=True)) if request.query else {}
        lowered = {name.lower() for name in query}
        incomplete: OperationModel | None = None
        for template in self._templates:
            if not _fits(template, request, query):
                continue
            if all(
                name in (request.headers if location == "header" else lowered)
                for location, name in template.bound
            ):
                return template.operation
            incomplete = template.operation
        return incomplete


def _fits(template: Template, request: HttpRequest, query: dict[str, str]) -> bool:
    return (
        template.method == request.method
        and template.pattern.fullmatch(request.path) is not None
        and all(
            name in query and (not value or query[name] == value)
            for name, value in template.literals
        )
    )


def labels_of(template: Template, path: str) -> dict[str, str]:
    """The decoded labels of a path that the template matches."""
    found = template.pattern.fullmatch(path)
    if found is None:
        return {}
    return {name: unquote(text) for name, text in zip(template.labels, found.groups(), strict=True)}
