"""Manifests through the API: what needs the bytes of the blob store."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from longshore.blobs import BlobStore
from longshore.images import catalog, failures
from longshore.images.catalog import Home
from longshore.images.manifest import Manifest, ManifestInvalid, parse_manifest
from longshore.model import ecr
from longshore.services.ecr.images import Failure, batch_image, image_id
from longshore.services.ecr.repositories import identity
from longshore.services.ecr.resources import home_of
from longshore.services.interface import Context, Response, WaitingOperation

if TYPE_CHECKING:
    from types_boto3_ecr.type_defs import BatchGetImageRequestTypeDef, PutImageRequestTypeDef


def manifest_operations(blobs: BlobStore) -> Mapping[str, WaitingOperation]:
    """The operations on manifests, over this blob store."""

    async def batch_get_image(context: Context, request: "BatchGetImageRequestTypeDef") -> Response:
        home = home_of(context, request)
        reader = context.store.reader
        catalog.repository(reader, home)
        given, failed = [], []
        for wanted in request["imageIds"]:
            try:
                found = batch_image(reader, home, wanted)
                content = b"".join([piece async for piece in blobs.read(found.digest)])
                given.append(_shape(home, found, wanted.get("imageTag") or "", content))
            except Failure as failure:
                failed.append(failure.shape(wanted))
        return {"images": given, "failures": failed}

    async def put_image(context: Context, request: "PutImageRequestTypeDef") -> Response:
        home = home_of(context, request)
        catalog.repository(context.store.reader, home)
        tag = request.get("imageTag") or ""
        content = request["imageManifest"].encode()
        manifest = _parsed(content, request)
        await blobs.put(manifest.digest, content)
        image, changed = await context.store.transact(
            lambda tx: catalog.put_image(tx, home, manifest, tag, context.now)
        )
        if not changed:
            raise failures.image_already_exists(image.digest, tag, home.name, home.account)
        return {"image": _shape(home, image, tag, content)}

    return {"BatchGetImage": batch_get_image, "PutImage": put_image}


def _parsed(content: bytes, request: Any) -> Manifest:
    tag = request.get("imageTag") or ""
    if tag and not ecr.valid_tag(tag):
        raise failures.invalid_parameter(
            "imageTag", f"must satisfy regular expression '{ecr.TAG_PATTERN}'"
        )
    given = request.get("imageDigest") or ""
    if given and not ecr.valid_digest(given):
        raise failures.invalid_parameter(
            "imageDigest", f"must satisfy regular expression '{ecr.DIGEST_PATTERN}'"
        )
    algorithm = given.partition(":")[0] or "sha256"
    try:
        manifest = parse_manifest(content, request.get("imageManifestMediaType") or "", algorithm)
    except ManifestInvalid as error:
        raise failures.invalid_parameter("ImageManifest", str(error)) from error
    if given and given != manifest.digest:
        raise failures.digest_does_not_match(given, manifest.digest)
    return manifest


def _shape(home: Home, image: ecr.Image, tag: str, content: bytes) -> dict[str, Any]:
    return {
        **identity(home),
        "imageId": image_id(image.digest, tag),
        "imageManifest": content.decode(),
        "imageManifestMediaType": image.media_type,
    }
