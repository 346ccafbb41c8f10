"""What a controller is.

A controller is level-triggered: `reconcile(key)` looks at the store as it is now and does the next
thing, whatever the change was that called it. It may be killed between any two lines and is called
again for every key at the next start.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from longshore.base.clock import Clock
from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every controller is given."""

    store: Store
    clock: Clock
    ids: Ids
    installation: Installation


class Controller(Protocol):
    """One concern of one resource; `name` is its path, its logger and its metric."""

    name: str

    @property
    def watched(self) -> Collection[Kind[Any]]:
        """Kinds whose changes may concern it."""

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        """The keys to reconcile because of `change` (often just `change.key`)."""

    def every_key(self, reader: Reader) -> Iterable[Key]:
        """All keys, for the start and after missed changes."""

    async def reconcile(self, key: Key) -> float | None:
        """Do the next thing for `key`; seconds after which to look again, or None.

        An exception is logged and the key tried again, later each time.
        """


@runtime_checkable
class Listener(Protocol):
    """A controller that also hears of what is in no record."""

    async def listen(self, wake: Callable[[Key], None]) -> None:
        """Call `wake` with keys that are to be reconciled, until cancelled; beside the loop."""
