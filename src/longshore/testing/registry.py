"""A registry for tests: HTTPS on a free port, over any store, with tokens for anybody."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshore.base.authority import Authority
from longshore.base.clock import Clock, SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.blobs import FileBlobs
from longshore.images import tokens
from longshore.images.catalog import Home
from longshore.model import ecr
from longshore.model.principal import Principal, root
from longshore.registry import Parts, RegistryServer, application
from longshore.services.interface import Identity, Resource
from longshore.store.interface import Reader, Store
from longshore.testing.memory_store import MemoryStore
from longshore.testing.ports import free_ports


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
        from longshore.model.errors import AwsError

        self.asked.append((action, resource.arn))
        if action in self.denied:
            raise AwsError(
                "AccessDeniedException",
                f"User: {principal.arn} is not authorized to perform: {action} on resource:"
                f" {resource.arn} because no identity-based policy allows the {action} action",
            )


class RunningRegistry:
    """A registry in this process's event loop."""

    def __init__(
        self,
        data_dir: Path,
        store: Store | None = None,
        identity: Identity | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.installation = Installation(data_dir=data_dir, port=free_ports(4))
        self.store = store or MemoryStore()
        self.everybody = Everybody()
        self.clock: Clock = clock or SystemClock()
        self.ids = RandomIds()
        self.blobs = FileBlobs(data_dir / "registry")
        self.authority = Authority.load_or_create(data_dir / "ca", "Longshore test")
        known: Any = identity or self.everybody
        self.parts = Parts(
            installation=self.installation,
            store=self.store,
            blobs=self.blobs,
            identity=known,
            clock=self.clock,
            ids=self.ids,
        )
        self._server = RegistryServer(application(self.parts), self.installation, self.authority)

    async def start(self) -> None:
        await self._server.start()

    async def close(self) -> None:
        await self._server.close()
        await self.blobs.close()
        await self.store.close()

    @property
    def host(self) -> str:
        """Address and port, for clients without Longshore's names."""
        return f"127.0.0.1:{self.installation.registry_port}"

    def home(self, name: str) -> Home:
        return Home(self.installation.account, self.installation.region, name)

    async def create_repository(self, name: str, **fields: Any) -> Home:
        home = self.home(name)
        value = ecr.Repository(name=name, created_at=self.clock.now(), **fields)
        await self.store.transact(lambda tx: tx.put(ecr.REPOSITORY, *home, value))
        return home

    async def password(self, principal: Principal | None = None) -> str:
        """Of user `AWS`; for the account's root where no principal is given."""
        key = await self.store.transact(lambda tx: tokens.token_key(tx, self.ids))
        who = principal or root(self.installation.account)
        return tokens.seal(key, who, self.clock.now() + tokens.LIFETIME_SECONDS, self.ids)

    async def credentials(self, principal: Principal | None = None) -> str:
        """`AWS:<password>`."""
        return f"{tokens.USER}:{await self.password(principal)}"

    async def authorization(self, principal: Principal | None = None) -> dict[str, str]:
        """The header."""
        encoded = base64.b64encode((await self.credentials(principal)).encode()).decode()
        return {"Authorization": f"Basic {encoded}"}
