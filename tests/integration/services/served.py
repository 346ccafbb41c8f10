"""Services behind a real gateway and a real store, called by boto3."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.gateway.gateway import Gateway
from longshore.model.kinds import KINDS
from longshore.services.interface import Service
from longshore.store import open_store
from longshore.store.interface import Store
from longshore.testing.identity import KEY_ID, SECRET, KnownKeys
from longshore.testing.ports import free_ports

ACCOUNT, REGION = "123456789012", "us-east-1"


class Served:
    """One service that answers; `call` gives a response without its metadata."""

    def __init__(
        self, name: str, installation: Installation, store: Store, identity: KnownKeys
    ) -> None:
        self.installation = installation
        self.store = store
        self.identity = identity
        self.url = f"http://127.0.0.1:{installation.port}"
        self.client = boto3.client(
            name,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=20),
        )

    async def call(self, operation: str, **request: Any) -> Any:
        answer = await asyncio.to_thread(getattr(self.client, operation), **request)
        answer.pop("ResponseMetadata")
        return answer

    async def error(self, operation: str, **request: Any) -> tuple[str, str]:
        """The code and message that a call fails with."""
        with pytest.raises(ClientError) as caught:
            await self.call(operation, **request)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]


@contextlib.asynccontextmanager
async def serving(data_dir: Path, services: Sequence[Service]) -> AsyncIterator[Served]:
    installation = Installation(data_dir=data_dir, port=free_ports(2))
    store = await open_store(f"sqlite://{data_dir}/state.db", KINDS, SystemClock())
    identity = KnownKeys()
    gateway = Gateway(
        services=services,
        store=store,
        clock=SystemClock(),
        ids=RandomIds(),
        installation=installation,
        identity=identity,
    )
    await gateway.start()
    served = Served(services[0].name, installation, store, identity)
    try:
        yield served
    finally:
        served.client.close()
        await gateway.stop()
        await store.close()
