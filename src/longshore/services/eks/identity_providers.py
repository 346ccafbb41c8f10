"""Identity providers of clusters: whose users the cluster lets in beside those of IAM.

("Grant users access to Kubernetes with an external OIDC provider", Amazon EKS User Guide.) Their
tokens are verified by `authenticator/identity_providers.py`, from the moment the record is there.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from longshore.model import eks
from longshore.model.eks_parts import (
    IDENTITY_PROVIDER,
    IdentityProvider,
    identity_provider_arn,
    part_name,
)
from longshore.services.eks.changes import Change
from longshore.services.eks.failures import in_use, invalid_parameter, invalid_request, not_found
from longshore.services.eks.pages import page
from longshore.services.eks.records import cluster_named, status_of, update_in_progress
from longshore.services.eks.tags import authorize_tags, checked_tags
from longshore.services.eks.updates import change_cluster
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        AssociateIdentityProviderConfigRequestTypeDef,
        DescribeIdentityProviderConfigRequestTypeDef,
        DisassociateIdentityProviderConfigRequestTypeDef,
        ListIdentityProviderConfigsRequestTypeDef,
    )

TYPE = "oidc"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
LONGEST_URL = 2048
RESERVED = "system:"
"""What no prefix may contain ("OidcIdentityProviderConfig")."""
LONGEST_CLAIM, LONGEST_VALUE = 63, 253
"""Characters ("requiredClaims")."""


def associate(
    context: Context, request: "AssociateIdentityProviderConfigRequestTypeDef"
) -> Response:
    tags = checked_tags((), request.get("tags", {}), "InvalidParameterException")

    def change(cluster: eks.Cluster) -> Change:
        _check_none(context, cluster.name, request["oidc"]["identityProviderConfigName"])
        provider = _provider(context, cluster, request["oidc"], tags)
        authorize_tags(context, provider.arn, request)
        name = part_name(cluster.name, provider.name)
        context.tx.create(IDENTITY_PROVIDER, context.account, context.region, name, provider)
        return Change(cluster, _params(provider))

    named = {**request, "name": request["clusterName"]}
    answer = change_cluster(context, named, eks.ASSOCIATE_IDENTITY_PROVIDER, change)
    return {**answer, "tags": dict(tags)}


def _check_none(context: Context, cluster: str, name: str) -> None:
    """A cluster has one at most."""
    for there in _providers(context, cluster):
        if there.name == name:
            raise in_use(f"Identity provider config already exists with name {name}", cluster)
        raise invalid_request(
            f"Cluster {cluster} has the identity provider config {there.name} already", cluster
        )


def _provider(
    context: Context, cluster: eks.Cluster, oidc: Any, tags: eks.Tags
) -> IdentityProvider:
    """As it is asked for; raises InvalidParameterException."""
    name, unique = oidc["identityProviderConfigName"], context.ids.uuid()
    if not NAME.fullmatch(name):
        raise invalid_parameter(f"The identityProviderConfigName {name} is invalid", cluster.name)
    _check_issuer(context, cluster, oidc["issuerUrl"])
    if not oidc["clientId"]:
        raise invalid_parameter("The clientId must not be empty", cluster.name)
    for member in ("usernamePrefix", "groupsPrefix"):
        if RESERVED in oidc.get(member, ""):
            raise invalid_parameter(f"The {member} must not contain {RESERVED}", cluster.name)
    claims = tuple(sorted(oidc.get("requiredClaims", {}).items()))
    for claim, value in claims:
        if not (1 <= len(claim) <= LONGEST_CLAIM and 1 <= len(value) <= LONGEST_VALUE):
            raise invalid_parameter(f"The required claim {claim} is invalid", cluster.name)
    return IdentityProvider(
        cluster=cluster.name,
        name=name,
        arn=identity_provider_arn(context.region, context.account, cluster.name, name, unique),
        id=unique,
        issuer=oidc["issuerUrl"],
        client_id=oidc["clientId"],
        username_claim=oidc.get("usernameClaim") or "sub",
        username_prefix=oidc.get("usernamePrefix", ""),
        groups_claim=oidc.get("groupsClaim", ""),
        groups_prefix=oidc.get("groupsPrefix", ""),
        required_claims=claims,
        tags=tags,
    )


def _check_issuer(context: Context, cluster: eks.Cluster, url: str) -> None:
    """An https URL without a query; of anybody but the cluster itself, as API servers ask for."""
    status = status_of(context, cluster)
    if status is not None and status.issuer == url:
        raise invalid_parameter("The issuerUrl is that of the cluster itself", cluster.name)
    try:
        parts = urlsplit(url)
        good = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or re.search(r"[?#@\s]", url) or len(url) > LONGEST_URL:
        raise invalid_parameter(
            f"The issuerUrl {url} is invalid: it must begin with https:// and have neither query"
            " parameters nor credentials",
            cluster.name,
        )


def _params(provider: IdentityProvider) -> tuple[tuple[str, str], ...]:
    shown = [{"type": TYPE, "name": provider.name}]
    return (("IdentityProviderConfig", msgspec.json.encode(shown).decode()),)


def disassociate(
    context: Context, request: "DisassociateIdentityProviderConfigRequestTypeDef"
) -> Response:
    """Its users are nobody's from now on."""

    def change(cluster: eks.Cluster) -> Change:
        provider = _named(context, cluster.name, request["identityProviderConfig"])
        leaving = msgspec.structs.replace(provider, deleted_at=context.now)
        name = part_name(cluster.name, provider.name)
        context.tx.put(IDENTITY_PROVIDER, context.account, context.region, name, leaving)
        return Change(cluster, _params(provider))

    named = {**request, "name": request["clusterName"]}
    return change_cluster(context, named, eks.DISASSOCIATE_IDENTITY_PROVIDER, change)


def describe(context: Context, request: "DescribeIdentityProviderConfigRequestTypeDef") -> Response:
    cluster = cluster_named(context, request["clusterName"]).name
    provider = _named(context, cluster, request["identityProviderConfig"])
    return {"identityProviderConfig": {TYPE: _shape(context, provider)}}


def list_configs(
    context: Context, request: "ListIdentityProviderConfigsRequestTypeDef"
) -> Response:
    cluster = cluster_named(context, request["clusterName"]).name
    names = [provider.name for provider in _providers(context, cluster)]
    given, following = page(names, request, str)
    return {"identityProviderConfigs": [{"type": TYPE, "name": n} for n in given], **following}


def _named(context: Context, cluster: str, config: Any) -> IdentityProvider:
    if config["type"] != TYPE:
        raise invalid_parameter(
            f"Invalid identity provider config type {config['type']}: it must be {TYPE}", cluster
        )
    place = (context.account, context.region, part_name(cluster, config["name"]))
    record = context.tx.get(IDENTITY_PROVIDER, *place)
    if record is None:
        raise not_found(f"No identity provider config found for name: {config['name']}.", cluster)
    return record.value


def _providers(context: Context, cluster: str) -> list[IdentityProvider]:
    place, prefix = (context.account, context.region), part_name(cluster, "")
    return [each.value for each in context.tx.scan(IDENTITY_PROVIDER, *place, prefix=prefix)]


def _shape(context: Context, provider: IdentityProvider) -> dict[str, Any]:
    optional = {
        "usernamePrefix": provider.username_prefix,
        "groupsClaim": provider.groups_claim,
        "groupsPrefix": provider.groups_prefix,
        "requiredClaims": dict(provider.required_claims),
    }
    return {
        "identityProviderConfigName": provider.name,
        "identityProviderConfigArn": provider.arn,
        "clusterName": provider.cluster,
        "issuerUrl": provider.issuer,
        "clientId": provider.client_id,
        "usernameClaim": provider.username_claim,
        **{member: value for member, value in optional.items() if value},
        "tags": dict(provider.tags),
        "status": _status(context, provider),
    }


def _status(context: Context, provider: IdentityProvider) -> str:
    if provider.deleted_at:
        return "DELETING"
    update = update_in_progress(context, provider.cluster)
    begins = update is not None and update.type == eks.ASSOCIATE_IDENTITY_PROVIDER
    return "CREATING" if begins else "ACTIVE"


OPERATIONS: Mapping[str, Operation] = {
    "AssociateIdentityProviderConfig": associate,
    "DescribeIdentityProviderConfig": describe,
    "DisassociateIdentityProviderConfig": disassociate,
    "ListIdentityProviderConfigs": list_configs,
}
