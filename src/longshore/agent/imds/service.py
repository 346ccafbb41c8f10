"""IMDSv1 and IMDSv2 over the tree ("Use the Instance Metadata Service", EC2 User Guide)."""

from http import HTTPStatus
from urllib.parse import unquote

from longshore.agent.endpoints.callers import Caller
from longshore.agent.endpoints.http import Request, Response
from longshore.agent.endpoints.listening import Site, serve_vpcs
from longshore.agent.host import Host
from longshore.agent.imds.tokens import Tokens, kept_key, parse_seconds
from longshore.agent.imds.tree import VERSIONS, Folder, Value, find, metadata_tree
from longshore.model.link_local import METADATA_ADDRESS
from longshore.model.network import Interface
from longshore.nodeapi.own import HostInstance

TOKEN_HEADER = "x-aws-ec2-metadata-token"  # noqa: S105 - a header's name
SECONDS_HEADER = "x-aws-ec2-metadata-token-ttl-seconds"
FORWARDED_HEADER = "x-forwarded-for"
TOKEN_PATH = ("api", "token")
SERVER = ("server", "EC2ws")
ERROR_PAGE = """<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{title}</title>
 </head>
 <body>
  <h1>{title}</h1>
 </body>
</html>
"""


async def run_imds(host: Host) -> None:
    """Answer the EC2 instances of this host until cancelled, in VPCs as they come and go."""
    if host.fabric is None:
        return
    metadata = Metadata(host, Tokens(kept_key(host.home / "imds.key")))
    site = Site(METADATA_ADDRESS, metadata.answer, refusal)
    await serve_vpcs(host, host.fabric, site)


class Metadata:
    """Tells each instance of itself."""

    def __init__(self, host: Host, tokens: Tokens) -> None:
        self._host = host
        self._tokens = tokens

    async def answer(self, caller: Caller, request: Request) -> Response | None:
        """The response; None to a peer that is no instance of this host in that VPC."""
        for interface in self._host.fabric.network.interfaces if self._host.fabric else ():
            if interface.vpc_id == caller.vpc_id and caller.address in interface.addresses:
                instance = self._host.instances.of(interface.id)
                if instance is not None:
                    now = self._host.clock.now()
                    return respond(instance, interface, request, self._tokens, now)
        return None


def respond(
    instance: HostInstance, interface: Interface, request: Request, tokens: Tokens, now: float
) -> Response:
    """What the instance with this interface is answered."""
    if not instance.endpoint:
        return refusal(403)
    path = _names(request.path)
    if len(path) == 3 and path[0] in VERSIONS and path[1:] == TOKEN_PATH:
        return _token(instance, request, tokens, now)
    if request.method != "GET":
        return refusal(405)._replace(allow=("GET",))
    headers = [SERVER]
    token = request.headers.get(TOKEN_HEADER)
    if token is not None:
        remaining = tokens.remaining(token, instance.instance_id, now)
        if remaining <= 0:
            return refusal(401)
        headers.append((SECONDS_HEADER, str(int(remaining))))
    elif instance.tokens_required:
        return refusal(401)
    return _found(instance, interface, path)._replace(headers=tuple(headers))


def _names(path: str) -> tuple[str, ...]:
    """`/latest/` and `/latest` are the same; `/` is nothing."""
    inner = path.removeprefix("/").removesuffix("/")
    return tuple(unquote(name) for name in inner.split("/")) if inner else ()


def _found(instance: HostInstance, interface: Interface, path: tuple[str, ...]) -> Response:
    match find(metadata_tree(instance, interface), path):
        case Value(content, content_type):
            return Response(200, content, content_type=content_type)
        case Folder() as folder:
            return Response(200, folder.shown().encode(), content_type="text/plain")
        case _:
            return refusal(404)


def _token(instance: HostInstance, request: Request, tokens: Tokens, now: float) -> Response:
    """A token, in packets that die after as many hops as the instance allows."""
    if request.method != "PUT":
        return refusal(405)._replace(allow=("PUT",))
    # A proxy that was left open asks for somebody outside.
    if FORWARDED_HEADER in request.headers:
        return refusal(403)
    seconds = parse_seconds(request.headers.get(SECONDS_HEADER))
    if seconds is None:
        return refusal(400)
    token = tokens.issue(instance.instance_id, seconds, now)
    return Response(
        200,
        token.encode(),
        content_type="text/plain",
        headers=(SERVER, (SECONDS_HEADER, str(seconds))),
        hops=instance.hop_limit,
    )


def refusal(status: int) -> Response:
    """An error as IMDS words it."""
    title = f"{status} - {HTTPStatus(status).phrase}"
    page = ERROR_PAGE.format(title=title).encode()
    return Response(status, page, content_type="text/html", headers=(SERVER,))
