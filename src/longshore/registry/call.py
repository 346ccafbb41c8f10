"""One request: who makes it, to which repository, and whether they may."""

import base64
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from longshore.base.clock import Clock
from longshore.base.ids import Ids
from longshore.base.installation import Installation
from longshore.blobs import BlobStore
from longshore.images import catalog, tokens
from longshore.images.catalog import Home
from longshore.model import ecr
from longshore.model.principal import Principal, root
from longshore.registry.failures import Refusal, name_invalid
from longshore.services.interface import Identity, Resource
from longshore.store.interface import Reader, Store

_HOST = re.compile(r"(\d{12})\.dkr[.-]ecr\.([a-z0-9-]{1,63})\..*", re.ASCII)
EXPIRED = "Your authorization token has expired. Reauthenticate and try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the registry is built from."""

    installation: Installation
    store: Store
    blobs: BlobStore
    identity: Identity
    clock: Clock
    ids: Ids


@dataclass(frozen=True, slots=True)
class Call:
    """One request by a known caller."""

    parts: Parts
    request: Request
    principal: Principal
    account: str
    region: str
    now: float

    @property
    def reader(self) -> Reader:
        return self.parts.store.reader

    @property
    def home(self) -> Home:
        """The repository of the path; raises NAME_INVALID."""
        name = str(self.request.path_params.get("name", ""))
        if not ecr.valid_name(name):
            raise name_invalid(name)
        return Home(self.account, self.region, name)

    def enter(self, action: str) -> Home:
        """The repository of the path, which is there and on which the caller may do `action`."""
        home = self.home
        self.authorize(home, action)
        catalog.repository(self.reader, home)
        return home

    def authorize(self, home: Home, action: str) -> None:
        """Raise AccessDeniedException unless the caller may do `ecr:<action>` there."""
        if self.parts.installation.auth == "open":
            return
        found = self.reader.get(ecr.REPOSITORY, *home)
        conditions: dict[str, str | list[str]] = {}
        for key, value in found.value.tags if found else ():
            conditions[f"aws:ResourceTag/{key}"] = value
            conditions[f"ecr:ResourceTag/{key}"] = value
        self.parts.identity.authorize(
            self.reader,
            self.principal,
            f"ecr:{action}",
            Resource(arn=home.arn, conditions=conditions),
            self._global_conditions(),
            (found.value.policy or None) if found else None,
        )

    def _global_conditions(self) -> Mapping[str, str | list[str]]:
        """Keys of "AWS global condition context keys" that the request itself tells."""
        client = self.request.client
        return {
            "aws:CurrentTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now)),
            "aws:EpochTime": str(int(self.now)),
            "aws:RequestedRegion": self.region,
            "aws:SecureTransport": "true",
            "aws:SourceIp": client.host if client else "",
            "aws:UserAgent": self.request.headers.get("user-agent", ""),
        }


def identify(parts: Parts, request: Request) -> Call:
    """The call of a request; raises Refusal for who is not known."""
    account, region = _registry(parts.installation, request)
    now = parts.clock.now()
    principal = _principal(parts, request, now)
    return Call(parts, request, principal, account, region, now)


def _registry(installation: Installation, request: Request) -> tuple[str, str]:
    """Account and region that the host's name tells; the installation's own for other names.

    containerd tells the name in `ns` where it was told to fetch from elsewhere.
    """
    for host in (request.query_params.get("ns", ""), request.headers.get("host", "")):
        match = _HOST.fullmatch(host)
        if match is not None:
            return match[1], match[2]
    return installation.account, installation.region


def _principal(parts: Parts, request: Request, now: float) -> Principal:
    password = _password(request.headers.get("authorization", ""))
    if password is not None:
        try:
            return tokens.unseal(tokens.find_key(parts.store.reader), password, now)
        except tokens.TokenExpired:
            raise Refusal(403, "DENIED", EXPIRED) from None
        except tokens.TokenInvalid:
            pass
    if parts.installation.auth == "open":
        return root(parts.installation.account)
    raise NotAuthenticated(request.headers.get("host", ""))


def _password(header: str) -> str | None:
    """The password of user AWS in an Authorization header of the Basic scheme (RFC 7617)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    return password if user == tokens.USER else None


class NotAuthenticated(Refusal):
    """Nobody, or nobody known: 401, which makes clients send their password."""

    def __init__(self, host: str) -> None:
        challenge = f'Basic realm="https://{host}/",service="ecr.amazonaws.com"'
        super().__init__(401, "UNAUTHORIZED", "Not Authorized", {"Www-Authenticate": challenge})

    def response(self) -> Response:
        return Response("Not Authorized\n", 401, dict(self.headers), "text/plain")
