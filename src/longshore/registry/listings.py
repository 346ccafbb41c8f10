"""Lists: a repository's tags, and what refers to an image ("Content Discovery")."""

from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from longshore.images import catalog
from longshore.images.manifest import OCI_INDEX
from longshore.model import ecr
from longshore.registry.call import Call
from longshore.registry.failures import Refusal, digest_invalid

PAGE = 1000
"""Tags a page where the client does not say, and at most."""


async def list_tags(call: Call) -> Response:
    """A page of tags, in order of their bytes, after `last`."""
    home = call.enter("ListImages")
    query = call.request.query_params
    limit = _limit(query.get("n"))
    found = catalog.tags(call.reader, home, query.get("last", ""), limit + 1) if limit else []
    headers = {}
    if len(found) > limit:
        found = found[:limit]
        following = urlencode({"n": limit, "last": found[-1]})
        headers["Link"] = f'</v2/{home.name}/tags/list?{following}>; rel="next"'
    body = msgspec.json.encode({"name": home.name, "tags": found})
    return Response(body, 200, headers, "application/json")


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refusal(400, "PAGINATION_NUMBER_INVALID", f"invalid number of results '{text[:50]}'")
    return min(int(text), PAGE)


async def list_referrers(call: Call) -> Response:
    """An index of the manifests whose subject is this digest."""
    home = call.enter("BatchGetImage")
    digest = str(call.request.path_params["digest"])
    if not ecr.valid_digest(digest):
        raise digest_invalid(digest)
    wanted = call.request.query_params.get("artifactType")
    found = [
        image
        for image in catalog.referrers(call.reader, home, digest)
        if wanted is None or image.artifact_type == wanted
    ]
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [_descriptor(image) for image in found],
    }
    headers = {"OCI-Filters-Applied": "artifactType"} if wanted is not None else {}
    return Response(msgspec.json.encode(index), 200, headers, OCI_INDEX)


def _descriptor(image: ecr.Image) -> dict[str, object]:
    told: dict[str, object] = {
        "mediaType": image.media_type,
        "digest": image.digest,
        "size": image.manifest_size,
    }
    if image.artifact_type:
        told["artifactType"] = image.artifact_type
    if image.annotations:
        told["annotations"] = dict(image.annotations)
    return told
