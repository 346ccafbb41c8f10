"""Uploads: in one piece, in chunks, or by mounting another repository's blob ("Pushing blobs")."""

from collections.abc import AsyncIterator

from starlette.responses import Response

from longshore.blobs import UploadNotFound
from longshore.images import catalog
from longshore.images.catalog import Home
from longshore.model import ecr
from longshore.model.errors import AwsError
from longshore.registry import usage
from longshore.registry.call import Call
from longshore.registry.failures import Refusal, digest_invalid, layer_too_large, upload_range
from longshore.registry.ranges import upload_start


async def begin_upload(call: Call) -> Response:
    """POST: start an upload, take a whole blob at once, or mount one."""
    home = call.enter("InitiateLayerUpload")
    query = call.request.query_params
    mounted = await _mount(call, home, query.get("mount"), query.get("from"))
    if mounted is not None:
        return mounted
    digest = query.get("digest")
    if digest is not None and not ecr.valid_digest(digest):
        raise digest_invalid(digest)
    upload_id = call.parts.ids.uuid()
    await call.parts.blobs.begin(upload_id, _owner(home))
    if digest is None:
        return _progress(home, upload_id, 0, 202)
    call.authorize(home, "UploadLayerPart")
    return await _finish(call, home, upload_id, digest)


async def _mount(call: Call, home: Home, digest: str | None, source: str | None) -> Response | None:
    """The answer if the blob could be mounted; else an ordinary upload begins."""
    if digest is None or source is None:
        return None
    if not (ecr.valid_digest(digest) and ecr.valid_name(source)):
        return None
    origin = home._replace(name=source)
    try:
        call.authorize(origin, "BatchCheckLayerAvailability")
        call.authorize(origin, "GetDownloadUrlForLayer")
        call.authorize(home, "CompleteLayerUpload")
    except AwsError:
        return None
    held = catalog.layer(call.reader, origin, digest)
    if held is None or not await call.parts.blobs.touch(digest):
        return None
    return await _keep(call, home, digest, held.size)


async def append_to_upload(call: Call) -> Response:
    """PATCH: add a chunk at the end."""
    home, upload_id = await _enter(call, "UploadLayerPart")
    size = await _append(call, home, upload_id)
    return _progress(home, upload_id, size, 202)


async def finish_upload(call: Call) -> Response:
    """PUT: add what is left, if anything, and close the upload under its digest."""
    home, upload_id = await _enter(call, "CompleteLayerUpload")
    digest = call.request.query_params.get("digest", "")
    if not ecr.valid_digest(digest):
        raise digest_invalid(digest)
    return await _finish(call, home, upload_id, digest)


async def show_upload(call: Call) -> Response:
    """GET: how far the upload is."""
    home, upload_id = await _enter(call, "UploadLayerPart")
    upload = await call.parts.blobs.upload(upload_id)
    return _progress(home, upload_id, upload.size, 204)


async def abort_upload(call: Call) -> Response:
    """DELETE: forget the upload."""
    _, upload_id = await _enter(call, "UploadLayerPart")
    await call.parts.blobs.abort(upload_id)
    return Response(status_code=204)


async def _enter(call: Call, action: str) -> tuple[Home, str]:
    """The repository and an upload of its own."""
    home = call.enter(action)
    upload_id = str(call.request.path_params["upload"])
    upload = await call.parts.blobs.upload(upload_id)
    if upload.owner != _owner(home):
        raise UploadNotFound(upload_id)
    return home, upload_id


async def _append(call: Call, home: Home, upload_id: str) -> int:
    """Take the body in; the upload's new size."""
    headers = call.request.headers
    length = headers.get("content-length")
    try:
        start = upload_start(
            headers.get("content-range"), int(length) if length is not None else None
        )
    except ValueError as error:
        raise Refusal(416, "BLOB_UPLOAD_INVALID", str(error)) from error
    room = ecr.LARGEST_LAYER - (await call.parts.blobs.upload(upload_id)).size
    if length is not None and int(length) > room:
        raise layer_too_large()
    transfer = usage.Transfer(home, usage.PUSH, "", call.principal.arn)
    pieces = _within(room, usage.metered(transfer, call.request.stream()))
    return await call.parts.blobs.append(upload_id, start, pieces)


async def _within(room: int, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, up to `room` bytes of them; then the upload is refused."""
    async for piece in pieces:
        room -= len(piece)
        if room < 0:
            raise layer_too_large()
        yield piece


async def _finish(call: Call, home: Home, upload_id: str, digest: str) -> Response:
    await _append(call, home, upload_id)
    size = await call.parts.blobs.finish(upload_id, digest)
    return await _keep(call, home, digest, size)


async def _keep(call: Call, home: Home, digest: str, size: int) -> Response:
    """The blob is durable: now the repository has it."""
    await call.parts.store.transact(lambda tx: catalog.add_layer(tx, home, digest, size, call.now))
    headers = {
        "Location": f"/v2/{home.name}/blobs/{digest}",
        "Docker-Content-Digest": digest,
    }
    return Response(status_code=201, headers=headers)


def _progress(home: Home, upload_id: str, size: int, status: int) -> Response:
    headers = {
        "Location": f"/v2/{home.name}/blobs/uploads/{upload_id}",
        "Docker-Upload-Uuid": upload_id,
        "Range": upload_range(size),
    }
    return Response(status_code=status, headers=headers)


def _owner(home: Home) -> str:
    return "/".join(home)
