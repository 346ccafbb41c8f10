"""Processes of this machine, told apart."""

from collections.abc import Iterator
from pathlib import Path


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None where none runs (a zombie is none).

    With its pid this names one process for good: the kernel gives pids again (proc(5), `stat`).
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def command_line(pid: int) -> list[str]:
    """What the process was started as (proc(5), `cmdline`); empty where none runs."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return words[:-1]


def command_lines() -> Iterator[tuple[int, list[str]]]:
    """Pid and command line of each process that is there, but of the kernel's own threads."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (words := command_line(int(entry.name))):
            yield int(entry.name), words
