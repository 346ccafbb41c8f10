"""The webhooks as an ASGI application, and who may ask them."""

import asyncio
import hashlib
import hmac
import math
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from longshore.authenticator import access, admission, config_map, nodes, tokens, users
from longshore.authenticator.config_map import ConfigMap
from longshore.authenticator.decisions import Decisions, denied, granted
from longshore.authenticator.identity_providers import ProvidersUsers, provider_of
from longshore.authenticator.pods import Asked, ClusterObjects, NoObjects
from longshore.authenticator.reviews import (
    ReviewedAccess,
    ReviewedToken,
    SubjectAccessReview,
    TokenReview,
    TokenReviewStatus,
    UserInfo,
)
from longshore.base.clock import Clock
from longshore.base.installation import Installation
from longshore.base.logs import logger
from longshore.kubernetes.admission import proves
from longshore.kubernetes.pod_groups import policies_path
from longshore.model import eks
from longshore.model.errors import AwsError
from longshore.model.link_local import API_ADDRESS
from longshore.model.principal import Principal
from longshore.oidc.https import Reach, is_public
from longshore.oidc.issuers import IssuerKeys
from longshore.services.interface import Identity
from longshore.store.interface import Record, Store
from longshore.telemetry.interface import LogStore

T = TypeVar("T", TokenReview, SubjectAccessReview, admission.Review)
PREFIX = "/_longshore/eks"
"""What the paths begin with, where it is handed to the gateway."""
LONGEST_BODY = 1024 * 1024
"""Bytes."""
NOT_ACCEPTED = "the token is not accepted"
"""All that is told of a refusal; the log tells more."""

CONFIG_MAP_SECONDS = 5.0
"""For so long what the ConfigMap `aws-auth` said is good."""
SERVICE_ACCOUNTS = "/api/v1/namespaces/{}/serviceaccounts/{}"

_log = logger(__name__)


def authenticator(
    store: Store,
    identity: Identity,
    clock: Clock,
    installation: Installation,
    objects: ClusterObjects | None = None,
    log_store: LogStore | None = None,
    reach: Reach = is_public,
) -> ASGIApp:
    """The webhooks of every cluster, each under its own path, as an ASGI application; `objects`
    are those of the clusters, none unless given, `log_store` is where decisions are logged.
    Issuers of identity providers are asked at addresses in `reach`."""
    decisions = Decisions(log_store, clock) if log_store is not None else None
    providers = ProvidersUsers(IssuerKeys(reach))
    webhooks = Webhooks(
        store, identity, clock, installation, objects or NoObjects(), decisions, providers
    )
    path = PREFIX + "/{account}/{region}/{name}"
    return Starlette(
        routes=[
            Route(f"{path}/authenticate", webhooks.authenticate, methods=["POST"]),
            Route(f"{path}/authorize", webhooks.authorize, methods=["POST"]),
            Route(f"{path}/mutate-pods/{{proof}}", webhooks.mutate_pods, methods=["POST"]),
        ]
    )


class Webhooks:
    """The answers to API servers; which cluster's it is, the path says and the secret proves."""

    def __init__(
        self,
        store: Store,
        identity: Identity,
        clock: Clock,
        installation: Installation,
        objects: ClusterObjects,
        decisions: Decisions | None,
        providers: ProvidersUsers,
    ) -> None:
        self._store = store
        self._identity = identity
        self._clock = clock
        self._objects = objects
        self._decisions = decisions
        self._providers = providers
        self._open = installation.auth == "open"
        self._api = f"http://{API_ADDRESS}:{installation.port}"
        self._config_maps: dict[str, tuple[float, ConfigMap]] = {}

    async def authenticate(self, request: Request) -> Response:
        """Whom a token belongs to."""
        cluster, secret = self._asking(request)
        review = await _read(request, TokenReview)
        try:
            user = await self._user(cluster, review.spec.token, secret)
        except tokens.Refused as refused:
            _log.info(
                "A token was refused",
                cluster_arn=cluster.value.arn,
                principal_arn=refused.arn,
                reason=refused.reason,
            )
            await self._keep(cluster, denied(cluster.value.name, _client(request), refused))
            status = TokenReviewStatus(authenticated=False, error=NOT_ACCEPTED)
        else:
            _log.info(
                "A token was accepted",
                cluster_arn=cluster.value.arn,
                principal_arn=user.extra.get("arn", ("",))[0],
                username=user.username,
                uid=user.uid,
                groups=user.groups,
            )
            await self._keep(cluster, granted(cluster.value.name, _client(request), user))
            status = TokenReviewStatus(authenticated=True, user=user)
        return _json(ReviewedToken(status=status))

    async def _keep(self, cluster: Record[eks.Cluster], decision: Mapping[str, str]) -> None:
        """Log it for the cluster's owner."""
        if self._decisions is not None:
            await self._decisions.write(self._store.reader, cluster, decision)

    async def authorize(self, request: Request) -> Response:
        """Whether an access policy allows what somebody asks for."""
        cluster, secret = self._asking(request)
        review = await _read(request, SubjectAccessReview)
        now = self._clock.now()
        status = access.decision(self._store.reader, cluster, review.spec, secret, now)
        return _json(ReviewedAccess(status=status))

    async def mutate_pods(self, request: Request) -> Response:
        """What becomes of a pod that is to be made."""
        cluster, digest = self._cluster(request)
        if not digest or not proves(request.path_params["proof"], digest):
            raise HTTPException(401)
        review = await _read(request, admission.Review)
        asked = await self._asked(cluster, review.request)
        return _json(admission.answer(review.request, asked))

    async def _asked(self, cluster: Record[eks.Cluster], request: admission.Request) -> Asked:
        name = admission.service_account_of(request.object)
        namespace = quote(request.namespace, "")
        account, policies = await asyncio.gather(
            self._find(cluster, SERVICE_ACCOUNTS.format(namespace, quote(name, "")))
            if name and namespace
            else _nothing(),
            self._find(cluster, policies_path(namespace)) if namespace else _nothing(),
        )
        metadata = (account or {}).get("metadata") or {}
        return Asked(
            reader=self._store.reader,
            account=cluster.key.account,
            region=cluster.key.region,
            cluster=cluster.value,
            namespace=request.namespace,
            annotations=metadata.get("annotations") or {},
            account_labels=metadata.get("labels") or {},
            policies=(policies or {}).get("items") or (),
            api=self._api,
        )

    async def _find(self, cluster: Record[eks.Cluster], path: str) -> dict[str, Any] | None:
        key = cluster.key
        return await self._objects.find(key.account, key.region, key.name, path)

    def _cluster(self, request: Request) -> tuple[Record[eks.Cluster], str]:
        """The cluster of the path, and the digest of its API server's secret; raises 401."""
        place = request.path_params
        account, region, name = place["account"], place["region"], place["name"]
        cluster = self._store.reader.get(eks.CLUSTER, account, region, name)
        status = self._store.reader.get(eks.CLUSTER_STATUS, account, region, name)
        if cluster is None or status is None or status.value.id != cluster.value.id:
            raise HTTPException(401)
        return cluster, status.value.webhook_digest

    def _asking(self, request: Request) -> tuple[Record[eks.Cluster], str]:
        """The cluster of the path, whose API server this is, and the secret that it shows; raises
        401, without saying why."""
        cluster, digest = self._cluster(request)
        secret = _shown(request)
        shown = hashlib.sha256(secret.encode()).hexdigest()
        if not hmac.compare_digest(shown.encode(), digest.encode()):
            raise HTTPException(401)
        return cluster, secret

    async def _user(self, cluster: Record[eks.Cluster], token: str, secret: str) -> UserInfo:
        """The token's user in the cluster; raises `Refused`."""
        reader = self._store.reader
        provider = provider_of(reader, cluster, token)
        if provider is not None:
            now, monotonic = self._clock.now(), self._clock.monotonic()
            return await self._providers.user(reader, provider, token, now, monotonic)
        presigned = tokens.read(token)
        if self._open:
            return users.ANYBODY
        principal = self._principal(presigned, cluster.value.name)
        entry = users.access_entry(reader, cluster, users.canonical_arn(principal))
        if entry is None:
            mapped = await self._mapped(cluster, principal)
            if mapped is not None:
                return self._of_config_map(cluster, principal, mapped)
            entry = nodes.group_entry(reader, cluster, principal)
        name = ""
        if entry is not None and entry.type == nodes.EC2_LINUX:
            name = nodes.instance_name(reader, cluster, principal)
        user = users.kubernetes_user(cluster.value, entry, principal, name)
        if entry is None or not entry.policies:
            return user
        return access.proven(user, cluster.value, entry, secret, self._clock.now())

    async def _mapped(
        self, cluster: Record[eks.Cluster], principal: Principal
    ) -> config_map.Mapped | None:
        """What the ConfigMap `aws-auth` says of somebody without an access entry."""
        if cluster.value.authentication_mode not in config_map.MODES:
            return None
        if users.is_creator(cluster.value, principal):
            return None
        now = self._clock.monotonic()
        at, known = self._config_maps.get(cluster.value.id, (-math.inf, ConfigMap()))
        if now >= at + CONFIG_MAP_SECONDS:
            found = await self._find(cluster, config_map.PATH)
            known = await asyncio.to_thread(config_map.read_config_map, found)
            self._config_maps[cluster.value.id] = now, known
        return known.mapped(users.plain_arn(principal))

    def _of_config_map(
        self, cluster: Record[eks.Cluster], principal: Principal, mapped: config_map.Mapped
    ) -> UserInfo:
        """Raises `Refused` where the name is to be an instance's and the principal is none."""
        name = ""
        if users.INSTANCE_NAME in mapped.username:
            name = nodes.instance_name(self._store.reader, cluster, principal)
        return users.mapped_user(principal, mapped.username, mapped.groups, name)

    def _principal(self, presigned: tokens.Presigned, cluster: str) -> Principal:
        """Who signed for this cluster, as GetCallerIdentity would tell; raises `Refused`."""
        signed, now = presigned.signed, self._clock.now()
        try:
            credential = self._identity.credential(
                self._store.reader, signed.access_key_id, signed.session_token, now
            )
        except AwsError as error:
            raise tokens.refused(error) from None
        tokens.check(presigned, cluster, credential.secret_access_key, now)
        return credential.principal


async def _nothing() -> None:
    return None


def _client(request: Request) -> str:
    return f"{request.client.host}:{request.client.port}" if request.client is not None else ""


def _shown(request: Request) -> str:
    """What the request shows as a bearer; else nothing, which is no cluster's secret."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret if scheme.lower() == "bearer" else ""


async def _read(request: Request, shape: type[T]) -> T:
    """The review that the body is; raises 413 or 400."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > LONGEST_BODY:
                raise HTTPException(413, headers={"connection": "close"})
        return msgspec.json.decode(body, type=shape)
    except (ClientDisconnect, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise HTTPException(400) from None


def _json(answer: ReviewedToken | ReviewedAccess | dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")
