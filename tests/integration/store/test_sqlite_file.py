"""The file itself: one process's own, private, and never downgraded."""

import sqlite3
import stat
from pathlib import Path

import pytest
from conformance.store.kinds import OTHER, THING

from longshore.base.clock import SystemClock
from longshore.store import open_store, sqlite
from longshore.store.interface import StoreError, StoreUnavailable

KINDS = (THING, OTHER)


async def test_second_process_cannot_open_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    url = f"sqlite://{tmp_path}/state.db"
    store = await open_store(url, KINDS, SystemClock())
    impatient = (*sqlite.SETTINGS[:-1], "PRAGMA busy_timeout=0")
    monkeypatch.setattr(sqlite, "SETTINGS", ("PRAGMA busy_timeout=0", *impatient))
    with pytest.raises(StoreUnavailable):
        await open_store(url, KINDS, SystemClock())
    await store.close()


def modes(directory: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


async def test_all_that_sqlite_keeps_on_disk_is_readable_by_its_owner_only(tmp_path: Path):
    store = await open_store(f"sqlite://{tmp_path}/state.db", KINDS, SystemClock())
    assert modes(tmp_path) == {"state.db": 0o600, "state.db-wal": 0o600}
    await store.close()


async def test_files_that_others_could_read_are_closed_to_them_when_opened(tmp_path: Path):
    with sqlite3.connect(tmp_path / "state.db") as before:
        before.execute("PRAGMA journal_mode=WAL")
        before.execute("CREATE TABLE any (thing)")
        assert modes(tmp_path)["state.db-wal"] != 0o600
        for left in ("state.db-wal", "state.db-shm"):
            (tmp_path / f"copy-{left}").write_bytes((tmp_path / left).read_bytes())
    before.close()
    # As a killed process leaves them.
    for left in ("state.db-wal", "state.db-shm"):
        (tmp_path / f"copy-{left}").rename(tmp_path / left)
    store = await open_store(f"sqlite://{tmp_path}/state.db", KINDS, SystemClock())
    assert set(modes(tmp_path).values()) == {0o600}
    await store.close()


async def test_store_of_a_newer_longshore_is_refused(tmp_path: Path):
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("PRAGMA user_version=999")
    connection.close()
    with pytest.raises(StoreError, match="older"):
        await open_store(f"sqlite://{tmp_path}/state.db", KINDS, SystemClock())


async def test_other_urls_are_refused():
    with pytest.raises(ValueError, match="sqlite:///"):
        await open_store("mysql://x", KINDS, SystemClock())
