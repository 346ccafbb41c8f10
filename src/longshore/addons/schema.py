"""JSON Schema, as far as the schemas of add-ons need it, with the words that EKS has for it.

Known are `type`, `properties`, `additionalProperties`, `items`, `enum`, `minimum`, `maximum` and
`$ref` to a definition of the same schema.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]


def objections(value: Any, schema: Schema) -> list[str]:
    """What is wrong with the value, each as `$.path: what`; empty where it fits."""
    return list(_objections(value, schema, schema, "$"))


def _objections(value: Any, schema: Schema, root: Schema, path: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = root["definitions"][str(schema["$ref"]).rpartition("/")[2]]
    wanted = schema.get("type")
    if wanted is not None and not _is(value, wanted):
        yield f"{path}: {type_of(value)} found, {wanted} expected"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: does not have a value in the enumeration {_listed(schema['enum'])}"
    yield from _out_of_bounds(value, schema, path)
    if isinstance(value, dict):
        yield from _members(value, schema, root, path)
    if isinstance(value, list) and "items" in schema:
        for position, item in enumerate(value):
            yield from _objections(item, schema["items"], root, f"{path}[{position}]")


def _out_of_bounds(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if value < schema.get("minimum", value):
        yield f"{path}: must have a minimum value of {schema['minimum']}"
    if value > schema.get("maximum", value):
        yield f"{path}: must have a maximum value of {schema['maximum']}"


def _members(value: Mapping[str, Any], schema: Schema, root: Schema, path: str) -> Iterator[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, member in value.items():
        at = f"{path}.{name}"
        if name in known:
            yield from _objections(member, known[name], root, at)
        elif others is False:
            yield (
                f"{at}: is not defined in the schema and the schema does not allow additional"
                " properties"
            )
        elif isinstance(others, Mapping):
            yield from _objections(member, others, root, at)


def type_of(value: Any) -> str:
    """The value's type in JSON Schema."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _is(value: Any, wanted: str) -> bool:
    found = type_of(value)
    return found == wanted or (wanted == "number" and found == "integer")


def _listed(values: Any) -> str:
    return f"[{', '.join(str(value) for value in values)}]"


def an_object(properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The schema of an object with these members and no others."""
    return {"type": "object", "additionalProperties": False, "properties": properties, **more}


TEXT: Schema = {"type": "string"}
ANY_OBJECT: Schema = {"type": "object"}
LIST: Schema = {"type": "array", "items": {"type": "object"}}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
AMOUNTS: Schema = an_object({"limits": TEXTS, "requests": TEXTS}, title="The resources Schema")
"""Of a container's `resources`: quantities, which Kubernetes reads."""
