"""KMS beside IAM and STS over a real store, as boto3 calls it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from integration.services.iam.iam_plane import ACCOUNT, Caller, Plane, allow, document

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.base.sealing import Sealer
from longshore.gateway.gateway import Gateway
from longshore.model import iam
from longshore.model.kinds import KINDS
from longshore.services import iam as iam_room
from longshore.services import kms, sts
from longshore.services.iam.first_start import ensure_administrator, ensure_sealing_key
from longshore.services.iam.identity import IamIdentity
from longshore.store import open_store
from longshore.testing.ports import free_ports
from longshore.testing.users import user_with_key

REGION, OTHER = "us-east-1", "999999999999"


class Keys:
    """KMS for its administrator, and for whomever a test makes."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self._ids = RandomIds()

    async def create(self, **asked: Any) -> Any:
        return (await self.call("create_key", **asked))["KeyMetadata"]

    async def describe(self, key: str) -> Any:
        return (await self.call("describe_key", KeyId=key))["KeyMetadata"]

    async def call(self, operation: str, *, by: Caller | None = None, **request: Any) -> Any:
        return await (by or self.plane.admin).call(operation, service="kms", **request)

    async def error(self, operation: str, *, by: Caller | None = None, **request: Any) -> str:
        """The code that a call fails with."""
        code, _, _ = await (by or self.plane.admin).error(operation, service="kms", **request)
        return str(code)

    async def may(self, by: Caller, operation: str, **request: Any) -> bool:
        return await by.may(operation, service="kms", **request)

    async def encrypt(self, key: str, text: bytes = b"secret", **more: Any) -> bytes:
        return bytes(
            (await self.call("encrypt", KeyId=key, Plaintext=text, **more))["CiphertextBlob"]
        )

    async def decrypt(self, blob: bytes, **more: Any) -> bytes:
        return bytes((await self.call("decrypt", CiphertextBlob=blob, **more))["Plaintext"])

    async def stranger(self, *statements: Any) -> tuple[str, Caller]:
        """A user of another account, whose policies allow all of KMS; ARN and key."""
        inline = (("own", document(*(statements or (allow("kms:*"),)))),)
        user, key = user_with_key(self._ids, OTHER, "guest", inline=inline)

        def write(tx: Any) -> None:
            tx.put(iam.USER, OTHER, "", "guest", user)
            tx.put(iam.ACCESS_KEY, "", "", key.id, key)

        await self.plane.store.transact(write)
        return user.arn, self.plane.caller(key.id, key.secret)


@contextlib.asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[Keys]:
    installation = Installation(data_dir=data_dir, port=free_ports(2), account=ACCOUNT)
    clock, ids = SystemClock(), RandomIds()
    store = await open_store(f"sqlite://{data_dir}/state.db", KINDS, clock)
    await store.transact(lambda tx: ensure_sealing_key(tx, ids))
    administrator = await store.transact(
        lambda tx: ensure_administrator(tx, ACCOUNT, ids, clock.now())
    )
    sealer = Sealer.load_or_create(data_dir / "sealing.key")
    gateway = Gateway(
        services=[iam_room.service(), sts.service(), kms.service(sealer)],
        store=store,
        clock=clock,
        ids=ids,
        installation=installation,
        identity=IamIdentity(ids),
    )
    await gateway.start()
    with contextlib.ExitStack() as stack:
        try:
            plane = Plane(f"http://127.0.0.1:{installation.port}", store, administrator, stack)
            yield Keys(plane)
        finally:
            await gateway.stop()
            await store.close()
