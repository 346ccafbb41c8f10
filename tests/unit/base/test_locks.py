"""Who can hold Longshore's locks."""

import stat
from pathlib import Path

import pytest

from longshore.base import locks


def test_lock_shared_by_a_machine_can_be_opened_by_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "DIRECTORY", tmp_path / "longshore")
    with locks.held_machine_wide("any"):
        (lock,) = locks.DIRECTORY.iterdir()
    assert stat.S_IMODE(locks.DIRECTORY.stat().st_mode) == 0o700
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
