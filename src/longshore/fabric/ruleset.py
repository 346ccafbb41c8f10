"""A table of nftables as a value, and the commands that lead from one value to another (pure)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Expression = Any
"""A libnftables-json(5) expression or statement."""
Command = dict[str, Any]


@dataclass(frozen=True)
class NamedSet:
    """A set, or a map where `value_type` is given; `elements` by a text that names each.

    An element of a set is its expression, of a map the list [key, value].
    """

    name: str
    key_type: str | tuple[str, ...]
    value_type: str = ""
    flags: tuple[str, ...] = ()
    elements: Mapping[str, Expression] = field(default_factory=dict)


@dataclass(frozen=True)
class Hook:
    """Where a base chain stands."""

    type: str
    hook: str
    priority: int
    policy: str = "accept"


@dataclass(frozen=True)
class Chain:
    """`rules` are lists of statements."""

    name: str
    rules: tuple[list[Expression], ...] = ()
    hook: Hook | None = None


@dataclass(frozen=True)
class Ruleset:
    """One table, of family inet."""

    table: str
    sets: Mapping[str, NamedSet] = field(default_factory=dict)
    chains: Mapping[str, Chain] = field(default_factory=dict)


def ruleset(table: str, sets: Iterable[NamedSet], chains: Iterable[Chain]) -> Ruleset:
    return Ruleset(table, {s.name: s for s in sets}, {c.name: c for c in chains})


def rebuild(new: Ruleset) -> list[Command]:
    """Commands that put `new` in the place of whatever the table holds, in one transaction."""
    table = {"table": {"family": "inet", "name": new.table}}
    return [{"add": table}, {"delete": table}, {"add": table}, *changes(Ruleset(new.table), new)]


def changes(old: Ruleset, new: Ruleset) -> list[Command]:
    """Commands that lead from `old` to `new`, in one transaction; none where they are the same.

    What is referred to is made before and removed after what refers to it.
    """
    added = [s for name, s in new.sets.items() if not _same_kind(old.sets.get(name), s)]
    gone = [s for name, s in old.sets.items() if not _same_kind(new.sets.get(name), s)]
    new_chains = [c for name, c in new.chains.items() if name not in old.chains]
    old_chains = [c for name, c in old.chains.items() if name not in new.chains]
    commands = [_declare_set(new.table, s) for s in added]
    commands += [_declare_chain(new.table, c) for c in new_chains]
    commands += [_on_chain("flush", new.table, c.name) for c in old_chains]
    for chain in new.chains.values():
        commands += _chain_changes(new.table, old.chains.get(chain.name), chain)
    for named_set in new.sets.values():
        before = old.sets.get(named_set.name)
        elements = before.elements if before and _same_kind(before, named_set) else {}
        commands += _element_changes(new.table, named_set, elements)
    commands += [_clear_set(new.table, s) for s in gone if s.elements]
    commands += [_on_chain("delete", new.table, c.name) for c in old_chains]
    commands += [{"delete": _set_object(new.table, s)} for s in gone]
    return commands


def narrows(old: Ruleset, new: Ruleset) -> bool:
    """Whether `new` may refuse what `old` let pass: anything changed except by mere addition."""
    return any(_chain_narrows(c, new.chains.get(name)) for name, c in old.chains.items()) or any(
        _set_narrows(s, new.sets.get(name)) for name, s in old.sets.items()
    )


def _chain_narrows(old: Chain, new: Chain | None) -> bool:
    if new is None:
        return True
    return any(rule not in new.rules for rule in old.rules)


def _set_narrows(old: NamedSet, new: NamedSet | None) -> bool:
    if new is None:
        return True
    return any(new.elements.get(key) != value for key, value in old.elements.items())


def _same_kind(one: NamedSet | None, other: NamedSet) -> bool:
    return one is not None and (one.key_type, one.value_type, one.flags) == (
        other.key_type,
        other.value_type,
        other.flags,
    )


def _set_object(table: str, named_set: NamedSet) -> Command:
    kind = "map" if named_set.value_type else "set"
    return {kind: {"family": "inet", "table": table, "name": named_set.name}}


def _declare_set(table: str, named_set: NamedSet) -> Command:
    description = _set_object(table, named_set)
    (body,) = description.values()
    key = named_set.key_type
    body["type"] = key if isinstance(key, str) else list(key)
    if named_set.value_type:
        body["map"] = named_set.value_type
    if named_set.flags:
        body["flags"] = list(named_set.flags)
    return {"add": description}


def _clear_set(table: str, named_set: NamedSet) -> Command:
    return {"flush": _set_object(table, named_set)}


def _declare_chain(table: str, chain: Chain) -> Command:
    body: dict[str, Any] = {"family": "inet", "table": table, "name": chain.name}
    if chain.hook:
        body |= {
            "type": chain.hook.type,
            "hook": chain.hook.hook,
            "prio": chain.hook.priority,
            "policy": chain.hook.policy,
        }
    return {"add": {"chain": body}}


def _on_chain(verb: str, table: str, name: str) -> Command:
    return {verb: {"chain": {"family": "inet", "table": table, "name": name}}}


def _chain_changes(table: str, old: Chain | None, new: Chain) -> list[Command]:
    if old is not None and old.rules == new.rules:
        return []
    commands = [_on_chain("flush", table, new.name)] if old is not None and old.rules else []
    commands += [
        {"add": {"rule": {"family": "inet", "table": table, "chain": new.name, "expr": rule}}}
        for rule in new.rules
    ]
    return commands


def _element_changes(
    table: str, named_set: NamedSet, before: Mapping[str, Expression]
) -> list[Command]:
    gone = [value for key, value in before.items() if named_set.elements.get(key) != value]
    fresh = [value for key, value in named_set.elements.items() if before.get(key) != value]
    commands = []
    for verb, elements in (("delete", gone), ("add", fresh)):
        if elements:
            body = {"family": "inet", "table": table, "name": named_set.name, "elem": elements}
            commands.append({verb: {"element": body}})
    return commands
