"""ECR for tests as its users see it: the API and the registry over one store, with real IAM."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.gateway.gateway import Gateway
from longshore.model import iam
from longshore.model.kinds import KINDS
from longshore.model.principal import Credential
from longshore.services import ecr
from longshore.services.iam.first_start import ensure_administrator, ensure_sealing_key
from longshore.services.iam.identity import IamIdentity, user_principal
from longshore.store import open_store
from longshore.store.interface import Transaction
from longshore.testing.registry import RunningRegistry
from longshore.testing.users import user_with_key


class RunningEcr:
    """A registry with the API beside it, on SQLite."""

    def __init__(self, data_dir: Path) -> None:
        ids = RandomIds()
        identity = IamIdentity(ids)
        store = asyncio.run(open_store(f"sqlite://{data_dir}/state.db", KINDS, SystemClock()))
        self.registry = RunningRegistry(data_dir, store, identity)
        self.installation = self.registry.installation

        def prepare(tx: Transaction) -> Credential:
            ensure_sealing_key(tx, ids)
            return ensure_administrator(tx, self.installation.account, ids, 0.0)

        self.administrator = self.registry.run(store.transact(prepare))
        self._gateway = Gateway(
            services=[ecr.service(self.registry.blobs)],
            store=store,
            clock=SystemClock(),
            ids=ids,
            installation=self.installation,
            identity=identity,
        )
        self.registry.run(self._gateway.start())

    def close(self) -> None:
        self.registry.run(self._gateway.stop())
        self.registry.close()

    def client(self, credential: Credential | None = None) -> Any:
        """A botocore client of ECR; the administrator's where no credential is given."""
        known = credential or self.administrator
        session = botocore.session.Session()
        session.set_credentials(known.access_key_id, known.secret_access_key)
        return session.create_client(
            "ecr",
            region_name=self.installation.region,
            endpoint_url=self.installation.endpoint_url,
            config=Config(proxies={}, retries={"total_max_attempts": 1}),
        )

    def user(self, name: str, policy: str = "", account: str = "") -> Credential:
        """A user with one inline policy, and a key of theirs."""
        account = account or self.installation.account
        inline = (("only", policy),) if policy else ()
        user, key = user_with_key(RandomIds(), account, name, inline=inline)

        def write(tx: Transaction) -> None:
            tx.put(iam.USER, account, "", name, user)
            tx.put(iam.ACCESS_KEY, "", "", key.id, key)

        self.registry.run(self.registry.store.transact(write))
        return Credential(
            access_key_id=key.id,
            secret_access_key=key.secret,
            principal=user_principal(user, key.id),
        )


def login(client: Any) -> str:
    """`AWS:<password>` from GetAuthorizationToken."""
    (data,) = client.get_authorization_token()["authorizationData"]
    return base64.b64decode(data["authorizationToken"]).decode()
