"""Images as records: to list, describe and delete them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from longshore.images import catalog, failures
from longshore.images.catalog import Home
from longshore.model import ecr
from longshore.services.ecr.pages import page
from longshore.services.ecr.repositories import identity
from longshore.services.ecr.resources import home_of
from longshore.services.interface import Context, Operation, Response
from longshore.store.interface import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_ecr.type_defs import (
        BatchDeleteImageRequestTypeDef,
        DescribeImagesRequestTypeDef,
        ListImageReferrersRequestTypeDef,
        ListImagesRequestTypeDef,
    )

LAYER_DIGEST_PATTERN = "[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+"


class Entry(NamedTuple):
    """One line of ListImages: an image under one of its tags, or under none."""

    digest: str
    tag: str

    @property
    def key(self) -> str:
        return f"{self.digest} {self.tag}"

    @property
    def shape(self) -> dict[str, str]:
        return image_id(self.digest, self.tag)


def image_id(digest: str, tag: str = "") -> dict[str, str]:
    """An ImageIdentifier."""
    told = {"imageDigest": digest} if digest else {}
    return {**told, "imageTag": tag} if tag else told


def list_images(context: Context, request: "ListImagesRequestTypeDef") -> Response:
    home = home_of(context, request)
    catalog.repository(context.tx, home)
    wanted = (request.get("filter") or {}).get("tagStatus", "ANY")
    entries = [
        Entry(record.value.digest, tag)
        for record in catalog.images(context.tx, home)
        for tag in catalog.tags_of(context.tx, home, record.value.digest) or [""]
        if _has_status(bool(tag), wanted)
    ]
    given, following = page(entries, lambda entry: entry.key, request)
    return {"imageIds": [entry.shape for entry in given], **following}


def _has_status(tagged: bool, wanted: str) -> bool:
    return wanted == "ANY" or tagged == (wanted == "TAGGED")


def describe_images(context: Context, request: "DescribeImagesRequestTypeDef") -> Response:
    home = home_of(context, request)
    catalog.repository(context.tx, home)
    given: Sequence[ecr.Image]
    following: Mapping[str, str] = {}
    if request.get("imageIds"):
        found = [named(context.tx, home, wanted) for wanted in request["imageIds"]]
        given = list({image.digest: image for image in found}.values())
    else:
        wanted = (request.get("filter") or {}).get("tagStatus", "ANY")
        images = [
            record.value
            for record in catalog.images(context.tx, home)
            if _has_status(bool(catalog.tags_of(context.tx, home, record.value.digest)), wanted)
        ]
        given, following = page(images, lambda image: image.digest, request)
    return {"imageDetails": [_detail(context.tx, home, image) for image in given], **following}


def named(reader: Reader, home: Home, wanted: Any) -> ecr.Image:
    """The image of an ImageIdentifier; raises ImageNotFoundException."""
    digest, tag = wanted.get("imageDigest"), wanted.get("imageTag")
    found = (
        catalog.image(reader, home, digest) if digest else catalog.tagged(reader, home, tag or "")
    )
    if found is None or (digest and tag and tag not in catalog.tags_of(reader, home, digest)):
        told = f"{{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}}"
        raise failures.image_not_found(told, home.name, home.account)
    return found


def _detail(reader: Reader, home: Home, image: ecr.Image) -> dict[str, Any]:
    detail: dict[str, Any] = {
        **identity(home),
        "imageDigest": image.digest,
        "imageSizeInBytes": image.size,
        "imagePushedAt": image.pushed_at,
        "imageManifestMediaType": image.media_type,
    }
    optional = {
        "imageTags": catalog.tags_of(reader, home, image.digest),
        "artifactMediaType": image.config_media_type or image.artifact_type,
        "lastRecordedPullTime": image.pulled_at,
        "subjectManifestDigest": image.subject,
    }
    return {**detail, **{name: value for name, value in optional.items() if value}}


class Failure(Exception):
    """Why one image of a batch could not be dealt with: ECR's failure code, and its reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    def shape(self, wanted: Any) -> dict[str, Any]:
        """An ImageFailure."""
        return {"imageId": dict(wanted), "failureCode": self.code, "failureReason": self.reason}


def batch_image(reader: Reader, home: Home, wanted: Any) -> ecr.Image:
    """The image of one line of a batch; raises Failure."""
    digest, tag = wanted.get("imageDigest"), wanted.get("imageTag")
    if not digest and not tag:
        raise Failure(
            "MissingDigestAndTag",
            "Invalid request parameters: both tag and digest cannot be null",
        )
    if digest and not ecr.valid_digest(digest):
        raise Failure(
            "InvalidImageDigest",
            "Invalid request parameters: image digest should satisfy the regex"
            f" '{LAYER_DIGEST_PATTERN}'",
        )
    found = catalog.image(reader, home, digest) if digest else catalog.tagged(reader, home, tag)
    if found is None:
        raise Failure("ImageNotFound", "Requested image not found")
    if digest and tag and tag not in catalog.tags_of(reader, home, digest):
        raise Failure("ImageTagDoesNotMatchDigest", "Requested image tag does not match digest")
    return found


def batch_delete_image(context: Context, request: "BatchDeleteImageRequestTypeDef") -> Response:
    home = home_of(context, request)
    catalog.repository(context.tx, home)
    deleted: list[dict[str, str]] = []
    failed = []
    for wanted in request["imageIds"]:
        try:
            deleted += _delete(context.tx, home, wanted)
        except Failure as failure:
            failed.append(failure.shape(wanted))
    return {"imageIds": deleted, "failures": failed}


def _delete(tx: Transaction, home: Home, wanted: Any) -> list[dict[str, str]]:
    """By tag alone: the tag, and the image with its last one. By digest: the image."""
    found = batch_image(tx, home, wanted)
    tags = catalog.tags_of(tx, home, found.digest)
    tag = "" if wanted.get("imageDigest") else wanted["imageTag"]
    if tag and len(tags) > 1:
        catalog.untag(tx, home, tag)
        return [image_id(found.digest, tag)]
    parents = catalog.parents(tx, home, found.digest)
    if parents:
        raise Failure(
            "ImageReferencedByManifestList",
            f"Requested image referenced by manifest list: [{', '.join(parents)}]",
        )
    catalog.remove_image(tx, home, found.digest)
    return [image_id(found.digest, gone) for gone in tags or [""]]


def list_image_referrers(context: Context, request: "ListImageReferrersRequestTypeDef") -> Response:
    home = home_of(context, request)
    catalog.repository(context.tx, home)
    wanted = (request.get("filter") or {}).get("artifactTypes") or []
    found = [
        image
        for image in catalog.referrers(context.tx, home, request["subjectId"]["imageDigest"])
        if not wanted or image.artifact_type in wanted
    ]
    given, following = page(found, lambda image: image.digest, request)
    return {"referrers": [_referrer(image) for image in given], **following}


def _referrer(image: ecr.Image) -> dict[str, Any]:
    told: dict[str, Any] = {
        "digest": image.digest,
        "mediaType": image.media_type,
        "size": image.manifest_size,
    }
    if image.artifact_type:
        told["artifactType"] = image.artifact_type
    return {**told, "annotations": dict(image.annotations)} if image.annotations else told


OPERATIONS: Mapping[str, Operation] = {
    "BatchDeleteImage": batch_delete_image,
    "DescribeImages": describe_images,
    "ListImageReferrers": list_image_referrers,
    "ListImages": list_images,
}
