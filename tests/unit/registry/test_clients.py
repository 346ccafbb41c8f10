import asyncio
import fcntl
import os
from pathlib import Path

import pytest

from longshore.base.authority import Authority
from longshore.base.installation import Installation
from longshore.base.locks import held_machine_wide
from longshore.images.catalog import open_registry
from longshore.registry.clients import follow, install, uninstall
from longshore.testing.memory_store import MemoryStore
from longshore.testing.wait import eventually

HOSTS = "127.0.0.1 localhost\n# by hand\n10.0.0.1 db\n"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "hosts").write_text(HOSTS)
    return etc


def installed(tmp_path: Path, name: str, port: int) -> Installation:
    return Installation(data_dir=tmp_path / name, port=port)


def everything(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else b""
        for path in sorted(directory.rglob("*"))
    }


def test_registries_in_use_resolve_and_are_trusted(tmp_path: Path, etc: Path) -> None:
    authority = Authority.load_or_create(tmp_path / "ca", "test")
    here = installed(tmp_path, "one", 4566)
    install(here, authority, [("222222222222", "eu-west-1")], etc)
    lines = (etc / "hosts").read_text()
    assert lines.startswith(HOSTS)
    for account, region in ((here.account, here.region), ("222222222222", "eu-west-1")):
        assert f"127.0.0.1 {account}.dkr.ecr.{region}.longshore.internal " in lines
        host = f"{account}.dkr.ecr.{region}.longshore.internal:4568"
        for folder in ("docker", "containers", "containerd"):
            found = etc / folder / "certs.d" / host / "ca.crt"
            assert found.read_bytes() == authority.certificate_pem
    assert (
        f'server = "https://{host}"'
        in (etc / "containerd" / "certs.d" / host / "hosts.toml").read_text()
    )


def test_installing_twice_changes_nothing(tmp_path: Path, etc: Path) -> None:
    authority = Authority.load_or_create(tmp_path / "ca", "test")
    here = installed(tmp_path, "one", 4566)
    install(here, authority, [("222222222222", "eu-west-1")], etc)
    before = everything(etc)
    install(here, authority, [], etc)
    assert everything(etc) == before


def test_leaving_removes_every_trace(tmp_path: Path, etc: Path) -> None:
    (etc / "docker").mkdir()
    (etc / "docker" / "daemon.json").write_text("{}")
    before = everything(etc)
    here = installed(tmp_path, "one", 4566)
    authority = Authority.load_or_create(tmp_path / "ca", "test")
    install(here, authority, [("222222222222", "eu-west-1")], etc)
    uninstall(here, etc)
    assert everything(etc) == before
    uninstall(here, etc)
    assert everything(etc) == before


def test_lock_that_any_user_can_take_keeps_nobody_from_installing(
    tmp_path: Path, etc: Path
) -> None:
    authority = Authority.load_or_create(tmp_path / "ca", "test")
    here = installed(tmp_path, "one", 4566)
    before = everything(etc)
    directory = os.open(etc, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        install(here, authority, [], etc)
        uninstall(here, etc)
    finally:
        os.close(directory)
    assert everything(etc) == before


@pytest.mark.parametrize("first_to_leave", [0, 1])
def test_two_installations_never_touch_each_others_lines(
    tmp_path: Path, etc: Path, first_to_leave: int
) -> None:
    before = everything(etc)
    both = [installed(tmp_path, "one", 4566), installed(tmp_path, "two", 5566)]
    authority = Authority.load_or_create(tmp_path / "ca", "test")
    alone = both[1 - first_to_leave]
    install(alone, authority, [], etc)
    with_one = everything(etc)
    for here in both:
        install(here, authority, [], etc)
    uninstall(both[first_to_leave], etc)
    assert everything(etc) == with_one
    uninstall(alone, etc)
    assert everything(etc) == before


async def test_control_plane_goes_on_while_another_longshore_installs(
    tmp_path: Path, etc: Path
) -> None:
    authority = Authority.load_or_create(tmp_path / "ca", "test")
    here = installed(tmp_path, "one", 4566)
    with held_machine_wide("etc"):
        following = asyncio.create_task(follow(MemoryStore(), here, authority, etc))
        done, _ = await asyncio.wait([following], timeout=0.1)
        assert not done
        assert (etc / "hosts").read_text() == HOSTS

    async def installed_after_all() -> bool:
        return (etc / "hosts").read_text() != HOSTS

    await eventually(installed_after_all)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_registry_whose_name_no_file_can_have_keeps_no_other_from_resolving(
    tmp_path: Path, etc: Path
) -> None:
    authority = Authority.load_or_create(tmp_path / "ca", "test")
    here = installed(tmp_path, "one", 4566)
    store = MemoryStore()

    async def use(account: str, region: str) -> None:
        await store.transact(lambda tx: open_registry(tx, account, region, 0.0))

    async def resolves(account: str) -> bool:
        return f"{account}.dkr.ecr.eu-west-1." in (etc / "hosts").read_text()

    await use("111111111111", f"aa-{'a' * 300}-1")
    await use("222222222222", "eu-west-1")
    following = asyncio.create_task(follow(store, here, authority, etc))
    await eventually(lambda: resolves("222222222222"))
    await use("111111111111", f"bb-{'b' * 300}-1")
    await use("333333333333", "eu-west-1")
    await eventually(lambda: resolves("333333333333"))
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
