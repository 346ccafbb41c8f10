"""`configurationValues`: JSON or YAML that an add-on's schema describes."""

from typing import Any

import msgspec
import yaml

from longshore.addons.schema import Schema, objections

LONGEST = 16_384
"""Characters."""
DEEPEST = 32
"""Collections in one another."""
TOO_DEEP = "the configuration is nested too deeply"


class Unsupported(ValueError):
    """The configuration is none of the add-on's; the text says why, as EKS does."""


def checked(text: str, schema: Schema) -> dict[str, Any]:
    """The configuration; raises `Unsupported`."""
    if not text:
        return {}
    found = parsed(text)
    wrong = objections(found, schema)
    if wrong:
        raise Unsupported(f"Json schema validation failed with error: [{', '.join(wrong)}]")
    return dict(found)


def parsed(text: str) -> Any:
    """What the text says; raises `Unsupported` where it is neither JSON nor YAML."""
    if len(text) > LONGEST:
        raise Unsupported(f"the configuration has more than {LONGEST} characters")
    try:
        return _json(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        pass
    try:
        _check_plain(text)
        return _json(yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, Unsupported):
            raise
        raise Unsupported("the configuration is neither JSON nor YAML") from None


def _check_plain(text: str) -> None:
    """No aliases, since a short text would be a huge document by them; and not too deep a one,
    whose reading takes the square of its depth."""
    depth = 0
    for event in yaml.parse(text):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise Unsupported(TOO_DEEP)
        if isinstance(event, yaml.AliasEvent):
            raise Unsupported("aliases are not supported")


def _json(value: Any, depth: int = 0) -> Any:
    """The same without what JSON has not: YAML knows dates, bytes, sets, and keys of any kind."""
    if depth > DEEPEST:
        raise Unsupported(TOO_DEEP)
    if isinstance(value, dict):
        return {_key(key): _json(member, depth + 1) for key, member in value.items()}
    if isinstance(value, list):
        return [_json(item, depth + 1) for item in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise Unsupported(f"{value} is no value of JSON")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise Unsupported(f"{key} is no name of a member")
    return key
