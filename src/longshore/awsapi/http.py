"""HTTP messages as values, whatever server carries them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class HttpRequest:
    """One request, its body whole.

    `path` and `query` are as they were sent (percent-encoded): signatures are made over them.
    `headers` have lower-case names; repeated ones are joined with a comma; values are stripped.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str = ""
    secure: bool = False


@dataclass(slots=True)
class HttpResponse:
    """One response. Header names are lower-case."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
