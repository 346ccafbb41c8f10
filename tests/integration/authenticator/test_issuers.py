"""What clusters' OIDC issuers publish, under their own name and certificate."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from longshore.authenticator import ISSUERS, issuers
from longshore.awsapi.connection import Connection
from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.controllers.eks_cluster.plane import issuer_addresses, issuer_name
from longshore.gateway.gateway import Gateway
from longshore.main.background import endpoint_certificate
from longshore.model import eks
from longshore.oidc.keys import keys_of
from longshore.oidc.tokens import is_signed, read
from longshore.services.iam.identity import IamIdentity
from longshore.testing.memory_store import MemoryStore
from longshore.testing.ports import free_ports
from longshore.testing.web_tokens import Signer

ID = "0123456789ABCDEF0123456789ABCDEF"
SIGNER = Signer(0)


@dataclass
class Published:
    installation: Installation
    store: MemoryStore

    def issuer(self, region: str = "us-east-1", cluster_id: str = ID) -> str:
        name = issuer_name(self.installation, region)
        return f"https://{name}:{self.installation.tls_port}/id/{cluster_id}"

    async def cluster(self, region: str = "us-east-1", **fields: Any) -> None:
        status = eks.ClusterStatus(
            **{"id": ID, "issuer": self.issuer(region), "token_key": SIGNER.pem, **fields}
        )
        await self.store.transact(
            lambda tx: tx.put(eks.CLUSTER_STATUS, "123456789012", region, "demo", status)
        )

    async def get(
        self, path: str, region: str = "us-east-1", method: str = "GET"
    ) -> tuple[int, bytes]:
        """As somebody else verifies: the name is looked for in the certificate."""
        authority = self.installation.data_dir / "ca" / "ca.crt"
        context = ssl.create_default_context(cafile=str(authority))
        name = issuer_name(self.installation, region)
        streams = await asyncio.open_connection(
            "127.0.0.1", self.installation.tls_port, ssl=context, server_hostname=name
        )
        connection = Connection(*streams)
        try:
            answer = await connection.exchange(method, path, {"host": name}, b"")
        finally:
            connection.close()
        return answer.status, answer.body

    async def document(self, path: str, region: str = "us-east-1") -> Any:
        status, body = await self.get(path, region)
        assert status == 200
        return json.loads(body)


@pytest.fixture
async def published(tmp_path: Path) -> AsyncIterator[Published]:
    installation = Installation(data_dir=tmp_path, port=free_ports(2))
    store = MemoryStore()
    gateway = Gateway(
        services=[],
        store=store,
        clock=SystemClock(),
        ids=RandomIds(),
        installation=installation,
        identity=IamIdentity(RandomIds()),
        certificate=lambda: endpoint_certificate(installation),
        routes={ISSUERS: issuers(store)},
    )
    await gateway.start()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(gateway.stop)
        yield Published(installation, store)


async def test_a_token_can_be_verified_with_what_its_issuer_publishes(published: Published) -> None:
    await published.cluster()
    told = await published.document(f"/id/{ID}/.well-known/openid-configuration")
    assert told["issuer"] == published.issuer()
    path = told["jwks_uri"].removeprefix(told["issuer"])
    keys = keys_of((await published.document(f"/id/{ID}{path}"))["keys"])
    assert is_signed(read(SIGNER.token({"iss": told["issuer"]})), keys)
    assert not is_signed(read(Signer(1).token({"iss": told["issuer"]})), keys)


async def test_issuers_of_every_region_have_a_certificate(published: Published) -> None:
    await published.cluster("eu-central-1")
    told = await published.document(f"/id/{ID}/keys", "eu-central-1")
    assert [key["kid"] for key in told["keys"]] == [SIGNER.key.id]


@pytest.mark.parametrize(
    "path",
    [
        *("/id", "/id/", f"/id/{ID}", f"/id/{ID}/", f"/id/{ID}/keys/", f"/id/{ID}/other"),
        *(f"/id/{ID.lower()}/keys", "/id/other/keys", "/id//keys", f"/id/x/{ID}/keys"),
        f"/id/{ID}/.well-known",
    ],
)
async def test_there_is_nothing_else(published: Published, path: str) -> None:
    await published.cluster()
    assert (await published.get(path))[0] in {307, 404}


async def test_a_cluster_without_a_key_yet_publishes_nothing(published: Published) -> None:
    await published.cluster(token_key="")
    for path in ("keys", ".well-known/openid-configuration"):
        assert (await published.get(f"/id/{ID}/{path}"))[0] == 404


async def test_documents_are_only_read(published: Published) -> None:
    await published.cluster()
    for method in ("POST", "PUT", "DELETE"):
        assert (await published.get(f"/id/{ID}/keys", method=method))[0] == 405


def test_the_issuers_name_leads_to_where_the_endpoint_listens(tmp_path: Path) -> None:
    for listen, address in (
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("192.0.2.1", "192.0.2.1"),
    ):
        installation = Installation(data_dir=tmp_path, listen=listen)
        assert issuer_addresses(installation, "us-east-1") == {
            "oidc.eks.us-east-1.longshore.internal": address
        }
