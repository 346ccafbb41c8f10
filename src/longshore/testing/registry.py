"""A registry for tests: HTTPS on a free port, over any store, with tokens for anybody."""

import asyncio
import base64
import threading
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from longshore.base.authority import Authority
from longshore.base.clock import Clock, SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.blobs import FileBlobs
from longshore.images import tokens
from longshore.images.catalog import Home
from longshore.model import ecr
from longshore.model.errors import AwsError
from longshore.model.principal import Principal, root
from longshore.registry import Parts, running_registry
from longshore.services.interface import Identity, Resource
from longshore.store.interface import Reader, Store
from longshore.testing.memory_store import MemoryStore
from longshore.testing.ports import free_ports

T = TypeVar("T")


class Everybody:
    """An identity service by which everybody may do everything but what is in `denied`."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    def authorize(
        self,
        reader: Reader,
        principal: Principal,
        action: str,
        resource: Resource,
        conditions: Mapping[str, str | list[str]],
        resource_policy: str | None,
    ) -> None:
        self.asked.append((action, resource.arn))
        if action in self.denied:
            raise AwsError(
                "AccessDeniedException",
                f"User: {principal.arn} is not authorized to perform: {action} on resource:"
                f" {resource.arn} because no identity-based policy allows the {action} action",
            )


class RunningRegistry:
    """A registry on a thread of its own; every method may be called from the test's thread.

    Its names are installed in `data_dir`/etc, unless another directory is given.
    """

    def __init__(
        self,
        data_dir: Path,
        store: Store | None = None,
        identity: Identity | None = None,
        clock: Clock | None = None,
        auth: str = "enforced",
        etc: Path | None = None,
        port: int = 0,
    ) -> None:
        self.installation = Installation(data_dir=data_dir, port=port or free_ports(4), auth=auth)
        self.store = store or MemoryStore()
        self.everybody = Everybody()
        self.clock: Clock = clock or SystemClock()
        self.ids = RandomIds()
        self.blobs = FileBlobs(data_dir / "registry", self.clock.now)
        self.authority = Authority.load_or_create(data_dir / "ca", "Longshore test")
        self.etc = etc or data_dir / "etc"
        self.etc.mkdir(exist_ok=True)
        known: Any = identity or self.everybody
        self.parts = Parts(
            installation=self.installation,
            store=self.store,
            blobs=self.blobs,
            identity=known,
            clock=self.clock,
            ids=self.ids,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._stack = AsyncExitStack()
        try:
            self.run(self._start())
        except BaseException:
            self.close()
            raise

    async def _start(self) -> None:
        await self._stack.enter_async_context(
            running_registry(self.parts, self.authority, self.etc)
        )

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What the coroutine gives, run beside the registry."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def close(self) -> None:
        self.run(self._stack.aclose())
        self.run(self.blobs.close())
        self.run(self.store.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def host(self) -> str:
        """Address and port, for clients without Longshore's names."""
        return f"127.0.0.1:{self.installation.registry_port}"

    def home(self, name: str) -> Home:
        return Home(self.installation.account, self.installation.region, name)

    def create_repository(self, name: str, **fields: Any) -> Home:
        home = self.home(name)
        value = ecr.Repository(name=name, created_at=self.clock.now(), **fields)
        self.run(self.store.transact(lambda tx: tx.put(ecr.REPOSITORY, *home, value)))
        return home

    def password(self, principal: Principal | None = None) -> str:
        """Of user `AWS`; for the account's root where no principal is given."""
        key = self.run(self.store.transact(lambda tx: tokens.token_key(tx, self.ids)))
        who = principal or root(self.installation.account)
        return tokens.seal(key, who, self.clock.now() + tokens.LIFETIME_SECONDS, self.ids)

    def credentials(self, principal: Principal | None = None) -> str:
        """`AWS:<password>`."""
        return f"{tokens.USER}:{self.password(principal)}"

    def authorization(self, principal: Principal | None = None) -> dict[str, str]:
        """The header."""
        encoded = base64.b64encode(self.credentials(principal).encode()).decode()
        return {"Authorization": f"Basic {encoded}"}
