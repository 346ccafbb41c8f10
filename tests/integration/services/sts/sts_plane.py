"""STS with real identities behind a real gateway; users and roles are put in the store."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
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
from longshore.model import iam
from longshore.model.arn import make_arn
from longshore.model.kinds import KINDS
from longshore.model.principal import Principal
from longshore.oidc.https import Reach
from longshore.policy.key_ids import unique_id
from longshore.policy.session import seal
from longshore.services import iam as iam_api
from longshore.services import secretsmanager, ssm, sts
from longshore.services.iam.first_start import ensure_sealing_key
from longshore.services.iam.identity import IamIdentity, sealing_key
from longshore.store import open_store
from longshore.store.interface import Store
from longshore.testing.ports import free_ports
from longshore.testing.users import user_with_key

ACCOUNT, OTHER = "123456789012", "210987654321"
IDS = RandomIds()
Statement = Mapping[str, Any]


def allow(*actions: str, resource: str = "*", **elements: Any) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **elements}


def trusting(principal: Any, *actions: str, **elements: Any) -> Statement:
    return {
        "Effect": "Allow",
        "Action": list(actions or ("sts:AssumeRole",)),
        "Principal": principal,
        **elements,
    }


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def inline(statements: tuple[Statement, ...]) -> iam.Inline:
    return (("own", document(*statements)),) if statements else ()


class Caller:
    """Somebody with keys."""

    def __init__(self, plane: "Plane", key_id: str, secret: str, token: str | None = None) -> None:
        self.plane, self.keys = plane, (key_id, secret, token)
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._new_client(service)
        return self._clients[service]

    def _new_client(self, service: str) -> Any:
        key_id, secret, token = self.keys
        client = boto3.client(
            service,
            endpoint_url=self.plane.url,
            region_name="us-east-1",
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(
                retries={"total_max_attempts": 1}, read_timeout=20, parameter_validation=False
            ),
        )
        self.plane.ending.callback(client.close)
        return client

    async def call(self, operation: str, service: str = "sts", **request: Any) -> Any:
        answer = await asyncio.to_thread(getattr(self.client(service), operation), **request)
        answer.pop("ResponseMetadata")
        return answer

    async def error(self, operation: str, service: str = "sts", **request: Any) -> tuple[str, str]:
        """The code and message that a call fails with."""
        with pytest.raises(ClientError) as caught:
            await self.call(operation, service, **request)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    async def session(self, operation: str, **request: Any) -> "Caller":
        """Who holds the credentials that the operation gives."""
        given = (await self.call(operation, **request))["Credentials"]
        return Caller(
            self.plane, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
        )

    async def assume(self, role: iam.Role, name: str = "ci", **request: Any) -> "Caller":
        return await self.session("assume_role", RoleArn=role.arn, RoleSessionName=name, **request)

    async def arn(self) -> str:
        return str((await self.call("get_caller_identity"))["Arn"])

    async def may(self, operation: str, service: str, **request: Any) -> bool:
        try:
            await self.call(operation, service, **request)
        except ClientError as error:
            if error.response["Error"]["Code"].startswith("AccessDenied"):
                return False
            raise
        return True


class Plane:
    def __init__(self, url: str, store: Store, ending: contextlib.ExitStack) -> None:
        self.url, self.store, self.ending = url, store, ending

    async def user(
        self, name: str, *statements: Statement, account: str = ACCOUNT, **fields: Any
    ) -> Caller:
        user, key = user_with_key(IDS, account, name, inline=inline(statements), **fields)
        await self.put(iam.USER, account, name, user)
        await self.put(iam.ACCESS_KEY, "", key.id, key)
        return Caller(self, key.id, key.secret)

    async def role(
        self,
        name: str,
        trust: Statement,
        *statements: Statement,
        account: str = ACCOUNT,
        **fields: Any,
    ) -> iam.Role:
        role = iam.Role(
            name=name,
            path="/",
            id=unique_id("role", IDS),
            arn=make_arn("iam", "", account, f"role/{name}"),
            created_at=0.0,
            trust=document(trust),
            inline=inline(statements),
            **fields,
        )
        await self.put(iam.ROLE, account, name, role)
        return role

    async def put(self, kind: Any, account: str, name: str, value: Any) -> None:
        await self.store.transact(lambda tx: tx.put(kind, account, "", name, value))

    async def delete(self, kind: Any, name: str) -> None:
        await self.store.transact(lambda tx: tx.delete(kind, ACCOUNT, "", name))

    def sealed(self, principal: Principal, expires: float) -> Caller:
        """A session that nobody asked STS for."""
        made = seal(sealing_key(self.store.reader), principal, expires, IDS)
        return Caller(self, made.access_key_id, made.secret_access_key, made.session_token)


@contextlib.asynccontextmanager
async def running(
    data_dir: Path, reach: Reach | None = None, auth: str = "enforced"
) -> AsyncIterator[Plane]:
    installation = Installation(data_dir=data_dir, port=free_ports(2), auth=auth)
    store = await open_store(f"sqlite://{data_dir}/state.db", KINDS, SystemClock())
    await store.transact(lambda tx: ensure_sealing_key(tx, IDS))
    sealer = Sealer.load_or_create(data_dir / "sealing.key")
    gateway = Gateway(
        services=[
            sts.service(reach),
            iam_api.service(),
            ssm.service(sealer),
            secretsmanager.service(sealer),
        ],
        store=store,
        clock=SystemClock(),
        ids=IDS,
        installation=installation,
        identity=IamIdentity(IDS),
    )
    await gateway.start()
    with contextlib.ExitStack() as ending:
        try:
            yield Plane(f"http://127.0.0.1:{installation.port}", store, ending)
        finally:
            await gateway.stop()
            await store.close()
