"""Versioned records with transactions, watches and leases, on SQLite or PostgreSQL.

Enters: frozen msgspec structs under (kind, account, region, name). Leaves: `Record`, `Change`.
`interface.py` defines the terms; both implementations pass tests/conformance/store. `commit.py` and
`transaction.py` are what they share, `cache.py` is what everyone reads.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longshore.base.clock import Clock
from longshore.model.kind import Kind

if TYPE_CHECKING:
    from longshore.store.interface import Store


async def open_store(url: str, kinds: Sequence[Kind[Any]], clock: Clock) -> "Store":
    """The store at `sqlite:///absolute/path` or `postgresql://…`, made if there is none yet.

    Raises `StoreUnavailable` where it cannot be had, `StoreError` where a newer Longshore wrote it,
    ValueError for another URL.
    """
    # Each driver is imported only where it is used: they cost memory and start-up time.
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        from longshore.store.sqlite import open_sqlite

        return open_sqlite(Path(rest), kinds)
    if scheme in {"postgresql", "postgres"}:
        from longshore.store.postgres import open_postgres

        return await open_postgres(url, kinds, clock)
    raise ValueError(f"a store is at sqlite:///… or postgresql://…, not at {url!r}")
