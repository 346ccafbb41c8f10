"""Commands lead from any ruleset to any other: a model of nftables obeys them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from longshore.fabric.ruleset import Chain, NamedSet, Ruleset, changes, narrows, rebuild, ruleset

SET_NAMES = ("members", "ports", "verdicts")
CHAIN_NAMES = ("a", "b", "c")


class Table:
    """What nft keeps of a table; refuses what nft refuses."""

    def __init__(self) -> None:
        self.sets: dict[str, dict[str, Any]] = {}
        self.chains: dict[str, list[Any]] = {}

    def obey(self, commands: list[dict[str, Any]]) -> None:
        for command in commands:
            ((verb, subject),) = command.items()
            ((kind, body),) = subject.items()
            getattr(self, f"{verb}_{kind}")(body)

    def add_table(self, body: Any) -> None: ...

    def delete_table(self, body: Any) -> None:
        self.__init__()  # type: ignore[misc]

    def add_set(self, body: Any) -> None:
        assert body["name"] not in self.sets
        self.sets[body["name"]] = {}

    add_map = add_set

    def flush_set(self, body: Any) -> None:
        self.sets[body["name"]].clear()

    flush_map = flush_set

    def delete_set(self, body: Any) -> None:
        assert not any(f"@{body['name']}" in str(rules) for rules in self.chains.values())
        del self.sets[body["name"]]

    delete_map = delete_set

    def add_element(self, body: Any) -> None:
        for element in body["elem"]:
            key = str(element[0] if isinstance(element, list) else element)
            assert key not in self.sets[body["name"]]
            if isinstance(element, list):
                assert element[1]["goto"]["target"] in self.chains
            self.sets[body["name"]][key] = element

    def delete_element(self, body: Any) -> None:
        for element in body["elem"]:
            del self.sets[body["name"]][str(element[0] if isinstance(element, list) else element)]

    def add_chain(self, body: Any) -> None:
        assert body["name"] not in self.chains
        self.chains[body["name"]] = []

    def flush_chain(self, body: Any) -> None:
        self.chains[body["name"]].clear()

    def delete_chain(self, body: Any) -> None:
        name = body["name"]
        assert not self.chains[name]
        assert f"'target': '{name}'" not in str(self.chains) + str(self.sets)
        del self.chains[name]

    def add_rule(self, body: Any) -> None:
        text = str(body["expr"])
        for name in SET_NAMES:
            assert f"@{name}" not in text or name in self.sets
        for name in CHAIN_NAMES:
            assert f"'target': '{name}'" not in text or name in self.chains
        self.chains[body["chain"]].append(body["expr"])


@st.composite
def rulesets(draw: st.DrawFn) -> Ruleset:
    chain_names = draw(st.sets(st.sampled_from(CHAIN_NAMES)))
    set_names = draw(st.sets(st.sampled_from(SET_NAMES)))
    sets = []
    for name in sorted(set_names):
        keys = draw(st.sets(st.sampled_from("xyz")))
        if name == "verdicts":
            targets = {k: draw(st.sampled_from(sorted(chain_names))) for k in keys if chain_names}
            elements = {k: [k, {"goto": {"target": t}}] for k, t in targets.items()}
            sets.append(NamedSet(name, "ifname", "verdict", elements=elements))
        else:
            sets.append(NamedSet(name, "ipv4_addr", elements={k: k for k in keys}))
    plain: st.SearchStrategy[list[Any]] = st.sampled_from([["accept"], ["drop"]])
    statements: list[st.SearchStrategy[list[Any]]] = [plain]
    if set_names:
        statements.append(st.sampled_from(sorted(set_names)).map(lambda n: [f"@{n}"]))
    chains = []
    for position, name in enumerate(sorted(chain_names)):
        later = sorted(chain_names)[position + 1 :]
        own = list(statements)
        if later:
            own.append(st.sampled_from(later).map(lambda n: [{"jump": {"target": n}}]))
        chains.append(Chain(name, tuple(draw(st.lists(st.one_of(own), max_size=3)))))
    return ruleset("t", sets, chains)


def content(rules: Ruleset) -> tuple[Any, Any]:
    return (
        {name: dict(s.elements) for name, s in rules.sets.items()},
        {name: list(c.rules) for name, c in rules.chains.items()},
    )


@given(rulesets(), rulesets())
def test_changes_lead_from_any_ruleset_to_any_other(old: Ruleset, new: Ruleset) -> None:
    table = Table()
    table.obey(rebuild(old))
    assert (table.sets, table.chains) == content(old)
    table.obey(changes(old, new))
    assert (table.sets, table.chains) == content(new)


@given(rulesets())
def test_nothing_is_said_where_nothing_changes(rules: Ruleset) -> None:
    assert changes(rules, rules) == []
    assert not narrows(rules, rules)


def test_taking_an_element_or_a_rule_away_narrows_and_adding_does_not() -> None:
    small = ruleset("t", [NamedSet("s", "ipv4_addr", elements={"x": "x"})], [Chain("c", (["a"],))])
    large = ruleset(
        "t",
        [NamedSet("s", "ipv4_addr", elements={"x": "x", "y": "y"})],
        [Chain("c", (["a"], ["b"])), Chain("d")],
    )
    assert narrows(large, small)
    assert not narrows(small, large)
