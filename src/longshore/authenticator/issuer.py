"""What the OIDC issuers of clusters publish, so that anybody can verify service accounts' tokens.

The paths are those of EKS, below a cluster's issuer: `/.well-known/openid-configuration`, `/keys`.
"""

from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from longshore.model import eks
from longshore.oidc.documents import CONFIGURATION, KEYS, configuration, key_set
from longshore.oidc.keys import key_of_pem
from longshore.store.interface import Store

ISSUERS = "/id"
"""What the paths begin with, where it is handed to the gateway."""


def issuers(store: Store) -> ASGIApp:
    """The issuers of all clusters, each under its cluster's id, as an ASGI application."""
    documents = Documents(store)
    path = ISSUERS + "/{id}"
    return Starlette(
        routes=[
            Route(path + CONFIGURATION, documents.configuration, methods=["GET"]),
            Route(path + KEYS, documents.keys, methods=["GET"]),
        ]
    )


class Documents:
    """Public: who asks need not say who he is."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def configuration(self, request: Request) -> Response:
        """Who the issuer is, and where its keys are."""
        return _json(configuration(self._status(request).issuer))

    async def keys(self, request: Request) -> Response:
        """The key that the cluster signs with."""
        return _json(key_set(key_of_pem(self._status(request).token_key)))

    def _status(self, request: Request) -> eks.ClusterStatus:
        """The status of the cluster of the path; raises 404."""
        wanted = request.path_params["id"]
        for record in self._store.reader.scan(eks.CLUSTER_STATUS):
            status = record.value
            if status.id == wanted and status.issuer and status.token_key:
                return status
        raise HTTPException(404)


def _json(document: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(document), media_type="application/json")
