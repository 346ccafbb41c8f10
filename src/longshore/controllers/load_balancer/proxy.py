"""One node's HAProxy on this host: its directory, and its socket in it."""

import csv
import io
import os
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path

from longshore.base.files import have_file, replace_file
from longshore.base.installation import Installation
from longshore.controllers.load_balancer import configuration as conf
from longshore.controllers.load_balancer.health import Check
from longshore.controllers.load_balancer.scene import Scene

ANSWER_SECONDS = 1.0
PIECE_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Seen:
    """What a HAProxy said: the version of its configuration (empty where it does not answer), and
    its checks by backend and server."""

    version: str = ""
    checks: dict[tuple[str, str], Check] = field(default_factory=dict)


def home(installation: Installation, balancer_id: str) -> Path:
    """Where the files of a load balancer's nodes are."""
    return installation.data_dir / "load-balancers" / balancer_id


def write(directory: Path, scene: Scene, zone: str) -> str:
    """Have the node's files; the version of its configuration."""
    text = conf.configuration(scene, zone)
    version = conf.version_of(text)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = directory / conf.VERSION
    if kept.exists() and kept.read_text() == f"{version}\n":
        return version
    state = directory / conf.STATE
    told = _ask(directory, "show servers state") or (state.read_text() if state.exists() else "")
    begun = conf.beginning(scene, zone, conf.server_states(told))
    have_file(state, begun.encode())
    have_file(directory / conf.FILE, conf.with_version(text).encode())
    # Last: whoever starts or reloads HAProxy looks for it.
    replace_file(kept, f"{version}\n".encode())
    return version


def look(directory: Path) -> Seen:
    """What the node's HAProxy says now."""
    info = _ask(directory, "show info")
    version = next(
        (line.partition(": ")[2] for line in info.splitlines() if line.startswith("description:")),
        "",
    )
    if not version:
        return Seen()
    table = _ask(directory, "show stat -1 4 -1").removeprefix("# ")
    checks = {
        (row["pxname"], row["svname"]): Check(
            row["status"], row["check_status"] or "", row["check_code"] or ""
        )
        for row in csv.DictReader(io.StringIO(table))
        if row.get("pxname")
    }
    return Seen(version.strip(), checks)


def forget(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)


def _ask(directory: Path, command: str) -> str:
    """The answer of the socket; empty where nobody answers."""
    try:
        held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return ""
    try:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(ANSWER_SECONDS)
            # A socket's path may have 107 characters, which data directories exceed.
            asked.connect(f"/proc/self/fd/{held}/{conf.SOCKET}")
            asked.sendall(f"{command}\n".encode())
            pieces = []
            while piece := asked.recv(PIECE_BYTES):
                pieces.append(piece)
            return b"".join(pieces).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(held)
