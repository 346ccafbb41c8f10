"""Keeps Longshore's processes up: starts them, restarts what dies, ends them together.

Standard library only, so that it starts at once and stays small. Each process is a session leader
of its own and survives the supervisor's death; a new supervisor ends what an old one left (tasks
are not among them: their shims belong to nobody) and starts afresh.
"""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from longshore.base.processes import start_ticks
from longshore.main.serving import SERVING

RESTART_DELAYS = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the first, second… restart of a process that does not stay up."""
STEADY_SECONDS = 10.0
STOP_SECONDS = 8.0
PATIENCE_SECONDS = 2.0
"""How long others wait at most for the first process, which they must do without later, too."""


class AlreadyRunning(Exception):
    """Another supervisor holds this data directory; the message is its pid."""


@dataclass
class Process:
    """One supervised program: its command, and what it finds in its environment besides ours."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    waits: bool = False
    """Whether its first start waits until the first process serves: both at once take longer."""
    started: float = 0.0
    failures: int = 0
    due: float = 0.0
    noted: bool = True
    """Whether its pid file names it."""
    child: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)


class Supervisor:
    """Runs processes in the order given, and ends them in the opposite order."""

    def __init__(self, processes: Sequence[Process], run_dir: Path, log_dir: Path) -> None:
        self._processes = processes
        self._run_dir = run_dir
        self._log_dir = log_dir
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._serving_read, self._serving_write = os.pipe2(os.O_CLOEXEC)
        self._ending = False
        self._lock: IO[str] | None = None

    def run(self, ended: Callable[[], None] = lambda: None) -> None:
        """Supervise until SIGTERM or SIGINT.

        `ended` is called when all have ended, while this still holds the data directory: who waits
        for the supervisor waits for that, too.
        """
        self._take_lock()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for process in self._processes:
            end_process(self._pid_file(process), STOP_SECONDS)
            if process.waits:
                process.due = time.monotonic() + PATIENCE_SECONDS
            else:
                self._start(process)
        while not self._ending:
            self._wait()
            for process in self._processes:
                self._tend(process)
        for process in reversed(self._processes):
            self._stop(process)
        ended()
        if self._lock is not None:
            self._lock.truncate(0)

    def _take_lock(self) -> None:
        self._run_dir.mkdir(parents=True, exist_ok=True)
        self._log_dir.mkdir(parents=True, exist_ok=True)
        path = self._run_dir / "supervisor.pid"
        # 0600: whoever can read it can lock it.
        self._lock = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+")
        path.chmod(0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(path.read_text().strip()) from None
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()

    def _end(self, *_: object) -> None:
        self._ending = True

    def _wait(self) -> None:
        now = time.monotonic()
        due = [process.due for process in self._processes if process.child is None]
        if not all(process.noted for process in self._processes):
            due.append(now + RESTART_DELAYS[-1])
        seconds = max(0.0, min(due) - now) if due else 60.0
        serving = [self._serving_read] if self._serving_read >= 0 else []
        found, _, _ = select.select([self._wake_read, *serving], [], [], seconds)
        if self._serving_read in found:
            self._stop_waiting()
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)

    def _stop_waiting(self) -> None:
        """The first process serves, or has ended."""
        os.close(self._serving_read)
        self._serving_read = -1
        for process in self._processes:
            if process.waits and process.child is None:
                process.due = 0.0

    def _pid_file(self, process: Process) -> Path:
        return self._run_dir / f"{process.name}.pid"

    def _start(self, process: Process) -> None:
        environment = {**os.environ, **process.environment}
        serving, self._serving_write = self._serving_write, -1
        if serving >= 0:
            environment[SERVING] = str(serving)
        with (self._log_dir / f"{process.name}.log").open("ab") as log:
            process.child = subprocess.Popen(
                process.command,
                env=environment,
                pass_fds=[serving] if serving >= 0 else [],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if serving >= 0:
            os.close(serving)
        process.started = time.monotonic()
        process.noted = False
        self._note(process)

    def _note(self, process: Process) -> None:
        """Write its pid down; where the disk is full, again later."""
        if process.child is not None and not process.noted:
            with contextlib.suppress(OSError):
                self._pid_file(process).write_text(identity(process.child.pid))
                process.noted = True

    def _start_again(self, process: Process) -> None:
        try:
            self._start(process)
        except OSError:
            # Its log file cannot be made, say.
            process.due = time.monotonic() + RESTART_DELAYS[-1]

    def _tend(self, process: Process) -> None:
        """Note a death; start again what is due."""
        self._note(process)
        now = time.monotonic()
        if process.child is not None and process.child.poll() is not None:
            steady = now - process.started > STEADY_SECONDS
            process.failures = 1 if steady else process.failures + 1
            delay = RESTART_DELAYS[min(process.failures, len(RESTART_DELAYS)) - 1]
            process.child, process.due = None, now + delay
        if process.child is None and process.due <= now and not self._ending:
            self._start_again(process)

    def _stop(self, process: Process) -> None:
        if process.child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.child.terminate()
        try:
            process.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.child.kill()
            process.child.wait()
        self._pid_file(process).unlink(missing_ok=True)


def identity(pid: int) -> str:
    """`<pid> <start time in clock ticks since boot>`: a pid that cannot be mistaken later."""
    return f"{pid} {start_ticks(pid) or ''}"


def running(pid_file: Path) -> int | None:
    """The pid that `pid_file` names, if that very process still runs."""
    try:
        pid, _, ticks = pid_file.read_text().strip().partition(" ")
    except FileNotFoundError:
        return None
    found = start_ticks(int(pid)) if pid.isdigit() else None
    return int(pid) if found is not None and ticks in {"", str(found)} else None


def end_process(pid_file: Path, seconds: float) -> None:
    """End the process of `pid_file`: SIGTERM, SIGKILL after `seconds`; gone when this returns."""
    pid = running(pid_file)
    if pid is not None:
        _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while running(pid_file) and time.monotonic() < deadline:
            time.sleep(0.02)
        if running(pid_file):
            _signal(pid, signal.SIGKILL)
            while running(pid_file):
                time.sleep(0.02)
    pid_file.unlink(missing_ok=True)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
