"""Repositories: to make, describe, change and delete them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.images import catalog, failures
from longshore.images.catalog import Home
from longshore.model import ecr
from longshore.model.errors import AwsError, not_built
from longshore.services.ecr.pages import page
from longshore.services.ecr.resources import home_of
from longshore.services.ecr.tags import checked_tags
from longshore.services.interface import Context, Operation, Response

if TYPE_CHECKING:
    from types_boto3_ecr.type_defs import (
        CreateRepositoryRequestTypeDef,
        DeleteRepositoryRequestTypeDef,
        DescribeRegistryResponseTypeDef,
        DescribeRepositoriesRequestTypeDef,
        PutImageScanningConfigurationRequestTypeDef,
        PutImageTagMutabilityRequestTypeDef,
    )

MAX_EXCLUSIONS = 5


def create_repository(context: Context, request: "CreateRepositoryRequestTypeDef") -> Response:
    home = home_of(context, request)
    if not ecr.valid_name(home.name):
        raise failures.invalid_parameter(
            "repositoryName", f"must satisfy regular expression '{ecr.NAME_PATTERN}'"
        )
    if context.tx.get(ecr.REPOSITORY, *home) is not None:
        raise AwsError(
            "RepositoryAlreadyExistsException",
            f"The repository with name '{home.name}' already exists in the registry with id"
            f" '{home.account}'",
        )
    encryption = request.get("encryptionConfiguration") or {"encryptionType": "AES256"}
    if encryption["encryptionType"] != "AES256":
        raise not_built("encryption of repositories with KMS keys")
    mutability = request.get("imageTagMutability") or "MUTABLE"
    value = ecr.Repository(
        name=home.name,
        created_at=context.now,
        tag_mutability=mutability,
        tag_exclusions=_exclusions(mutability, request),
        scan_on_push=bool((request.get("imageScanningConfiguration") or {}).get("scanOnPush")),
        encryption_type=encryption["encryptionType"],
        tags=checked_tags((), request.get("tags") or []),
    )
    context.tx.create(ecr.REPOSITORY, *home, value)
    catalog.open_registry(context.tx, home.account, home.region, context.now)
    return {"repository": _shape(context, home, value)}


def _exclusions(mutability: str, request: Any) -> tuple[str, ...]:
    filters = request.get("imageTagMutabilityExclusionFilters") or []
    if bool(filters) != mutability.endswith("_WITH_EXCLUSION") or len(filters) > MAX_EXCLUSIONS:
        raise failures.invalid_parameter(
            "imageTagMutabilityExclusionFilters",
            f"must have 1 to {MAX_EXCLUSIONS} filters with, and none without, exclusion",
        )
    return tuple(str(given["filter"]) for given in filters)


def describe_repositories(
    context: Context, request: "DescribeRepositoriesRequestTypeDef"
) -> Response:
    account = request.get("registryId") or context.account
    names = request.get("repositoryNames")
    if names:
        homes = [Home(account, context.region, name) for name in names]
        found = [catalog.repository(context.tx, home).value for home in homes]
        following: Mapping[str, str] = {}
    else:
        records = context.tx.scan(ecr.REPOSITORY, account, context.region)
        values = [record.value for record in records]
        given, following = page(values, lambda value: value.name, request)
        found = list(given)
    shapes = [_shape(context, Home(account, context.region, value.name), value) for value in found]
    return {"repositories": shapes, **following}


def delete_repository(context: Context, request: "DeleteRepositoryRequestTypeDef") -> Response:
    home = home_of(context, request)
    found = catalog.repository(context.tx, home)
    if not request.get("force") and catalog.images(context.tx, home, limit=1):
        raise AwsError(
            "RepositoryNotEmptyException",
            f"The repository with name '{home.name}' in registry with id '{home.account}' cannot be"
            " deleted because it still contains images",
        )
    catalog.remove_repository(context.tx, home)
    return {"repository": _shape(context, home, found.value)}


def put_image_tag_mutability(
    context: Context, request: "PutImageTagMutabilityRequestTypeDef"
) -> Response:
    home = home_of(context, request)
    mutability = request["imageTagMutability"]
    exclusions = _exclusions(mutability, request)
    change(context, home, tag_mutability=mutability, tag_exclusions=exclusions)
    answer: dict[str, Any] = {**identity(home), "imageTagMutability": mutability}
    if exclusions:
        answer["imageTagMutabilityExclusionFilters"] = _filters(exclusions)
    return answer


def put_image_scanning_configuration(
    context: Context, request: "PutImageScanningConfigurationRequestTypeDef"
) -> Response:
    home = home_of(context, request)
    scan = bool(request["imageScanningConfiguration"].get("scanOnPush"))
    change(context, home, scan_on_push=scan)
    return {**identity(home), "imageScanningConfiguration": {"scanOnPush": scan}}


def describe_registry(
    context: Context, request: Any
) -> "DescribeRegistryResponseTypeDef | Response":
    return {"registryId": context.account, "replicationConfiguration": {"rules": []}}


def change(context: Context, home: Home, **fields: Any) -> ecr.Repository:
    """The repository with these fields changed, staged."""
    value = msgspec.structs.replace(catalog.repository(context.tx, home).value, **fields)
    context.tx.put(ecr.REPOSITORY, *home, value)
    return value


def identity(home: Home) -> dict[str, Any]:
    """The members with which most answers begin."""
    return {"registryId": home.account, "repositoryName": home.name}


def _filters(exclusions: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"filterType": "WILDCARD", "filter": given} for given in exclusions]


def _shape(context: Context, home: Home, value: ecr.Repository) -> dict[str, Any]:
    host = context.installation.registry_host(home.account, home.region)
    encryption = {"encryptionType": value.encryption_type}
    shape = {
        "repositoryArn": home.arn,
        **identity(home),
        "repositoryUri": f"{host}/{home.name}",
        "createdAt": value.created_at,
        "imageTagMutability": value.tag_mutability,
        "imageScanningConfiguration": {"scanOnPush": value.scan_on_push},
        "encryptionConfiguration": encryption,
    }
    if value.tag_exclusions:
        shape["imageTagMutabilityExclusionFilters"] = _filters(value.tag_exclusions)
    return shape


OPERATIONS: Mapping[str, Operation] = {
    "CreateRepository": create_repository,
    "DeleteRepository": delete_repository,
    "DescribeRegistry": describe_registry,
    "DescribeRepositories": describe_repositories,
    "PutImageScanningConfiguration": put_image_scanning_configuration,
    "PutImageTagMutability": put_image_tag_mutability,
}
