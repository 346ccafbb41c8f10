"""What one installation has in the kernel and in /etc at this moment, found by its id."""

import json
import subprocess
from pathlib import Path

import psutil

CERTIFICATES = ("docker/certs.d", "containers/certs.d", "containerd/certs.d")


def traces(installation):
    """Everything of this installation outside of its data directory, one line each."""
    mark = f"longshore-{installation.id}"
    return [
        *_processes(str(installation.data_dir), mark),
        *_mounts(str(installation.data_dir), installation.id),
        *_named(Path("/run/netns"), f"ls-{installation.id}-*"),
        *_links(f"ls{installation.id}"),
        *_lines(["nft", "list", "tables"], mark),
        *_lines(["ip", "route", "show", "table", "all"], installation.public_pool),
        *cgroups(mark),
        *_named(Path("/run/containerd"), f"*/{mark}"),
        *_lines(["cat", "/etc/hosts"], installation.id),
        *_lines(["losetup", "--all"], str(installation.data_dir)),
        *_certificates(f":{installation.registry_port}"),
    ]


def processes_of(installation):
    """Processes of this installation: its own, containerd's, shims, and what runs in tasks."""
    own, mark = str(installation.data_dir), f"longshore-{installation.id}"
    return [each for each in psutil.process_iter() if _belongs(each, own, mark)]


def _belongs(process, data_dir, mark):
    try:
        words = " ".join(process.cmdline())
        cgroups = Path(f"/proc/{process.pid}/cgroup").read_text()
    except (psutil.Error, OSError):
        return False
    # Tests themselves name the directory, too.
    told = data_dir in words and ("longshore.main" in words or "containerd" in words)
    return told or mark in cgroups or (mark in words and "shim" in words)


def _processes(data_dir, mark):
    for process in psutil.process_iter():
        if _belongs(process, data_dir, mark):
            yield f"process {process.pid} {process.name()}"


def _mounts(*marks):
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if any(mark in line for mark in marks):
            yield f"mount {line}"


def cgroups(*parts):
    """Cgroups of every hierarchy below one of this name (or path); some may go meanwhile."""
    path = "/".join(("*", *parts))
    command = ["find", "/sys/fs/cgroup", "-type", "d", "-path", path]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return sorted(done.stdout.splitlines())


def _named(directory, pattern):
    return [str(path) for path in directory.glob(pattern)]


def _links(prefix):
    told = subprocess.run(["ip", "-json", "link"], check=True, capture_output=True).stdout
    return [link["ifname"] for link in json.loads(told) if link["ifname"].startswith(prefix)]


def _lines(command, mark):
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line for line in told.splitlines() if mark in line]


def _certificates(port):
    return [
        str(path) for folder in CERTIFICATES for path in (Path("/etc") / folder).glob(f"*{port}")
    ]
