"""What each call is about, for IAM ("Actions, resources, and condition keys for Amazon ECR")."""

from collections.abc import Iterable, Mapping
from typing import Any

from longshore.images.catalog import Home
from longshore.model import ecr
from longshore.model.arn import parse_arn
from longshore.services.interface import Context, Resource, ResourcesOf
from longshore.store.interface import Reader

ONE_REPOSITORY = (
    "BatchCheckLayerAvailability",
    "BatchDeleteImage",
    "BatchGetImage",
    "CompleteLayerUpload",
    "DeleteLifecyclePolicy",
    "DeleteRepository",
    "DeleteRepositoryPolicy",
    "DescribeImages",
    "GetDownloadUrlForLayer",
    "GetLifecyclePolicy",
    "GetRepositoryPolicy",
    "InitiateLayerUpload",
    "ListImageReferrers",
    "ListImages",
    "PutImage",
    "PutImageScanningConfiguration",
    "PutImageTagMutability",
    "PutLifecyclePolicy",
    "SetRepositoryPolicy",
    "UploadLayerPart",
)


def home_of(context: Context, request: Mapping[str, Any]) -> Home:
    """The repository that a request names; it need not exist."""
    account = str(request.get("registryId") or context.account)
    return Home(account, context.region, str(request["repositoryName"]))


def home_of_arn(arn: str) -> Home | None:
    """The repository of an ARN, or None where it is not a repository's."""
    parts = parse_arn(arn)
    if parts is None or parts.service != "ecr" or parts.resource_type != "repository":
        return None
    return Home(parts.account, parts.region, parts.resource_id)


def resource(reader: Reader, home: Home) -> Resource:
    """The repository with its tags as condition keys."""
    found = reader.get(ecr.REPOSITORY, *home)
    conditions: dict[str, str | list[str]] = {}
    for key, value in found.value.tags if found else ():
        conditions[f"aws:ResourceTag/{key}"] = value
        conditions[f"ecr:ResourceTag/{key}"] = value
    return Resource(arn=home.arn, conditions=conditions)


def _one(context: Context, request: Any) -> Iterable[Resource]:
    return [resource(context.store.reader, home_of(context, request))]


def _created(context: Context, request: Any) -> Iterable[Resource]:
    return [Resource(arn=home_of(context, request).arn, conditions=_requested_tags(request))]


def _listed(context: Context, request: Any) -> Iterable[Resource]:
    names = request.get("repositoryNames") or ["*"]
    homes = [home_of(context, {**request, "repositoryName": name}) for name in names]
    return [resource(context.store.reader, home) for home in homes]


def _by_arn(context: Context, request: Any) -> Iterable[Resource]:
    home = home_of_arn(str(request["resourceArn"]))
    if home is None:
        return [Resource(arn=str(request["resourceArn"]))]
    found = resource(context.store.reader, home)
    return [Resource(arn=found.arn, conditions={**found.conditions, **_requested_tags(request)})]


def _requested_tags(request: Any) -> dict[str, str | list[str]]:
    given = request.get("tags") or []
    conditions: dict[str, str | list[str]] = {
        f"aws:RequestTag/{tag['Key']}": tag.get("Value", "") for tag in given
    }
    keys = request.get("tagKeys") or [tag["Key"] for tag in given]
    if keys:
        conditions["aws:TagKeys"] = list(keys)
    return conditions


RESOURCES: Mapping[str, ResourcesOf] = {
    **dict.fromkeys(ONE_REPOSITORY, _one),
    **dict.fromkeys(("ListTagsForResource", "TagResource", "UntagResource"), _by_arn),
    "CreateRepository": _created,
    "DescribeRepositories": _listed,
}


def repository_policy(reader: Reader, arn: str) -> str | None:
    """The policy of the repository of this ARN."""
    home = home_of_arn(arn)
    found = reader.get(ecr.REPOSITORY, *home) if home else None
    return (found.value.policy or None) if found else None
