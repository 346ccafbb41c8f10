"""One Longshore on one machine: who it is, where its files lie, which ports it owns."""

import hashlib
import os
from pathlib import Path

import msgspec

FILE_NAME = "installation.json"
DRAFT_NAME = "installation.new"
DEFAULT_DATA_DIR = Path("/var/lib/longshore")


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """What `longshore up` was told, kept in `<data_dir>/installation.json`.

    Two installations on one machine differ in `data_dir` and `port`; everything they make outside
    of `data_dir` (interfaces, namespaces, nft tables, cgroups, lines in /etc/hosts) carries `id`,
    so that neither ever touches the other's objects.
    """

    data_dir: Path
    port: int = 4566
    """HTTP endpoint of every API. HTTPS is on `port + 1`, the registry's HTTPS on `port + 2`."""
    listen: str = "127.0.0.1"
    region: str = "us-east-1"
    account: str = "123456789012"
    auth: str = "enforced"
    """`enforced` (signatures and policies) or `open` (any key is taken)."""
    throttling: bool = False
    """Whether calls are held to AWS's documented rates (`gateway/limits.py`)."""
    runtime: str = "containerd"
    """`containerd` or `simulated`."""
    store: str = ""
    """A postgresql:// URL; empty for SQLite in `data_dir`."""
    public_pool: str = "198.18.0.0/24"
    """Addresses that stand for public IPv4 addresses on this machine, in CIDR form."""

    def save(self) -> None:
        """Write `installation.json`, whole or not at all; nobody else can look into `data_dir`.

        All below it (layers, containers' files, logs, sockets) relies on that mode.
        """
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.data_dir.chmod(0o700)
        path = self.data_dir / FILE_NAME
        draft = self.data_dir / DRAFT_NAME
        draft.unlink(missing_ok=True)
        # The store's URL may have a password in it.
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self, enc_hook=str)))
        draft.replace(path)

    @property
    def id(self) -> str:
        """Six hexadecimal digits that name this installation in kernel objects (IFNAMSIZ is 16)."""
        return hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:6]

    @property
    def tls_port(self) -> int:
        return self.port + 1

    @property
    def registry_port(self) -> int:
        return self.port + 2

    @property
    def endpoint_url(self) -> str:
        """What clients put into `AWS_ENDPOINT_URL`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def local_address(self) -> str:
        """Where this machine itself reaches what listens on `listen`."""
        everywhere = self.listen in {"0.0.0.0", "::"}  # noqa: S104 - compared, never bound
        return "127.0.0.1" if everywhere else self.listen

    @property
    def run_dir(self) -> Path:
        """Sockets and pid files; emptied at start."""
        return self.data_dir / "run"

    @property
    def ready_file(self) -> Path:
        """There while this host's agent has heard from the control plane: tasks can be placed."""
        return self.run_dir / "host.ready"

    @property
    def log_dir(self) -> Path:
        """Logs of Longshore's own processes, not of tasks."""
        return self.data_dir / "log"

    @property
    def host_key_file(self) -> Path:
        """The access key of this host's agent, made at first start (mode 0600)."""
        return self.data_dir / "host-key.json"

    @property
    def domain(self) -> str:
        """The name under which registries and private names of this installation resolve."""
        return "longshore.internal"

    def registry_host(self, account: str, region: str) -> str:
        """Host and port of an account's private registry, as `repositoryUri` shows it."""
        return f"{account}.dkr.ecr.{region}.{self.domain}:{self.registry_port}"


def load_installation(data_dir: Path) -> Installation | None:
    """What was saved for this data directory, or None where there is nothing yet.

    Raises PermissionError for whom it does not belong to.
    """
    try:
        text = (data_dir / FILE_NAME).read_bytes()
    except FileNotFoundError:
        return None
    return msgspec.json.decode(text, type=Installation, dec_hook=lambda kind, value: kind(value))
