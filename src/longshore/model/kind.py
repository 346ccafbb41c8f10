"""Kinds of records: the name, the type and the indexes of what the store keeps."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True, eq=False)
class Kind(Generic[T]):
    """One kind of record, such as `ecs.task`.

    `indexes` gives, per index name, a pure function from a value to the strings under which the
    record is found (`Reader.find`). Values are frozen msgspec structs; a field added later needs a
    default, so that older records still decode.
    """

    name: str
    type: type[T]
    indexes: Mapping[str, Callable[[T], Iterable[str]]] = field(default_factory=dict)

    @cached_property
    def decoder(self) -> msgspec.json.Decoder[T]:
        """Reads what the store keeps of a value."""
        return msgspec.json.Decoder(self.type)
