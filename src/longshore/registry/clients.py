"""What makes registries' names work on this machine, as `repositoryUri` shows them.

Two things are written outside of the data directory, and taken away by `uninstall`:

- a line of /etc/hosts for each registry in use, tagged with the installation's id;
- the CA's certificate where docker, podman, skopeo, buildah, containerd and kubelet look for the
  certificates of one host (`certs.d/<host:port>/`).

Directories that did not exist are marked, so that the last installation to leave removes them.
"""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from longshore.base.authority import Authority
from longshore.base.files import write_over
from longshore.base.hosts_file import forget_all, have_names
from longshore.base.installation import Installation
from longshore.base.locks import held_machine_wide
from longshore.base.logs import logger
from longshore.model import ecr
from longshore.store.interface import Store

MARK = ".made-by-longshore"
CERTIFICATES = ("docker/certs.d", "containers/certs.d", "containerd/certs.d")
"""Below /etc: docker and nerdctl, containers/image (podman, skopeo, buildah, CRI-O), containerd."""
Registry = tuple[str, str]
"""Account and region."""
log = logger(__name__)


def install(
    installation: Installation,
    authority: Authority,
    registries: Collection[Registry] = (),
    etc: Path = Path("/etc"),
) -> None:
    """Make the registries' names resolve and be trusted; the installation's own one always.

    May be repeated; what was installed for other registries of this installation stays.
    """
    wanted = {(installation.account, installation.region), *registries}
    hosts = [installation.registry_host(*registry) for registry in sorted(wanted)]
    with held_machine_wide("etc"):
        for host in hosts:
            for folder in CERTIFICATES:
                _trust(etc, etc / folder / host, host, authority.certificate_pem)
    names = [host.rpartition(":")[0] for host in hosts]
    have_names(installation, dict.fromkeys(names, installation.local_address), etc)


def uninstall(installation: Installation, etc: Path = Path("/etc")) -> None:
    """Take away all that `install` wrote for this installation, and nothing else."""
    forget_all(installation, etc)
    with held_machine_wide("etc"):
        for folder in CERTIFICATES:
            parent = etc / folder
            pattern = f"*.dkr.ecr.*.{installation.domain}:{installation.registry_port}"
            for directory in parent.glob(pattern):
                for name in ("ca.crt", "hosts.toml"):
                    (directory / name).unlink(missing_ok=True)
                with suppress(OSError):
                    directory.rmdir()
            _leave(parent)
            _leave(parent.parent)


async def follow(
    store: Store, installation: Installation, authority: Authority, etc: Path = Path("/etc")
) -> None:
    """Install each registry as soon as an account uses it in a region; runs until cancelled."""
    changes = store.watch([ecr.REGISTRY])
    used = {(found.key.account, found.key.region) for found in store.reader.scan(ecr.REGISTRY)}
    await _install_aside(installation, authority, [], etc)
    for registry in sorted(used):
        await _install_one(installation, authority, registry, etc)
    async for change in changes:
        registry = (change.key.account, change.key.region)
        if change.after is not None and registry not in used:
            used.add(registry)
            await _install_one(installation, authority, registry, etc)


async def _install_one(
    installation: Installation, authority: Authority, registry: Registry, etc: Path
) -> None:
    """One that cannot be installed keeps no other from it."""
    try:
        await _install_aside(installation, authority, [registry], etc)
    except OSError as error:
        account, region = registry
        log.warning(
            "a registry's name was not installed", account=account, region=region, error=str(error)
        )


async def _install_aside(
    installation: Installation, authority: Authority, registries: Collection[Registry], etc: Path
) -> None:
    """`install` in a thread, as another Longshore may be at it; cancelled, it is waited for."""
    registries = list(registries)
    working = asyncio.create_task(
        asyncio.to_thread(install, installation, authority, registries, etc)
    )
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise


def _trust(etc: Path, directory: Path, host: str, certificate: bytes) -> None:
    _make(etc, directory.parent)
    directory.mkdir(exist_ok=True)
    write_over(directory / "ca.crt", certificate)
    if directory.parent.parent.name == "containerd":
        text = (
            f'server = "https://{host}"\n\n[host."https://{host}"]\n  ca = "{directory}/ca.crt"\n'
        )
        write_over(directory / "hosts.toml", text.encode())


def _make(etc: Path, directory: Path) -> None:
    """Make a directory below `etc`, marked where it was missing."""
    if directory in {etc, Path("/")} or directory.is_dir():
        return
    _make(etc, directory.parent)
    directory.mkdir()
    (directory / MARK).touch()


def _leave(directory: Path) -> None:
    """Remove a directory that was made here and has nothing more in it."""
    mark = directory / MARK
    if mark.exists() and [path.name for path in directory.iterdir()] == [MARK]:
        mark.unlink()
        directory.rmdir()
