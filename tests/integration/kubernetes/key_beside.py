"""KMS with one key beside a control plane, and the provider that encrypts with it, in one
namespace: what a control plane's task has on Longshore."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.base.key_material import new_material
from longshore.base.sealing import Sealer
from longshore.components import component, install, locate
from longshore.gateway.gateway import Gateway
from longshore.kubernetes.encryption import provider_command
from longshore.model import iam
from longshore.model.kms import KEY, Key, Material, key_arn
from longshore.services import kms
from longshore.services.iam.first_start import ensure_sealing_key
from longshore.services.iam.identity import IamIdentity
from longshore.testing.kubernetes import RunningControlPlane
from longshore.testing.memory_store import MemoryStore
from longshore.testing.users import user_with_key

ACCOUNT, REGION, KEY_ID = "123456789012", "us-east-1", "11111111-2222-4333-8444-555555555555"
CLUSTER_ARN = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/tests"
PORT = 8585


class KeyBeside:
    """The key, which one user of IAM may use: the provider is that one."""

    def __init__(self, plane: RunningControlPlane, directory: Path) -> None:
        self._plane, self._directory = plane, directory
        self._store, self._ids = MemoryStore(), RandomIds()
        self._sealer = Sealer(b"k" * 32)
        self._user, self._access_key = user_with_key(self._ids, ACCOUNT, "cluster")
        self._store._run(self._begin, 1)

    def _begin(self, tx: Any) -> None:
        ensure_sealing_key(tx, self._ids)
        tx.put(iam.USER, ACCOUNT, "", self._user.name, self._user)
        tx.put(iam.ACCESS_KEY, "", "", self._access_key.id, self._access_key)
        arn = key_arn(REGION, ACCOUNT, KEY_ID)
        material, sealed = new_material(self._sealer, arn)
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": self._user.arn},
            "Action": ["kms:Encrypt", "kms:Decrypt"],
            "Resource": "*",
            "Condition": {
                "StringEquals": {"kms:EncryptionContext:aws:eks:cluster-arn": CLUSTER_ARN}
            },
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        key = Key(
            id=KEY_ID,
            arn=arn,
            created_at=0.0,
            policy=msgspec.json.encode(policy).decode(),
            materials=(Material(id=material, sealed=sealed, created_at=0.0),),
        )
        tx.put(KEY, ACCOUNT, REGION, KEY_ID, key)

    def enable(self, enabled: bool) -> None:
        """As EnableKey and DisableKey do."""

        def write(tx: Any) -> None:
            key = tx.get(KEY, ACCOUNT, REGION, KEY_ID).value
            changed = msgspec.structs.replace(key, enabled=enabled)
            tx.put(KEY, ACCOUNT, REGION, KEY_ID, changed)

        self._store._run(write, 1)

    async def serve(self) -> Gateway:
        """KMS, and credentials as a task's agent gives them, in this loop's namespace."""
        gateway = Gateway(
            services=[kms.service(self._sealer)],
            store=self._store,
            clock=SystemClock(),
            ids=self._ids,
            installation=Installation(data_dir=self._directory, port=PORT),
            identity=IamIdentity(self._ids),
            routes={"/credentials": Starlette(routes=[Route("/credentials", self._credentials)])},
        )
        await gateway.start()
        return gateway

    def _credentials(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "AccessKeyId": self._access_key.id,
                "SecretAccessKey": self._access_key.secret,
                "Token": "",
                "Expiration": "2100-01-01T00:00:00Z",
            }
        )

    @contextlib.contextmanager
    def provider(self) -> Iterator[None]:
        """The program, beside the control plane."""
        install(component("kms-plugin"), print)
        arn = key_arn(REGION, ACCOUNT, KEY_ID)
        command = [str(locate("kms-plugin")), *provider_command(arn, CLUSTER_ARN)]
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{PORT}/credentials",
        }
        running = subprocess.Popen(self._plane.in_namespace(*command), env=environment)
        try:
            yield
        finally:
            running.kill()
            running.wait()
