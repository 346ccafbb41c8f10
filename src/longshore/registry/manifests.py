"""Manifests by tag and by digest ("Pulling manifests", "Pushing manifests", "Deleting tags")."""

from starlette.responses import Response

from longshore.blobs import BlobNotFound
from longshore.images import catalog
from longshore.images.catalog import Home
from longshore.images.manifest import MAX_BYTES, parse_manifest
from longshore.model import ecr
from longshore.registry import usage
from longshore.registry.call import Call
from longshore.registry.failures import Refusal, digest_invalid
from longshore.store.interface import Conflict


async def get_manifest(call: Call) -> Response:
    """The manifest's bytes, as they were pushed."""
    home, found = _find(call, "BatchGetImage")
    try:
        content = b"".join([piece async for piece in call.parts.blobs.read(found.digest)])
    except BlobNotFound:
        raise _unknown() from None
    transfer = usage.Transfer(home, usage.PULL, found.digest, call.principal.arn)
    usage.record(transfer, len(content))
    if catalog.pull_is_news(found, call.now):
        await _record_pull(call, home, found.digest)
    return Response(content, headers=_headers(found))


async def head_manifest(call: Call) -> Response:
    """Digest, type and size."""
    _, found = _find(call, "BatchGetImage")
    return Response(headers={**_headers(found), "Content-Length": str(found.manifest_size)})


async def _record_pull(call: Call, home: Home, digest: str) -> None:
    try:
        await call.parts.store.transact(lambda tx: catalog.record_pull(tx, home, digest, call.now))
    except Conflict:
        # Somebody else has just pulled or deleted it: nothing is lost.
        return


async def put_manifest(call: Call) -> Response:
    """Keep a manifest whose blobs are in the repository, and point the tag to it."""
    home = call.enter("PutImage")
    reference = str(call.request.path_params["reference"])
    by_digest = ":" in reference
    _check_reference(reference)
    algorithm = reference.partition(":")[0] if by_digest else "sha256"
    content = await _content(call)
    manifest = parse_manifest(content, call.request.headers.get("content-type", ""), algorithm)
    if by_digest and manifest.digest != reference:
        raise Refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    await call.parts.blobs.put(manifest.digest, content)
    tag = "" if by_digest else reference
    await call.parts.store.transact(lambda tx: catalog.put_image(tx, home, manifest, tag, call.now))
    transfer = usage.Transfer(home, usage.PUSH, manifest.digest, call.principal.arn)
    usage.record(transfer, len(content))
    headers = {
        "Location": f"/v2/{home.name}/manifests/{manifest.digest}",
        "Docker-Content-Digest": manifest.digest,
    }
    if manifest.subject:
        headers["OCI-Subject"] = manifest.subject
    return Response(status_code=201, headers=headers)


async def delete_manifest(call: Call) -> Response:
    """Delete an image by its digest, or a tag alone."""
    home, found = _find(call, "BatchDeleteImage")
    reference = str(call.request.path_params["reference"])
    if reference != found.digest:
        await call.parts.store.transact(lambda tx: catalog.untag(tx, home, reference))
        return Response(status_code=202)
    listed = catalog.parents(call.reader, home, found.digest)
    if listed:
        raise Refusal(
            409, "DENIED", f"Requested image referenced by manifest list: [{', '.join(listed)}]"
        )
    await call.parts.store.transact(lambda tx: catalog.remove_image(tx, home, found.digest))
    return Response(status_code=202)


def _find(call: Call, action: str) -> tuple[Home, ecr.Image]:
    """The repository and the image that the path names."""
    home = call.enter(action)
    reference = str(call.request.path_params["reference"])
    _check_reference(reference)
    found = catalog.resolve(call.reader, home, reference)
    if found is None:
        raise _unknown()
    return home, found


def _unknown() -> Refusal:
    return Refusal(404, "MANIFEST_UNKNOWN", "Requested image not found")


def _check_reference(reference: str) -> None:
    if ":" in reference and not ecr.valid_digest(reference):
        raise digest_invalid(reference)
    if ":" not in reference and not ecr.valid_tag(reference):
        raise Refusal(400, "TAG_INVALID", f"invalid tag '{reference[:200]}'")


async def _content(call: Call) -> bytes:
    """The body, as long as it is no longer than a manifest may be."""
    content = bytearray()
    async for piece in call.request.stream():
        content += piece
        if len(content) > MAX_BYTES:
            raise Refusal(413, "SIZE_INVALID", f"the manifest is larger than {MAX_BYTES} bytes")
    return bytes(content)


def _headers(found: ecr.Image) -> dict[str, str]:
    return {
        "Content-Type": found.media_type,
        "Docker-Content-Digest": found.digest,
        "Etag": f'"{found.digest}"',
    }
