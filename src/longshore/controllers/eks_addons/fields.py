"""Fields of objects by the paths that the API server writes of conflicts; pure.

A path is as `.spec.template.spec.containers[name="coredns"].image`: names after dots, which may
have dots in them themselves (as those of labels), elements of lists by their keys, their values
(`[="a"]`) or their places (`[0]`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

Object = Mapping[str, Any]
_ELEMENT = re.compile(r'\[((?:[^\]"]|"(?:[^"\\]|\\.)*")*)\]')
_PART = re.compile(r'([^=,]*)=("(?:[^"\\]|\\.)*"|[^,]*)(?:,|$)')


def without(found: Object, paths: Iterable[str]) -> dict[str, Any]:
    """The object without the fields that these paths name; paths to what it has not do nothing."""
    changed: Any = dict(found)
    for path in paths:
        changed = _without(changed, path)
    return dict(changed)


def _without(value: Any, path: str) -> Any:
    """The value without what the path leads to."""
    for key, rest in _steps(value, path):
        if rest:
            changed = _without(value[key], rest)
            if changed is value[key]:
                continue
            return _with(value, key, changed)
        return _cut(value, key)
    return value


def _steps(value: Any, path: str) -> Iterator[tuple[Any, str]]:
    """Keys of the value that the path may begin with, longest first, and what of it is left."""
    if isinstance(value, Mapping) and path.startswith("."):
        for key in sorted(value, key=len, reverse=True):
            rest = path[1:].removeprefix(key)
            if path[1:].startswith(key) and (not rest or rest[0] in ".["):
                yield key, rest
    elif isinstance(value, list) and (element := _ELEMENT.match(path)):
        for position, item in enumerate(value):
            if _is_meant(item, position, element[1]):
                yield position, path[element.end() :]


def _is_meant(item: Any, position: int, element: str) -> bool:
    if "=" not in element:
        return element == str(position)
    keys = {name: _value(text) for name, text in _PART.findall(element)}
    if "" in keys:
        return bool(item == keys[""])
    if not isinstance(item, Mapping):
        return False
    # A port's protocol is TCP where an object does not say: the path always does.
    usual = {"protocol": "TCP"}
    return all(item.get(name, usual.get(name)) == value for name, value in keys.items())


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _with(value: Any, key: Any, changed: Any) -> Any:
    if isinstance(value, list):
        return [changed if position == key else item for position, item in enumerate(value)]
    return {**value, key: changed}


def _cut(value: Any, key: Any) -> Any:
    if isinstance(value, list):
        return [item for position, item in enumerate(value) if position != key]
    return {name: member for name, member in value.items() if name != key}
