"""Collecting what no image needs any more: layer records first, then the blobs without any."""

from collections.abc import Iterator

from longshore.base.logs import logger
from longshore.blobs import BlobStore
from longshore.model import ecr
from longshore.store.interface import Reader, Record, Store, Transaction

GRACE_SECONDS = 24 * 3600.0
"""A push may take this long between its first layer and its manifest; so may an upload rest."""
EVERY_SECONDS = 3600.0

_log = logger(__name__)


async def collect(store: Store, blobs: BlobStore, now: float, grace: float = GRACE_SECONDS) -> int:
    """Delete what nothing has referred to for `grace` seconds; the number of blobs deleted.

    Safe beside pushes: a blob is put or touched before a reference to it is written, so one that a
    push has just begun to rely on is too young to go.
    """
    before = now - grace
    for record in list(unused_layers(store.reader, before)):
        await _drop(store, record)
    needed = references(store.reader)
    deleted = 0
    async for blob in blobs.list_blobs():
        if blob.digest not in needed and await blobs.delete(blob.digest, before):
            deleted += 1
    expired = await blobs.expire_uploads(before)
    if deleted or expired:
        _log.info("Unneeded blobs were deleted", blobs=deleted, uploads=expired)
    return deleted


def unused_layers(reader: Reader, before: float) -> Iterator[Record[ecr.Layer]]:
    """Layers older than `before` that no image of their repository has."""
    for record in reader.scan(ecr.LAYER):
        key = record.key
        if record.value.created_at <= before and not _used(
            reader, key.account, key.region, key.name
        ):
            yield record


def references(reader: Reader) -> set[str]:
    """Digests that any repository of any account holds."""
    layers = {record.value.digest for record in reader.scan(ecr.LAYER)}
    return layers | {record.value.digest for record in reader.scan(ecr.IMAGE)}


def _used(reader: Reader, account: str, region: str, name: str) -> bool:
    return bool(reader.find(ecr.IMAGE, account, region, "blob", name))


async def _drop(store: Store, record: Record[ecr.Layer]) -> None:
    """Delete the record unless an image has come to need it: a push requires it unchanged."""
    key = record.key

    def drop(tx: Transaction) -> None:
        if not _used(tx, key.account, key.region, key.name):
            tx.delete(ecr.LAYER, key.account, key.region, key.name)

    await store.transact(drop)
