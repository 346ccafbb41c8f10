from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from botocore.session import get_session

from longshore.base.ids import SeededIds
from longshore.base.installation import Installation
from longshore.model.principal import root
from longshore.services.ecs import service
from longshore.services.interface import Context
from longshore.testing.clock import FakeClock
from longshore.testing.identity import ACCOUNT
from longshore.testing.memory_store import MemoryStore

MODEL = get_session().get_service_model("ecs")


def _check(value: Any, shape: Any, path: str) -> None:
    """Every member is one of the output's shape, of its type, and not None."""
    assert value is not None, path
    if shape.type_name == "structure":
        for name, member in value.items():
            assert name in shape.members, f"{path}.{name}"
            _check(member, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        assert isinstance(value, list), path
        for member in value:
            _check(member, shape.member, f"{path}[]")
    elif shape.type_name == "map":
        for name, member in value.items():
            _check(member, shape.value, f"{path}.{name}")
    else:
        assert isinstance(value, TYPES[shape.type_name]), f"{path}: {value!r}"


TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "long": int,
    "double": (int, float),
    "boolean": bool,
    "timestamp": (int, float),
}


class Ecs:
    """ECS's functions over a store in memory; `refused` are the IAM actions that are denied."""

    def __init__(self, data_dir: Any) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.ids = SeededIds()
        self.installation = Installation(data_dir=data_dir)
        self.principal = root(ACCOUNT)
        self.asked: list[tuple[str, str]] = []
        self.refuse: Callable[[str, str], None] = lambda action, resource: None

    async def __call__(self, operation: str, **request: Any) -> Any:
        def run(tx: Any) -> Any:
            return service().operations[operation](self._context(operation, tx), request)

        response = await self.store.transact(run)
        _check(response, MODEL.operation_model(operation).output_shape, operation)
        return response

    def _context(self, operation: str, tx: Any) -> Context:
        def authorize(action: str, resource: str, conditions: Any = None) -> None:
            self.asked.append((action, resource))
            self.refuse(action, resource)

        return Context(
            service="ecs",
            operation=operation,
            account=ACCOUNT,
            region="us-east-1",
            principal=self.principal,
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
