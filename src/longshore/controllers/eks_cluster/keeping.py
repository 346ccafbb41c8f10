"""A cluster's keys, sealed in its status, and the files that its processes read."""

import hashlib
import secrets
import shutil
from pathlib import Path

import msgspec

from longshore.base.certificates import CERTIFICATE_DAYS, Subject
from longshore.base.clock import Clock
from longshore.base.files import replace_file
from longshore.base.installation import Installation
from longshore.base.sealing import Sealer
from longshore.controllers.eks_cluster.plane import home, webhook_url
from longshore.kubernetes import ControlPlane, Keys, Webhook, files, new_keys
from longshore.model.eks import Cluster, ClusterStatus
from longshore.oidc.keys import public_pem

COMPLETE = "complete"
"""The file that is written last: `_Complete`, in JSON."""
RENEW_SECONDS = CERTIFICATE_DAYS * 86_400 / 2
"""For so long certificates stay before they are made anew."""


class Kept(msgspec.Struct, frozen=True):
    """What a cluster keeps for its whole life: its keys, and what its API server shows to us."""

    keys: Keys
    webhook_token: str


class _Complete(msgspec.Struct, frozen=True):
    """When the files were made (epoch seconds), and for what the server's certificate."""

    at: int
    server: Subject


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

    def write(self, cluster: Cluster, plane: ControlPlane, kept: Kept) -> int:
        """Have the files on this host; when they were made.

        What is there stays until its certificates have half of their time behind them, or the
        server has other names or addresses. Processes that run take the new ones as they come to
        them, and all of them with the next task.
        """
        directory, now = home(self._installation, cluster) / "files", self._clock.now()
        made = _made(directory)
        if made is not None and made.server == plane.server and now < made.at + RENEW_SECONDS:
            return made.at
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory.parent / "etcd").mkdir(mode=0o700, exist_ok=True)
        for name, content in files(plane, kept.keys, now).items():
            replace_file(directory / name, content)
        complete = msgspec.json.encode(_Complete(int(now), plane.server))
        replace_file(directory / COMPLETE, complete)
        return int(now)

    def forget(self, cluster: Cluster) -> None:
        """Take away the files, and all that etcd kept."""
        shutil.rmtree(home(self._installation, cluster), ignore_errors=True)


def _made(directory: Path) -> _Complete | None:
    """None where the files are not all there."""
    try:
        return msgspec.json.decode((directory / COMPLETE).read_bytes(), type=_Complete)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _place(cluster: Cluster) -> str:
    return f"{cluster.arn}/{cluster.id}"
