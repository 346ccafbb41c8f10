"""Blobs: asking for them and pulling them ("Pulling blobs")."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from longshore.blobs import BlobNotFound, BlobStore
from longshore.images import catalog, tokens
from longshore.images.catalog import Home
from longshore.model import ecr
from longshore.registry import usage
from longshore.registry.call import Call, Parts
from longshore.registry.failures import Refusal, digest_invalid
from longshore.registry.ranges import Unsatisfiable, download_range
from longshore.store.interface import Reader


async def head_blob(call: Call) -> Response:
    """Whether the repository has the blob, and its size."""
    home, digest = _named(call, "BatchCheckLayerAvailability")
    size = await _size(call.reader, call.parts.blobs, home, digest)
    return Response(headers={**_headers(digest), "Content-Length": str(size)})


async def get_blob(call: Call) -> Response:
    """The blob's bytes, or a range of them."""
    home, digest = _named(call, "GetDownloadUrlForLayer")
    return await _download(call.parts, call.request, home, digest, call.principal.arn)


async def get_signed_layer(parts: Parts, request: Request) -> Response:
    """A layer by the URL that GetDownloadUrlForLayer gave: whoever has it may fetch."""
    params, query = request.path_params, request.query_params
    home = Home(params["account"], params["region"], params["name"])
    digest = str(params["digest"])
    try:
        tokens.check_download(
            tokens.find_key(parts.store.reader),
            "/".join(home),
            digest,
            query.get("expires", ""),
            query.get("signature", ""),
            parts.clock.now(),
        )
    except (tokens.TokenInvalid, tokens.TokenExpired):
        raise Refusal(403, "DENIED", "the URL is not valid, or not any more") from None
    return await _download(parts, request, home, digest, "")


async def delete_blob(call: Call) -> Response:
    """ECR collects layers by itself: the specification lets a registry refuse."""
    call.enter("BatchDeleteImage")
    raise Refusal(405, "UNSUPPORTED", "Layers are deleted when no image needs them any more.")


def _named(call: Call, action: str) -> tuple[Home, str]:
    home = call.enter(action)
    digest = str(call.request.path_params["digest"])
    if not ecr.valid_digest(digest):
        raise digest_invalid(digest)
    return home, digest


async def _size(reader: Reader, blobs: BlobStore, home: Home, digest: str) -> int:
    """The size of a blob that this repository holds; raises BlobNotFound."""
    held = catalog.layer(reader, home, digest)
    size = await blobs.size(digest) if held is not None else None
    if size is None:
        raise BlobNotFound(digest)
    return size


async def _download(
    parts: Parts, request: Request, home: Home, digest: str, principal_arn: str
) -> Response:
    size = await _size(parts.store.reader, parts.blobs, home, digest)
    headers = _headers(digest)
    try:
        part = download_range(request.headers.get("range"), size)
    except Unsatisfiable:
        told = {"Content-Range": f"bytes */{size}"}
        raise Refusal(416, "SIZE_INVALID", "the range is not in the blob", told) from None
    start, end = part or (0, size)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    transfer = usage.Transfer(home, usage.PULL, digest, principal_arn)
    pieces = usage.metered(transfer, parts.blobs.read(digest, start, end))
    return StreamingResponse(pieces, 200 if part is None else 206, headers)


def _headers(digest: str) -> dict[str, str]:
    return {
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "Docker-Content-Digest": digest,
        "Etag": f'"{digest}"',
    }
