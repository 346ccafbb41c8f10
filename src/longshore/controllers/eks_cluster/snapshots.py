"""etcd's snapshots on its host, as etcd's own process takes them and restores from them.

(components/kubernetes/kube/snapshots.) Asked for and seen here by files: whoever looks at a cluster
may be killed at any moment, and etcd goes on without it.
"""

import datetime
from pathlib import Path

import msgspec

from longshore.base.files import replace_file
from longshore.model.eks import Issue

TIME = "%Y-%m-%dT%H-%M-%SZ.db"
"""A snapshot's name: when it was taken, in UTC."""
TOLD_SECONDS = 86_400.0
"""For so long a cluster's health says that it was restored."""
LOSSES = {"lost": "was lost", "broken": "was broken, and is set aside"}


class Restored(msgspec.Struct, frozen=True):
    """That etcd began from a snapshot, at a time, of a time (epoch seconds); `why` is a key of
    `LOSSES`."""

    at: int
    snapshot: int
    why: str


def have_snapshot(directory: Path, at: float) -> bool:
    """Whether there is a snapshot that was taken at this time (epoch seconds) or later; it is asked
    for where there is none."""
    whole = int(-(-at // 1))
    if any(taken >= whole for taken in snapshots(directory)):
        return True
    wanted = directory / "wanted"
    if not wanted.exists() or wanted.read_text() != str(whole):
        replace_file(wanted, str(whole).encode())
    return False


def snapshots(directory: Path) -> list[float]:
    """When those that are there were taken (epoch seconds)."""
    found = []
    for path in directory.iterdir() if directory.exists() else ():
        try:
            taken = datetime.datetime.strptime(path.name, TIME).replace(tzinfo=datetime.UTC)
        except ValueError:
            continue
        found.append(taken.timestamp())
    return sorted(found)


def restore_issues(directory: Path, now: float) -> tuple[Issue, ...]:
    """What a cluster's health says of its last restore; nothing a day later."""
    try:
        told = msgspec.json.decode((directory / "restored.json").read_bytes(), type=Restored)
    except (FileNotFoundError, msgspec.DecodeError):
        return ()
    if now > told.at + TOLD_SECONDS:
        return ()
    at, snapshot = _text(told.at), _text(told.snapshot)
    loss = LOSSES.get(told.why, "was not usable")
    return (
        Issue(
            "Other",
            f"The data of the cluster's etcd {loss}. At {at} it was restored from the snapshot of "
            f"{snapshot}: what was changed after that is gone.",
        ),
    )


def _text(at: int) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
