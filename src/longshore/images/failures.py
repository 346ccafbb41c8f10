"""ECR's errors in ECR's wording."""

from collections.abc import Iterable

from longshore.model import ecr
from longshore.model.errors import AwsError


def repository_not_found(name: str, account: str) -> AwsError:
    return AwsError(
        "RepositoryNotFoundException",
        f"The repository with name '{name}' does not exist in the registry with id '{account}'",
    )


def image_not_found(identifier: str, repository: str, account: str) -> AwsError:
    """`identifier` is ECR's own notation: `{imageDigest:'null', imageTag:'v1'}`."""
    return AwsError(
        "ImageNotFoundException",
        f"The image with imageId {identifier} does not exist within the repository with name"
        f" '{repository}' in the registry with id '{account}'",
    )


def image_already_exists(digest: str, tag: str, repository: str, account: str) -> AwsError:
    return AwsError(
        "ImageAlreadyExistsException",
        f"Image with digest '{digest}' and tag '{tag or 'null'}' already exists in the repository"
        f" with name '{repository}' in registry with id '{account}'",
    )


def tag_already_exists(tag: str, repository: str) -> AwsError:
    return AwsError(
        "ImageTagAlreadyExistsException",
        f"The image tag '{tag}' already exists in the '{repository}' repository and cannot be"
        " overwritten because the tag is immutable.",
    )


def layers_missing(digests: Iterable[str], repository: str, account: str) -> AwsError:
    return AwsError(
        "LayersNotFoundException",
        f"Layers with digests '[{', '.join(digests)}]' required for pushing image into repository"
        f" with name '{repository}' in the registry with id '{account}' do not exist",
    )


def images_missing(digests: Iterable[str], repository: str, account: str) -> AwsError:
    return AwsError(
        "ReferencedImagesNotFoundException",
        f"Images with digests '[{', '.join(digests)}]' required for pushing image into repository"
        f" with name '{repository}' in the registry with id '{account}' do not exist",
    )


def digest_does_not_match(given: str, computed: str) -> AwsError:
    return AwsError(
        "ImageDigestDoesNotMatchException",
        f"Image digest '{given}' does not match the digest '{computed}' of the image manifest",
    )


def invalid_parameter(name: str, constraint: str) -> AwsError:
    """`constraint` as in `must satisfy regular expression '…'`."""
    return AwsError(
        "InvalidParameterException",
        f"Invalid parameter at '{name}' failed to satisfy constraint: '{constraint}'",
    )


def layer_too_large() -> AwsError:
    return AwsError(
        "LimitExceededException",
        "The operation did not succeed because it would have exceeded a service limit for your"
        f" account: a layer has at most {ecr.LARGEST_LAYER // (1 << 20)} MiB",
    )
