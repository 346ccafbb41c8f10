"""Requests made up from an operation's model, from earlier answers and from earlier requests."""

import copy
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

DEEPEST = 6
GIVEN = 0.25
"""How often a member that may be left out is there."""
KNOWN = 0.7
"""How often a text is one that an earlier answer held under that name."""
CHANGED = 0.15
"""How often a node of an earlier request is made anew, or left out."""
KEPT_REQUESTS = 20
KEPT_TEXTS = 40
TEXTS = (
    *("a", "web", "web:1", "*", "/", "/a/b/", "..", "../../etc/passwd", "a b", "ä€😀", "%s", "\\"),
    *("0", "-1", "80", "80-90", "1.5", "1e400", "nan", "٣", "true", "null", "{}", "[]", '{"a": 1}'),
    *("10.0.0.0/16", "10.1.2.3", "0.0.0.0/0", "::/0", "rate(1 minute)", "2026-01-01", "${x}"),
    *("arn:aws:iam::123456789012:role/web", "arn:aws:ecs:us-east-1:123456789012:cluster/web"),
    *("arn:", "arn:aws", "vpc-0", "latest", "sha256:" + "0" * 64, "x" * 300, "<x>", "tcp", "ALL"),
    *("256", "512", "1 vCPU", "1 GB"),
)
NUMBERS = (0, 1, 2, 5, 20, 80, 256, 512, 1024, 65535, 65536, -1, -(2**31), 2**31 - 1)


class RandomRequests:
    """The same requests for the same seed and the same answers."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._last: dict[str, str] = {}
        self._texts: dict[str, list[str]] = defaultdict(list)
        self._taken: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def take(self, operation: str, request: Mapping[str, Any]) -> None:
        """Learn a request that the service does not refuse."""
        kept = self._taken[operation]
        kept.append(copy.deepcopy(dict(request)))
        del kept[:-KEPT_REQUESTS]

    def hear(self, answer: object, name: str = "") -> None:
        """Learn the texts of an answer, by the names of the members that hold them."""
        if isinstance(answer, Mapping):
            for key, value in answer.items():
                self.hear(value, key)
        elif isinstance(answer, list):
            for value in answer:
                self.hear(value, name)
        elif isinstance(answer, str) and answer:
            self._last[name.lower()] = answer
            kept = self._texts[_kind(name)]
            if answer not in kept:
                kept.append(answer)
                del kept[:-KEPT_TEXTS]

    def known(self, name: str) -> str:
        """The text that answers held last in a member of this name."""
        return self._last[name.lower()]

    def choose(self, operations: list[str]) -> str:
        return self._random.choice(operations)

    def of(self, operation: OperationModel) -> dict[str, Any]:
        """A request; often an earlier one with changes."""
        shape = operation.input_shape
        if not isinstance(shape, StructureShape):
            return {}
        earlier = self._taken[operation.name]
        if earlier and self._random.random() < 0.7:
            return dict(self._changed(copy.deepcopy(self._random.choice(earlier)), shape))
        return dict(self._structure(shape, 0))

    def _changed(self, value: Any, shape: Shape, name: str = "") -> Any:
        if isinstance(shape, StructureShape) and isinstance(value, dict):
            return self._changed_structure(value, shape)
        if self._random.random() < CHANGED:
            return self._value(shape, name, 1)
        if isinstance(shape, ListShape) and isinstance(value, list):
            return [self._changed(each, shape.member, name) for each in value]
        return value

    def _changed_structure(self, value: dict[str, Any], shape: StructureShape) -> dict[str, Any]:
        members = dict(shape.members)
        found = {
            name: self._changed(each, members[name], name)
            for name, each in value.items()
            if name in shape.required_members or self._random.random() > CHANGED / 2
        }
        if members and self._random.random() < CHANGED * 2:
            added = self._random.choice(sorted(members))
            found[added] = self._value(members[added], added, 1)
        return found

    def _structure(self, shape: StructureShape, depth: int) -> Any:
        if shape.is_document_type:
            return {"any": ["thing", 1, True]}
        members = dict(shape.members)
        if shape.is_tagged_union:
            name = self._random.choice(sorted(members))
            return {name: self._value(members[name], name, depth + 1)}
        return {
            name: self._value(member, name, depth + 1)
            for name, member in members.items()
            if name in shape.required_members or (depth < DEEPEST and self._random.random() < GIVEN)
        }

    def _value(self, shape: Shape, name: str, depth: int) -> Any:
        if isinstance(shape, StructureShape):
            return self._structure(shape, depth)
        if isinstance(shape, ListShape):
            count = self._random.choice((0, 1, 1, 2)) if depth < DEEPEST else 0
            return [self._value(shape.member, name, depth + 1) for _ in range(count)]
        if isinstance(shape, MapShape):
            keys = [self._text(shape.key, "key") for _ in range(self._random.choice((0, 1, 2)))]
            return {key: self._value(shape.value, name, depth + 1) for key in keys}
        return self._scalar(shape, name)

    def _scalar(self, shape: Shape, name: str) -> Any:
        match shape.type_name:
            case "boolean":
                return self._random.random() < 0.5
            case "integer" | "long":
                return self._random.choice(NUMBERS)
            case "float" | "double":
                return self._random.choice((0.0, 1.5, -2.25, 1e10))
            case "timestamp":
                return self._random.choice((0, 1_767_225_600, 4_102_444_800))
            case "blob":
                return self._random.choice((b"", b"abc", b"\xff\x00"))
            case _:
                return self._text(shape, name)

    def _text(self, shape: Shape, name: str) -> str:
        choices = list(getattr(shape, "enum", None) or ())
        if choices and self._random.random() < 0.9:
            return str(self._random.choice(choices))
        known = list(self._alike(name))
        if known and self._random.random() < KNOWN:
            return self._random.choice(known)
        return self._random.choice(TEXTS)

    def _alike(self, name: str) -> Iterator[str]:
        """What answers called by this name, or by one that ends or begins with it."""
        wanted = _kind(name)
        for kind, texts in self._texts.items():
            if wanted == "resource" or kind.endswith(wanted) or wanted.endswith(kind):
                yield from texts[-5:]


def _kind(name: str) -> str:
    """`taskDefinitionArn`, `TaskDefinitions` and `taskDefinition` name the same."""
    kind = name.lower().removesuffix("s")
    for ending in ("arn", "identifier", "id", "name"):
        kind = kind.removesuffix(ending) or kind
    return kind
