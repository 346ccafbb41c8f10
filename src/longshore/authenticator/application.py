"""The two webhooks as an ASGI application, and who may ask them."""

import hashlib
import hmac
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from longshore.authenticator import access, tokens, users
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
from longshore.model import eks
from longshore.model.errors import AwsError
from longshore.model.principal import Principal
from longshore.services.interface import Identity
from longshore.store.interface import Record, Store

T = TypeVar("T", TokenReview, SubjectAccessReview)
PREFIX = "/_longshore/eks"
"""What the paths begin with, where it is handed to the gateway."""
LONGEST_BODY = 1024 * 1024
"""Bytes."""
NOT_ACCEPTED = "the token is not accepted"
"""All that is told of a refusal; the log tells more."""

_log = logger(__name__)


def authenticator(
    store: Store, identity: Identity, clock: Clock, installation: Installation
) -> ASGIApp:
    """The webhooks of every cluster, each under its own path, as an ASGI application."""
    webhooks = Webhooks(store, identity, clock, installation)
    path = PREFIX + "/{account}/{region}/{name}"
    return Starlette(
        routes=[
            Route(f"{path}/authenticate", webhooks.authenticate, methods=["POST"]),
            Route(f"{path}/authorize", webhooks.authorize, methods=["POST"]),
        ]
    )


class Webhooks:
    """The answers to API servers; which cluster's it is, the path says and the secret proves."""

    def __init__(
        self, store: Store, identity: Identity, clock: Clock, installation: Installation
    ) -> None:
        self._store = store
        self._identity = identity
        self._clock = clock
        self._open = installation.auth == "open"

    async def authenticate(self, request: Request) -> Response:
        """Whom a token belongs to."""
        cluster = self._asking(request)
        review = await _read(request, TokenReview)
        try:
            user = self._user(cluster, review.spec.token)
        except tokens.Refused as refused:
            _log.info(
                "A token was refused",
                cluster_arn=cluster.value.arn,
                principal_arn=refused.arn,
                reason=refused.reason,
            )
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
            status = TokenReviewStatus(authenticated=True, user=user)
        return _json(ReviewedToken(status=status))

    async def authorize(self, request: Request) -> Response:
        """Whether an access policy allows what somebody asks for."""
        cluster = self._asking(request)
        review = await _read(request, SubjectAccessReview)
        status = access.decision(self._store.reader, cluster, review.spec)
        return _json(ReviewedAccess(status=status))

    def _asking(self, request: Request) -> Record[eks.Cluster]:
        """The cluster of the path, whose API server this is; raises 401, without saying why."""
        place = request.path_params
        account, region, name = place["account"], place["region"], place["name"]
        cluster = self._store.reader.get(eks.CLUSTER, account, region, name)
        status = self._store.reader.get(eks.CLUSTER_STATUS, account, region, name)
        if cluster is None or status is None or status.value.id != cluster.value.id:
            raise HTTPException(401)
        if not _shows(request, status.value.webhook_digest):
            raise HTTPException(401)
        return cluster

    def _user(self, cluster: Record[eks.Cluster], token: str) -> UserInfo:
        """The token's user in the cluster; raises `Refused`."""
        presigned = tokens.read(token)
        if self._open:
            return users.ANYBODY
        principal = self._principal(presigned, cluster.value.name)
        entry = users.access_entry(self._store.reader, cluster, users.canonical_arn(principal))
        return users.kubernetes_user(cluster.value, entry, principal)

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


def _shows(request: Request, digest: str) -> bool:
    """Whether the request shows what has this SHA-256; nothing has the empty one."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    shown = hashlib.sha256(secret.encode()).hexdigest()
    same = hmac.compare_digest(shown.encode(), digest.encode())
    return same and scheme.lower() == "bearer"


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


def _json(answer: ReviewedToken | ReviewedAccess) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")
