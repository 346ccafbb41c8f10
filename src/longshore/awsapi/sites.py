"""Shapes where they are used, and the walk that compiles each of them once."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from longshore.awsapi.model import Member, ServiceModel, Shape

F = TypeVar("F", bound=Callable[..., Any])
INTEGERS = frozenset({"integer", "long", "short", "byte", "biginteger"})
FLOATS = frozenset({"float", "double", "bigdecimal"})


class Site(NamedTuple):
    """A shape with the traits of the place that refers to it; the place's win over the shape's."""

    name: str
    shape: Shape
    location_name: str
    query_name: str
    flattened: bool
    timestamp_format: str


def site_of(model: ServiceModel, member: Member) -> Site:
    """Resolve a reference."""
    shape = model.shapes[member.shape]
    return Site(
        member.shape,
        shape,
        member.location_name or shape.location_name,
        member.query_name,
        shape.flattened if member.flattened is None else member.flattened,
        member.timestamp_format or shape.timestamp_format,
    )


class Compiler(ABC, Generic[F]):
    """Turns shapes into closures, each once; a shape may refer to itself."""

    def __init__(self, model: ServiceModel) -> None:
        self.model = model
        self._made: dict[tuple[Any, ...], F] = {}

    def compile(self, member: Member) -> F:
        """The closure for the shape at this place."""
        site = site_of(self.model, member)
        key = (site.name, *site[2:])
        made = self._made.get(key)
        if made is None:
            self._made[key] = self.later(lambda: self._made[key])
            made = self._made[key] = self.build(site)
        return made

    def build(self, site: Site) -> F:
        """The closure for a site that has none yet."""
        match site.shape.type:
            case "structure":
                return self.structure(site)
            case "list":
                return self.list(site)
            case "map":
                return self.map(site)
            case _:
                return self.scalar(site)

    @abstractmethod
    def later(self, find: Callable[[], F]) -> F:
        """A closure that calls what `find` gives: stands in while the real one is made."""

    @abstractmethod
    def structure(self, site: Site) -> F: ...

    @abstractmethod
    def list(self, site: Site) -> F: ...

    @abstractmethod
    def map(self, site: Site) -> F: ...

    @abstractmethod
    def scalar(self, site: Site) -> F: ...


def element(site: Site) -> Member:
    """What a list holds."""
    if site.shape.member is None:
        raise TypeError(f"{site.name} is not a list")
    return site.shape.member


def entry(site: Site) -> tuple[Member, Member]:
    """What a map's keys and values are."""
    if site.shape.key is None or site.shape.value is None:
        raise TypeError(f"{site.name} is not a map")
    return site.shape.key, site.shape.value


class ResponseShapeError(TypeError):
    """An operation returned what its output shape does not allow: our own mistake."""


def unknown_member(site: Site, name: object) -> ResponseShapeError:
    return ResponseShapeError(f"{site.name} has no member {name!r}")


def wrong_type(site: Site, value: object) -> ResponseShapeError:
    return ResponseShapeError(f"{site.name} is a {site.shape.type}, not {type(value).__name__}")
