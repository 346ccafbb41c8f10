"""A cluster's API server, as far as it asks: the webhooks behind a gateway, and keys of IAM."""

import asyncio
import contextlib
import hashlib
import http.client
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from longshore.authenticator import PREFIX, authenticator
from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.gateway.gateway import Gateway
from longshore.model import eks, iam
from longshore.model.arn import make_arn
from longshore.oidc.https import Reach, is_public
from longshore.policy.key_ids import unique_id
from longshore.services.iam.first_start import ensure_sealing_key
from longshore.services.iam.identity import IamIdentity
from longshore.telemetry.interface import LogStore
from longshore.testing.clock import FakeClock
from longshore.testing.eks_tokens import STSClientFactory, TokenGenerator
from longshore.testing.memory_store import MemoryStore
from longshore.testing.ports import free_ports
from longshore.testing.users import user_with_key

ACCOUNT, REGION, NAME = "123456789012", "us-east-1", "demo"
SECRET = "what the API server was given"
SESSION = botocore.session.Session()
"""One, because it reads a service's model once."""
IDS = RandomIds()
Answer = tuple[int, dict[str, Any]]
Keys = tuple[str, str, str | None]
"""Key id, secret and session token."""


class ApiServer:
    """Asks as the API server of cluster `demo` does. `clock` is the authenticator's, at now."""

    def __init__(
        self,
        installation: Installation,
        log_store: LogStore | None = None,
        reach: Reach = is_public,
    ) -> None:
        self.port = installation.port
        self.store = MemoryStore()
        self.clock = FakeClock(time.time())
        self.identity = IamIdentity(IDS)
        self.objects: dict[str, Any] = {}
        """What is in the cluster, by paths of its API."""
        self.app = authenticator(
            self.store, self.identity, self.clock, installation, self, log_store, reach
        )

    async def find(self, account: str, region: str, cluster: str, path: str) -> Any:
        """As the authenticator reads in clusters (`ClusterObjects`)."""
        assert (account, region, cluster) == (ACCOUNT, REGION, NAME)
        return self.objects.get(path)

    async def put(
        self, kind: Any, region: str, name: str, value: Any, account: str = ACCOUNT
    ) -> None:
        await self.store.transact(lambda tx: tx.put(kind, account, region, name, value))

    async def delete(self, kind: Any, region: str, name: str, account: str = ACCOUNT) -> None:
        await self.store.transact(lambda tx: tx.delete(kind, account, region, name))

    async def cluster(self, name: str = NAME, secret: str = SECRET, **fields: Any) -> None:
        """A cluster that runs, with access entries unless `fields` say otherwise."""
        cluster = eks.Cluster(
            name=name,
            arn=eks.cluster_arn(REGION, ACCOUNT, name),
            id=IDS.hex(32).upper(),
            version="1.35",
            role_arn=make_arn("iam", "", ACCOUNT, "role/cluster"),
            created_at=0.0,
            vpc_id="vpc-1",
            subnets=("subnet-1", "subnet-2"),
            service_cidr="10.100.0.0/16",
            **{"authentication_mode": "API", "created_by": "", **fields},
        )
        digest = hashlib.sha256(secret.encode()).hexdigest()
        await self.put(eks.CLUSTER, REGION, name, cluster)
        await self.status(name, id=cluster.id, webhook_digest=digest)

    async def status(self, name: str = NAME, **fields: Any) -> None:
        await self.put(eks.CLUSTER_STATUS, REGION, name, eks.ClusterStatus(**fields))

    async def user(self, name: str, account: str = ACCOUNT) -> tuple[iam.User, Keys]:
        user, key = user_with_key(IDS, account, name)
        await self.put(iam.USER, "", name, user, account)
        await self.put(iam.ACCESS_KEY, "", key.id, key, "")
        return user, (key.id, key.secret, None)

    async def role(self, name: str, path: str = "/") -> iam.Role:
        role = iam.Role(
            name=name,
            path=path,
            id=unique_id("role", IDS),
            arn=make_arn("iam", "", ACCOUNT, f"role{path}{name}"),
            created_at=0.0,
            trust="{}",
        )
        await self.put(iam.ROLE, "", name, role)
        return role

    def session(self, role: iam.Role, name: str) -> Keys:
        """Credentials of the role for an hour."""
        issued = self.identity.issue(self.store.reader, role.arn, name, 3600, self.clock.now())
        return issued.access_key_id, issued.secret_access_key, issued.session_token

    async def entry(
        self, principal: iam.User | iam.Role, *policies: eks.AssociatedPolicy, **fields: Any
    ) -> None:
        """The principal's access entry in the cluster."""
        entry = eks.AccessEntry(
            cluster=NAME,
            principal_arn=principal.arn,
            principal_id=principal.id,
            arn="",
            policies=policies,
            created_at=0.0,
            modified_at=0.0,
            **{"username": principal.arn, **fields},
        )
        await self.put(eks.ACCESS_ENTRY, REGION, eks.entry_name(NAME, principal.arn), entry)

    async def post(
        self,
        operation: str,
        body: Any,
        cluster: str = NAME,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> tuple[int, bytes]:
        """The answer's status and body; what is no bytes goes as JSON."""
        path = f"{PREFIX}/{ACCOUNT}/{REGION}/{cluster}/{operation}?timeout=30s"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        shown = {"Authorization": f"Bearer {SECRET}"} if headers is None else dict(headers)

        def ask() -> tuple[int, bytes]:
            with contextlib.closing(
                http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            ) as connection:
                connection.request(method, path, content, shown)
                answer = connection.getresponse()
                return answer.status, answer.read()

        return await asyncio.to_thread(ask)

    async def authenticate(self, token: str) -> dict[str, Any]:
        """The status of a TokenReview."""
        status, body = await self.post("authenticate", token_review(token))
        answer = json.loads(body)
        assert status == 200
        assert answer["apiVersion"] == "authentication.k8s.io/v1"
        assert answer["kind"] == "TokenReview"
        return dict(answer["status"])

    async def user_of(self, keys: Keys) -> dict[str, Any]:
        """The user that the API server takes a token of these keys to be of."""
        status = await self.authenticate(token_of(keys))
        assert status["authenticated"], status
        return dict(status["user"])

    async def refuses(self, keys: Keys, cluster: str = NAME) -> bool:
        status = await self.authenticate(token_of(keys, cluster))
        return status == {"authenticated": False, "error": "the token is not accepted"}

    async def authorize(self, user: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
        """The status of a SubjectAccessReview about a user that was let in."""
        review = {
            "kind": "SubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {"creationTimestamp": None},
            "spec": {
                "user": user["username"],
                "groups": user.get("groups", []),
                "uid": user["uid"],
                "extra": user.get("extra", {}),
                **spec,
            },
        }
        status, body = await self.post("authorize", review)
        answer = json.loads(body)
        assert status == 200
        assert answer["apiVersion"] == "authorization.k8s.io/v1"
        assert answer["kind"] == "SubjectAccessReview"
        return dict(answer["status"])

    async def may(
        self,
        user: Mapping[str, Any],
        verb: str,
        resource: str,
        namespace: str = "default",
        **more: str,
    ) -> bool:
        attributes = {"verb": verb, "resource": resource, "version": "v1", **more}
        if namespace:
            attributes["namespace"] = namespace
        status = await self.authorize(user, resourceAttributes=attributes)
        assert "denied" not in status
        return bool(status["allowed"])


def token_review(token: str) -> dict[str, Any]:
    """As an API server sends it."""
    return {
        "kind": "TokenReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": None},
        "spec": {"token": token, "audiences": ["https://kubernetes.default.svc"]},
        "status": {"user": {}},
    }


def token_of(keys: Keys, cluster: str = NAME) -> str:
    """As `aws eks get-token` makes it, now."""
    SESSION.set_credentials(*keys)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
        client = STSClientFactory(SESSION).get_sts_client(REGION)
    try:
        return str(TokenGenerator(client).get_token(cluster))
    finally:
        client.close()


def policy(name: str, *namespaces: str) -> eks.AssociatedPolicy:
    return eks.AssociatedPolicy(
        arn=eks.POLICIES + name, namespaces=namespaces, associated_at=0.0, modified_at=0.0
    )


@contextlib.asynccontextmanager
async def running(
    data_dir: Path,
    auth: str = "enforced",
    log_store: LogStore | None = None,
    reach: Reach = is_public,
) -> AsyncIterator[ApiServer]:
    installation = Installation(data_dir=data_dir, port=free_ports(2), auth=auth)
    server = ApiServer(installation, log_store, reach)
    await server.store.transact(lambda tx: ensure_sealing_key(tx, IDS))
    gateway = Gateway(
        services=[],
        store=server.store,
        clock=SystemClock(),
        ids=IDS,
        installation=installation,
        identity=server.identity,
        routes={PREFIX: server.app},
    )
    await gateway.start()
    try:
        yield server
    finally:
        await gateway.stop()
