"""Whatever a request of the right shape says: an answer or AWS's error, never a fault of ours."""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from integration.services.first_requests import FIRST
from integration.services.random_requests import RandomRequests

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.controllers.interface import Surroundings
from longshore.gateway.gateway import Gateway
from longshore.main.first_start import prepare
from longshore.main.services import open_offer
from longshore.model.kinds import KINDS
from longshore.services.iam.identity import IamIdentity
from longshore.services.interface import Service
from longshore.store import open_store
from longshore.testing.ports import free_ports

REQUESTS = int(os.environ.get("RANDOM_REQUESTS", "700"))
SEED = 1 if os.environ.get("CI") else random.randrange(2**32)
SESSION = boto3.Session()


class Asker:
    """Calls a service without knowing better; `faults` are what no request may cause."""

    def __init__(self, port: int, requests: RandomRequests) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._requests = requests
        self._clients: dict[str, Any] = {}
        self.faults: list[str] = []
        self.answered: set[str] = set()

    def client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(
                retries={"total_max_attempts": 1}, read_timeout=20, parameter_validation=False
            )
            self._clients[service] = SESSION.client(
                service,
                region_name="us-east-1",
                endpoint_url=self._url,
                aws_access_key_id="AKIDEXAMPLE",
                aws_secret_access_key="unknown",
                config=config,
            )
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def begin(self, service: str) -> None:
        for operation, request in FIRST[service](self._requests.known):
            other, _, name = operation.rpartition(".")
            self.call(other or service, name, request)
            assert name in self.answered, (operation, request)

    def call(self, service: str, operation: str, request: dict[str, Any]) -> None:
        try:
            answer = getattr(self.client(service), xform_name(operation))(**request)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            code = error.response["Error"]["Code"]
            if (status >= 500 and status != 501) or not code:
                self.faults.append(f"{service} {operation} {request!r}: {status} {code}")
            return
        self.answered.add(operation)
        self._requests.take(operation, request)
        answer.pop("ResponseMetadata")
        self._requests.hear(answer)

    def go_on(self, service: Service) -> None:
        model = self.client(service.name).meta.service_model
        operations = sorted({*service.operations, *service.waiting})
        for _ in range(REQUESTS):
            operation = self._requests.choose(operations)
            self.call(service.name, operation, self._requests.of(model.operation_model(operation)))


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[tuple[Asker, Any]]:
    """Every service over a real store, as at first start, where no signature is asked for."""
    clock, ids = SystemClock(), RandomIds()
    installation = Installation(data_dir=tmp_path, port=free_ports(2), auth="open")
    async with contextlib.AsyncExitStack() as stack:
        store = await open_store(f"sqlite://{tmp_path}/state.db", KINDS, clock)
        stack.push_async_callback(store.close)
        around = Surroundings(store=store, clock=clock, ids=ids, installation=installation)
        await prepare(around)
        offer = open_offer(around, stack)
        gateway = Gateway(
            services=offer.services,
            store=store,
            clock=clock,
            ids=ids,
            installation=installation,
            identity=IamIdentity(ids),
        )
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        asker = Asker(installation.port, RandomRequests(SEED))
        stack.callback(asker.close)
        yield asker, offer.services


@pytest.mark.parametrize("name", FIRST)
async def test_no_request_of_the_right_shape_is_a_fault_of_ours(
    plane: tuple[Asker, Any], name: str
) -> None:
    asker, services = plane
    await asyncio.to_thread(asker.begin, name)
    await asyncio.to_thread(asker.go_on, services[name])
    assert not asker.faults, f"seed {SEED}:\n" + "\n".join(asker.faults)
