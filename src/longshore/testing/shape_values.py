"""Values of botocore's shapes, made up: for tests that send everything through a protocol."""

import random
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

DEEPEST = 5
WORDS = ("alpha", "Beta 2", "γάμμα", "<x&y>", "it's", 'say "so"', "a,b", "line\ntwo", "")
PLAIN_WORDS = ("alpha", "beta-2", "gamma_3")
EPOCH_2026 = 1_767_225_600


class ShapeValues:
    """Random values, the same for the same seed. Every member of a structure gets one."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - made-up test data

    def of(self, shape: Shape, depth: int = 0, *, plain: bool = False) -> Any:
        """A value; `plain` text suits places such as URIs and headers."""
        if isinstance(shape, StructureShape):
            return self._structure(shape, depth)
        if isinstance(shape, ListShape):
            length = self._random.choice((1, 2, 3)) if depth < 2 else 1
            return [self.of(shape.member, depth + 1, plain=plain) for _ in range(length)]
        if isinstance(shape, MapShape):
            return {
                self.of(shape.key, depth + 1, plain=True): self.of(
                    shape.value, depth + 1, plain=plain
                )
                for _ in range(self._random.choice((1, 2)))
            }
        return self._scalar(shape, plain)

    def _structure(self, shape: StructureShape, depth: int) -> Any:
        if shape.is_document_type:
            return {"any": ["thing", 1, True]}
        members = dict(shape.members)
        if shape.is_tagged_union:
            name = self._random.choice(sorted(members))
            members = {name: members[name]}
        elif depth >= DEEPEST:
            members = {
                name: member
                for name, member in members.items()
                if member.type_name not in {"structure", "list", "map"}
            }
        return {
            name: self.of(member, depth + 1, plain="location" in member.serialization)
            for name, member in members.items()
            if not _is_event_stream(member)
        }

    def _scalar(self, shape: Shape, plain: bool) -> Any:
        match shape.type_name:
            case "boolean":
                return self._random.random() < 0.5
            case "integer" | "long":
                return self._random.choice((0, 1, 200, -7, 2**31 - 1))
            case "float" | "double":
                return self._random.choice((0.0, 1.5, -2.25, 1e10))
            case "timestamp":
                seconds = EPOCH_2026 + self._random.randrange(86_400_000)
                return datetime.fromtimestamp(seconds, UTC)
            case "blob":
                return self._random.choice((b"abc", b"plain text", b"0"))
            case _:
                return self._text(shape, plain)

    def _text(self, shape: Shape, plain: bool) -> str:
        choices = getattr(shape, "enum", None) or (PLAIN_WORDS if plain else WORDS)
        return str(self._random.choice(list(choices)))


def _is_event_stream(shape: Shape) -> bool:
    return bool(shape.serialization.get("eventstream"))
