"""What requests that make something have in common: client tokens, and clusters that must run."""

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from longshore.model import eks
from longshore.services.eks.failures import invalid_request, token_reused
from longshore.services.eks.records import digest, status_of
from longshore.services.eks.view import status_shown
from longshore.services.interface import Context


class Made(Protocol):
    """What was made by a request that may have had a token."""

    @property
    def client_token(self) -> str: ...

    @property
    def request(self) -> str: ...


T = TypeVar("T", bound=Made)


def made_by(there: Iterable[T], request: Any, cluster: str) -> T | None:
    """What the same call has made; InvalidParameterException where another one of its token has.

    What is being deleted is no answer.
    """
    token = request.get("clientRequestToken")
    for each in there:
        if token and each.client_token == token and not getattr(each, "deleted_at", 0.0):
            if each.request == digest(request):
                return each
            raise token_reused(cluster)
    return None


def check_active(context: Context, cluster: eks.Cluster) -> None:
    """InvalidRequestException unless the cluster runs; it may be in the middle of an update."""
    if status_shown(cluster, status_of(context, cluster), updating=False) != "ACTIVE":
        raise invalid_request(f"Cluster '{cluster.name}' is not in ACTIVE status", cluster.name)
