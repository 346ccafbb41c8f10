"""Which service and operation a request means, among those offered and all that botocore knows."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from longshore.awsapi.api import Api
from longshore.awsapi.http import HttpRequest
from longshore.awsapi.model import DATA, Metadata, load_metadata, model_path
from longshore.awsapi.protocol.query import form_of
from longshore.model.errors import AwsError

REST = frozenset({"rest-json", "rest-xml"})
RPC_PATH_PARTS = 5


class Target(NamedTuple):
    """What a request asks for. `operation` may be one that the service does not have."""

    api: Api
    protocol: str
    operation: str


class Catalogue:
    """Finds targets. The models of services that are not offered are read when first asked for."""

    def __init__(self, offered: Iterable[str]) -> None:
        self._offered = {name: Api(name) for name in offered}
        self._metadata = {name: load_metadata(name) for name in self._offered}
        self._targets: dict[str, Target] = {}

    def api(self, name: str) -> Api:
        """The API of a service, offered or not."""
        return self._offered.get(name) or _unoffered(name)

    def find(self, request: HttpRequest, scope: str) -> Target | None:
        """The target, or None where the request names no service or no operation.

        `scope` is the service of the credential scope, empty where nothing is signed.
        """
        target = request.headers.get("x-amz-target")
        if target is not None:
            return self._targets.get(target) or self._from_target(target, scope)
        if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
            return self._from_rpc_path(request.path, scope)
        name = self._rest_service(scope)
        if name:
            api = self.api(name)
            return Target(api, "", api.route(request))
        return self._from_form(request, scope)

    def _from_target(self, text: str, scope: str) -> Target | None:
        prefix, _, operation = text.rpartition(".")
        name = self._by("target_prefix", prefix, scope)
        if not name:
            return None
        target = Target(self.api(name), self._json_of(name), operation)
        if name in self._offered and operation in target.api.model.operations:
            self._targets[text] = target
        return target

    def _json_of(self, name: str) -> str:
        """The protocol of a request with X-Amz-Target."""
        return "" if self._known(name).protocol == "json" else "json"

    def _from_rpc_path(self, path: str, scope: str) -> Target | None:
        parts = path.split("/")
        if len(parts) != RPC_PATH_PARTS or parts[1] != "service" or parts[3] != "operation":
            return None
        name = self._by("target_prefix", parts[2], scope)
        return Target(self.api(name), "smithy-rpc-v2-cbor", parts[4]) if name else None

    def _rest_service(self, scope: str) -> str:
        name = self._by("scope_name", scope, scope) if scope else ""
        return name if name and self._known(name).protocol in REST else ""

    def _from_form(self, request: HttpRequest, scope: str) -> Target | None:
        fields = form_of(request) if request.path == "/" else {}
        action, version = fields.get("Action", ""), fields.get("Version", "")
        name = self._by_version(scope, version)
        if not action or not name:
            return None
        own = self._known(name).protocol
        return Target(self.api(name), "" if own in {"query", "ec2"} else "query", action)

    def _by_version(self, scope: str, version: str) -> str:
        """Services that speak query are told apart by scope and API version."""
        found: list[str] = []
        for known in self._in_turn():
            found += [
                name
                for name, metadata in known.items()
                if _speaks_query(metadata) and (metadata.scope_name == scope or not scope)
            ]
            exact = [name for name in found if self._known(name).api_version == version]
            if exact:
                return exact[0]
        return found[0] if found and scope else ""

    def _by(self, trait: str, value: str, scope: str) -> str:
        """The service with this trait; among several, the one that the scope names."""
        for known in self._in_turn():
            found = [name for name, metadata in known.items() if getattr(metadata, trait) == value]
            if found:
                return min(found, key=lambda name: known[name].scope_name != scope)
        return ""

    def _in_turn(self) -> Iterator[Mapping[str, Metadata]]:
        """What is offered; then everything, whose heads take 0.2 s to read when first needed."""
        yield self._metadata
        yield all_metadata()

    def _known(self, name: str) -> Metadata:
        return self._metadata.get(name) or all_metadata()[name]

    def closest(self, request: HttpRequest, scope: str) -> tuple[Api, str] | None:
        """Whose form of error to use where `find` gave nothing."""
        name = self._by("scope_name", scope, scope) if scope else ""
        if name:
            return self.api(name), ""
        if self._offered and "x-amz-target" in request.headers:
            return next(iter(self._offered.values())), "json"
        return None


def unknown_target(request: HttpRequest, scope: str) -> AwsError:
    """The answer where nothing was found."""
    if "x-amz-target" in request.headers or scope:
        return AwsError("InvalidAction", "")
    return AwsError("MissingAction", "The request must contain the parameter Action")


def _speaks_query(metadata: Metadata) -> bool:
    return bool({"query", "ec2"} & {metadata.protocol, *metadata.protocols})


@lru_cache(maxsize=4)
def _unoffered(name: str) -> Api:
    return Api(name)


@cache
def all_metadata() -> Mapping[str, Metadata]:
    """Every service's metadata, from the heads of botocore's models."""
    found = {}
    for folder in sorted(DATA.iterdir()):
        path = model_path(folder.name) if folder.is_dir() else None
        if path is not None:
            found[folder.name] = load_metadata(folder.name)
    return found
