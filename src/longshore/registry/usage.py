"""What is metered: bytes in and out of each repository."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from prometheus_client import Counter

from longshore.base.logs import logger
from longshore.images.catalog import Home

PUSH, PULL = "push", "pull"

_log = logger(__name__)
_bytes = Counter(
    "longshore_registry_bytes",
    "Bytes of blobs and manifests that repositories took in and gave out",
    ["account", "region", "repository", "direction"],
)


class Transfer(NamedTuple):
    """What is transferred: of which repository, which way, what, and for whom.

    `digest` is empty for the parts of an upload, `principal_arn` for a signed URL's bearer.
    """

    home: Home
    direction: str
    digest: str
    principal_arn: str


async def metered(transfer: Transfer, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """`pieces`, counted, also where the client goes away before their end."""
    size = 0
    try:
        async for piece in pieces:
            size += len(piece)
            yield piece
    finally:
        record(transfer, size)


def record(transfer: Transfer, size: int) -> None:
    """Count `size` bytes."""
    if not size:
        return
    home = transfer.home
    _bytes.labels(home.account, home.region, home.name, transfer.direction).inc(size)
    _log.info(
        "Image bytes were transferred",
        direction=transfer.direction,
        repository_arn=home.arn,
        digest=transfer.digest,
        bytes=size,
        principal_arn=transfer.principal_arn,
    )
