"""Finds out who signed a request."""

from longshore.awsapi.chunked import is_chunked, open_chunks
from longshore.awsapi.http import HttpRequest
from longshore.awsapi.regions import regions_of_aws
from longshore.awsapi.sigv4 import Signed, read_signature, verify
from longshore.base.installation import Installation
from longshore.gateway.exchange import Exchange
from longshore.model.errors import AwsError
from longshore.model.principal import Principal, root
from longshore.services.interface import Identity
from longshore.store.interface import Store

EXPIRED = "The security token included in the request is expired"
INVALID = "The security token included in the request is invalid."


class Authenticate:
    """Verifies the signature; with `auth=open`, takes any key as the installation's account."""

    def __init__(self, store: Store, identity: Identity, installation: Installation) -> None:
        self._store = store
        self._identity = identity
        self._open = installation.auth == "open"
        self._region = installation.region
        self._regions = regions_of_aws() | {installation.region}
        self._root = root(installation.account)

    def __call__(self, exchange: Exchange) -> None:
        signed = exchange.signed
        if signed is not None:
            self._check_region(signed)
        if self._open:
            exchange.principal = self._root
            if is_chunked(exchange.request):
                open_chunks(exchange.request, None)
            return
        if signed is None:
            self._admit_anonymous(exchange)
            return
        assert exchange.api is not None
        _check_service(signed, exchange.api.model.metadata.scope_name)
        exchange.principal = self.caller(signed, exchange.request, exchange.now)

    def _admit_anonymous(self, exchange: Exchange) -> None:
        service = exchange.service
        if service is None or exchange.operation_name not in service.anonymous:
            raise AwsError("MissingAuthenticationToken", "Missing Authentication Token", 403)
        exchange.principal = ANONYMOUS

    def _check_region(self, signed: Signed) -> None:
        """AWS's regions and one's own alone: what is made in a region is named after it."""
        if signed.region not in self._regions:
            raise AwsError(
                "SignatureDoesNotMatch", "Credential should be scoped to a valid region. "
            )

    def anyone(self, request: HttpRequest, service: str, now: float) -> tuple[Principal, str]:
        """The principal and the region of a request, no call, that is signed for a service."""
        if self._open:
            return self._root, self._region
        signed = read_signature(request)
        if signed is None:
            raise AwsError("MissingAuthenticationToken", "Missing Authentication Token", 403)
        self._check_region(signed)
        _check_service(signed, service)
        return self.caller(signed, request, now), signed.region

    def caller(self, signed: Signed, request: HttpRequest, now: float) -> Principal:
        """The principal who signed; raises `AwsError` with AWS's codes."""
        credential = self._identity.credential(
            self._store.reader, signed.access_key_id, signed.session_token, now
        )
        seed = verify(signed, request, credential.secret_access_key, now)
        if credential.expires is not None and credential.expires <= now:
            raise AwsError("ExpiredToken", EXPIRED, 403)
        if is_chunked(request):
            open_chunks(request, (signed, seed, credential.secret_access_key))
        return credential.principal


def _check_service(signed: Signed, service: str) -> None:
    if signed.service != service:
        raise AwsError(
            "SignatureDoesNotMatch",
            f"Credential should be scoped to correct service: '{service}'. ",
        )


ANONYMOUS = Principal(account="", arn="*", user_id="anonymous", kind="anonymous")
