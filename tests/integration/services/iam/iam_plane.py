"""IAM over a real store, asked by boto3 through a gateway that believes what IAM says."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.base.sealing import Sealer
from longshore.gateway.gateway import Gateway
from longshore.model.kinds import KINDS
from longshore.model.principal import Credential
from longshore.services import iam as iam_room
from longshore.services import ssm, sts
from longshore.services.iam.first_start import ensure_administrator, ensure_sealing_key
from longshore.services.iam.identity import IamIdentity
from longshore.store import open_store
from longshore.store.interface import Store
from longshore.testing.ports import free_ports

ACCOUNT = "123456789012"
SESSION = boto3.Session()
"""One, because it reads a service's model once."""
EVERYONE = f"arn:aws:iam::{ACCOUNT}:root"


class Caller:
    """Somebody with a key: `call` gives a response without its metadata."""

    def __init__(self, url: str, key: str, secret: str, token: str | None, stack: Any) -> None:
        self._url, self._key, self._secret, self._token = url, key, secret, token
        self._stack = stack
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            client = SESSION.client(
                service,
                endpoint_url=self._url,
                region_name="us-east-1",
                aws_access_key_id=self._key,
                aws_secret_access_key=self._secret,
                aws_session_token=self._token,
                config=Config(
                    retries={"total_max_attempts": 1}, read_timeout=20, parameter_validation=False
                ),
            )
            self._stack.callback(client.close)
            self._clients[service] = client
        return self._clients[service]

    async def call(self, operation: str, *, service: str = "iam", **request: Any) -> Any:
        answer = await asyncio.to_thread(getattr(self.client(service), operation), **request)
        answer.pop("ResponseMetadata")
        return answer

    async def pages(self, operation: str, size: int) -> list[Any]:
        """Every page of a list, `size` entries each."""
        paginator = self.client("iam").get_paginator(operation)
        pages = paginator.paginate(PaginationConfig={"PageSize": size})
        return await asyncio.to_thread(list, pages)

    async def error(self, operation: str, *, service: str = "iam", **request: Any) -> Any:
        """Code, message and HTTP status that a call fails with."""
        with pytest.raises(ClientError) as caught:
            await self.call(operation, service=service, **request)
        response = caught.value.response
        error = response["Error"]
        return error["Code"], error["Message"], response["ResponseMetadata"]["HTTPStatusCode"]

    async def may(self, operation: str, *, service: str = "iam", **request: Any) -> bool:
        """Whether IAM lets the call through; what else is wrong with it does not matter."""
        try:
            await self.call(operation, service=service, **request)
        except ClientError as error:
            return error.response["Error"]["Code"] not in {"AccessDenied", "AccessDeniedException"}
        return True


class Plane:
    """The administrator, and everybody made in a test."""

    def __init__(self, url: str, store: Store, administrator: Credential, stack: Any) -> None:
        self._url, self.store, self._stack = url, store, stack
        self.admin = self.caller(administrator.access_key_id, administrator.secret_access_key)

    def caller(self, key: str, secret: str, token: str | None = None) -> Caller:
        return Caller(self._url, key, secret, token, self._stack)

    async def user(self, name: str, *statements: Any, **options: Any) -> Caller:
        """A new user with one inline policy and a key."""
        await self.admin.call("create_user", UserName=name, **options)
        if statements:
            await self.admin.call(
                "put_user_policy",
                UserName=name,
                PolicyName="own",
                PolicyDocument=document(*statements),
            )
        key = (await self.admin.call("create_access_key", UserName=name))["AccessKey"]
        return self.caller(key["AccessKeyId"], key["SecretAccessKey"])

    async def policy(self, name: str, *statements: Any, **options: Any) -> str:
        made = await self.admin.call(
            "create_policy", PolicyName=name, PolicyDocument=document(*statements), **options
        )
        return str(made["Policy"]["Arn"])

    async def role(self, name: str, principal: Any = None, **options: Any) -> dict[str, Any]:
        made = await self.admin.call(
            "create_role",
            RoleName=name,
            AssumeRolePolicyDocument=trust(principal or {"AWS": EVERYONE}),
            **options,
        )
        role: dict[str, Any] = made["Role"]
        return role


def document(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def deny(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return allow(*actions, resource=resource, **more) | {"Effect": "Deny"}


def trust(principal: Any) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


@contextlib.asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[Plane]:
    installation = Installation(data_dir=data_dir, port=free_ports(2), account=ACCOUNT)
    clock, ids = SystemClock(), RandomIds()
    store = await open_store(f"sqlite://{data_dir}/state.db", KINDS, clock)
    await store.transact(lambda tx: ensure_sealing_key(tx, ids))
    administrator = await store.transact(
        lambda tx: ensure_administrator(tx, ACCOUNT, ids, clock.now())
    )
    gateway = Gateway(
        services=[
            iam_room.service(),
            sts.service(),
            ssm.service(Sealer.load_or_create(data_dir / "sealing.key")),
        ],
        store=store,
        clock=clock,
        ids=ids,
        installation=installation,
        identity=IamIdentity(ids),
    )
    await gateway.start()
    with contextlib.ExitStack() as stack:
        try:
            yield Plane(f"http://127.0.0.1:{installation.port}", store, administrator, stack)
        finally:
            await gateway.stop()
            await store.close()
