"""The routes of the distribution specification ("Endpoints"), as one list."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from longshore.base.logs import logger
from longshore.registry.blobs import delete_blob, get_blob, get_signed_layer, head_blob
from longshore.registry.call import Call, Parts, identify
from longshore.registry.failures import Refusal, refusal
from longshore.registry.listings import list_referrers, list_tags
from longshore.registry.manifests import (
    delete_manifest,
    get_manifest,
    head_manifest,
    put_manifest,
)
from longshore.registry.uploads import (
    abort_upload,
    append_to_upload,
    begin_upload,
    finish_upload,
    show_upload,
)

Handler = Callable[[Call], Awaitable[Response]]
SIGNED = "/layers/"
"""Where GetDownloadUrlForLayer's URLs lead: the signature stands for the caller."""
VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}

_log = logger(__name__)


async def ping(call: Call) -> Response:
    """That this is a registry, and the caller is known."""
    return Response(status_code=200)


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v2/", ping),
    ("HEAD", "/v2/{name:path}/blobs/{digest}", head_blob),
    ("GET", "/v2/{name:path}/blobs/{digest}", get_blob),
    ("DELETE", "/v2/{name:path}/blobs/{digest}", delete_blob),
    ("POST", "/v2/{name:path}/blobs/uploads/", begin_upload),
    ("GET", "/v2/{name:path}/blobs/uploads/{upload}", show_upload),
    ("PATCH", "/v2/{name:path}/blobs/uploads/{upload}", append_to_upload),
    ("PUT", "/v2/{name:path}/blobs/uploads/{upload}", finish_upload),
    ("DELETE", "/v2/{name:path}/blobs/uploads/{upload}", abort_upload),
    ("HEAD", "/v2/{name:path}/manifests/{reference}", head_manifest),
    ("GET", "/v2/{name:path}/manifests/{reference}", get_manifest),
    ("PUT", "/v2/{name:path}/manifests/{reference}", put_manifest),
    ("DELETE", "/v2/{name:path}/manifests/{reference}", delete_manifest),
    ("GET", "/v2/{name:path}/tags/list", list_tags),
    ("GET", "/v2/{name:path}/referrers/{digest}", list_referrers),
)


def application(parts: Parts) -> Starlette:
    """The registry as an ASGI application."""
    paths: dict[str, dict[str, Handler]] = {}
    for method, path, handler in ROUTES:
        paths.setdefault(path, {})[method] = handler
    # A path with more fixed parts comes first: "uploads" would do as a digest.
    ordered = sorted(paths, key=lambda path: -path.count("/"))
    routes = [_route(parts, path, paths[path]) for path in ordered]
    signed = _route(parts, SIGNED + "{account}/{region}/{name:path}/{digest}", {})
    return Starlette(routes=[signed, *routes, _route(parts, "/{rest:path}", {})])


def _route(parts: Parts, path: str, handlers: dict[str, Handler]) -> Route:
    async def endpoint(request: Request) -> Response:
        response = await _answer(parts, request, handlers)
        response.headers.update(VERSION)
        return response

    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Route(path, endpoint, methods=methods)


async def _answer(parts: Parts, request: Request, handlers: dict[str, Handler]) -> Response:
    handler = handlers.get(request.method)
    try:
        _check_framing(request)
        if request.url.path.startswith(SIGNED):
            return await get_signed_layer(parts, request)
        call = identify(parts, request)
        if handler is None:
            raise _no_such_endpoint(request, handlers)
        return await handler(call)
    except Refusal as refused:
        return refused.response()
    except ClientDisconnect:
        # What came before is kept (PATCH) or dropped (PUT of a manifest); nobody hears the answer.
        return Response(status_code=400)
    except Exception as error:
        answer = refusal(error)
        if answer is None:
            _log.exception(
                "A registry request failed", method=request.method, path=request.url.path
            )
            answer = Refusal(500, "UNKNOWN", "the registry failed; its log tells more")
        return answer.response()


def _check_framing(request: Request) -> None:
    """A body of two lengths is how requests are smuggled (RFC 9112, section 6.1)."""
    if "content-length" in request.headers and "transfer-encoding" in request.headers:
        raise Refusal(400, "SIZE_INVALID", "a request has one length")


def _no_such_endpoint(request: Request, handlers: dict[str, Handler]) -> Refusal:
    if handlers:
        return Refusal(
            405,
            "UNSUPPORTED",
            f"{request.method} is not supported here",
            {"Allow": ", ".join(sorted(handlers))},
        )
    return Refusal(404, "UNSUPPORTED", "there is no such endpoint")
