"""A cluster's keys, sealed in its status, and the files that its processes read."""

import hashlib
import secrets
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec

from longshore.base.certificates import CERTIFICATE_DAYS, Subject
from longshore.base.clock import Clock
from longshore.base.files import replace_file
from longshore.base.installation import Installation
from longshore.base.sealing import Sealer
from longshore.controllers.eks_cluster.plane import (
    etcd_data,
    etcd_files_of,
    etcd_snapshots,
    files_of,
    home,
    webhook_url,
)
from longshore.kubernetes import ControlPlane, Keys, Webhook, etcd_files, files, new_keys
from longshore.model.eks import Cluster, ClusterStatus
from longshore.oidc.keys import public_pem

COMPLETE = "complete"
"""The file that is written last: `_Complete`, in JSON."""
FORM = 1
"""Another one where other files are needed than those that an earlier Longshore made."""
RENEW_SECONDS = CERTIFICATE_DAYS * 86_400 / 2
"""For so long certificates stay before they are made anew."""


class Kept(msgspec.Struct, frozen=True):
    """What a cluster keeps for its whole life: its keys, and what its API server shows to us."""

    keys: Keys
    webhook_token: str


class _Complete(msgspec.Struct, frozen=True):
    """When the files were made (epoch seconds), for what the server's certificate, and which."""

    at: int
    server: Subject
    form: int = 0


class Keeping:
    """Makes, seals and writes; its methods take their time and belong into a thread.

    `authority` is the certificate (PEM) of the installation's own authority, by which API servers
    check whom they ask.
    """

    def __init__(
        self, installation: Installation, sealer: Sealer, authority: bytes, clock: Clock
    ) -> None:
        self._installation = installation
        self._sealer = sealer
        self._authority = authority
        self._clock = clock

    def begin(self, cluster: Cluster) -> ClusterStatus:
        """A new cluster's status, with keys of its own."""
        kept = Kept(new_keys(cluster.name, self._clock.now()), secrets.token_urlsafe(32))
        sealed = self._sealer.seal(msgspec.msgpack.encode(kept), _place(cluster))
        return ClusterStatus(
            id=cluster.id,
            authority=kept.keys.cluster.certificate.decode(),
            sealed_keys=sealed,
            token_key=public_pem(kept.keys.service_accounts),
            webhook_digest=hashlib.sha256(kept.webhook_token.encode()).hexdigest(),
        )

    def open(self, cluster: Cluster, status: ClusterStatus) -> Kept:
        """What `begin` sealed; raises `Unsealable` where that was with another key."""
        content = self._sealer.unseal(status.sealed_keys, _place(cluster))
        return msgspec.msgpack.decode(content, type=Kept)

    def webhook(self, cluster: Cluster, account: str, region: str, kept: Kept) -> Webhook:
        """Whom the cluster's API server asks."""
        url = webhook_url(self._installation, account, region, cluster.name)
        return Webhook(url=url, authority=self._authority, token=kept.webhook_token)

    def has(self, cluster: Cluster, plane: ControlPlane, generation: str) -> bool:
        """Whether the files of this generation are all on this host, for this very server, and
        their certificates have no more than half of their time behind them."""
        directory = files_of(self._installation, cluster, generation)
        return _is_good(_made(directory), self._wanted(plane.server))

    def write(self, cluster: Cluster, plane: ControlPlane, kept: Kept, generation: str) -> None:
        """Have the files of an API server on this host; it is not there yet that reads them."""
        directory, now = files_of(self._installation, cluster, generation), self._clock.now()
        self._write(directory, plane.server, lambda: files(plane, kept.keys, now))

    def write_etcd(self, cluster: Cluster, plane: ControlPlane, kept: Kept) -> None:
        """Have etcd's files on this host, and places for what it writes.

        It takes new ones as it runs: certificates are made anew when half of their time is behind
        them.
        """
        for place in (etcd_data, etcd_snapshots):
            place(self._installation, cluster).mkdir(mode=0o700, parents=True, exist_ok=True)
        directory, now = etcd_files_of(self._installation, cluster), self._clock.now()
        if not _is_good(_made(directory), self._wanted(plane.etcd)):
            self._write(directory, plane.etcd, lambda: etcd_files(plane, kept.keys, now))

    def retire(self, cluster: Cluster, generations: Collection[str]) -> None:
        """Take away the files of all generations but these."""
        parent = files_of(self._installation, cluster, "")
        for directory in parent.iterdir() if parent.exists() else ():
            if directory.name not in generations:
                shutil.rmtree(directory, ignore_errors=True)

    def _wanted(self, owner: Subject) -> "_Complete":
        return _Complete(int(self._clock.now()), owner, FORM)

    def _write(
        self, directory: Path, owner: Subject, make: Callable[[], Mapping[str, bytes]]
    ) -> None:
        # A mode is not for the parents that are made along the way.
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        (directory / COMPLETE).unlink(missing_ok=True)
        for name, content in make().items():
            replace_file(directory / name, content)
        replace_file(directory / COMPLETE, msgspec.json.encode(self._wanted(owner)))

    def forget(self, cluster: Cluster) -> None:
        """Take away the files, and all that etcd kept."""
        shutil.rmtree(home(self._installation, cluster), ignore_errors=True)


def _is_good(made: _Complete | None, wanted: _Complete) -> bool:
    if made is None or (made.server, made.form) != (wanted.server, wanted.form):
        return False
    return wanted.at < made.at + RENEW_SECONDS


def _made(directory: Path) -> _Complete | None:
    """None where the files are not all there."""
    try:
        return msgspec.json.decode((directory / COMPLETE).read_bytes(), type=_Complete)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _place(cluster: Cluster) -> str:
    return f"{cluster.arn}/{cluster.id}"
