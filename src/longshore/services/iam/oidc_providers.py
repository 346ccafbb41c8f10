"""OpenID Connect providers ("Create an OpenID Connect (OIDC) identity provider in IAM").

Unlike AWS's, a URL may have a port: the issuers of our own clusters do. Thumbprints are kept as
they are given, none is looked up.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import msgspec

from longshore.model import iam
from longshore.model.arn import make_arn, parse_arn
from longshore.model.errors import not_built
from longshore.services.iam.failures import (
    already_exists,
    invalid_input,
    no_such_entity,
    over_quota,
    validation,
)
from longshore.services.iam.tagging import checked_tags
from longshore.services.iam.views import tag_list
from longshore.services.interface import Context, Operation, Response
from longshore.store.interface import Reader

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t

PROVIDERS_PER_ACCOUNT = 100
CLIENTS_PER_PROVIDER = 100
THUMBPRINTS_PER_PROVIDER = 5
"""("IAM and AWS STS quotas")."""
HTTPS = "https://"
INVALID_URL = "Invalid Open ID Connect Provider URL"
NOT_BUILT = ("ContextProvider", "IdentityCenterInstanceArn")
"""Trusted identity propagation."""
HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
"""RFC 3986."""


def create_open_id_connect_provider(
    context: Context, request: "t.CreateOpenIDConnectProviderRequestTypeDef"
) -> Response:
    for member in NOT_BUILT:
        if member in request:
            raise not_built(f"iam:CreateOpenIDConnectProvider with {member}")
    url = _checked_url(request["Url"])
    provider = iam.OidcProvider(
        url=url,
        arn=provider_arn(context.account, request["Url"]),
        created_at=context.now,
        client_ids=_checked_clients(request.get("ClientIDList", ())),
        thumbprints=_checked_thumbprints(request.get("ThumbprintList", ())),
        tags=checked_tags(request.get("Tags", ())),
    )
    _add(context, provider)
    tags = {"Tags": tag_list(provider.tags)} if provider.tags else {}
    return {"OpenIDConnectProviderArn": provider.arn, **tags}


def get_open_id_connect_provider(
    context: Context, request: "t.GetOpenIDConnectProviderRequestTypeDef"
) -> Response:
    provider = require_provider(context, request["OpenIDConnectProviderArn"])
    return {
        "Url": provider.url,
        "ClientIDList": list(provider.client_ids),
        "ThumbprintList": list(provider.thumbprints),
        "CreateDate": provider.created_at,
        "Tags": tag_list(provider.tags),
    }


def list_open_id_connect_providers(context: Context, request: object) -> Response:
    """All of them: AWS has no pages here."""
    records = context.tx.scan(iam.OIDC_PROVIDER, context.account, "")
    return {"OpenIDConnectProviderList": [{"Arn": record.value.arn} for record in records]}


def delete_open_id_connect_provider(
    context: Context, request: "t.DeleteOpenIDConnectProviderRequestTypeDef"
) -> Response:
    """Nothing is wrong where there is none; roles that trust it go on naming it."""
    arn = request["OpenIDConnectProviderArn"]
    _check_arn(arn)
    found = find_provider(context.tx, context.account, arn)
    if found is not None:
        context.tx.delete(iam.OIDC_PROVIDER, context.account, "", found.url)
    return {}


def add_client_id(
    context: Context, request: "t.AddClientIDToOpenIDConnectProviderRequestTypeDef"
) -> Response:
    """Nothing is wrong where it is there already."""
    provider = require_provider(context, request["OpenIDConnectProviderArn"])
    clients = _checked_clients((*provider.client_ids, request["ClientID"]))
    keep_provider(context, msgspec.structs.replace(provider, client_ids=clients))
    return {}


def remove_client_id(
    context: Context, request: "t.RemoveClientIDFromOpenIDConnectProviderRequestTypeDef"
) -> Response:
    """Nothing is wrong where it is not there."""
    provider = require_provider(context, request["OpenIDConnectProviderArn"])
    left = tuple(each for each in provider.client_ids if each != request["ClientID"])
    keep_provider(context, msgspec.structs.replace(provider, client_ids=left))
    return {}


def update_thumbprint(
    context: Context, request: "t.UpdateOpenIDConnectProviderThumbprintRequestTypeDef"
) -> Response:
    """The new list takes the old one's place."""
    provider = require_provider(context, request["OpenIDConnectProviderArn"])
    if not request["ThumbprintList"]:
        raise invalid_input("Thumbprint list must contain at least one entry.")
    thumbprints = _checked_thumbprints(request["ThumbprintList"])
    keep_provider(context, msgspec.structs.replace(provider, thumbprints=thumbprints))
    return {}


def provider_arn(account: str, url: str) -> str:
    return make_arn("iam", "", account, f"oidc-provider/{url.removeprefix(HTTPS)}")


def find_provider(reader: Reader, account: str, arn: str) -> iam.OidcProvider | None:
    """The account's provider that has this ARN."""
    url = arn.removeprefix(provider_arn(account, ""))
    record = reader.get(iam.OIDC_PROVIDER, account, "", url) if url != arn else None
    return record.value if record is not None else None


def require_provider(context: Context, arn: str) -> iam.OidcProvider:
    """Raises NoSuchEntity, and ValidationError for what is no provider's ARN."""
    _check_arn(arn)
    found = find_provider(context.tx, context.account, arn)
    if found is None:
        raise no_such_entity(f"OpenIDConnect Provider not found for arn {arn}")
    return found


def keep_provider(context: Context, provider: iam.OidcProvider) -> None:
    context.tx.put(iam.OIDC_PROVIDER, context.account, "", provider.url, provider)


def _add(context: Context, provider: iam.OidcProvider) -> None:
    here = (context.account, "")
    if context.tx.get(iam.OIDC_PROVIDER, *here, provider.url) is not None:
        raise already_exists(f"Provider with url {HTTPS}{provider.url} already exists.")
    if len(context.tx.scan(iam.OIDC_PROVIDER, *here)) >= PROVIDERS_PER_ACCOUNT:
        raise over_quota("OpenIdConnectProvidersPerAccount", PROVIDERS_PER_ACCOUNT)
    context.tx.create(iam.OIDC_PROVIDER, *here, provider.url, provider)


def _check_arn(arn: str) -> None:
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "iam":
        raise validation(f"Invalid ARN: {arn}")
    if not parsed.resource.startswith("oidc-provider/"):
        raise validation("Invalid resource type in ARN")


def _checked_url(text: str) -> str:
    """The URL without `https://`; raises ValidationError or InvalidInput."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise validation(INVALID_URL) from None
    if not url.scheme or not url.netloc:
        raise validation(INVALID_URL)
    if not text.startswith(HTTPS):
        raise invalid_input(f"{INVALID_URL}. The URL must begin with https://.")
    if port == 0 or not _is_plain(url, text.removeprefix(HTTPS)):
        raise invalid_input(f"{INVALID_URL}.")
    return text.removeprefix(HTTPS)


def _is_plain(url: SplitResult, rest: str) -> bool:
    """Whether there is a host, maybe a port and a path, and nothing else."""
    host = url.hostname or ""
    return (
        rest == url.netloc + url.path
        and "@" not in url.netloc
        and not url.netloc.endswith(":")
        and (HOST.fullmatch(host) is not None or _is_address(host))
        and PATH.fullmatch(url.path) is not None
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _checked_clients(given: Iterable[str]) -> tuple[str, ...]:
    """Each of them once."""
    clients = tuple(dict.fromkeys(given))
    if len(clients) > CLIENTS_PER_PROVIDER:
        raise over_quota("ClientIdsPerOpenIdConnectProvider", CLIENTS_PER_PROVIDER)
    return clients


def _checked_thumbprints(given: Sequence[str]) -> tuple[str, ...]:
    """In lower case; that they are forty characters long, the model says."""
    if len(given) > THUMBPRINTS_PER_PROVIDER:
        raise invalid_input(
            f"Thumbprint list must contain fewer than {THUMBPRINTS_PER_PROVIDER} entries."
        )
    return tuple(dict.fromkeys(each.lower() for each in given))


OPERATIONS: Mapping[str, Operation] = {
    "CreateOpenIDConnectProvider": create_open_id_connect_provider,
    "GetOpenIDConnectProvider": get_open_id_connect_provider,
    "ListOpenIDConnectProviders": list_open_id_connect_providers,
    "DeleteOpenIDConnectProvider": delete_open_id_connect_provider,
    "AddClientIDToOpenIDConnectProvider": add_client_id,
    "RemoveClientIDFromOpenIDConnectProvider": remove_client_id,
    "UpdateOpenIDConnectProviderThumbprint": update_thumbprint,
}
