"""Whatever is done to a store, it answers as a dict would."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from typing import Any

import hypothesis.strategies as st
import pytest
from conformance.store.kinds import ACCOUNT, OTHER, REGION, THING, Thing
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from longshore.base.clock import SystemClock
from longshore.store import open_store
from longshore.store.interface import Store, Transaction
from longshore.testing.memory_store import MemoryStore
from longshore.testing.postgres import PostgresServer

NAMES = st.sampled_from(["a", "ab", "abc", "b", "ba", "c", "é"])
THINGS = st.builds(
    Thing,
    st.integers(0, 9),
    st.lists(st.sampled_from(["red", "blue"]), max_size=2).map(tuple),
    st.text(max_size=3),
)
CHANGES = st.lists(st.tuples(NAMES, st.none() | THINGS), min_size=1, max_size=4)


def apply(changes: list[tuple[str, Thing | None]]):
    def write(tx: Transaction) -> None:
        for name, thing in changes:
            if thing is None:
                tx.delete(THING, ACCOUNT, REGION, name)
            else:
                tx.put(THING, ACCOUNT, REGION, name, thing)

    return write


class StoreMachine(RuleBasedStateMachine):
    """Groups of transactions, some of which raise, and reopenings, against a dict."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.model: dict[str, Thing] = {}
        self.directory = tempfile.TemporaryDirectory()
        self.store: Store = self.run(self.opened())
        self.run(self.store.reset())
        self.watched: dict[str, Thing] = {}
        self.changes = self.store.watch([THING])

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def opened(self) -> Store:
        if not self.url:
            return MemoryStore()
        url = self.url if "postgresql" in self.url else f"sqlite://{self.directory.name}/state.db"
        return await open_store(url, (THING, OTHER), SystemClock())

    @rule(groups=st.lists(st.tuples(CHANGES, st.booleans()), min_size=1, max_size=4))
    def change(self, groups: list[tuple[list[tuple[str, Thing | None]], bool]]) -> None:
        def failing(changes: list[tuple[str, Thing | None]]) -> Callable[[Transaction], None]:
            def write(tx: Transaction) -> None:
                apply(changes)(tx)
                raise ValueError("not this one")

            return write

        async def transact() -> None:
            await asyncio.gather(
                *(
                    self.store.transact(failing(changes) if fails else apply(changes))
                    for changes, fails in groups
                ),
                return_exceptions=True,
            )

        self.run(transact())
        for changes, fails in groups:
            for name, thing in [] if fails else changes:
                self.model.pop(name, None)
                if thing is not None:
                    self.model[name] = thing

    @precondition(lambda self: bool(self.url))
    @rule()
    def reopen(self) -> None:
        self.follow()
        self.run(self.store.close())
        self.store = self.run(self.opened())
        self.changes = self.store.watch([THING])

    def follow(self) -> None:
        """Take what the watch has told so far."""

        async def drain() -> None:
            while self.watched != self.model:
                async with asyncio.timeout(5):
                    change = await anext(self.changes)
                before = self.watched.get(change.key.name)
                assert before == (change.before and change.before.value)
                self.watched.pop(change.key.name, None)
                if change.after is not None:
                    self.watched[change.key.name] = change.after.value  # type: ignore[assignment]

        self.run(drain())

    @invariant()
    def reads_agree(self) -> None:
        reader = self.store.reader
        found = {record.key.name: record.value for record in reader.scan(THING, ACCOUNT, REGION)}
        assert found == self.model
        assert list(found) == sorted(found)
        for prefix in ("a", "b", ""):
            page = reader.scan(THING, ACCOUNT, REGION, prefix=prefix, after="ab", limit=2)
            wanted = sorted(name for name in found if name.startswith(prefix) and name > "ab")
            assert [record.key.name for record in page] == wanted[:2]

    @invariant()
    def index_agrees(self) -> None:
        red = self.store.reader.find(THING, ACCOUNT, REGION, "color", "red")
        wanted = sorted(name for name, thing in self.model.items() if "red" in thing.colors)
        assert [record.key.name for record in red] == wanted
        assert self.store.reader.count(THING, ACCOUNT, REGION, "color", "red") == len(wanted)

    def teardown(self) -> None:
        self.follow()
        self.run(self.store.close())
        self.loop.close()
        self.directory.cleanup()


@pytest.mark.parametrize("name", ["sqlite", "memory", "postgres"])
def test_store_answers_as_a_dict_would(name: str, request: pytest.FixtureRequest):
    url = {"sqlite": "sqlite", "memory": ""}.get(name)
    if url is None:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.database()
    machine = type(f"{name.title()}Machine", (StoreMachine,), {"url": url})
    steps = settings(max_examples=15, stateful_step_count=15, deadline=None)
    case = machine.TestCase
    case.settings = steps
    case("runTest").runTest()
