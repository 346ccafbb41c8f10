from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from longshore.base.ids import SeededIds
from longshore.base.installation import Installation
from longshore.model.principal import root
from longshore.services.ecs import service
from longshore.services.interface import Context
from longshore.testing.clock import FakeClock
from longshore.testing.identity import ACCOUNT
from longshore.testing.memory_store import MemoryStore


class Ecs:
    """ECS's functions over a store in memory; `refused` are the IAM actions that are denied."""

    def __init__(self, data_dir: Any) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.ids = SeededIds()
        self.installation = Installation(data_dir=data_dir)
        self.asked: list[tuple[str, str]] = []
        self.refuse: Callable[[str, str], None] = lambda action, resource: None

    async def __call__(self, operation: str, **request: Any) -> Any:
        def run(tx: Any) -> Any:
            return service().operations[operation](self._context(operation, tx), request)

        return await self.store.transact(run)

    def _context(self, operation: str, tx: Any) -> Context:
        def authorize(action: str, resource: str, conditions: Any = None) -> None:
            self.asked.append((action, resource))
            self.refuse(action, resource)

        return Context(
            service="ecs",
            operation=operation,
            account=ACCOUNT,
            region="us-east-1",
            principal=root(ACCOUNT),
            request_id="r",
            source_ip="127.0.0.1",
            now=self.clock.now(),
            ids=self.ids,
            clock=self.clock,
            installation=self.installation,
            store=self.store,
            tx=tx,
            authorize=authorize,
        )


@pytest.fixture
async def ecs(tmp_path: Any) -> AsyncIterator[Ecs]:
    yield Ecs(tmp_path)
