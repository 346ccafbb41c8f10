"""Layers through the API: uploads in parts, and URLs to download from."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from longshore.blobs import (
    BlobStore,
    DigestMismatch,
    OffsetMismatch,
    UploadBusy,
    UploadNotFound,
)
from longshore.images import catalog, failures, tokens
from longshore.images.catalog import Home
from longshore.model import ecr
from longshore.model.errors import AwsError
from longshore.services.ecr.repositories import identity
from longshore.services.ecr.resources import home_of
from longshore.services.interface import Context, Response, WaitingOperation

if TYPE_CHECKING:
    from types_boto3_ecr.type_defs import (
        BatchCheckLayerAvailabilityRequestTypeDef,
        CompleteLayerUploadRequestTypeDef,
        GetDownloadUrlForLayerRequestTypeDef,
        InitiateLayerUploadRequestTypeDef,
        UploadLayerPartRequestTypeDef,
    )

PART_SIZE = 10 * 1024 * 1024


def layer_operations(blobs: BlobStore) -> Mapping[str, WaitingOperation]:
    """The operations on layers, over this blob store."""
    layers = _Layers(blobs)
    return {
        "BatchCheckLayerAvailability": layers.batch_check,
        "CompleteLayerUpload": layers.complete,
        "GetDownloadUrlForLayer": layers.download_url,
        "InitiateLayerUpload": layers.initiate,
        "UploadLayerPart": layers.upload_part,
    }


class _Layers:
    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def initiate(
        self, context: Context, request: "InitiateLayerUploadRequestTypeDef"
    ) -> Response:
        home = _existing(context, request)
        upload_id = context.ids.uuid()
        await self._blobs.begin(upload_id, "/".join(home))
        return {"uploadId": upload_id, "partSize": PART_SIZE}

    async def upload_part(
        self, context: Context, request: "UploadLayerPartRequestTypeDef"
    ) -> Response:
        home = _existing(context, request)
        upload_id, first = request["uploadId"], int(request["partFirstByte"])
        await self._require(home, upload_id)
        part: Any = request["layerPartBlob"]
        size = (await self._blobs.upload(upload_id)).size
        if len(part) != int(request["partLastByte"]) - first + 1:
            raise _invalid_part(home, upload_id, size)
        if first + len(part) > ecr.LARGEST_LAYER:
            raise failures.layer_too_large()
        try:
            size = await self._blobs.append(upload_id, first, _whole(part))
        except (OffsetMismatch, UploadBusy):
            raise _invalid_part(home, upload_id, size) from None
        return {**identity(home), "uploadId": upload_id, "lastByteReceived": size - 1}

    async def complete(
        self, context: Context, request: "CompleteLayerUploadRequestTypeDef"
    ) -> Response:
        home = _existing(context, request)
        upload_id, digest = request["uploadId"], _one_digest(request["layerDigests"])
        size = await self._require(home, upload_id)
        if size == 0:
            raise AwsError(
                "EmptyUploadException", f"Layer upload '{upload_id}' does not contain any parts"
            )
        if catalog.layer(context.store.reader, home, digest) is not None:
            await self._blobs.abort(upload_id)
            raise AwsError(
                "LayerAlreadyExistsException",
                f"Layer with digest '{digest}' already exists in the repository with name"
                f" '{home.name}' in registry with id '{home.account}'",
            )
        try:
            await self._blobs.finish(upload_id, digest)
        except DigestMismatch as mismatch:
            raise AwsError(
                "InvalidLayerException",
                f"Layer digest '{digest}' does not match the digest '{mismatch}' of the uploaded"
                " content",
            ) from None
        await context.store.transact(
            lambda tx: catalog.add_layer(tx, home, digest, size, context.now)
        )
        return {**identity(home), "uploadId": upload_id, "layerDigest": digest}

    async def batch_check(
        self, context: Context, request: "BatchCheckLayerAvailabilityRequestTypeDef"
    ) -> Response:
        home = _existing(context, request)
        layers: list[dict[str, Any]] = []
        failed = []
        for digest in request["layerDigests"]:
            if not ecr.valid_digest(digest):
                failed.append(_invalid_digest(digest))
                continue
            held = catalog.layer(context.store.reader, home, digest)
            if held is None:
                layers.append({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"})
            else:
                told = {"layerAvailability": "AVAILABLE", "layerSize": held.size}
                layers.append({"layerDigest": digest, **told})
        return {"layers": layers, "failures": failed}

    async def download_url(
        self, context: Context, request: "GetDownloadUrlForLayerRequestTypeDef"
    ) -> Response:
        home, digest = _existing(context, request), request["layerDigest"]
        if catalog.layer(context.store.reader, home, digest) is None:
            raise AwsError(
                "LayersNotFoundException",
                f"The layer with digest '{digest}' does not exist in the repository with name"
                f" '{home.name}' in the registry with id '{home.account}'",
            )
        key = await context.store.transact(lambda tx: tokens.token_key(tx, context.ids))
        expires = int(context.now + tokens.DOWNLOAD_SECONDS)
        place = "/".join(home)
        signature = tokens.sign_download(key, place, digest, expires)
        host = context.installation.registry_host(home.account, home.region)
        query = urlencode({"expires": expires, "signature": signature})
        url = f"https://{host}/layers/{place}/{digest}?{query}"
        return {"downloadUrl": url, "layerDigest": digest}

    async def _require(self, home: Home, upload_id: str) -> int:
        """The size of an upload of this repository; raises UploadNotFoundException."""
        try:
            upload = await self._blobs.upload(upload_id)
        except UploadNotFound:
            raise _no_upload(home, upload_id) from None
        if upload.owner != "/".join(home):
            raise _no_upload(home, upload_id)
        return upload.size


def _existing(context: Context, request: Any) -> Home:
    home = home_of(context, request)
    catalog.repository(context.store.reader, home)
    return home


async def _whole(part: bytes) -> AsyncIterator[bytes]:
    yield part


def _one_digest(digests: Any) -> str:
    if len(digests) != 1 or not ecr.valid_digest(digests[0]):
        raise failures.invalid_parameter(
            "layerDigests", f"must be one that satisfies '{ecr.DIGEST_PATTERN}'"
        )
    return str(digests[0])


def _invalid_digest(digest: str) -> dict[str, str]:
    return {
        "layerDigest": digest,
        "failureCode": "InvalidLayerDigest",
        "failureReason": "Invalid request parameters: layer digest should satisfy the regex"
        f" '{ecr.DIGEST_PATTERN}'",
    }


def _no_upload(home: Home, upload_id: str) -> AwsError:
    return AwsError(
        "UploadNotFoundException",
        f"The upload with id '{upload_id}' could not be found in the repository with name"
        f" '{home.name}' in the registry with id '{home.account}'",
    )


def _invalid_part(home: Home, upload_id: str, size: int) -> AwsError:
    return AwsError(
        "InvalidLayerPartException",
        "The layer part does not begin where the part before it ended, or is not as long as it"
        " says",
        members={**identity(home), "uploadId": upload_id, "lastValidByteReceived": size - 1},
    )
