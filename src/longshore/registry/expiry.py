"""Carrying out lifecycle policies: the only place that deletes images by itself."""

import msgspec

from longshore.base.logs import logger
from longshore.images import catalog
from longshore.images.catalog import Home
from longshore.images.lifecycle import Candidate, expiries, parse_policy
from longshore.model import ecr
from longshore.store.interface import Reader, Record, Store, Transaction

_log = logger(__name__)


async def expire(store: Store, now: float) -> int:
    """Evaluate every repository's policy and delete what it says; the number of images deleted."""
    deleted = 0
    for record in list(store.reader.scan(ecr.REPOSITORY)):
        if record.value.lifecycle_policy:
            deleted += await _expire_in(store, record, now)
    return deleted


async def _expire_in(store: Store, record: Record[ecr.Repository], now: float) -> int:
    home = Home(record.key.account, record.key.region, record.key.name)

    def evaluate(tx: Transaction) -> list[str]:
        found = tx.get(ecr.REPOSITORY, *home)
        if found is None or not found.value.lifecycle_policy:
            return []
        policy = parse_policy(found.value.lifecycle_policy)
        gone = [expiry.candidate.digest for expiry in expiries(policy, candidates(tx, home), now)]
        for digest in gone:
            catalog.remove_image(tx, home, digest)
        changed = msgspec.structs.replace(found.value, lifecycle_evaluated_at=now)
        tx.put(ecr.REPOSITORY, *home, changed)
        return gone

    gone = await store.transact(evaluate)
    if gone:
        _log.info("A lifecycle policy deleted images", repository_arn=home.arn, digests=gone)
    return len(gone)


def candidates(reader: Reader, home: Home) -> list[Candidate]:
    """The repository's images as lifecycle rules see them."""
    images = [record.value for record in catalog.images(reader, home)]
    listed = {child for image in images for child in image.children}
    return [
        Candidate(
            digest=image.digest,
            tags=tuple(catalog.tags_of(reader, home, image.digest)),
            pushed_at=image.pushed_at,
            listed=image.digest in listed,
        )
        for image in images
    ]
